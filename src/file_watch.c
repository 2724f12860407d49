/* file_watch.c - inotify on the directory, since editors put a new file in the old one's place.
 *
 * A path with symbolic links in it has several places where the file may change: where each link stands, of directories
 * too, and where they lead in the end.
 *
 * Invariants:
 *  1. the places are the links on the way along the path, of directories too, and the end of it;
 *  2. a directory is watched while there is a place in it;
 *  3. the descriptor does not block: taking reads all there is.
 */
#include "file_watch.h"

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "troupe.h"

enum { LINKS = 40, PLACES = LINKS + 2 }; /* links that the kernel follows; one that is missing; the end */

struct place {
    int watch; /* of its directory */
    char *path;
    const char *name; /* the path's end */
};

struct file_watch {
    int descriptor;
    char *path;
    struct place place[PLACES];
    int count;
};

/* The way along a path. */
struct walk {
    char at[PATH_MAX];   /* the directory reached, without links but at its beginning */
    char rest[PATH_MAX]; /* what is still to go */
    char name[NAME_MAX + 1];
};

static void leave(struct file_watch *self, struct place *place)
{
    bool in_use = false;
    for (int i = 0; i < self->count; i++)
        in_use |= self->place[i].watch == place->watch;
    if (!in_use)
        inotify_rm_watch(self->descriptor, place->watch); /* fails where the directory itself is gone */
    free(place->path);
}

/* The path has a slash in it. */
static int enter(struct file_watch *self, const char *path)
{
    const char *slash = strrchr(path, '/');
    char *directory = strndup(path, (size_t)(slash - path) + 1), *copy = strdup(path);
    int rc = self->count < PLACES && directory && copy ? 0 : TROUPE_ENOMEM, watch = -1;
    if (rc == 0) {
        watch = inotify_add_watch(self->descriptor, directory, IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE);
        if (watch < 0)
            rc = errno == ENOSPC || errno == ENOMEM ? TROUPE_ELIMIT : TROUPE_EINVAL;
    }
    free(directory);
    if (rc) {
        free(copy);
        return rc;
    }
    self->place[self->count++] = (struct place){watch, copy, copy + (slash - path) + 1};
    return 0;
}

/* Moves the first name of the rest to `name`; false when there is none. */
static bool next_name(struct walk *walk)
{
    size_t from = strspn(walk->rest, "/"), length = strcspn(walk->rest + from, "/");
    if (length == 0 || length > NAME_MAX)
        return false;
    memcpy(walk->name, walk->rest + from, length);
    walk->name[length] = '\0';
    memmove(walk->rest, walk->rest + from + length, strlen(walk->rest + from + length) + 1);
    return true;
}

/* The rest of the way leads along the link's target first. */
static bool turn_off(struct walk *walk, const char *target)
{
    char rest[PATH_MAX];
    if (snprintf(rest, sizeof rest, "%s/%s", target, walk->rest) >= (int)sizeof rest)
        return false;
    strcpy(walk->rest, rest);
    if (*target == '/')
        strcpy(walk->at, "/");
    return true;
}

/* Goes on by the name; false where the way ends. What changed before its place was watched is seen by a second look. */
static bool step(struct file_watch *self, struct walk *walk)
{
    char here[PATH_MAX], target[PATH_MAX];
    if (snprintf(here, sizeof here, "%s/%s", walk->at, walk->name) >= (int)sizeof here)
        return false;
    ssize_t length = readlink(here, target, sizeof target - 1);
    bool missing = length < 0 && errno == ENOENT; /* and may come as a link */
    if (length > 0 || missing || walk->rest[strspn(walk->rest, "/")] == '\0') {
        if (enter(self, here))
            return false;
        length = readlink(here, target, sizeof target - 1);
    }
    if (length <= 0) {
        strcpy(walk->at, here);
        return true;
    }
    target[length] = '\0';
    return turn_off(walk, target);
}

/* Links that lead elsewhere now are followed. Where that cannot be watched, those on the way are; where there are none, what
 * was watched before. */
static void follow(struct file_watch *self)
{
    struct walk walk;
    struct place old[PLACES];
    int had = self->count;
    memcpy(old, self->place, sizeof old);
    self->count = 0;
    if (snprintf(walk.rest, sizeof walk.rest, "%s", self->path) < (int)sizeof walk.rest) {
        strcpy(walk.at, *self->path == '/' ? "/" : ".");
        while (next_name(&walk) && step(self, &walk))
            ;
    }
    if (self->count == 0) {
        memcpy(self->place, old, sizeof old);
        self->count = had;
        return;
    }
    for (int i = 0; i < had; i++)
        leave(self, &old[i]);
}

/* The path of a name in the current directory. */
static char *beside(const char *name)
{
    size_t size = strlen(name) + 3;
    char *path = malloc(size);
    if (path)
        snprintf(path, size, "./%s", name);
    return path;
}

int file_watch_new(struct file_watch **self, const char *path)
{
    struct file_watch *w = calloc(1, sizeof *w);
    *self = NULL;
    if (!w)
        return TROUPE_ENOMEM;
    w->descriptor = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    w->path = strchr(path, '/') ? strdup(path) : beside(path);
    int rc = w->descriptor < 0 ? TROUPE_ELIMIT : w->path ? enter(w, w->path) : TROUPE_ENOMEM;
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
    for (int i = 0; i < w->count; i++)
        free(w->place[i].path);
    if (w->descriptor >= 0)
        close(w->descriptor);
    free(w->path);
    free(w);
}

int file_watch_descriptor(const struct file_watch *self)
{
    return self->descriptor;
}

static bool is_link(const char *path)
{
    char target;
    return readlink(path, &target, 1) == 1;
}

static bool concerns(const struct file_watch *self, const struct inotify_event *event)
{
    if (event->mask & IN_Q_OVERFLOW)
        return true; /* nobody knows */
    for (int i = 0; i < self->count; i++) {
        const struct place *place = &self->place[i];
        if (event->len > 0 && event->wd == place->watch && strcmp(event->name, place->name) == 0)
            return !(event->mask & IN_CREATE) || is_link(place->path); /* a file is complete when it is closed */
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
