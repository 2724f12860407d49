/* run_note.h - what the node says of a run, in the `from` of a RUN letter; and the words for how a run ended. */
#ifndef RUN_NOTE_H
#define RUN_NOTE_H

#include <stdbool.h>
#include <stdint.h>

/* Can the job run again after this run? RUN_MORE: it can, whatever the run comes to. */
enum run_last { RUN_MORE, RUN_LAST_IF_FINE, RUN_LAST };

/* attempt: runs so far, this one included; a cleanup's: how its job ended, enum job_end. */
static inline uint64_t run_note(uint32_t attempt, enum run_last last)
{
    return (uint64_t)last << 24 | (attempt & 0xffffff);
}

static inline uint32_t run_attempt(uint64_t note)
{
    return (uint32_t)note & 0xffffff;
}

static inline enum run_last run_last(uint64_t note)
{
    return (enum run_last)(note >> 24 & 0xff);
}

/* In place of a window: the job may be any number of letters ahead. */
#define RUN_WINDOW_OPEN UINT32_MAX

/* What an interrupt must be meant for while the job's cleanup runs. */
static inline uint64_t run_cleanup_target(uint64_t job)
{
    return job | UINT64_C(1) << 61;
}

/* The same for the handlers of an actor in a shared vm; only its own vm tells it from others. Jobs have no such numbers. */
static inline uint64_t run_actor_target(uint64_t address)
{
    return (address & 0xffffffff) | UINT64_C(1) << 60;
}

static inline bool run_is_actor(uint64_t target)
{
    return target >> 60 & 1;
}

static inline bool run_is_cleanup(uint64_t target)
{
    return target >> 61 & 1;
}

#endif
