/* bridge_start.c - how a worker process comes to be: its ends, the program, hellos, and the letter that says who it is. For
 * the bridge's thread; what is open when something fails is closed by close_house (bridge.c).
 */
#include "bridge_inner.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "frames.h"
#include "mailbox.h"
#include "mailbox_route.h"
#include "process.h"
#include "troupe.h"

enum { ENDS = 4 };

static const double HELLO_SECONDS = 60, SLICE = 0.05;

static int fail(struct bridge *self, const char *what)
{
    snprintf(self->reason, sizeof self->reason, "%s: %s", what, strerror(errno));
    return TROUPE_ELIMIT;
}

static bool watch(struct bridge *self, int fd)
{
    struct epoll_event e = { .events = EPOLLIN, .data.fd = fd };
    return fd < 0 || epoll_ctl(self->poll, EPOLL_CTL_ADD, fd, &e) == 0;
}

/* The changes of the environment as a list. NULL: no memory. */
static const char **list_env(const struct bridge *self)
{
    size_t count = 0;
    for (size_t at = 0; at < self->env_size; at += strlen(self->env + at) + 1)
        count++;
    const char **list = malloc((count + 1) * sizeof *list);
    if (!list)
        return NULL;
    count = 0;
    for (size_t at = 0; at < self->env_size; at += strlen(self->env + at) + 1)
        list[count++] = self->env + at;
    list[count] = NULL;
    return list;
}

/* With the ends of what it is to be connected by: socket, standard output, standard error, log. */
static int start_process(struct bridge *self, const int ends[ENDS])
{
    char program[PATH_MAX * 4];
    if (process_find(program, sizeof program)) {
        snprintf(self->reason, sizeof self->reason, "%.*s", REASON_SIZE - 1, program);
        return TROUPE_EINVAL;
    }
    const char **env = list_env(self);
    struct process_options o = { .program = program, .env = env, .handover = ends[0],
                                 .out = ends[1], .err = ends[2], .log = ends[3] };
    int rc = env ? process_start(&self->process, &o) : TROUPE_ENOMEM;
    if (rc) {
        char what[REASON_SIZE / 2];
        snprintf(what, sizeof what, "cannot start the program %.200s", program);
        fail(self, what);
    }
    free(env);
    return rc;
}

/* The socket, both outputs and the log; this side's ends are kept, the others in `ends`. */
static int connect_ends(struct bridge *self, int ends[ENDS])
{
    int pair[2], pipe[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
        return fail(self, "cannot connect a worker process");
    ends[0] = pair[1];
    self->frames = frames_new(pair[0]);
    for (int i = 0; i < 3; i++) {
        if (!self->frames || pipe2(pipe, O_CLOEXEC))
            return fail(self, "cannot connect a worker process");
        ends[i + 1] = pipe[1];
        if (i < 2)
            self->output[i] = (struct output){ .fd = pipe[0], .to = i + 1, .pool = self->pool, .listener = self->listener, .mailbox = self->mailbox };
        else
            records_open(&self->records, pipe[0]);
    }
    self->levels_heard = 0;
    self->poll = epoll_create1(EPOLL_CLOEXEC);
    bool watched = self->poll >= 0 && watch(self, self->bell) && watch(self, frames_descriptor(self->frames)) &&
                   watch(self, self->output[0].fd) && watch(self, self->output[1].fd) && watch(self, self->records.fd);
    return watched ? 0 : fail(self, "cannot connect a worker process");
}

/* The letter that makes the process a house. */
static int send_order(struct bridge *self)
{
    int house = mailbox_claim_house(self->box);
    struct message *m = house > 0 ? message_copy(self->order) : NULL;
    if (house > 0)
        self->house = (uint16_t)house;
    if (!m)
        return fail(self, "cannot start a worker process");
    struct bridge_order order;
    memcpy(&order, message_body(m), sizeof order);
    order.house = self->house;
    order.parent = getpid();
    self->level = atomic_load(&log_level_of_all);
    order.log_level = (int)(self->level & 255);
    memcpy(message_body(m), &order, sizeof order);
    frames_put(self->frames, &m);
    bridge_flush(self);
    return 0;
}

/* Another version says so at once; what says nothing is no troupe. */
static int hear_hello(struct bridge *self)
{
    char version[64];
    int rc = TROUPE_ETIMEDOUT;
    for (double until = clock_now() + HELLO_SECONDS; rc == TROUPE_ETIMEDOUT && clock_now() < until;) {
        rc = frames_hear_hello(self->frames, SLICE, version, sizeof version);
        if (atomic_load(&self->abandoned))
            rc = TROUPE_EDEAD;
    }
    if (rc == TROUPE_EREFUSED)
        snprintf(self->reason, sizeof self->reason, "the program 'troupe' that was found is version %s, and this is version %d.%d.%d; "
                 "the environment's TROUPE may name another", version, TROUPE_VERSION_MAJOR, TROUPE_VERSION_MINOR, TROUPE_VERSION_PATCH);
    else if (rc == TROUPE_ETIMEDOUT)
        snprintf(self->reason, sizeof self->reason, "the program that was found as 'troupe' does not answer");
    return rc;
}

int bridge_open_house(struct bridge *self)
{
    int ends[ENDS] = { -1, -1, -1, -1 };
    int rc = connect_ends(self, ends);
    if (rc == 0)
        rc = start_process(self, ends);
    for (int i = 0; i < ENDS; i++)
        if (ends[i] >= 0)
            close(ends[i]);
    if (rc == 0)
        self->records.number = (uint32_t)process_id(self->process);
    if (rc == 0 && !watch(self, process_descriptor(self->process)))
        rc = fail(self, "cannot watch a worker process");
    if (rc == 0)
        rc = frames_say_hello(self->frames);
    if (rc == 0)
        rc = hear_hello(self);
    return rc ? rc : send_order(self);
}
