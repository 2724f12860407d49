/* registry.h - names of actors, and who subscribed to what, by address alone.
 *
 * A topic is words with dots between them. In a subscription the word `*` stands for any one word, and `>` as the last for
 * one or more. One owner, one thread at a time; see registry_program.h for the one that a program's vms share.
 */
#ifndef REGISTRY_H
#define REGISTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buffer;
struct registry;

/* Empty; NULL when memory is out. */
struct registry *registry_new(void);

/* Frees all it has. Nulls; NULL is fine. */
void registry_destroy(struct registry **self);

/* True when nobody has a name or a subscription. */
bool registry_is_empty(const struct registry *self);

/* True when an actor has: an address whose task is not 0, that is no whole vm. */
bool registry_has_actors(const struct registry *self);

/* Gives the address, which is not 0, a name. 0; TROUPE_EINVAL when the name is taken, TROUPE_ENOMEM, then unchanged. */
int registry_register(struct registry *self, const char *name, size_t size, uint64_t address);

/* Frees the name. False when it was free. */
bool registry_unregister(struct registry *self, const char *name, size_t size);

/* Whose name it is; 0: nobody's. */
uint64_t registry_whereis(const struct registry *self, const char *name, size_t size);

/* The first of the address's names as strcmp orders them, which stays the registry's; NULL: it has none. */
const char *registry_name(const struct registry *self, uint64_t address, size_t *size);

/* Calls see for every name, which may change nothing here. Stops when it returns other than 0, and returns that. */
int registry_names(const struct registry *self, int (*see)(void *context, const char *name, size_t size), void *context);

/* 0, also when it had subscribed to that already; TROUPE_ENOMEM, then unchanged. */
int registry_subscribe(struct registry *self, const char *topic, size_t size, uint64_t address);

/* False when it had not subscribed to that. */
bool registry_unsubscribe(struct registry *self, const char *topic, size_t size, uint64_t address);

/* Appends the addresses of all whose subscriptions the topic fits, as uint64_t, each once. 0 or TROUPE_ENOMEM. */
int registry_subscribers(struct registry *self, const char *topic, size_t size, struct buffer *out);

/* The address loses all it has here; all addresses of the same box do; all of the same house. */
void registry_forget(struct registry *self, uint64_t address);
void registry_forget_box(struct registry *self, uint64_t address);
void registry_forget_house(struct registry *self, uint16_t house);

#endif
