/* registry.c - names, and the addresses that have something here.
 *
 * Invariants:
 *  1. a member has a name or a subscription, or stands in no table any more; a box has a member;
 *  2. every name is in `names` and in its holder's list, so is what a member has taken out with it at the cost of what it has;
 *  3. taking something out needs no memory.
 */
#include "registry_inner.h"

#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "troupe.h"

static uint64_t hash_number(uint64_t number)
{
    number *= 0x9e3779b97f4a7c15u;
    return number ^ number >> 32;
}

struct registry *registry_new(void)
{
    struct registry *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    self->root = registry_new_root();
    if (!self->root) {
        free(self);
        return NULL;
    }
    struct table *const tables[] = {&self->names, &self->members, &self->boxes, &self->words, &self->subscriptions};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        table_init(tables[i]);
    LIST_INIT(&self->all_boxes);
    return self;
}

static void forget_all(struct registry *self, struct box *box)
{
    bool last;
    do {
        struct member *member = LIST_FIRST(&box->members);
        last = !LIST_NEXT(member, same_box); /* the box goes with it */
        registry_forget(self, member->address);
    } while (!last);
}

void registry_destroy(struct registry **registry)
{
    struct registry *self = *registry;
    *registry = NULL;
    if (!self)
        return;
    while (!LIST_EMPTY(&self->all_boxes))
        forget_all(self, LIST_FIRST(&self->all_boxes));
    struct table *const tables[] = {&self->names, &self->members, &self->boxes, &self->words, &self->subscriptions};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        table_release(tables[i]);
    free(self->root);
    free(self);
}

bool registry_is_empty(const struct registry *self)
{
    return self->members.count == 0;
}

bool registry_has_actors(const struct registry *self)
{
    return self->actors > 0;
}

/* ---- members and boxes */

static struct box *find_box(const struct registry *self, uint64_t address)
{
    uint64_t number = address_make(address_node(address), address_box(address), 0);
    for (struct item *i = table_first(&self->boxes, hash_number(number)); i; i = i->next)
        if (((struct box *)i)->number == number)
            return (struct box *)i;
    return NULL;
}

static struct box *make_box(struct registry *self, uint64_t address)
{
    struct box *box = malloc(sizeof *box);
    if (!box)
        return NULL;
    box->number = address_make(address_node(address), address_box(address), 0);
    box->item.hash = hash_number(box->number);
    LIST_INIT(&box->members);
    LIST_INSERT_HEAD(&self->all_boxes, box, all);
    table_insert(&self->boxes, &box->item);
    return box;
}

static struct member *make_member(struct registry *self, uint64_t address)
{
    struct member *member = malloc(sizeof *member);
    struct box *box = member ? find_box(self, address) : NULL;
    if (member && !box)
        box = make_box(self, address);
    if (!box) {
        free(member);
        return NULL;
    }
    *member = (struct member){.item.hash = hash_number(address), .address = address, .box = box};
    LIST_INSERT_HEAD(&box->members, member, same_box);
    table_insert(&self->members, &member->item);
    self->actors += address_task(address) != 0;
    return member;
}

static struct member *find_member(const struct registry *self, uint64_t address)
{
    for (struct item *i = table_first(&self->members, hash_number(address)); i; i = i->next)
        if (((struct member *)i)->address == address)
            return (struct member *)i;
    return NULL;
}

struct member *registry_member(struct registry *self, uint64_t address, bool make)
{
    struct member *member = find_member(self, address);
    return member || !make ? member : make_member(self, address);
}

void registry_drop_member(struct registry *self, struct member *member)
{
    struct box *box = member->box;
    if (!LIST_EMPTY(&member->names) || !LIST_EMPTY(&member->subscriptions))
        return;
    self->actors -= address_task(member->address) != 0;
    LIST_REMOVE(member, same_box);
    table_remove(&self->members, &member->item);
    free(member);
    if (!LIST_EMPTY(&box->members))
        return;
    LIST_REMOVE(box, all);
    table_remove(&self->boxes, &box->item);
    free(box);
}

/* ---- names */

static struct name *find_name(const struct registry *self, const char *text, size_t size)
{
    uint64_t hash = registry_hash(text, size, NULL);
    for (struct item *i = table_first(&self->names, hash); i; i = i->next) {
        struct name *name = (struct name *)i;
        if (i->hash == hash && name->size == size && memcmp(name->text, text, size) == 0)
            return name;
    }
    return NULL;
}

int registry_register(struct registry *self, const char *text, size_t size, uint64_t address)
{
    if (find_name(self, text, size))
        return TROUPE_EINVAL;
    struct name *name = malloc(sizeof *name + size);
    struct member *holder = name ? registry_member(self, address, true) : NULL;
    if (!holder) {
        free(name);
        return TROUPE_ENOMEM;
    }
    name->item.hash = registry_hash(text, size, NULL);
    name->holder = holder;
    name->size = size;
    memcpy(name->text, text, size);
    LIST_INSERT_HEAD(&holder->names, name, same_holder);
    table_insert(&self->names, &name->item);
    return 0;
}

static void drop_name(struct registry *self, struct name *name)
{
    LIST_REMOVE(name, same_holder);
    table_remove(&self->names, &name->item);
    free(name);
}

bool registry_unregister(struct registry *self, const char *text, size_t size)
{
    struct name *name = find_name(self, text, size);
    if (!name)
        return false;
    struct member *holder = name->holder;
    drop_name(self, name);
    registry_drop_member(self, holder);
    return true;
}

uint64_t registry_whereis(const struct registry *self, const char *text, size_t size)
{
    const struct name *name = find_name(self, text, size);
    return name ? name->holder->address : 0;
}

static bool is_before(const struct name *a, const struct name *b)
{
    int order = memcmp(a->text, b->text, a->size < b->size ? a->size : b->size);
    return order < 0 || (order == 0 && a->size < b->size);
}

const char *registry_name(const struct registry *self, uint64_t address, size_t *size)
{
    const struct member *member = find_member(self, address);
    const struct name *first = NULL, *name;
    if (!member)
        return NULL;
    LIST_FOREACH(name, &member->names, same_holder)
        if (!first || is_before(name, first))
            first = name;
    if (first)
        *size = first->size;
    return first ? first->text : NULL;
}

int registry_names(const struct registry *self, int (*see)(void *context, const char *name, size_t size), void *context)
{
    int rc = 0;
    for (size_t i = 0; i <= self->names.mask && rc == 0; i++)
        for (struct item *item = self->names.buckets[i]; item && rc == 0; item = item->next) {
            const struct name *name = (struct name *)item;
            rc = see(context, name->text, name->size);
        }
    return rc;
}

/* ---- ends */

void registry_forget(struct registry *self, uint64_t address)
{
    struct member *member = find_member(self, address);
    if (!member)
        return;
    while (!LIST_EMPTY(&member->names))
        drop_name(self, LIST_FIRST(&member->names));
    while (!LIST_EMPTY(&member->subscriptions))
        registry_drop_subscription(self, LIST_FIRST(&member->subscriptions));
    registry_drop_member(self, member);
}

void registry_forget_box(struct registry *self, uint64_t address)
{
    struct box *box = find_box(self, address);
    if (box)
        forget_all(self, box);
}

void registry_forget_house(struct registry *self, uint16_t house)
{
    struct box *box = LIST_FIRST(&self->all_boxes);
    while (box) {
        struct box *next = LIST_NEXT(box, all);
        if (address_node(box->number) == house)
            forget_all(self, box);
        box = next;
    }
}
