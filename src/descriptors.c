/* descriptors.c - takes descriptors and gives them back at once: no limit tells as surely how many there are. */
#include "descriptors.h"

#include <assert.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { MOST = 32 };

bool descriptors_left(int count)
{
    int fds[MOST], taken = 0;
    assert(count <= MOST);
    while (taken < count && (fds[taken] = eventfd(0, EFD_CLOEXEC)) >= 0)
        taken++;
    for (int i = 0; i < taken; i++)
        close(fds[i]);
    return taken == count;
}
