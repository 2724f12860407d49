/* log_level.c - the level of all vms, and who is told when it is set.
 *
 * Each process of the program has a copy. In the program, bridges to worker processes watch it and pass it on; what a worker
 * process sets goes to the program by its log's pipe (log_pipe.c).
 */
#include "log.h"

#include <pthread.h>
#include <sys/eventfd.h>

#include "log_inner.h"

atomic_uint log_level_of_all = RECORD_WARNING;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* over the list */
static struct log_watch *watches;

void log_set_level_here(int level)
{
    unsigned old = atomic_load(&log_level_of_all);
    while (!atomic_compare_exchange_weak(&log_level_of_all, &old, ((old & ~255u) + 256) | (unsigned)level))
        ;
    pthread_mutex_lock(&lock);
    for (struct log_watch *w = watches; w; w = w->next)
        eventfd_write(w->bell, 1);
    pthread_mutex_unlock(&lock);
}

void log_set_level_of_all(int level)
{
    log_set_level_here(level);
    log_pipe_level(level);
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
