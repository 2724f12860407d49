/* api_steps.c - the smallest task in steps: it adds numbers up, and the owner hears of each thousand.
 *
 *     cc api_steps.c $(pkg-config --cflags --libs troupe) -o api_steps && ./api_steps
 */
#include <stdio.h>
#include <troupe.h>

struct sum { int at, last; long total; bool over; };

/* A step, on a thread of the pool. */
static int add_some(void *user, enum troupe_task_status status)
{
    struct sum *sum = user;
    if (status == TROUPE_TASK_STOPPING)
        return TROUPE_STOPPED;
    for (int i = 0; i < 1000 && sum->at < sum->last; i++)
        sum->total += ++sum->at;
    return sum->at < sum->last ? TROUPE_SYNC : TROUPE_FINISHED;
}

/* Here, from troupe_pool_turn: between two steps what the task works on is the owner's. */
static void on_change(struct troupe_task *task, void *user, enum troupe_task_status status)
{
    struct sum *sum = user;
    printf("%d: %ld\n", sum->at, sum->total);
    sum->over = status != TROUPE_TASK_SYNCING;
    if (sum->over)
        troupe_task_status(task, NULL);
    else
        troupe_task_sync(task, false);
}

int main(void)
{
    struct troupe_pool *pool = troupe_pool_create(&(struct troupe_pool_args){.threads = 2, .on_change = on_change});
    struct sum sum = {.last = 3000};
    if (!pool || !troupe_pool_enqueue(pool, &(struct troupe_task_args){.run = add_some, .user = &sum}))
        return perror("api_steps"), 1;
    while (!sum.over)
        troupe_pool_turn(pool, -1);
    troupe_pool_destroy(&pool);
    return 0;
}
