/* codes.h - bytecode the node knows by hash, and which worker was sent what. For the node's thread. */
#ifndef CODES_H
#define CODES_H

#include <stdbool.h>
#include <stdint.h>

#include "message.h"

struct codes;

/* The codes that one worker was sent. Zeroed: none. */
struct codes_sent {
    uint64_t *bits;
    uint32_t words;
};

/* NULL when memory is out. */
struct codes *codes_new(void);
void codes_destroy(struct codes **self);

/* Keeps the MAIL_CODE letter, which it takes, unless its code is known. TROUPE_ENOMEM: it is not kept. */
int codes_learn(struct codes *self, struct message **letter);

/* What the worker must be sent before it runs the code: a borrowed letter, or NULL when it has it or nobody knows it. */
const struct message *codes_missing(const struct codes *self, const struct codes_sent *sent, uint64_t code);

/* The worker was sent it. TROUPE_ENOMEM: not noted, it will be sent again. */
int codes_note(const struct codes *self, struct codes_sent *sent, uint64_t code);

void codes_sent_release(struct codes_sent *sent);

#endif
