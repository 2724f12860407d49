/* troupe.c - the public C API: what a C program may ask of the library without Lua.
 *
 * Any thread may enter. Nothing here keeps state.
 */
#include "troupe.h"

#define TEXT_OF(number) #number
#define VERSION_TEXT(major, minor, patch) TEXT_OF(major) "." TEXT_OF(minor) "." TEXT_OF(patch)

const char *troupe_strerror(int status)
{
    switch (status) {
    case TROUPE_OK: return "success";
    case TROUPE_ENOMEM: return "not enough memory";
    case TROUPE_ETIMEDOUT: return "timeout";
    case TROUPE_EDEAD: return "the other side is gone";
    case TROUPE_EINVAL: return "invalid argument";
    case TROUPE_EBADMSG: return "not a valid encoding";
    case TROUPE_ELIMIT: return "a limit of the system is reached";
    case TROUPE_EFULL: return "the queue is full";
    case TROUPE_EINTR: return "interrupted";
    case TROUPE_EREFUSED: return "the value may not cross between vms";
    default: return "unknown status";
    }
}

const char *troupe_version(void)
{
    return VERSION_TEXT(TROUPE_VERSION_MAJOR, TROUPE_VERSION_MINOR, TROUPE_VERSION_PATCH);
}
