/* bridge_player.c - what the roles of check_bridge.c's processes are: see bridge_player.h.
 *
 * Each says hello, hears who it is, tells that it is up and how much memory it has, and goes on in its way; those whose way
 * ends there are bridge_play's.
 */
#include "bridge_player.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "address.h"
#include "bridge.h"
#include "frames.h"
#include "mailbox.h"
#include "pack.h"
#include "process.h"
#include "troupe.h"

static const double patience = 200;

static struct frames *way;
static struct bridge_order order;

static struct message *hear(void)
{
    struct message *m;
    while (!(m = frames_take(way))) {
        struct pollfd p = { .fd = frames_descriptor(way), .events = POLLIN };
        poll(&p, 1, -1);
        int rc = frames_fill(way);
        if (rc && rc != TROUPE_ETIMEDOUT)
            _exit(9); /* the program is gone */
    }
    return m;
}

static void say(struct message *m)
{
    frames_put(way, &m);
    while (frames_flush(way) == TROUPE_EFULL)
        frames_wait_to_send(way);
}

struct message *bridge_letter(enum message_kind kind, uint64_t id, int64_t number)
{
    struct message *m = message_new(kind);
    struct header *h = message_header(m);
    h->id = id;
    h->u.number = number;
    h->pool = POOL;
    h->worker = TAG;
    return m;
}

/* Sends everything back to where it came from, and says whom it was for; until it is stopped. */
static int echo(void)
{
    for (;;) {
        struct message *m = hear();
        struct header *h = message_header(m);
        if (h->kind == MAIL_STOP) {
            message_destroy(&m);
            say(bridge_letter(MAIL_DOWN, 0, 0));
            return 0;
        }
        h->code = h->to;
        h->to = h->from;
        h->from = address_make((uint16_t)order.house, 5, 0);
        h->kind = MAIL_NOTIFY;
        say(m);
    }
}

static int claim(bool begin)
{
    say(bridge_letter(MAIL_CLAIM, 7, 1));
    struct message *m = hear();
    struct header *h = message_header(m);
    if (h->kind != MAIL_CLAIM || h->u.number != 1)
        _exit(8);
    h->code = 1;
    if (begin)
        say(m);
    else
        message_destroy(&m);
    return 4;
}

static int ask_registry(void)
{
    struct message *m = bridge_letter(MAIL_REGISTER, address_make((uint16_t)order.house, 5, 1), 0);
    message_header(m)->code = 1;
    message_header(m)->from = address_make((uint16_t)order.house, 5, 0);
    buffer_append(&m->bytes, "somebody", 8);
    say(m);
    m = hear();
    message_header(m)->id = message_header(m)->kind;
    message_header(m)->code = message_header(m)->to;
    message_header(m)->to = address_make(0, MAILBOX_NODE, 0);
    message_header(m)->kind = MAIL_NOTIFY;
    say(m);
    return echo();
}

/* Says that what it is broken into is stuck. */
static int be_stuck(void)
{
    for (;;) {
        struct message *m = hear();
        struct header *h = message_header(m);
        if (h->kind == MAIL_STOP)
            return 0;
        bool asked = h->kind == MAIL_BREAK;
        h->kind = MAIL_BROKEN;
        h->code = h->id;
        h->u.number = 1;
        if (asked)
            say(m);
        else
            message_destroy(&m);
    }
}

static int send_many(void)
{
    for (int i = 1; i <= MANY; i++)
        say(bridge_letter(MAIL_NOTIFY, (uint64_t)i, 0));
    return 7;
}

static int send_garbage(void)
{
    static const unsigned char bytes[64] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
    if (send(frames_descriptor(way), bytes, sizeof bytes, 0) < 0)
        return 6;
    return echo();
}

static int be_another_version(void)
{
    static const char hello[64] = "troupe.\0009.8.7";
    if (send(PROCESS_HANDOVER, hello, sizeof hello, 0) < 0)
        return 6;
    char rest[64];
    while (recv(PROCESS_HANDOVER, rest, sizeof rest, 0) > 0)
        ;
    return 0;
}

static int refuse(void)
{
    struct message *m = bridge_letter(MAIL_DOWN, 0, 0);
    message_header(m)->flags = FLAG_ERROR;
    pack_string(&m->bytes, "it does not want to");
    pack_nil(&m->bytes);
    say(m);
    return 1;
}

int bridge_play(const char *role)
{
    char version[64];
    if (strcmp(role, "another version") == 0)
        return be_another_version();
    way = frames_new(PROCESS_HANDOVER);
    frames_say_hello(way);
    frames_hear_hello(way, patience, version, sizeof version);
    struct message *m = hear();
    memcpy(&order, message_body(m), sizeof order);
    message_destroy(&m);
    if (strcmp(role, "dies early") == 0)
        return 5;
    if (strcmp(role, "refuses") == 0)
        return refuse();
    say(bridge_letter(MAIL_MEMORY, 0, 12345));
    say(bridge_letter(MAIL_UP, 0, 0));
    return strcmp(role, "claims") == 0 ? claim(false) : strcmp(role, "claims and begins") == 0 ? claim(true) :
           strcmp(role, "asks the registry") == 0 ? ask_registry() : strcmp(role, "stuck") == 0 ? be_stuck() :
           strcmp(role, "sends many") == 0 ? send_many() : strcmp(role, "garbage") == 0 ? send_garbage() : echo();
}
