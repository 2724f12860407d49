/* pool_log.c - failed jobs in the log, at the level that the pool's maker chose, and lost workers. */
#include <string.h>

#include "log.h"
#include "pool_inner.h"
#include "unpack.h"

/* The outcome's error, when it is a text. */
static struct unpack_text error_of(const struct message *outcome)
{
    static const struct unpack_text other = {"an error that is no text", 24};
    struct unpack_text text;
    const unsigned char *body = message_body(outcome);
    struct unpack in = {body, body + message_body_size(outcome)};
    return unpack_text(&in, &text) ? text : other;
}

void pool_log_failure(const struct pool *self, const struct ticket *t, enum job_end end, const struct message *outcome)
{
    static const char *const words[JOB_ENDS] = {[JOB_FAILED] = "no worker could be started", [JOB_LOST] = "its worker is gone",
                                                [JOB_KILLED] = "killed", [JOB_EXPIRED] = "timeout",
                                                [JOB_SPENT] = "cpu limit"};
    const char *word = words[end];
    if (self->log_level <= 0 || !word)
        return;
    struct unpack_text why = {word, strlen(word)};
    if (outcome && end == JOB_FAILED)
        why = error_of(outcome);
    const char *name = t->extra && t->extra->name_size ? t->extra->name : NULL;
    log_say(self->log_level, "pool %s: job %llu%s%s%s failed: %.*s", self->worker.name, (unsigned long long)t->id,
            name ? " (" : "", name ? name : "", name ? ")" : "", (int)why.size, why.bytes);
}

void pool_log_loss(const struct pool *self, int worker, const struct message *down)
{
    static const char head[] = "lost: the worker process that ran the job is gone: ";
    struct unpack_text why = error_of(down);
    if (why.size >= sizeof head && memcmp(why.bytes, head, sizeof head - 1) == 0) {
        why.bytes += sizeof head - 1;
        why.size -= sizeof head - 1;
    }
    log_say(RECORD_WARNING, "worker %d of pool %s is lost: %.*s", worker, self->worker.name, (int)why.size, why.bytes);
}
