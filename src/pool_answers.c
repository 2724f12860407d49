/* pool_answers.c - a pool's letters to clients: answers to their questions. */
#include "mailbox.h"
#include "pack.h"
#include "pool_inner.h"

void pool_post(struct pool *self, struct message **letter)
{
    mailbox_deliver(self->house.mailbox, letter);
}

void pool_answer(struct pool *self, struct message **letter)
{
    struct header *h = message_header(*letter);
    h->kind = MAIL_ANSWER;
    h->to = h->from;
    pool_post(self, letter);
}

void pool_answer_boolean(struct pool *self, struct message **letter, bool v)
{
    message_clear_body(*letter);
    pack_boolean(&(*letter)->bytes, v);
    pool_answer(self, letter);
}

void pool_answer_nil(struct pool *self, struct message **letter)
{
    message_clear_body(*letter);
    pack_nil(&(*letter)->bytes);
    pool_answer(self, letter);
}

void pool_write_error(struct message *letter, const char *text)
{
    message_clear_body(letter);
    message_header(letter)->flags |= FLAG_ERROR;
    pack_string(&letter->bytes, text);
    pack_nil(&letter->bytes);
}

/* Its worker, attempt and start, if it has them. */
static void pack_info(struct buffer *out, const char *word, const struct job_info *info)
{
    bool runs = info->started > 0;
    pack_map(out, 2 + 2 * runs);
    pack_string(out, "status");
    pack_string(out, word);
    pack_string(out, "attempt");
    pack_unsigned(out, (uint64_t)info->attempt);
    if (!runs)
        return;
    pack_string(out, "worker");
    pack_unsigned(out, (uint64_t)info->worker);
    pack_string(out, "started");
    pack_float(out, info->started);
}

void pool_answer_status(struct pool *self, struct message **letter)
{
    uint64_t id = message_header(*letter)->id;
    bool runs = dispatcher_state(self->dispatcher, id) == JOB_RUNNING, begun = runs && pool_has_begun(self, id);
    if (!begun || !pool_ask_begun(self, letter))
        pool_tell_status(self, letter, begun);
}

void pool_tell_status(struct pool *self, struct message **letter, bool begun)
{
    static const char *const words[] = {
        [JOB_NONE] = "unknown", [JOB_DELAYED] = "delayed", [JOB_QUEUED] = "queued", [JOB_HANDED] = "queued",
        [JOB_RUNNING] = "running", [JOB_PARKED] = "running", [JOB_ASKED] = "delayed", [JOB_GANGED] = "queued",
        [JOB_STOPPING] = "stopping", [JOB_SYNCING] = "syncing"};
    const struct header *h = message_header(*letter);
    struct job_info info;
    dispatcher_info(self->dispatcher, h->id, &info);
    if (info.state == JOB_RUNNING && !begun) {
        info.state = JOB_HANDED;
        info.attempt--;
        info.started = 0;
    }
    message_clear_body(*letter);
    if (h->u.number)
        pack_info(&(*letter)->bytes, words[info.state], &info);
    else
        pack_string(&(*letter)->bytes, words[info.state]);
    pool_answer(self, letter);
}

