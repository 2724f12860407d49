/* bridge_log.c - the log of a worker process: see bridge_log.h.
 *
 * What stands in the pipe when the process has died is read all the same; a record that it did not finish is dropped.
 */
#include "bridge_log.h"

#include <errno.h>
#include <unistd.h>

#include "bridge_output.h"
#include "log.h"

enum { READ_BYTES = 64 << 10 };

static void shut(struct records *self)
{
    buffer_release(&self->bytes);
    if (self->fd >= 0)
        close(self->fd);
    self->fd = -1;
}

bool records_pump(struct records *self, int *level)
{
    if (self->fd < 0)
        return false;
    if (buffer_reserve(&self->bytes, READ_BYTES))
        return true; /* they wait in the pipe, and who speaks with them */
    ssize_t n = read(self->fd, self->bytes.data + self->bytes.size, READ_BYTES);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return errno == EINTR;
    if (n > 0)
        self->bytes.size += (size_t)n;
    if (n <= 0 || !log_from_process(&self->bytes, self->number, level)) {
        shut(self);
        return false;
    }
    return true;
}

void records_close(struct records *self)
{
    int level;
    while (self->fd >= 0 && output_await(self->fd, 0) && records_pump(self, &level))
        ;
    shut(self);
}
