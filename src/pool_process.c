/* pool_process.c - what is particular to a pool whose workers are processes: what they may take, why one died, and what of
 * their jobs only they know.
 *
 * What is on its way to a process cannot be taken out of a tray here: it is asked back, and comes or not. Meanwhile a
 * client's question whether a job could be cancelled waits in `recalled`, until the job has ended or its worker has kept
 * it. The order of letters makes sure of an answer: each recall has one, and a worker that dies ends its jobs. Nor is it
 * known here whether a job has begun: who asks for its status waits in `looked_for` until the process has said so, or is
 * gone.
 */
#include <string.h>

#include "mailbox.h"
#include "order.h"
#include "pool_inner.h"
#include "troupe.h"

int pool_read_process(struct pool *self, const char *at, size_t size, size_t *used)
{
    struct process_order order;
    if (size < sizeof order)
        return TROUPE_EBADMSG;
    memcpy(&order, at, sizeof order);
    *used = sizeof order + (size_t)order.cwd_size + order.env_size;
    if (size < *used)
        return TROUPE_EBADMSG;
    const char *cwd = at + sizeof order;
    self->process = (struct bridge_options){
        .order = {.address_space = order.address_space, .uid = order.uid, .gid = order.gid, .nice = order.nice},
        .cwd = order.cwd_size > 1 ? cwd : NULL,
        .env = cwd + order.cwd_size,
        .env_size = order.env_size,
        .listener = order.listens ? self->owner : 0,
    };
    self->worker.cpu_limit = order.cpu_limit;
    self->worker.process = &self->process;
    return 0;
}

typedef bool asker(struct worker *self, struct mailbox *node, uint64_t job);

/* Asks the worker that has the job; the client's question waits in the list. False: there is nobody to ask. */
static bool ask_worker(struct pool *self, struct message **question, asker *ask, struct message **list)
{
    uint64_t id = message_header(*question)->id;
    struct hand *hand = pool_hand(self, dispatcher_worker_of(self->dispatcher, id));
    if (!hand || !hand->worker || !ask(hand->worker, self->house.mailbox, id))
        return false;
    (*question)->next = *list;
    *list = *question;
    *question = NULL;
    return true;
}

bool pool_ask_back(struct pool *self, struct message **question)
{
    return ask_worker(self, question, worker_recall, &self->recalled);
}

bool pool_ask_begun(struct pool *self, struct message **question)
{
    return ask_worker(self, question, worker_ask, &self->looked_for);
}

void pool_answer_looked(struct pool *self, uint64_t id, bool begun)
{
    struct message **link = &self->looked_for;
    while (*link) {
        struct message *m = *link;
        if (message_header(m)->id == id) {
            *link = m->next;
            pool_tell_status(self, &m, begun);
        } else {
            link = &m->next;
        }
    }
}

void pool_look_again(struct pool *self)
{
    struct message *list = self->looked_for;
    self->looked_for = NULL;
    while (list) {
        struct message *m = list;
        list = m->next;
        pool_answer_status(self, &m);
    }
}

void pool_answer_recalled(struct pool *self, uint64_t id, bool cancelled)
{
    struct message **link = &self->recalled;
    while (*link) {
        struct message *m = *link;
        if (message_header(m)->id == id) {
            *link = m->next;
            pool_answer_boolean(self, &m, cancelled);
        } else {
            link = &m->next;
        }
    }
}

void pool_returned(struct pool *self, struct message **letter, double now)
{
    int worker = pool_worker_of(self, *letter);
    if (worker && dispatcher_returned(self->dispatcher, worker, message_header(*letter)->id, now) == 0)
        pool_keep_letter(letter);
}

void pool_kept(struct pool *self, const struct message *letter)
{
    pool_answer_recalled(self, message_header(letter)->id, false);
}

void pool_lose_worker(struct pool *self, int worker, struct message **letter, double now)
{
    self->lost = *letter;
    *letter = NULL;
    dispatcher_worker_down(self->dispatcher, worker, false, now);
    pool_turn(self, now); /* what it had ends now, while it is known why */
    message_destroy(&self->lost);
}
