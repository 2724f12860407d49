/* codes.c - see codes.h. A code's number is its place in the order of arrival: the bit that stands for it in codes_sent. */
#include "codes.h"

#include <stdlib.h>

#include "id_map.h"
#include "troupe.h"

struct code {
    uint64_t hash; /* first: id_map */
    uint32_t number;
    struct message *letter;
    struct code *next;
};

struct codes {
    struct id_map map;
    struct code *all;
    uint32_t count;
};

struct codes *codes_new(void)
{
    struct codes *self = calloc(1, sizeof *self);
    if (self)
        id_map_init(&self->map);
    return self;
}

void codes_destroy(struct codes **codes)
{
    struct codes *self = *codes;
    *codes = NULL;
    if (!self)
        return;
    while (self->all) {
        struct code *c = self->all;
        self->all = c->next;
        message_destroy(&c->letter);
        free(c);
    }
    id_map_release(&self->map);
    free(self);
}

int codes_learn(struct codes *self, struct message **letter)
{
    uint64_t hash = message_header(*letter)->code;
    if (id_map_find(&self->map, hash))
        return 0;
    struct code *c = malloc(sizeof *c);
    if (!c)
        return TROUPE_ENOMEM;
    *c = (struct code){.hash = hash, .number = self->count, .letter = *letter, .next = self->all};
    if (id_map_insert(&self->map, c)) {
        free(c);
        return TROUPE_ENOMEM;
    }
    self->all = c;
    self->count++;
    *letter = NULL;
    return 0;
}

static bool has(const struct codes_sent *sent, uint32_t number)
{
    return number / 64 < sent->words && sent->bits[number / 64] >> number % 64 & 1;
}

const struct message *codes_missing(const struct codes *self, const struct codes_sent *sent, uint64_t code)
{
    const struct code *c = id_map_find(&self->map, code);
    return c && !has(sent, c->number) ? c->letter : NULL;
}

int codes_note(const struct codes *self, struct codes_sent *sent, uint64_t code)
{
    const struct code *c = id_map_find(&self->map, code);
    uint32_t word = c->number / 64;
    if (word >= sent->words) {
        uint64_t *bits = realloc(sent->bits, (word + 1) * sizeof *bits);
        if (!bits)
            return TROUPE_ENOMEM;
        for (uint32_t i = sent->words; i <= word; i++)
            bits[i] = 0;
        sent->bits = bits;
        sent->words = word + 1;
    }
    sent->bits[word] |= (uint64_t)1 << c->number % 64;
    return 0;
}

void codes_sent_release(struct codes_sent *sent)
{
    free(sent->bits);
    *sent = (struct codes_sent){0};
}
