/* registry_inner.h - what the parts of the registry share: registry.c has names and addresses, registry_topics.c
 * subscriptions, registry_table.c the hash table that finds each of them.
 */
#ifndef REGISTRY_INNER_H
#define REGISTRY_INNER_H

#include "registry.h"

#include <sys/queue.h>

/* What stands in a table, as the first member of something. */
struct item {
    struct item *next; /* in its bucket */
    uint64_t hash;
};

/* Buckets double when there are more items than buckets; without memory for that, they fill up. */
struct table {
    struct item **buckets;
    size_t count, mask; /* mask: buckets less one */
    struct item *single; /* the first bucket, so that an empty table needs no memory */
};

void table_init(struct table *self);
/* The items are the caller's. */
void table_release(struct table *self);
/* Needs no memory that it could not do without. */
void table_insert(struct table *self, struct item *item);
void table_remove(struct table *self, struct item *item);

/* The first item of that hash's bucket, for `for (i = table_first(t, hash); i; i = i->next)`: others stand there too. */
static inline struct item *table_first(const struct table *self, uint64_t hash)
{
    return self->buckets[hash & self->mask];
}

/* A name, or a word of a topic: bytes that are found by what they are below whom. */
uint64_t registry_hash(const char *text, size_t size, const void *above);

struct name {
    struct item item;
    struct member *holder;
    LIST_ENTRY(name) same_holder;
    size_t size;
    char text[];
};

/* All letterboxes that have members: what a box or a house takes along when it closes. */
struct box {
    struct item item;
    uint64_t number; /* an address without its task */
    LIST_HEAD(, member) members;
    LIST_ENTRY(box) all;
};

/* An address that has a name or a subscription. */
struct member {
    struct item item;
    uint64_t address;
    uint64_t seen; /* by which search for subscribers */
    struct box *box;
    LIST_ENTRY(member) same_box;
    LIST_HEAD(, name) names;
    LIST_HEAD(, subscription) subscriptions;
};

/* A word of a subscription's topic, below the words before it: the topics are a tree. */
struct word {
    struct item item;
    struct word *above; /* NULL: it is the root, which is no word */
    struct word *next;  /* in a search's list */
    size_t below;       /* how many words */
    TAILQ_HEAD(, subscription) subscriptions;
    size_t size;
    char text[];
};

struct subscription {
    struct item item;
    struct word *word; /* the topic's last */
    struct member *member;
    TAILQ_ENTRY(subscription) same_word;
    LIST_ENTRY(subscription) same_member;
};

struct registry {
    struct table names, members, boxes, words, subscriptions;
    LIST_HEAD(, box) all_boxes;
    size_t actors; /* members that are no whole vms */
    struct word *root;
    uint64_t searches;
};

/* The member of that address; made when `make`. NULL: there is none, or no memory for one. */
struct member *registry_member(struct registry *self, uint64_t address, bool make);

/* Frees it when it has nothing left. */
void registry_drop_member(struct registry *self, struct member *member);

/* Takes it out and frees it; its word too, when nothing is left there. */
void registry_drop_subscription(struct registry *self, struct subscription *subscription);

struct word *registry_new_root(void);

#endif
