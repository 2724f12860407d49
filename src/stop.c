/* stop.c - the switch and the descriptor that shows it.
 *
 * The descriptor is made when first asked for, by whichever thread; thrown before or after, it ends up readable.
 */
#include "stop.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

static atomic_bool thrown;
static atomic_int descriptor = -1;

static void show(int fd)
{
    const uint64_t one = 1;
    ssize_t written = write(fd, &one, sizeof one);
    (void)written; /* it fails only when it is readable already */
}

void stop_throw(void)
{
    int saved = errno;
    atomic_store(&thrown, true);
    int fd = atomic_load(&descriptor);
    if (fd >= 0)
        show(fd);
    errno = saved;
}

bool stop_thrown(void)
{
    return atomic_load_explicit(&thrown, memory_order_relaxed);
}

int stop_descriptor(void)
{
    int fd = atomic_load(&descriptor);
    if (fd >= 0)
        return fd;
    int made = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (made < 0)
        return -1;
    if (!atomic_compare_exchange_strong(&descriptor, &fd, made)) {
        close(made);
        return fd;
    }
    if (atomic_load(&thrown))
        show(made);
    return made;
}
