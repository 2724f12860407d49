/* file_watch.c - inotify on the directory, since editors put a new file in the old one's place.
 *
 * A path that is a symbolic link has two places where the file may change: where the link stands, and where it leads.
 *
 * Invariants:
 *  1. place[0] is where the path stands, place[1] where it leads; both are watched, though they may be the same;
 *  2. the descriptor does not block: taking reads all there is.
 */
#include "file_watch.h"

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "troupe.h"

struct place {
    int watch;  /* of its directory; -1: none */
    char *name; /* in it */
};

struct file_watch {
    int descriptor;
    char *path;
    struct place place[2];
};

static void leave(struct place *place)
{
    free(place->name);
    *place = (struct place){.watch = -1};
}

static int enter(struct file_watch *self, struct place *place, const char *path)
{
    const char *slash = strrchr(path, '/');
    char *directory = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
    char *name = strdup(slash ? slash + 1 : path);
    int rc = directory && name ? 0 : TROUPE_ENOMEM, watch = -1;
    if (rc == 0) {
        watch = inotify_add_watch(self->descriptor, directory, IN_CLOSE_WRITE | IN_MOVED_TO);
        if (watch < 0)
            rc = errno == ENOSPC || errno == ENOMEM ? TROUPE_ELIMIT : TROUPE_EINVAL;
    }
    free(directory);
    if (rc) {
        free(name);
        return rc;
    }
    *place = (struct place){watch, name};
    return 0;
}

/* A link that leads elsewhere now is followed. Where that cannot be watched, the link itself is. */
static void follow(struct file_watch *self)
{
    char *end = realpath(self->path, NULL);
    leave(&self->place[1]);
    if (end)
        (void)enter(self, &self->place[1], end);
    free(end);
}

int file_watch_new(struct file_watch **self, const char *path)
{
    struct file_watch *w = calloc(1, sizeof *w);
    *self = NULL;
    if (!w)
        return TROUPE_ENOMEM;
    w->place[0].watch = w->place[1].watch = -1;
    w->descriptor = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    w->path = strdup(path);
    int rc = w->descriptor < 0 ? TROUPE_ELIMIT : w->path ? enter(w, &w->place[0], path) : TROUPE_ENOMEM;
    if (rc) {
        file_watch_destroy(&w);
        return rc;
    }
    follow(w);
    *self = w;
    return 0;
}

void file_watch_destroy(struct file_watch **self)
{
    struct file_watch *w = *self;
    if (!w)
        return;
    *self = NULL;
    leave(&w->place[0]);
    leave(&w->place[1]);
    if (w->descriptor >= 0)
        close(w->descriptor);
    free(w->path);
    free(w);
}

int file_watch_descriptor(const struct file_watch *self)
{
    return self->descriptor;
}

static bool concerns(const struct file_watch *self, const struct inotify_event *event)
{
    if (event->mask & IN_Q_OVERFLOW)
        return true; /* nobody knows */
    for (int i = 0; i < 2; i++) {
        const struct place *place = &self->place[i];
        if (event->len > 0 && event->wd == place->watch && strcmp(event->name, place->name) == 0)
            return true;
    }
    return false;
}

bool file_watch_take(struct file_watch *self)
{
    /* The kernel writes whole events, aligned as this is. */
    union {
        struct inotify_event first;
        char bytes[sizeof(struct inotify_event) + NAME_MAX + 1 + 4096];
    } buffer;
    bool news = false;
    for (;;) {
        ssize_t length = read(self->descriptor, buffer.bytes, sizeof buffer.bytes);
        if (length < 0 && errno == EINTR)
            continue;
        if (length <= 0)
            break;
        for (ssize_t at = 0; at < length;) {
            const struct inotify_event *event = (const struct inotify_event *)(const void *)(buffer.bytes + at);
            news |= concerns(self, event);
            at += (ssize_t)(sizeof *event + event->len);
        }
    }
    if (news)
        follow(self);
    return news;
}
