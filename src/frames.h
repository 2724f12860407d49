/* frames.h - letters over a stream between two processes of one program and one version.
 *
 * First each side says hello: 64 bytes that every version understands. Then letters, each behind its length: 8 bytes, then
 * header and body as they stand in memory (doc/protocol.md). One thread at a time.
 */
#ifndef FRAMES_H
#define FRAMES_H

#include <stdbool.h>
#include <stddef.h>

#include "message.h"

struct frames;

/* Over the socket, which it takes, also when it fails. NULL when memory is out. */
struct frames *frames_new(int fd);

/* Closes the socket; letters not sent are lost. Nulls; NULL is fine. */
void frames_destroy(struct frames **self);

/* Readable when frames_fill has something to do. */
int frames_descriptor(const struct frames *self);

/* Says hello, waiting if need be. 0 or TROUPE_EDEAD. */
int frames_say_hello(struct frames *self);

/* Hears the other's hello, waiting at most so many seconds, and may be called again: 0, TROUPE_ETIMEDOUT, TROUPE_EDEAD (it ended, or says what no
 * troupe does), TROUPE_EREFUSED: it is of another version, which stands in `version`. */
int frames_hear_hello(struct frames *self, double seconds, char *version, size_t size);

/* The letter is sent by the next frames_flush, after those before it; takes it. */
void frames_put(struct frames *self, struct message **letter);

/* Sends what the socket takes: 0 when all has left, TROUPE_EFULL when it takes no more now, TROUPE_EDEAD. */
int frames_flush(struct frames *self);

/* Waits until the socket takes more. */
void frames_wait_to_send(struct frames *self);

/* Reads what is there: 0 when there was something, TROUPE_ETIMEDOUT when there was nothing, TROUPE_EDEAD at the end or at
 * bytes that are no letter, TROUPE_ENOMEM: nothing can be read before the next letter is taken, see frames_is_starved. */
int frames_fill(struct frames *self);

/* True when the last frames_fill has read all that there was, and the next has nothing to say of it. */
bool frames_is_drained(const struct frames *self);

/* True when nothing waits for frames_flush. */
bool frames_has_sent(const struct frames *self);

/* The next letter that has been read whole; NULL: there is none, or no memory for it. */
struct message *frames_take(struct frames *self);

/* True when there was no memory for a letter: it is there still, and is to be tried again a little later. */
bool frames_is_starved(const struct frames *self);

/* True when the letter last taken has lost its body: it is a large one, and there was no memory for it. */
bool frames_was_cut(const struct frames *self);

#endif
