/* api_lua.c - a C program that lets Lua do part of its work: a rule in Lua for each number, run on all processors.
 *
 *     cc api_lua.c $(pkg-config --cflags --libs troupe) -o api_lua && ./api_lua 'return (...) * 2' */
#include <stdlib.h>
#include <troupe.h>

enum { COUNT = 10 };

static int failures;

/* One result, a small number: its MessagePack is the number itself. */
static void print_result(struct troupe_task *task, void *user, enum troupe_task_status status)
{
    size_t size;
    const unsigned char *result = troupe_task_result(task, &size);
    (void)user;
    if (status == TROUPE_TASK_FINISHED && size == 1)
        printf("%d\n", result[0]);
    else if (++failures == 1)
        fprintf(stderr, "%.*s\n", (int)size, result ? (const char *)result : "");
    troupe_task_status(task, NULL);
}

int main(int argc, char **argv)
{
    struct troupe_pool *pool = troupe_pool_create(&(struct troupe_pool_args){.on_change = print_result});
    const char *rule = argc > 1 ? argv[1] : "return (...) * 2";
    if (!pool)
        return perror("pool"), EXIT_FAILURE;
    for (unsigned char i = 1; i <= COUNT; i++)
        if (!troupe_pool_submit_lua(pool, rule, &i, 1))
            return perror("submit"), EXIT_FAILURE;
    for (int done = 0; done < COUNT;)
        done += troupe_pool_turn(pool, -1);
    troupe_pool_destroy(&pool);
    return failures > 0;
}
