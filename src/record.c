/* record.c - levels by name; records to bytes and back (doc/protocol.md, "Log records"). */
#include "record.h"

#include <string.h>
#include <strings.h>

#include "pack.h"
#include "troupe.h"
#include "value_utf8.h"

static const char *const names[] = { "off",    "emerg", "alert", "fatal", "error", "warning",
                                     "notice", "info",  "debug", "trace" };

enum { FIELDS = 9 };

static const char magic[] = "troupe.log";

const char *record_level_name(int level)
{
    return level >= RECORD_OFF && level <= RECORD_TRACE ? names[level] : "unknown";
}

int record_level_of(const char *name, size_t size)
{
    for (int level = RECORD_OFF; level <= RECORD_TRACE; level++)
        if (strlen(names[level]) == size && strncasecmp(names[level], name, size) == 0)
            return level;
    return -1;
}

static int pack_borrowed(struct buffer *out, const struct unpack_text *text)
{
    bool is_utf8 = text->size == 0 || utf8_valid((const unsigned char *)text->bytes, text->size);
    return pack_text(out, text->bytes, text->size, is_utf8);
}

int record_encode(const struct record *self, struct buffer *out)
{
    size_t before = out->size;
    if (pack_array(out, FIELDS) == 0 && pack_unsigned(out, (uint64_t)self->level) == 0 &&
        pack_unsigned(out, (uint64_t)self->time_us) == 0 && pack_unsigned(out, self->vm) == 0 &&
        pack_unsigned(out, self->job) == 0 && pack_unsigned(out, self->actor) == 0 &&
        pack_unsigned(out, self->task) == 0 &&
        pack_borrowed(out, &self->source) == 0 && pack_borrowed(out, &self->message) == 0 &&
        (self->fields.size ? buffer_append(out, self->fields.bytes, self->fields.size) : pack_map(out, 0)) == 0)
        return 0;
    out->size = before;
    return TROUPE_ENOMEM;
}

/* Reads over a map; its bytes, none when it is empty. */
static bool decode_fields(struct unpack *bytes, struct unpack_text *out)
{
    struct unpack copy = *bytes;
    struct unpack_value head;
    if (!unpack_next(&copy, &head) || head.kind != UNPACK_MAP)
        return false;
    const char *from = (const char *)bytes->at;
    if (!unpack_skip(bytes))
        return false;
    *out = (struct unpack_text){ from, head.u.count ? (size_t)((const char *)bytes->at - from) : 0 };
    return true;
}

bool record_decode(struct unpack *bytes, struct record *out)
{
    struct unpack copy = *bytes;
    uint32_t count;
    uint64_t level, time;
    if (!unpack_array(&copy, &count) || count != FIELDS || !unpack_unsigned(&copy, &level) || level < RECORD_EMERG ||
        level > RECORD_TRACE || !unpack_unsigned(&copy, &time) || time > INT64_MAX ||
        !unpack_unsigned(&copy, &out->vm) || !unpack_unsigned(&copy, &out->job) || !unpack_unsigned(&copy, &out->actor) ||
        !unpack_unsigned(&copy, &out->task) ||
        !unpack_text(&copy, &out->source) || !unpack_text(&copy, &out->message) || !decode_fields(&copy, &out->fields))
        return false;
    out->level = (int)level;
    out->time_us = (int64_t)time;
    out->is_coarse = false;
    *bytes = copy;
    return true;
}

int record_frame_begin(const char *process, struct buffer *out)
{
    int rc = pack_array(out, 2);
    if (rc == 0)
        rc = pack_text(out, magic, sizeof magic - 1, true);
    return rc ? rc : pack_text(out, process, strlen(process), true);
}
