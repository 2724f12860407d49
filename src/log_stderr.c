/* log_stderr.c - records on standard error, from whatever thread: a record is one write, under a lock, so that no two mix.
 *
 * Messages of several lines, tracebacks most of them, stay so: somebody reads this.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log_inner.h"

enum { ROOM_MS = 1000, KEPT_BYTES = 64 << 10 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* over the two below */
static struct record_printer printer = { .many_lines = true };
static struct buffer line;

static char process[LOG_PROCESS_BYTES], afar[HOST_NAME_MAX + 32];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void find_names(void)
{
    char host[HOST_NAME_MAX + 1] = "";
    snprintf(process, sizeof process, "%ld", (long)getpid());
    if (gethostname(host, sizeof host - 1))
        host[0] = '\0';
    snprintf(afar, sizeof afar, "%s:%s", host, process);
}

void log_find_names(void)
{
    pthread_once(&once, find_names);
}

struct unpack_text log_process_of(const struct record *record, char room[LOG_PROCESS_BYTES])
{
    log_find_names();
    if (record->origin)
        return (struct unpack_text){ room, (size_t)snprintf(room, LOG_PROCESS_BYTES, "%u", record->origin) };
    return (struct unpack_text){ process, strlen(process) };
}

const char *log_process_afar(uint32_t origin, char room[LOG_AFAR_BYTES])
{
    log_find_names();
    if (!origin)
        return afar;
    snprintf(room, LOG_AFAR_BYTES, "%.*s%u", (int)(strlen(afar) - strlen(process)), afar, origin);
    return room;
}

void log_stderr_forked(void)
{
    pthread_mutex_init(&lock, NULL);
    buffer_init(&line); /* somebody may have been writing into the old one */
    pthread_once(&once, find_names);
    find_names();
}

void log_stderr_as(bool json)
{
    pthread_mutex_lock(&lock);
    printer = (struct record_printer){ .json = json, .many_lines = true };
    pthread_mutex_unlock(&lock);
}

bool log_stderr_is_json(void)
{
    pthread_mutex_lock(&lock);
    bool json = printer.json;
    pthread_mutex_unlock(&lock);
    return json;
}

static bool await_room(void)
{
    struct pollfd item = { .fd = STDERR_FILENO, .events = POLLOUT };
    return poll(&item, 1, ROOM_MS) != 0;
}

static void write_line(void)
{
    size_t done = 0;
    while (done < line.size) {
        ssize_t written = write(STDERR_FILENO, line.data + done, line.size - done);
        if (written >= 0)
            done += (size_t)written;
        else if (errno != EINTR && !(errno == EAGAIN && await_room()))
            return; /* nobody is left to be told */
    }
}

void log_stderr(const struct record *record)
{
    struct record r = *record;
    char name[LOG_PROCESS_BYTES];
    int saved = errno;
    if (!r.process.size)
        r.process = log_process_of(record, name);
    pthread_mutex_lock(&lock);
    printer.colours = !printer.json && isatty(STDERR_FILENO) && !getenv("NO_COLOR");
    line.size = 0;
    if (record_print(&printer, &r, &line) == 0)
        write_line();
    if (line.capacity > KEPT_BYTES)
        buffer_release(&line);
    pthread_mutex_unlock(&lock);
    errno = saved;
}
