/* log_pipe.c - the log of a worker process, on its way to the program: a pipe with records as they stand in the queue, each
 * behind its head. A head of size 0 has the level of all vms in the place of the origin.
 *
 * Any thread of the process may write, one at a time; the program reads on the thread of the process's bridge.
 *
 *  1. who speaks writes the record itself, so that no record is lost with the process;
 *  2. a pipe that is full is waited for: the bridge empties it, and waits for nobody but standard error, if that is where
 *     records go;
 *  3. a record that could not be written whole is followed by none: nobody is left to read.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "log_inner.h"
#include "troupe.h"

enum { KEPT_BYTES = 64 << 10 };

static const size_t largest = (size_t)1 << 30; /* what says more is no log */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* over what is below */
static int pipe_end = -1;
static bool opened; /* this is a worker process */
static struct buffer bytes;

static void write_all(const unsigned char *at, size_t size)
{
    while (size > 0 && pipe_end >= 0) {
        ssize_t n = write(pipe_end, at, size);
        if (n < 0 && errno != EINTR)
            pipe_end = -1;
        at += n > 0 ? n : 0;
        size -= n > 0 ? (size_t)n : 0;
    }
}

void log_pipe_open(int fd)
{
    pthread_mutex_lock(&lock);
    pipe_end = fd;
    opened = fd >= 0;
    pthread_mutex_unlock(&lock);
}

void log_pipe_put(const struct record *record)
{
    int saved = errno;
    pthread_mutex_lock(&lock);
    bytes.size = 0;
    if (log_append(&bytes, record))
        write_all(bytes.data, bytes.size);
    if (bytes.capacity > KEPT_BYTES)
        buffer_release(&bytes);
    pthread_mutex_unlock(&lock);
    errno = saved;
}

bool log_pipe_level(int level)
{
    struct log_head head = { .size = 0, .origin = (uint32_t)level };
    pthread_mutex_lock(&lock);
    bool mine = opened;
    if (mine) {
        log_note_level_said();
        log_set_level_here(level);
        write_all((unsigned char *)&head, sizeof head);
    }
    pthread_mutex_unlock(&lock);
    return mine;
}

void log_pipe_forked(void)
{
    pthread_mutex_init(&lock, NULL);
    buffer_init(&bytes); /* somebody may have been writing into the old one */
    pipe_end = -1;
    opened = false;
}

/* Says the record that stands there; one that cannot be read is passed over. */
static void say(const unsigned char *at, uint32_t size, uint32_t number)
{
    struct unpack in = { at, at + size };
    struct record r = { .origin = number };
    if (record_decode(&in, &r))
        log_put(&r);
}

bool log_from_process(struct buffer *in, uint32_t number, struct log_levels *levels)
{
    struct log_head head;
    size_t at = 0;
    while (in->size - at >= sizeof head) {
        memcpy(&head, in->data + at, sizeof head);
        if (head.size > largest || (head.size == 0 && head.origin > RECORD_TRACE))
            return false;
        if (in->size - at - sizeof head < head.size)
            break;
        at += sizeof head;
        if (head.size == 0)
            *levels = (struct log_levels){ .last = (int)head.origin, .count = levels->count + 1 };
        else
            say(in->data + at, head.size, number);
        at += head.size;
    }
    if (at > 0)
        memmove(in->data, in->data + at, in->size - at);
    in->size -= at;
    return true;
}
