/* record_text.c - records as lines: for people, or as JSON.
 *
 *  1. a line has no control characters inside, whatever the record holds, newlines of `many_lines` apart: nobody's
 *     record can look like two, or play with a terminal;
 *  2. JSON is valid whatever the bytes: those that are no UTF-8 become the lone surrogates \udc80 to \udcff;
 *  3. fields were checked when they were decoded; bytes that are none are left out here.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "calendar.h"
#include "record.h"
#include "troupe.h"
#include "value_utf8.h"

enum { SECOND = 1000000 };

/* Appending that remembers whether memory ran out, so that only the end asks. */
struct pen {
    struct buffer *out;
    int rc;
};

static void put(struct pen *pen, const char *bytes, size_t size)
{
    if (pen->rc == 0)
        pen->rc = buffer_append(pen->out, bytes, size);
}

static void put_string(struct pen *pen, const char *text)
{
    put(pen, text, strlen(text));
}

static bool is_control(unsigned char c)
{
    return c < ' ' || c == 127;
}

/* As \n, \t or \r, else behind the given beginning with two digits. */
static void put_escape(struct pen *pen, unsigned char c, const char *before)
{
    static const char hex[] = "0123456789abcdef";
    if (c == '\n' || c == '\t' || c == '\r') {
        put_string(pen, c == '\n' ? "\\n" : c == '\t' ? "\\t" : "\\r");
    } else {
        put_string(pen, before);
        put(pen, (char[]){ hex[c >> 4], hex[c & 15] }, 2);
    }
}

/* The text without what could break the line. */
static void put_clean(struct pen *pen, const struct unpack_text *text, bool many_lines)
{
    size_t from = 0;
    if (!text->size)
        return;
    for (size_t i = 0; i < text->size; i++) {
        unsigned char c = (unsigned char)text->bytes[i];
        if (!is_control(c) || (many_lines && (c == '\n' || c == '\t')))
            continue;
        put(pen, text->bytes + from, i - from);
        put_escape(pen, c, "\\x");
        from = i + 1;
    }
    put(pen, text->bytes + from, text->size - from);
}

/* Bytes at the beginning that are one character of UTF-8; 0: none. */
static size_t character(const unsigned char *bytes, size_t size)
{
    for (size_t n = 1; n <= 4 && n <= size; n++)
        if (utf8_valid(bytes, n))
            return n;
    return 0;
}

static void put_quoted(struct pen *pen, const struct unpack_text *text)
{
    const unsigned char *bytes = (const unsigned char *)text->bytes;
    bool valid = text->size == 0 || utf8_valid(bytes, text->size);
    size_t from = 0, i = 0;
    put_string(pen, "\"");
    while (i < text->size) {
        unsigned char c = bytes[i];
        size_t plain = is_control(c) || c == '"' || c == '\\' ? 0 : valid || c < 128 ? 1 : character(bytes + i, text->size - i);
        if (plain == 0) {
            put(pen, text->bytes + from, i - from);
            if (c == '"' || c == '\\')
                put(pen, (char[]){ '\\', (char)c }, 2);
            else
                put_escape(pen, c, c < 128 ? "\\u00" : "\\udc");
            from = i + 1;
        }
        i += plain ? plain : 1;
    }
    if (from < text->size)
        put(pen, text->bytes + from, text->size - from);
    put_string(pen, "\"");
}

static void put_number(struct pen *pen, const struct unpack_value *v, bool json)
{
    char text[40];
    if (v->kind == UNPACK_UNSIGNED)
        snprintf(text, sizeof text, "%llu", (unsigned long long)v->u.number);
    else if (v->kind == UNPACK_NEGATIVE)
        snprintf(text, sizeof text, "%lld", (long long)v->u.negative);
    else if (json && !isfinite(v->u.real))
        snprintf(text, sizeof text, "null");
    else
        snprintf(text, sizeof text, "%.14g", v->u.real);
    put_string(pen, text);
}

static void put_json(struct pen *pen, struct unpack *bytes);

/* A key of a map, which in JSON is always text. */
static void put_key(struct pen *pen, struct unpack *bytes)
{
    struct unpack copy = *bytes;
    struct unpack_value v;
    if (!unpack_next(&copy, &v))
        return;
    if (v.kind == UNPACK_TEXT) {
        put_quoted(pen, &v.u.text);
    } else {
        put_string(pen, "\"");
        if (v.kind == UNPACK_UNSIGNED || v.kind == UNPACK_NEGATIVE || v.kind == UNPACK_FLOAT)
            put_number(pen, &v, false);
        put_string(pen, "\"");
    }
    unpack_skip(bytes);
}

static void put_members(struct pen *pen, struct unpack *bytes, uint32_t count, bool is_map)
{
    put_string(pen, is_map ? "{" : "[");
    for (uint32_t i = 0; i < count && pen->rc == 0; i++) {
        if (i)
            put_string(pen, ",");
        if (is_map) {
            put_key(pen, bytes);
            put_string(pen, ":");
        }
        put_json(pen, bytes);
    }
    put_string(pen, is_map ? "}" : "]");
}

static void put_json(struct pen *pen, struct unpack *bytes)
{
    struct unpack_value v;
    if (!unpack_next(bytes, &v))
        return;
    switch (v.kind) {
    case UNPACK_NIL: put_string(pen, "null"); break;
    case UNPACK_BOOLEAN: put_string(pen, v.u.boolean ? "true" : "false"); break;
    case UNPACK_UNSIGNED:
    case UNPACK_NEGATIVE:
    case UNPACK_FLOAT: put_number(pen, &v, true); break;
    case UNPACK_TEXT: put_quoted(pen, &v.u.text); break;
    case UNPACK_ARRAY: put_members(pen, bytes, v.u.count, false); break;
    case UNPACK_MAP: put_members(pen, bytes, v.u.count, true); break;
    case UNPACK_OTHER: put_string(pen, "null"); break;
    }
}

/* A field's text needs quotes unless it is one word. */
static bool is_word(const struct unpack_text *text)
{
    for (size_t i = 0; i < text->size; i++)
        if (is_control((unsigned char)text->bytes[i]) || strchr(" =\"\\", text->bytes[i]))
            return false;
    return text->size > 0;
}

static void put_field(struct pen *pen, struct unpack *bytes)
{
    struct unpack copy = *bytes;
    struct unpack_value v;
    if (!unpack_next(&copy, &v))
        return;
    if (v.kind == UNPACK_TEXT && is_word(&v.u.text)) {
        put(pen, v.u.text.bytes, v.u.text.size);
        *bytes = copy;
    } else if (v.kind == UNPACK_FLOAT) {
        put_number(pen, &v, false);
        *bytes = copy;
    } else {
        put_json(pen, bytes);
    }
}

/* key=value, with a space before all but the first of a line without message. */
static void put_fields(struct pen *pen, const struct record *r)
{
    struct unpack_value head;
    if (!r->fields.size)
        return;
    struct unpack bytes = { (const unsigned char *)r->fields.bytes, (const unsigned char *)r->fields.bytes + r->fields.size };
    if (!unpack_next(&bytes, &head) || head.kind != UNPACK_MAP)
        return;
    for (uint32_t i = 0; i < head.u.count && pen->rc == 0; i++) {
        put_string(pen, " ");
        put_field(pen, &bytes);
        put_string(pen, "=");
        put_field(pen, &bytes);
    }
}

/* Local time to the second, YYYY-MM-DD HH:MM:SS, or for JSON the same of UTC. */
static void put_time(struct pen *pen, struct record_printer *self, const struct record *r)
{
    int64_t second = r->time_us / SECOND;
    if (!self->has_second || second != self->second) {
        struct calendar_time t;
        (self->json ? calendar_utc : calendar_local)(second, &t);
        snprintf(self->text, sizeof self->text, "%04" PRId64 "-%02d-%02d%c%02d:%02d:%02d", t.year, t.month, t.day,
                 self->json ? 'T' : ' ', t.hour, t.minute, t.second);
        self->second = second;
        self->has_second = true;
    }
    put_string(pen, self->text);
    if (!r->is_coarse) {
        char fraction[8] = ".";
        int rest = (int)(r->time_us % SECOND);
        for (int i = 6; i > 0; i--, rest /= 10)
            fraction[i] = (char)('0' + rest % 10);
        put_string(pen, fraction);
    }
}

static void put_id(struct pen *pen, const char *before, uint64_t id)
{
    char text[24];
    if (!id)
        return;
    put_string(pen, before);
    snprintf(text, sizeof text, "%llu", (unsigned long long)id);
    put_string(pen, text);
}

static const char *colour_of(int level)
{
    return level <= RECORD_FATAL ? "\33[1;31m" : level == RECORD_ERROR ? "\33[31m" : level == RECORD_WARNING ? "\33[33m"
         : level == RECORD_NOTICE ? "\33[36m" : level == RECORD_INFO ? "\33[32m" : "\33[2m";
}

static void put_level(struct pen *pen, const struct record_printer *self, int level)
{
    static const char *const names[] = { "OFF",    "EMERG", "ALERT", "FATAL", "ERROR", "WARNING",
                                         "NOTICE", "INFO",  "DEBUG", "TRACE" };
    put_string(pen, " [");
    if (self->colours)
        put_string(pen, colour_of(level));
    put_string(pen, names[level]);
    put_string(pen, self->colours ? "\33[0m]" : "]");
}

static void print_line(struct pen *pen, struct record_printer *self, const struct record *r)
{
    put_time(pen, self, r);
    put_level(pen, self, r->level);
    if (r->process.size) {
        put_string(pen, " ");
        put_clean(pen, &r->process, false);
        put_id(pen, ".", r->vm);
    }
    put_id(pen, " job ", r->job);
    put_id(pen, " actor ", r->actor);
    put_id(pen, " task ", r->task);
    if (r->source.size) {
        put_string(pen, " ");
        put_clean(pen, &r->source, false);
    }
    if (r->process.size || r->job || r->actor || r->task || r->source.size)
        put_string(pen, ":");
    if (r->message.size) {
        put_string(pen, " ");
        put_clean(pen, &r->message, self->many_lines);
    }
    put_fields(pen, r);
}

static void put_member(struct pen *pen, const char *name, const struct unpack_text *text)
{
    if (!text->size)
        return;
    put_string(pen, name);
    put_quoted(pen, text);
}

static void print_json(struct pen *pen, struct record_printer *self, const struct record *r)
{
    put_string(pen, "{\"time\":\"");
    put_time(pen, self, r);
    put_string(pen, "Z\",\"level\":\"");
    put_string(pen, record_level_name(r->level));
    put_string(pen, "\"");
    put_member(pen, ",\"process\":", &r->process);
    put_id(pen, ",\"vm\":", r->vm);
    put_id(pen, ",\"job\":", r->job);
    put_id(pen, ",\"actor\":", r->actor);
    put_id(pen, ",\"task\":", r->task);
    put_member(pen, ",\"source\":", &r->source);
    put_string(pen, ",\"message\":");
    put_quoted(pen, &r->message);
    if (r->fields.size) {
        struct unpack bytes = { (const unsigned char *)r->fields.bytes, (const unsigned char *)r->fields.bytes + r->fields.size };
        put_string(pen, ",\"fields\":");
        put_json(pen, &bytes);
    }
    put_string(pen, "}");
}

int record_print(struct record_printer *self, const struct record *record, struct buffer *out)
{
    struct pen pen = { out, 0 };
    size_t before = out->size;
    if (self->json)
        print_json(&pen, self, record);
    else
        print_line(&pen, self, record);
    put_string(&pen, "\n");
    if (pen.rc)
        out->size = before;
    return pen.rc;
}
