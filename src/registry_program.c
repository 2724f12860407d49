/* registry_program.c - see registry_program.h.
 *
 * Invariants:
 *  1. the registry is there exactly while somebody has something in it, or somebody is inside;
 *  2. `used` is set before the lock is given back under which an actor got something: who ends after that sees it;
 *  3. a forked child has a copy as it was between two changes.
 */
#include "registry_program.h"

#include <pthread.h>
#include <stdatomic.h>

static struct {
    pthread_mutex_t lock;
    pthread_once_t forks;
    struct registry *registry;
    atomic_bool used; /* there is something to forget when an actor ends */
    _Atomic uint64_t dead_letters;
} program = {.lock = PTHREAD_MUTEX_INITIALIZER, .forks = PTHREAD_ONCE_INIT};

static void take_lock(void)
{
    pthread_mutex_lock(&program.lock);
}

static void give_lock(void)
{
    pthread_mutex_unlock(&program.lock);
}

static void watch_forks(void)
{
    pthread_atfork(take_lock, give_lock, give_lock);
}

struct registry *registry_enter(void)
{
    pthread_once(&program.forks, watch_forks);
    take_lock();
    if (!program.registry)
        program.registry = registry_new();
    struct registry *there = program.registry;
    if (!there)
        give_lock();
    return there;
}

void registry_exit(void)
{
    if (registry_is_empty(program.registry))
        registry_destroy(&program.registry);
    atomic_store(&program.used, program.registry && registry_has_actors(program.registry));
    give_lock();
}

/* Inside, when there is anything at all. */
static struct registry *enter_used(void)
{
    take_lock();
    struct registry *there = program.registry; /* as it is now: outside it may be another's */
    if (!there)
        give_lock();
    return there;
}

void registry_ended(uint64_t address)
{
    struct registry *r = atomic_load(&program.used) ? enter_used() : NULL;
    if (!r)
        return;
    registry_forget(r, address);
    registry_exit();
}

void registry_closed(uint64_t address)
{
    struct registry *r = enter_used();
    if (!r)
        return;
    registry_forget_box(r, address);
    registry_exit();
}

void registry_house_gone(uint16_t house)
{
    struct registry *r = enter_used();
    if (!r)
        return;
    registry_forget_house(r, house);
    registry_exit();
}

uint64_t registry_count_dead(uint64_t more)
{
    return atomic_fetch_add(&program.dead_letters, more) + more;
}
