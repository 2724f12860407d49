/* outlet.c - lines to files.
 *
 *     fine -> troubled   [fail]       told once; from here on tried again at most once a second
 *     troubled -> fine   [recover]    told once, with how many records were lost
 *
 *  1. bytes leave in the order in which they came, and a write that stopped midway goes on at the byte where it stopped:
 *     trouble never cuts a line;
 *  2. at most PENDING_MAX bytes are kept, or one record that is larger, whole records only: what comes on top is lost and
 *     counted;
 *  3. a file is looked at, whether it is still the one of its name, at most once a second.
 */
#include "outlet.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "buffer.h"
#include "troupe.h"

enum { WRITE_AT = 256 << 10, PENDING_MAX = 8 << 20, ROOM_MS = 1000 };

static const double RETRY = 1, LOOK = 1, ROTATE_AGAIN = 60;

struct outlet {
    struct outlet_options options;
    char *path;              /* as given */
    char file[PATH_MAX];     /* what is open, or should be */
    int fd;                  /* negative: not open */
    uint64_t size;           /* of the file */
    bool is_regular;         /* it can be rotated: a device must never be renamed */
    dev_t device;
    ino_t inode;
    int64_t day_ends;        /* wall second at which the directory's next file begins */
    double looked;           /* when the name was last held against what is open */
    struct buffer pending;
    size_t records_lost;     /* since the trouble began */
    uint64_t lost;           /* altogether */
    size_t records_pending;
    bool broken;
    bool troubled;
    double retry_at;
    bool unrotated;          /* told that the file cannot be rotated */
    double rotate_at;        /* not before */
};

static void tell(struct outlet *self, const char *text, bool is_over)
{
    if (self->options.trouble)
        self->options.trouble(self->options.context, text, is_over);
}

static void fail(struct outlet *self, const char *what, int error, double now)
{
    char text[PATH_MAX + 200];
    self->retry_at = now + RETRY;
    if (self->troubled)
        return;
    self->troubled = true;
    snprintf(text, sizeof text, "%s: cannot %s: %s", self->options.path ? self->file : "the log", what, strerror(error));
    tell(self, text, false);
}

static void recover(struct outlet *self)
{
    char text[PATH_MAX + 100];
    if (!self->troubled)
        return;
    self->troubled = false;
    snprintf(text, sizeof text, "%s: written again, %zu records were lost", self->options.path ? self->file : "the log",
             self->records_lost);
    self->records_lost = 0;
    tell(self, text, true);
}

/* The name of the directory's file of today, and when today ends. */
static void name_of_day(struct outlet *self, double now)
{
    struct tm t;
    time_t moment = (time_t)now;
    char day[16];
    localtime_r(&moment, &t);
    strftime(day, sizeof day, "%Y-%m-%d", &t);
    snprintf(self->file, sizeof self->file, "%s/%s.log", self->path, day);
    t.tm_mday++;
    t.tm_hour = t.tm_min = t.tm_sec = 0;
    t.tm_isdst = -1;
    self->day_ends = (int64_t)mktime(&t);
}

/* 0 or errno's number. */
static int open_file(struct outlet *self, double now)
{
    struct stat s;
    if (self->options.is_directory)
        name_of_day(self, now);
    self->fd = open(self->file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0644);
    if (self->fd < 0 || fstat(self->fd, &s))
        return errno;
    self->is_regular = S_ISREG(s.st_mode);
    self->size = self->is_regular ? (uint64_t)s.st_size : 0;
    self->device = s.st_dev;
    self->inode = s.st_ino;
    self->looked = now;
    return 0;
}

static void close_file(struct outlet *self)
{
    if (self->fd >= 0 && self->options.path)
        close(self->fd);
    if (self->options.path)
        self->fd = -1;
}

int outlet_open(struct outlet **out, const struct outlet_options *options, double now)
{
    struct outlet *self = calloc(1, sizeof *self);
    *out = NULL;
    if (!self)
        return TROUPE_ENOMEM;
    self->options = *options;
    self->fd = options->descriptor;
    if (options->path) {
        self->path = strdup(options->path);
        self->fd = -1;
        snprintf(self->file, sizeof self->file, "%s", options->path);
        int error = self->path ? open_file(self, now) : ENOMEM;
        if (error) {
            close_file(self);
            free(self->path);
            free(self);
            errno = error;
            return error == ENOMEM ? TROUPE_ENOMEM : TROUPE_ELIMIT;
        }
    }
    *out = self;
    return 0;
}

/* The file goes on growing for a while. */
static void tell_unrotated(struct outlet *self, int error, double now)
{
    char text[PATH_MAX + 200];
    self->rotate_at = now + ROTATE_AGAIN;
    if (self->unrotated)
        return;
    self->unrotated = true;
    snprintf(text, sizeof text, "%s: cannot be rotated: %s", self->file, strerror(error));
    tell(self, text, false);
}

/* FILE becomes FILE.1, FILE.1 becomes FILE.2, and the last one goes. */
static void rotate(struct outlet *self, double now)
{
    char from[PATH_MAX + 16], to[PATH_MAX + 16];
    int refused = 0;
    close_file(self);
    for (int i = self->options.keep; i > 0; i--) {
        snprintf(to, sizeof to, "%s.%d", self->file, i);
        snprintf(from, sizeof from, i > 1 ? "%s.%d" : "%s", self->file, i - 1);
        refused = rename(from, to) && i == 1 ? errno : 0;
    }
    if (self->options.keep == 0 && unlink(self->file))
        refused = errno;
    if (refused)
        tell_unrotated(self, refused, now);
    else
        self->unrotated = false;
    int error = open_file(self, now);
    if (error)
        fail(self, "open it after its rotation", error, now);
}

/* Somebody else may have moved the file away, as logrotate does, or removed it. */
static bool is_elsewhere(struct outlet *self, double now)
{
    struct stat s;
    if (!self->options.path || self->fd < 0 || (now >= self->looked && now - self->looked < LOOK))
        return false;
    self->looked = now;
    return stat(self->file, &s) || s.st_dev != self->device || s.st_ino != self->inode;
}

/* Opens what should be open. False: trouble. */
static bool prepare(struct outlet *self, double now)
{
    bool moved = is_elsewhere(self, now);
    if (moved || (self->options.is_directory && now >= (double)self->day_ends))
        close_file(self);
    if (self->fd >= 0)
        return true;
    int error = self->options.path ? open_file(self, now) : EBADF;
    if (error)
        fail(self, "open it", error, now);
    else if (moved) {
        char text[PATH_MAX + 100];
        snprintf(text, sizeof text, "%s: somebody moved the file away; a new one was begun", self->file);
        tell(self, text, true);
    }
    return error == 0;
}

/* Somebody made the descriptor non-blocking. */
static bool await_room(int fd)
{
    struct pollfd item = { .fd = fd, .events = POLLOUT };
    return poll(&item, 1, ROOM_MS) != 0;
}

/* Writes all that is pending; false when it stopped before the end. */
static bool write_pending(struct outlet *self, double now)
{
    size_t done = 0;
    int error = 0;
    while (done < self->pending.size && error == 0) {
        ssize_t written = write(self->fd, self->pending.data + done, self->pending.size - done);
        if (written >= 0)
            done += (size_t)written;
        else if (errno != EINTR && !(errno == EAGAIN && await_room(self->fd)))
            error = errno;
    }
    self->size += done;
    self->pending.size -= done;
    memmove(self->pending.data, self->pending.data + done, self->pending.size);
    self->broken = error == EPIPE && !self->options.path;
    if (error && !self->broken)
        fail(self, "write", error, now);
    return error == 0;
}

bool outlet_is_broken(const struct outlet *self)
{
    return self->broken;
}

bool outlet_flush(struct outlet *self, double now)
{
    if (self->pending.size == 0 && !self->troubled)
        return true;
    if (self->troubled && now < self->retry_at && now > self->retry_at - 2 * RETRY)
        return false;
    bool done = prepare(self, now) && write_pending(self, now);
    if (done) {
        self->records_pending = 0;
        recover(self);
    }
    return done;
}

void outlet_put(struct outlet *self, const void *bytes, size_t size, double now)
{
    uint64_t most = self->is_regular ? self->options.rotate_bytes : 0, before = self->size + self->pending.size;
    if (most && before + size > most && before > 0 && now >= self->rotate_at && !self->troubled && outlet_flush(self, now))
        rotate(self, now);
    if (self->pending.size + size > PENDING_MAX && !self->troubled)
        outlet_flush(self, now); /* after which there is room for any record, or trouble */
    if ((self->pending.size && self->pending.size + size > PENDING_MAX) || buffer_append(&self->pending, bytes, size)) {
        self->records_lost++;
        self->lost++;
        return;
    }
    self->records_pending++;
    if (self->pending.size >= WRITE_AT)
        outlet_flush(self, now);
}

void outlet_reopen(struct outlet *self, double now)
{
    if (!self->options.path)
        return;
    outlet_flush(self, now);
    close_file(self);
    self->retry_at = now;
    prepare(self, now);
}

uint64_t outlet_lost(const struct outlet *self)
{
    return self->lost;
}

uint64_t outlet_close(struct outlet **outlet, double now)
{
    struct outlet *self = *outlet;
    if (!self)
        return 0;
    *outlet = NULL;
    self->retry_at = now;
    if (!outlet_flush(self, now))
        self->lost += self->records_pending;
    uint64_t lost = self->lost;
    if (self->options.path && self->fd >= 0)
        fsync(self->fd);
    close_file(self);
    buffer_release(&self->pending);
    free(self->path);
    free(self);
    return lost;
}
