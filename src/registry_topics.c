/* registry_topics.c - who subscribed to what: a tree of words.
 *
 *     root - news -+- sport     {a}        published: news.sport reaches a, b, c
 *                  +- *         {b}                   news.sport.late reaches c
 *                  +- >         {c}
 *
 * A search goes down one word of the topic at a time, with the list of all words of the tree that fit so far. Each word of
 * the tree comes up once at most, so the work is one look for each that fits, and one for each subscriber.
 *
 * Invariants:
 *  1. a word has a subscription that ends there, or words below it; the root may have neither, and has no subscriptions;
 *  2. an address is in a search's result once: `seen` has the number of the last that met it.
 */
#include "registry_inner.h"

#include <stdlib.h>
#include <string.h>

#include "buffer.h"
#include "troupe.h"

/* The words of a topic, one after the other. */
struct words {
    const char *at, *end;
    const char *text; /* the word at hand */
    size_t size;
};

static bool next_word(struct words *w)
{
    if (!w->at)
        return false;
    const char *dot = memchr(w->at, '.', (size_t)(w->end - w->at));
    w->text = w->at;
    w->size = (size_t)((dot ? dot : w->end) - w->at);
    w->at = dot ? dot + 1 : NULL;
    return true;
}

static struct word *new_word(struct word *above, const char *text, size_t size)
{
    struct word *word = malloc(sizeof *word + size);
    if (!word)
        return NULL;
    *word = (struct word){.above = above, .size = size};
    memcpy(word->text, text, size);
    TAILQ_INIT(&word->subscriptions);
    return word;
}

struct word *registry_new_root(void)
{
    return new_word(NULL, "", 0);
}

static struct word *find_word(const struct registry *self, const struct word *above, const char *text, size_t size)
{
    uint64_t hash = registry_hash(text, size, above);
    for (struct item *i = table_first(&self->words, hash); i; i = i->next) {
        struct word *word = (struct word *)i;
        if (word->above == above && word->size == size && memcmp(word->text, text, size) == 0)
            return word;
    }
    return NULL;
}

static struct word *make_word(struct registry *self, struct word *above, const char *text, size_t size)
{
    struct word *word = new_word(above, text, size);
    if (!word)
        return NULL;
    word->item.hash = registry_hash(text, size, above);
    table_insert(&self->words, &word->item);
    above->below++;
    return word;
}

/* Frees it, and the words above, as far as nothing is left there. */
static void drop_word(struct registry *self, struct word *word)
{
    while (word->above && word->below == 0 && TAILQ_EMPTY(&word->subscriptions)) {
        struct word *above = word->above;
        table_remove(&self->words, &word->item);
        free(word);
        above->below--;
        word = above;
    }
}

/* The last word of the topic; made when `make`. NULL: there is none, or no memory for one. */
static struct word *find_topic(struct registry *self, const char *topic, size_t size, bool make)
{
    struct words w = {.at = topic, .end = topic + size};
    struct word *word = self->root;
    while (next_word(&w)) {
        struct word *below = find_word(self, word, w.text, w.size);
        if (!below && make)
            below = make_word(self, word, w.text, w.size);
        if (!below) {
            if (make)
                drop_word(self, word);
            return NULL;
        }
        word = below;
    }
    return word;
}

/* ---- subscriptions */

static uint64_t hash_subscription(const struct word *word, const struct member *member)
{
    const struct member *key[1] = {member};
    return registry_hash((const char *)key, sizeof key, word);
}

static struct subscription *find_subscription(const struct registry *self, const struct word *word, const struct member *member)
{
    for (struct item *i = table_first(&self->subscriptions, hash_subscription(word, member)); i; i = i->next) {
        struct subscription *s = (struct subscription *)i;
        if (s->word == word && s->member == member)
            return s;
    }
    return NULL;
}

static int add_subscription(struct registry *self, struct word *word, struct member *member)
{
    if (find_subscription(self, word, member))
        return 0;
    struct subscription *s = malloc(sizeof *s);
    if (!s)
        return TROUPE_ENOMEM;
    s->item.hash = hash_subscription(word, member);
    s->word = word;
    s->member = member;
    TAILQ_INSERT_TAIL(&word->subscriptions, s, same_word);
    LIST_INSERT_HEAD(&member->subscriptions, s, same_member);
    table_insert(&self->subscriptions, &s->item);
    return 0;
}

int registry_subscribe(struct registry *self, const char *topic, size_t size, uint64_t address)
{
    struct word *word = find_topic(self, topic, size, true);
    struct member *member = word ? registry_member(self, address, true) : NULL;
    int rc = member ? add_subscription(self, word, member) : TROUPE_ENOMEM;
    if (rc && member)
        registry_drop_member(self, member);
    if (rc && word)
        drop_word(self, word);
    return rc;
}

void registry_drop_subscription(struct registry *self, struct subscription *s)
{
    struct word *word = s->word;
    TAILQ_REMOVE(&word->subscriptions, s, same_word);
    LIST_REMOVE(s, same_member);
    table_remove(&self->subscriptions, &s->item);
    free(s);
    drop_word(self, word);
}

bool registry_unsubscribe(struct registry *self, const char *topic, size_t size, uint64_t address)
{
    struct word *word = find_topic(self, topic, size, false);
    struct member *member = word ? registry_member(self, address, false) : NULL;
    struct subscription *s = member ? find_subscription(self, word, member) : NULL;
    if (!s)
        return false;
    registry_drop_subscription(self, s);
    registry_drop_member(self, member);
    return true;
}

/* ---- searches */

static int collect(const struct registry *self, const struct word *word, struct buffer *out)
{
    const struct subscription *s;
    TAILQ_FOREACH(s, &word->subscriptions, same_word) {
        if (s->member->seen == self->searches)
            continue;
        int rc = buffer_append(out, &s->member->address, sizeof s->member->address);
        if (rc)
            return rc;
        s->member->seen = self->searches;
    }
    return 0;
}

static void put_before(struct word **list, struct word *word)
{
    if (!word)
        return;
    word->next = *list;
    *list = word;
}

int registry_subscribers(struct registry *self, const char *topic, size_t size, struct buffer *out)
{
    struct words w = {.at = topic, .end = topic + size};
    struct word *fit = self->root;
    int rc = 0;
    self->root->next = NULL;
    self->searches++;
    while (fit && next_word(&w)) {
        bool star = w.size == 1 && *w.text == '*';
        struct word *above = fit;
        for (fit = NULL; above && rc == 0; above = above->next) {
            const struct word *rest = find_word(self, above, ">", 1);
            rc = rest ? collect(self, rest, out) : 0;
            put_before(&fit, find_word(self, above, "*", 1));
            if (!star)
                put_before(&fit, find_word(self, above, w.text, w.size));
        }
        if (rc)
            return rc;
    }
    for (; fit && rc == 0; fit = fit->next)
        rc = collect(self, fit, out);
    return rc;
}
