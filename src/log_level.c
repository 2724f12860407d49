/* log_level.c - the level of all vms, and who is told when it is set.
 *
 * Each process of the program has a copy, the program's counts. There, bridges to worker processes watch it and pass it on;
 * what a worker process sets is its own at once, and goes to the program by its log's pipe (log_pipe.c).
 *
 * Invariants:
 *  1. what was set last in the program is what all have in the end: a worker process takes the program's word unless it has
 *     said something since that the program had not heard when it spoke, and which is then the later word;
 *  2. in a worker process levels are set in the order in which they are said: both under one lock.
 */
#include "log.h"

#include <pthread.h>
#include <sys/eventfd.h>

#include "log_inner.h"

atomic_uint log_level_of_all = RECORD_WARNING;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* over the list */
static struct log_watch *watches;

static atomic_uint said; /* in a worker process: levels set here, of which the program is told */

static void ring_all(void)
{
    pthread_mutex_lock(&lock);
    for (struct log_watch *w = watches; w; w = w->next)
        eventfd_write(w->bell, 1);
    pthread_mutex_unlock(&lock);
}

static unsigned next_word(unsigned word, int level)
{
    return ((word & ~255u) + 256) | (unsigned)level;
}

unsigned log_set_level_here(int level)
{
    unsigned old = atomic_load(&log_level_of_all);
    while (!atomic_compare_exchange_weak(&log_level_of_all, &old, next_word(old, level)))
        ;
    ring_all();
    return next_word(old, level);
}

/* Who sets the level here counts first and then changes the word: so either that is seen in the count, or it comes after. */
void log_hear_level(int level, unsigned heard)
{
    unsigned old = atomic_load(&log_level_of_all);
    do {
        if (atomic_load(&said) != heard)
            return;
    } while (!atomic_compare_exchange_strong(&log_level_of_all, &old, next_word(old, level)));
    ring_all();
}

void log_note_level_said(void)
{
    atomic_fetch_add(&said, 1);
}

void log_set_level_of_all(int level)
{
    if (!log_pipe_level(level))
        log_set_level_here(level);
}

void log_watch_level(struct log_watch *watch)
{
    pthread_mutex_lock(&lock);
    watch->prev = NULL;
    watch->next = watches;
    if (watches)
        watches->prev = watch;
    watches = watch;
    pthread_mutex_unlock(&lock);
}

void log_unwatch_level(struct log_watch *watch)
{
    pthread_mutex_lock(&lock);
    if (watch->prev)
        watch->prev->next = watch->next;
    else if (watches == watch)
        watches = watch->next;
    if (watch->next)
        watch->next->prev = watch->prev;
    watch->next = watch->prev = NULL;
    pthread_mutex_unlock(&lock);
}

void log_levels_forked(void)
{
    pthread_mutex_init(&lock, NULL);
    watches = NULL; /* bridges stayed behind */
}
