/* api_server.c - one thread serves connections from a loop of its own; the slow work for each is a task, which hands it chunk
 * after chunk: what libwebsockets' lws_threadpool is for.
 *
 *     cc api_server.c $(pkg-config --cflags --libs troupe) -o api_server && ./api_server
 *
 * Listens on a free port of 127.0.0.1 and prints it. A client sends "count N" and gets N lines; when it hangs up before, its
 * task is stopped. The task of "log N" outlives its client. A client that sends "quit" ends the server. */
#include <arpa/inet.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <troupe.h>
#include <unistd.h>

enum { MOST = 64 };

struct client {
    int socket;                  /* -1: it has hung up */
    struct troupe_group *group;  /* of its one task; NULL: none yet, or it has hung up */
    bool works, log;
    int done, last;
    char chunk[64];
};

/* On a thread of the pool: works out one chunk, and waits until the loop has sent it. */
static int make_chunk(void *user, enum troupe_task_status status)
{
    struct client *c = user;
    if (status == TROUPE_TASK_STOPPING)
        return TROUPE_STOPPED;
    if (c->done == c->last)
        return TROUPE_FINISHED;
    c->done++;
    snprintf(c->chunk, sizeof c->chunk, "%d squared is %lld\n", c->done, (long long)c->done * c->done);
    return TROUPE_SYNC;
}

static void end_work(void *user)
{
    struct client *c = user;
    c->works = false;
    printf("%s: %s\n", c->log ? "log" : "count", c->done == c->last ? "all" : "a part");
    fflush(stdout);
    if (c->socket >= 0)
        shutdown(c->socket, SHUT_WR);
    else
        free(c);
}

static void on_change(struct troupe_task *task, void *user, enum troupe_task_status status)
{
    struct client *c = user;
    if (status == TROUPE_TASK_SYNCING) {
        if (c->socket >= 0)
            send(c->socket, c->chunk, strlen(c->chunk), MSG_NOSIGNAL);
        troupe_task_sync(task, false);
    } else {
        troupe_task_status(task, NULL);
    }
}

static void hang_up(struct client *c)
{
    close(c->socket);
    c->socket = -1;
    troupe_group_close(c->group);
    c->group = NULL;
    if (!c->works)
        free(c);
}

/* What a client sent: false when it hung up, or makes no sense. */
static bool serve(struct troupe_pool *pool, struct client *c, bool *quit)
{
    char line[64] = "", word[8] = "";
    if (recv(c->socket, line, sizeof line - 1, 0) <= 0)
        return false;
    *quit |= strncmp(line, "quit", 4) == 0;
    if (c->group || sscanf(line, "%7s %d", word, &c->last) != 2 || c->last < 0)
        return false;
    c->log = strcmp(word, "log") == 0;
    c->group = troupe_group_create(pool);
    struct troupe_task_args task = {.run = make_chunk, .cleanup = end_work, .user = c, .group = c->group, .outlive = c->log};
    c->works = c->group && troupe_pool_enqueue(pool, &task);
    return c->works;
}

static int listen_on_loopback(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(fd, (struct sockaddr *)&address, size) || listen(fd, MOST) || getsockname(fd, (struct sockaddr *)&address, &size))
        return -1;
    printf("port %d\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

int main(void)
{
    struct client *clients[MOST];
    struct troupe_pool *pool = troupe_pool_create(&(struct troupe_pool_args){.threads = 2, .on_change = on_change});
    int listener = listen_on_loopback(), count = 0;
    if (!pool || listener < 0)
        return perror("api_server"), EXIT_FAILURE;
    for (bool quit = false; !quit;) {
        struct pollfd fds[MOST + 2] = {{troupe_pool_descriptor(pool), POLLIN, 0}, {count < MOST ? listener : -1, POLLIN, 0}};
        for (int i = 0; i < count; i++)
            fds[i + 2] = (struct pollfd){clients[i]->socket, POLLIN, 0};
        poll(fds, (nfds_t)count + 2, -1);
        troupe_pool_turn(pool, 0);
        for (int i = count; i-- > 0;)
            if (fds[i + 2].revents && !serve(pool, clients[i], &quit)) {
                hang_up(clients[i]);
                clients[i] = clients[--count];
            }
        if (fds[1].revents & POLLIN && (clients[count] = calloc(1, sizeof **clients)))
            clients[count++]->socket = accept(listener, NULL, NULL);
    }
    while (count > 0)
        hang_up(clients[--count]);
    troupe_pool_destroy(&pool);
    close(listener);
    return EXIT_SUCCESS;
}
