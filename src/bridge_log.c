/* bridge_log.c - the log of a worker process: see bridge_log.h.
 *
 * What stands in the pipe when the process has died is read all the same; a record that it did not finish is dropped. Without
 * memory for more than it has, a bridge leaves a large record in the pipe, and who speaks with it, until there is some.
 */
#include "bridge_log.h"

#include <errno.h>
#include <unistd.h>

#include "bridge_output.h"

enum { READ_BYTES = 64 << 10, CLOSE_TRIES = 20 };

static const double CLOSE_NAP = 0.05;

static void shut(struct records *self)
{
    buffer_release(&self->bytes);
    if (self->fd >= 0)
        close(self->fd);
    self->fd = -1;
    self->starved = false;
}

void records_open(struct records *self, int fd)
{
    *self = (struct records){ .fd = fd };
}

bool records_pump(struct records *self)
{
    if (self->fd < 0)
        return false;
    self->starved = buffer_reserve(&self->bytes, READ_BYTES) != 0;
    if (self->starved)
        return false;
    ssize_t n = read(self->fd, self->bytes.data + self->bytes.size, READ_BYTES);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return errno == EINTR;
    if (n > 0)
        self->bytes.size += (size_t)n;
    if (n <= 0 || !log_from_process(&self->bytes, self->number, &self->levels)) {
        shut(self);
        return false;
    }
    return true;
}

void records_close(struct records *self)
{
    int tries = 0;
    while (self->fd >= 0 && tries < CLOSE_TRIES && output_await(self->fd, 0)) {
        if (records_pump(self) || !self->starved)
            continue;
        tries++;
        output_await(-1, CLOSE_NAP);
    }
    shut(self);
}
