/* bridge_pass.c - letters on their way down to a worker process.
 *
 *     the bridge's thread at rest --a letter comes--> at work: it sends what lies in its box
 *     the bridge's thread at rest --a poster who may relay comes--> it sends its letters itself, and nobody is woken
 *
 * For whoever holds `work`: the bridge's thread, which lets go of it only to rest, or a poster in bridge_relay.
 *
 * Invariants:
 *  1. a poster sends only when nothing is left to be sent that came before: in `frames`, in the mailbox's hands, a level that
 *     the process has not heard of, or a break: behind the letter that ends the same job it would meet what that closes; and
 *     all it had posted earlier has been taken, or its tray would be told of;
 *  2. what the socket does not take from a poster stays in `frames`, and the bridge's thread is woken to see to it.
 */
#include <sys/epoll.h>

#include "bridge_inner.h"
#include "frames.h"
#include "mailbox.h"
#include "tray.h"
#include "troupe.h"

/* A poster with more, or with longer ones, has better things to do than the bridge's work. */
enum { LETTERS_A_TURN = 256, RELAYED = 4, RELAYED_BYTES = 64 << 10 };

void bridge_flush(struct bridge *self)
{
    bool was_full = self->full;
    self->full = frames_flush(self->frames) == TROUPE_EFULL;
    if (self->full == was_full)
        return;
    struct epoll_event e = { .events = EPOLLIN | (self->full ? EPOLLOUT : 0), .data.fd = frames_descriptor(self->frames) };
    epoll_ctl(self->poll, EPOLL_CTL_MOD, e.data.fd, &e);
}

/* The level of all vms, if the process has not heard that it was set: before the letters that were posted after that. */
static bool pass_level(struct bridge *self)
{
    unsigned level = atomic_load(&log_level_of_all);
    struct message *m = level != self->level ? message_new(MAIL_LEVEL) : NULL;
    if (!m)
        return false; /* or, for want of memory, with the next letter */
    self->level = level;
    message_header(m)->u.number = level & 255;
    message_header(m)->id = self->levels_heard;
    frames_put(self->frames, &m);
    return true;
}

bool bridge_pass_down(struct bridge *self)
{
    int count = 0;
    struct message *m;
    bool some = bridge_pass_breaks(self) || self->answered;
    some |= pass_level(self);
    self->answered = false;
    while (!self->full && count < LETTERS_A_TURN && (m = mailbox_take(self->mailbox))) {
        pass_level(self);
        frames_put(self->frames, &m);
        count++;
    }
    if (some || count > 0 || self->full || !frames_has_sent(self->frames))
        bridge_flush(self);
    return count == LETTERS_A_TURN;
}

static bool can_relay(struct bridge *self)
{
    return !self->full && frames_has_sent(self->frames) && !mailbox_holds_letters(self->mailbox) &&
           self->level == atomic_load(&log_level_of_all) && !bridge_has_breaks(self);
}

static bool is_short(const struct message *m)
{
    return m->bytes.size <= RELAYED_BYTES;
}

bool bridge_relay(void *owner, struct tray *tray)
{
    struct bridge *self = owner;
    if (pthread_mutex_trylock(&self->work))
        return false;
    struct message *list = can_relay(self) ? tray_take_few(tray, RELAYED, is_short) : NULL;
    bool some = list != NULL;
    while (list) {
        struct message *m = list;
        list = m->next;
        frames_put(self->frames, &m);
    }
    if (some)
        bridge_flush(self);
    bool sent = some && frames_has_sent(self->frames);
    pthread_mutex_unlock(&self->work);
    return sent;
}
