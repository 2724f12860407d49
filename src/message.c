/* message.c - letters, and a stock of blank ones.
 *
 * Most letters are small, made by one thread and freed by another, millions of times. Each thread keeps a few
 * blanks of its own; a batch that is too many goes to the shared depot, where a thread that ran out finds it.
 *
 * Invariants:
 *  1. a letter's bytes.size is never below sizeof(struct header);
 *  2. a cache holds at most 2 * BATCH blanks, the depot at most DEPOT_BATCHES batches;
 *  3. the depot's lock is held for a pointer swap only.
 */
#include "message.h"

#include <pthread.h>
#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define PLAIN_MALLOC 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define PLAIN_MALLOC 1
#endif
#endif

static void blank(struct message *self, enum message_kind kind)
{
    self->next = NULL;
    buffer_init_lent(&self->bytes, self->small, sizeof self->small);
    memset(self->small, 0, sizeof(struct header));
    self->bytes.size = sizeof(struct header);
    struct header *h = message_header(self);
    h->magic = 'T';
    h->kind = (uint8_t)kind;
}

#ifdef PLAIN_MALLOC

static struct message *take_blank(void)
{
    return malloc(sizeof(struct message));
}

static void keep_blank(struct message *m)
{
    free(m);
}

void message_release_cache(void)
{
}

#else

enum { BATCH = 64, DEPOT_BATCHES = 256 };

static _Thread_local __attribute__((tls_model("initial-exec"))) struct {
    struct message *list;
    int count;
} cache;

static struct {
    pthread_mutex_t lock;
    struct message *batches[DEPOT_BATCHES];
    int count;
} depot = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct message *take_blank(void)
{
    if (!cache.list) {
        pthread_mutex_lock(&depot.lock);
        if (depot.count > 0) {
            cache.list = depot.batches[--depot.count];
            cache.count = BATCH;
        }
        pthread_mutex_unlock(&depot.lock);
        if (!cache.list)
            return malloc(sizeof(struct message));
    }
    struct message *m = cache.list;
    cache.list = m->next;
    cache.count--;
    return m;
}

static void free_blanks(struct message *list)
{
    while (list) {
        struct message *next = list->next;
        free(list);
        list = next;
    }
}

/* Moves BATCH blanks out of the cache. */
static void deposit(void)
{
    struct message *batch = cache.list, *last = batch;
    for (int i = 1; i < BATCH; i++)
        last = last->next;
    cache.list = last->next;
    cache.count -= BATCH;
    last->next = NULL;
    pthread_mutex_lock(&depot.lock);
    if (depot.count < DEPOT_BATCHES) {
        depot.batches[depot.count++] = batch;
        batch = NULL;
    }
    pthread_mutex_unlock(&depot.lock);
    free_blanks(batch);
}

static void keep_blank(struct message *m)
{
    m->next = cache.list;
    cache.list = m;
    if (++cache.count >= 2 * BATCH)
        deposit();
}

void message_release_cache(void)
{
    free_blanks(cache.list);
    cache.list = NULL;
    cache.count = 0;
}

#endif

struct message *message_new(enum message_kind kind)
{
    struct message *m = take_blank();
    if (m)
        blank(m, kind);
    return m;
}

void message_destroy(struct message **self)
{
    if (!*self)
        return;
    buffer_release(&(*self)->bytes);
    keep_blank(*self);
    *self = NULL;
}

struct message *message_copy(const struct message *self)
{
    struct message *m = message_new(MAIL_NONE);
    if (!m)
        return NULL;
    m->bytes.size = 0;
    if (buffer_append(&m->bytes, self->bytes.data, self->bytes.size)) {
        m->bytes.size = sizeof(struct header);
        message_destroy(&m);
    }
    return m;
}

void message_destroy_list(struct message **list)
{
    while (*list) {
        struct message *m = *list;
        *list = m->next;
        message_destroy(&m);
    }
}

bool message_turn_back(struct message *self)
{
    struct header *h = message_header(self);
    if (h->kind != MAIL_TELL && h->kind != MAIL_CONTROL)
        return false;
    uint64_t to = h->to;
    h->flags = h->kind == MAIL_CONTROL ? FLAG_DISCARD : 0;
    h->kind = MAIL_BOUNCE;
    h->to = h->from;
    h->from = to;
    return true;
}

static void become(struct message *self, enum message_kind kind, uint64_t to)
{
    message_header(self)->kind = (uint8_t)kind;
    message_header(self)->to = to;
}

/* The room that a letter has without further memory is enough for what is written here. */
bool message_lose_body(struct message *self)
{
    static const unsigned char error[] = "\xb1not enough memory\xc0", nil = 0xc0, never = 0xc1;
    struct header *h = message_header(self);
    bool job = h->kind == MAIL_SUBMIT || h->kind == MAIL_RUN;
    message_clear_body(self);
    if (h->kind == MAIL_CODE || (h->kind == MAIL_SUBMIT && h->flags & FLAG_DISCARD))
        return false;
    if (h->kind == MAIL_ANSWER)
        return buffer_append(&self->bytes, &nil, 1) == 0;
    if (h->kind == MAIL_REPLY) {
        h->flags |= FLAG_ERROR;
        return buffer_append(&self->bytes, error, sizeof error - 2) == 0;
    }
    if (!job && h->kind != MAIL_DONE && h->kind != MAIL_RESULT && h->kind != MAIL_ASK && h->kind != MAIL_DOWN)
        return buffer_append(&self->bytes, &never, 1) == 0;
    h->flags = job ? FLAG_ERROR : h->flags | FLAG_ERROR;
    if (job) {
        become(self, h->kind == MAIL_RUN ? MAIL_DONE : MAIL_RESULT, h->kind == MAIL_RUN ? 0 : h->from);
        h->u.seconds = 0;
    }
    return buffer_append(&self->bytes, error, sizeof error - 1) == 0;
}

bool message_is_run(const struct message *self, void *context)
{
    (void)context;
    return message_header(self)->kind == MAIL_RUN;
}

bool message_is_run_of(const struct message *self, void *context)
{
    const struct header *h = message_header(self);
    return h->kind == MAIL_RUN && h->id == *(const uint64_t *)context;
}

bool message_see_run(const struct message *self, void *context)
{
    struct message_sight *sight = context;
    sight->seen |= message_is_run_of(self, &sight->job);
    return false;
}
