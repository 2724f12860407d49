/* bridge_output.c - lines of a worker process: see bridge_output.h.
 *
 *  1. `line` has no end of line in it; a line longer than LONGEST is passed on in pieces;
 *  2. a line is written in one call, so that lines of several processes do not mix;
 *  3. what cannot be written, because nobody reads any more, is dropped: as it would be for any program.
 */
#include "bridge_output.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "mailbox.h"

enum { LONGEST = 64 << 10, READ_BYTES = 16 << 10 };

bool output_await(int fd, double seconds)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    double ms = ceil(seconds * 1e3);
    return poll(&p, 1, seconds < 0 ? -1 : ms > INT_MAX ? INT_MAX : (int)ms) > 0;
}

static void write_all(int fd, const unsigned char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, bytes, size);
        if (n < 0 && errno == EAGAIN) {
            struct pollfd p = { .fd = fd, .events = POLLOUT };
            poll(&p, 1, -1);
        } else if (n < 0 && errno != EINTR) {
            return;
        }
        bytes += n > 0 ? n : 0;
        size -= n > 0 ? (size_t)n : 0;
    }
}

static void post_line(struct output *self, const unsigned char *bytes, size_t size)
{
    struct message *m = message_new(MAIL_OUTPUT);
    if (!m || buffer_append(&m->bytes, bytes, size)) {
        message_destroy(&m);
        return;
    }
    struct header *h = message_header(m);
    h->to = self->listener;
    h->pool = self->pool;
    h->u.number = self->to;
    mailbox_deliver(self->mailbox, &m);
}

/* So many bytes, at most one line's end among them, at the end. */
static void pass_on(struct output *self, const unsigned char *bytes, size_t size)
{
    if (!self->listener)
        write_all(self->to, bytes, size);
    else
        post_line(self, bytes, bytes[size - 1] == '\n' ? size - 1 : size);
}

/* Lines that go to a descriptor leave together. */
static void pass_whole(struct output *self)
{
    unsigned char *start = self->line.data, *end = start + self->line.size;
    while (start < end) {
        unsigned char *last = self->listener ? memchr(start, '\n', (size_t)(end - start)) : memrchr(start, '\n', (size_t)(end - start));
        if (!last && end - start < LONGEST)
            break;
        unsigned char *stop = last ? last + 1 : end;
        pass_on(self, start, (size_t)(stop - start));
        start = stop;
    }
    size_t left = (size_t)(end - start);
    if (left)
        memmove(self->line.data, start, left);
    self->line.size = left;
}

bool output_pump(struct output *self)
{
    if (self->fd < 0)
        return false;
    if (buffer_reserve(&self->line, READ_BYTES)) {
        pass_on(self, self->line.data, self->line.size); /* rather in pieces than not at all */
        self->line.size = 0;
        return true;
    }
    ssize_t n = read(self->fd, self->line.data + self->line.size, READ_BYTES);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return errno == EINTR;
    if (n <= 0) {
        close(self->fd);
        self->fd = -1;
        return false;
    }
    self->line.size += (size_t)n;
    pass_whole(self);
    return true;
}

void output_close(struct output *self)
{
    while (self->fd >= 0 && output_await(self->fd, 0) && output_pump(self))
        ;
    if (self->line.size > 0)
        pass_on(self, self->line.data, self->line.size);
    buffer_release(&self->line);
    if (self->fd >= 0)
        close(self->fd);
    self->fd = -1;
}
