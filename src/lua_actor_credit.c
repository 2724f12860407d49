/* lua_actor_credit.c - mailbox_limit across vms: how many messages of another vm may be on their way.
 *
 * A vm that knows of an actor's limit sends it that many messages at most for which it has no credit back; its senders wait, or
 * are told "full" (lua_actor_send.c: `length` of the reference). Credit comes when the actor has room: at once, in portions,
 * or when it has taken messages. So a mailbox holds at most its limit, and as much again for each vm that sends. Where a
 * vm does not know of the limit it is told by an answer to its first message.
 */
#include "lua_actor.h"

#include <stdlib.h>

/* A vm that has sent to a limited actor. */
struct peer {
    uint64_t vm;
    int owed; /* messages that it awaits credit for */
    struct peer *next;
};

static struct peer *peer_of(struct actor *a, uint64_t vm)
{
    struct peer *p = a->peers;
    while (p && p->vm != vm)
        p = p->next;
    if (!p && (p = calloc(1, sizeof *p))) {
        p->vm = vm;
        p->next = a->peers;
        a->peers = p;
    }
    return p;
}

static void send_credit(lua_State *L, const struct actor *a, uint64_t vm, int count)
{
    struct letter what = {.kind = MAIL_CREDIT, .to = vm, .from = a->id, .id = (uint64_t)a->limit, .number = count};
    actor_post(L, actor_write(L, &what, lua_gettop(L) + 1, "", 0));
}

static int portion(const struct actor *a)
{
    return a->limit >= 4 ? a->limit / 4 : 1;
}

void actor_give_credit(lua_State *L, struct actor *a)
{
    if (a->length >= a->limit)
        return;
    for (struct peer *p = a->peers; p; p = p->next) {
        if (p->owed < portion(a))
            continue;
        send_credit(L, a, p->vm, p->owed);
        p->owed = 0;
    }
}

void actor_note_sender(lua_State *L, struct actor *a, uint64_t vm, bool counted)
{
    struct peer *p = counted ? peer_of(a, vm) : NULL;
    if (!p) {
        send_credit(L, a, vm, counted);
        return;
    }
    p->owed++;
    actor_give_credit(L, a);
}

void actor_forget_peers(struct actor *a)
{
    while (a->peers) {
        struct peer *p = a->peers;
        a->peers = p->next;
        free(p);
    }
}
