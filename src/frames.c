/* frames.c - letters over a stream: see frames.h.
 *
 *     writing:  out list --writev, as many letters as the socket takes--> the other side
 *     reading:  socket --readv--> `filling`, the rest of a large letter, and `raw`, what comes after it --> letters
 *
 * Invariants:
 *  1. the first `sent` bytes of the first letter in `out`, its length included, have left; of the others, none;
 *  2. raw[at .. raw_size) are bytes read and not yet made letters; those of `filling` came before them;
 *  3. a letter that has no room in raw is `filling`: its bytes are read into their place at once. One for which there is no
 *     memory is its header alone, and its other bytes are passed over: what comes behind it is not held up;
 *  4. a small letter for which there is no memory stays in raw, and is tried again.
 */
#include "frames.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "troupe.h"

enum { PIECES = 256, RAW_BYTES = 64 << 10, FORMAT = 1 };

struct hello {
    char magic[8];
    char version[40];
    uint32_t format, header_size;
    uint64_t reserved;
};

_Static_assert(sizeof(struct hello) == 64, "every version says hello in 64 bytes");

static const char magic[8] = "troupe.";
static const uint64_t largest = (uint64_t)1 << 40;

struct frames {
    int fd;
    struct message *out, *out_tail;
    size_t sent;
    unsigned char *raw;
    size_t at, raw_size;
    struct message *filling;
    size_t missing; /* bytes of it */
    size_t skip;    /* bytes behind those that are dropped: its body, for which there was no memory */
    bool cut;       /* `filling` has lost its body; was_cut: the letter last taken had */
    bool was_cut;
    bool starved, drained;
};

struct frames *frames_new(int fd)
{
    struct frames *self = calloc(1, sizeof *self);
    if (self)
        self->raw = malloc(RAW_BYTES);
    if (!self || !self->raw) {
        free(self);
        close(fd);
        return NULL;
    }
    self->fd = fd;
    return self;
}

void frames_destroy(struct frames **frames)
{
    struct frames *self = *frames;
    *frames = NULL;
    if (!self)
        return;
    close(self->fd);
    message_destroy_list(&self->out);
    message_destroy(&self->filling);
    free(self->raw);
    free(self);
}

int frames_descriptor(const struct frames *self)
{
    return self->fd;
}

static struct hello own_hello(void)
{
    struct hello h = { .format = FORMAT, .header_size = sizeof(struct header) };
    memcpy(h.magic, magic, sizeof magic);
    snprintf(h.version, sizeof h.version, "%d.%d.%d", TROUPE_VERSION_MAJOR, TROUPE_VERSION_MINOR, TROUPE_VERSION_PATCH);
    return h;
}

int frames_say_hello(struct frames *self)
{
    struct hello h = own_hello();
    size_t sent = 0;
    while (sent < sizeof h) {
        ssize_t n = send(self->fd, (char *)&h + sent, sizeof h - sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN)
            frames_wait_to_send(self);
        else if (n < 0 && errno != EINTR)
            return TROUPE_EDEAD;
        sent += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

static bool wait_for(int fd, short events, double seconds)
{
    struct pollfd p = { .fd = fd, .events = events };
    int rc = poll(&p, 1, seconds < 0 ? -1 : (int)ceil(seconds * 1e3));
    return rc > 0 || (rc < 0 && errno == EINTR);
}

void frames_wait_to_send(struct frames *self)
{
    wait_for(self->fd, POLLOUT, -1);
}

int frames_hear_hello(struct frames *self, double seconds, char *version, size_t size)
{
    struct hello theirs, ours = own_hello();
    while (self->raw_size < sizeof theirs) {
        if (!wait_for(self->fd, POLLIN, seconds))
            return TROUPE_ETIMEDOUT;
        ssize_t n = recv(self->fd, self->raw + self->raw_size, sizeof theirs - self->raw_size, MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN))
            return TROUPE_EDEAD;
        self->raw_size += n > 0 ? (size_t)n : 0;
    }
    memcpy(&theirs, self->raw, sizeof theirs);
    self->raw_size = 0;
    if (memcmp(theirs.magic, magic, sizeof magic) != 0)
        return TROUPE_EDEAD;
    snprintf(version, size, "%.*s", (int)sizeof theirs.version - 1, theirs.version);
    return memcmp(&theirs, &ours, sizeof ours) == 0 ? 0 : TROUPE_EREFUSED;
}

void frames_put(struct frames *self, struct message **letter)
{
    struct message *m = *letter;
    *letter = NULL;
    m->next = NULL;
    if (self->out)
        self->out_tail->next = m;
    else
        self->out = m;
    self->out_tail = m;
}

/* The bytes that are next to leave; how many pieces. */
static int gather(const struct frames *self, struct iovec *pieces, uint64_t *lengths)
{
    int count = 0;
    size_t skip = self->sent;
    for (const struct message *m = self->out; m && count + 2 <= PIECES; m = m->next) {
        uint64_t *length = &lengths[count / 2];
        *length = m->bytes.size;
        const struct iovec whole[2] = { { length, sizeof *length }, { m->bytes.data, m->bytes.size } };
        for (int i = 0; i < 2; i++) {
            size_t cut = skip < whole[i].iov_len ? skip : whole[i].iov_len;
            skip -= cut;
            pieces[count].iov_base = (char *)whole[i].iov_base + cut;
            pieces[count++].iov_len = whole[i].iov_len - cut;
        }
    }
    return count;
}

/* So many bytes more have left. */
static void strike(struct frames *self, size_t bytes)
{
    self->sent += bytes;
    while (self->out && self->sent >= sizeof(uint64_t) + self->out->bytes.size) {
        struct message *m = self->out;
        self->sent -= sizeof(uint64_t) + m->bytes.size;
        self->out = m->next;
        message_destroy(&m);
    }
}

int frames_flush(struct frames *self)
{
    struct iovec pieces[PIECES];
    uint64_t lengths[PIECES / 2];
    while (self->out) {
        struct msghdr h = { .msg_iov = pieces };
        h.msg_iovlen = (size_t)gather(self, pieces, lengths);
        ssize_t n = sendmsg(self->fd, &h, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n >= 0)
            strike(self, (size_t)n);
        else if (errno == EAGAIN)
            return TROUPE_EFULL;
        else if (errno != EINTR)
            return TROUPE_EDEAD;
    }
    return 0;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Makes the large letter the one that is read in place, or its header alone; its length, and the first of its bytes behind
 * that, stand in raw. */
static int begin_filling(struct frames *self, size_t size)
{
    size_t at = self->at + sizeof(uint64_t), have = self->raw_size - at;
    if (have > 0 && self->raw[at] != 'T')
        return TROUPE_EDEAD;
    struct message *m = message_new(MAIL_NONE);
    self->starved = !m;
    if (!m)
        return TROUPE_ENOMEM;
    self->cut = buffer_reserve(&m->bytes, size - m->bytes.size) != 0;
    size_t kept = self->cut ? sizeof(struct header) : size, first = least(have, kept);
    memcpy(m->bytes.data, self->raw + at, first);
    m->bytes.size = kept;
    self->filling = m;
    self->missing = kept - first;
    self->skip = size - kept - (have - first);
    self->at = self->raw_size = 0;
    return 0;
}

/* The length of the letter at `at`; 0: it is not there yet. False: it is no letter's. */
static bool next_length(const struct frames *self, size_t *length)
{
    uint64_t n = 0;
    if (self->raw_size - self->at >= sizeof n)
        memcpy(&n, self->raw + self->at, sizeof n);
    *length = (size_t)n;
    return n == 0 ? self->raw_size - self->at < sizeof n : n >= sizeof(struct header) && n <= largest;
}

/* Room behind what is there; what has no room in raw gets a place of its own. */
static int make_room(struct frames *self)
{
    size_t length;
    if (self->filling)
        return 0;
    if (!next_length(self, &length))
        return TROUPE_EDEAD;
    if (length + sizeof(uint64_t) > RAW_BYTES)
        return begin_filling(self, length);
    memmove(self->raw, self->raw + self->at, self->raw_size - self->at);
    self->raw_size -= self->at;
    self->at = 0;
    return 0;
}

int frames_fill(struct frames *self)
{
    int rc = make_room(self), count = 0;
    if (rc)
        return rc;
    if (self->raw_size == RAW_BYTES)
        return TROUPE_ENOMEM; /* there is a letter, and no memory to take it */
    struct iovec pieces[2];
    size_t room = RAW_BYTES - self->raw_size, behind_room = self->skip ? least(self->skip, room) : room;
    if (self->filling)
        pieces[count++] = (struct iovec){ self->filling->bytes.data + self->filling->bytes.size - self->missing, self->missing };
    pieces[count++] = (struct iovec){ self->raw + self->raw_size, behind_room };
    struct msghdr h = { .msg_iov = pieces, .msg_iovlen = (size_t)count };
    ssize_t n = recvmsg(self->fd, &h, MSG_DONTWAIT);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? TROUPE_ETIMEDOUT : TROUPE_EDEAD;
    if (n == 0)
        return TROUPE_EDEAD;
    self->drained = (size_t)n < self->missing + behind_room;
    size_t filled = least((size_t)n, self->missing), behind = (size_t)n - filled;
    self->missing -= filled;
    if (self->skip)
        self->skip -= behind;
    else
        self->raw_size += behind;
    return 0;
}

struct message *frames_take(struct frames *self)
{
    struct message *m = NULL;
    size_t length;
    if (self->filling) {
        if (self->missing > 0 || self->skip > 0)
            return NULL;
        m = self->filling;
        self->filling = NULL;
        self->was_cut = self->cut;
        return m;
    }
    if (!next_length(self, &length) || length == 0 || self->raw_size - self->at - sizeof(uint64_t) < length)
        return NULL;
    m = message_new(MAIL_NONE);
    self->starved = !m || buffer_reserve(&m->bytes, length - m->bytes.size);
    if (self->starved) {
        message_destroy(&m);
        return NULL;
    }
    self->was_cut = false;
    memcpy(m->bytes.data, self->raw + self->at + sizeof(uint64_t), length);
    m->bytes.size = length;
    self->at += sizeof(uint64_t) + length;
    return m;
}

bool frames_is_drained(const struct frames *self)
{
    size_t length; /* a large letter is begun, and judged, by the next fill */
    return self->drained && (self->filling || (next_length(self, &length) && length + sizeof(uint64_t) <= RAW_BYTES));
}

bool frames_has_sent(const struct frames *self)
{
    return !self->out;
}

bool frames_is_starved(const struct frames *self)
{
    return self->starved;
}

bool frames_was_cut(const struct frames *self)
{
    return self->was_cut;
}
