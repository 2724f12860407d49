/* troupe.h - troupe for C programs: statuses, versions.
 *
 * Every function that can fail returns 0 or one of the negative statuses below; troupe_strerror names it.
 * This header is also the vocabulary of the library's own floors: it includes nothing of theirs.
 */
#ifndef TROUPE_H
#define TROUPE_H

#ifdef __cplusplus
extern "C" {
#endif

#define TROUPE_VERSION_MAJOR 0
#define TROUPE_VERSION_MINOR 1
#define TROUPE_VERSION_PATCH 0

#if defined(__GNUC__)
#define TROUPE_API __attribute__((visibility("default")))
#else
#define TROUPE_API
#endif

enum troupe_status {
    TROUPE_OK = 0,
    TROUPE_ENOMEM = -1,    /* memory ran out; nothing changed */
    TROUPE_ETIMEDOUT = -2, /* the time given has passed */
    TROUPE_EDEAD = -3,     /* the other side is gone for good */
    TROUPE_EINVAL = -4,    /* an argument is outside what the function takes */
    TROUPE_EBADMSG = -5,   /* bytes that are no valid encoding */
    TROUPE_ELIMIT = -6,    /* a limit of the system: descriptors, threads, boxes */
    TROUPE_EFULL = -7,     /* a bounded queue is full */
    TROUPE_EINTR = -8,     /* a signal or interrupt came first */
    TROUPE_EREFUSED = -9   /* the value may not cross between vms */
};

/* One English line for a status; never NULL, never to be freed. */
TROUPE_API const char *troupe_strerror(int status);

/* "0.1.0"; never to be freed. */
TROUPE_API const char *troupe_version(void);

#ifdef __cplusplus
}
#endif

#endif
