/* outlet.h - where lines of a log end up: a descriptor, a file that grows and is rotated, a directory with a file a day.
 *
 * What cannot be written now is kept, up to a bound, and written when it can be: a full disk, an unwritable directory or a
 * file that somebody moved away is said once and recovered from. One thread at a time.
 */
#ifndef OUTLET_H
#define OUTLET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct outlet;

/* Told once when the trouble begins, and once when it is over. */
typedef void outlet_trouble(void *context, const char *text, bool is_over);

struct outlet_options {
    int descriptor;        /* written to, never closed; negative: none, then a path is given */
    const char *path;      /* the file, or the directory */
    bool is_directory;     /* files PATH/YYYY-MM-DD.log, by local time */
    uint64_t rotate_bytes; /* a file that would grow past this becomes PATH.1, which becomes PATH.2; 0: never */
    int keep;              /* so many of these */
    outlet_trouble *trouble;
    void *context;
};

/* Opens it. 0, TROUPE_ENOMEM, or TROUPE_ELIMIT with errno saying why the file could not be opened. `now`: wall seconds. */
int outlet_open(struct outlet **out, const struct outlet_options *options, double now);

/* Takes whole lines that belong together, a record's. They are written by the next flush, or sooner. */
void outlet_put(struct outlet *self, const void *bytes, size_t size, double now);

/* Writes what there is. True when nothing is left: then nothing need be tried again. */
bool outlet_flush(struct outlet *self, double now);

/* True once nobody reads the descriptor any more, a pipe's other end: nothing more can ever be written. */
bool outlet_is_broken(const struct outlet *self);

/* Closes the file and opens it anew by its name. */
void outlet_reopen(struct outlet *self, double now);

/* Records that were lost since the beginning, for want of room to keep them. */
uint64_t outlet_lost(const struct outlet *self);

/* Flushes, syncs a file to its disk, closes. Nulls; NULL is fine. Records that were lost with it. */
uint64_t outlet_close(struct outlet **self, double now);

#endif
