/* gate.c - see gate.h. A place is taken by comparing and swapping, never by counting too far and taking that back: nobody
 * finds the pool full because of somebody else's vain attempt.
 */
#include "gate.h"

#include <stdatomic.h>
#include <stdlib.h>

struct gate {
    atomic_int holders;
    atomic_bool shut;
    _Atomic int64_t free;
};

struct gate *gate_new(int64_t places)
{
    struct gate *self = malloc(sizeof *self);
    if (!self)
        return NULL;
    atomic_init(&self->holders, 1);
    atomic_init(&self->shut, false);
    atomic_init(&self->free, places);
    return self;
}

void gate_hold(struct gate *self)
{
    atomic_fetch_add(&self->holders, 1);
}

void gate_release(struct gate **gate)
{
    struct gate *self = *gate;
    *gate = NULL;
    if (self && atomic_fetch_sub(&self->holders, 1) == 1)
        free(self);
}

bool gate_admit(struct gate *self)
{
    int64_t free = atomic_load(&self->free);
    while (free > 0) {
        if (atomic_compare_exchange_weak(&self->free, &free, free - 1))
            return true;
    }
    return false;
}

bool gate_enter(struct gate *self)
{
    return !atomic_load(&self->shut) && gate_admit(self);
}

void gate_leave(struct gate *self)
{
    atomic_fetch_add(&self->free, 1);
}

void gate_shut(struct gate *self, bool shut)
{
    atomic_store(&self->shut, shut);
}
