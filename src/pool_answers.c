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

void pool_answer_status(struct pool *self, struct message **letter)
{
    static const char *const words[] = {
        [JOB_NONE] = "unknown", [JOB_DELAYED] = "delayed", [JOB_QUEUED] = "queued",
        [JOB_HANDED] = "queued", [JOB_RUNNING] = "running", [JOB_STOPPING] = "stopping", [JOB_SYNCING] = "syncing",
        [JOB_ASKED] = "delayed"};
    uint64_t id = message_header(*letter)->id;
    enum job_state s = dispatcher_state(self->dispatcher, id);
    if (s == JOB_RUNNING && !pool_has_begun(self, id))
        s = JOB_HANDED;
    message_clear_body(*letter);
    pack_string(&(*letter)->bytes, words[s]);
    pool_answer(self, letter);
}

