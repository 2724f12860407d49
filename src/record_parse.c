/* record_parse.c - what a sink is sent: frames of ours, of lua-log's in both its forms, of anybody's.
 *
 * Ours: the head of record_frame_begin, then records to the end.
 * lua-log, packed: a byte from 1 to 9, 19 bytes of local time, the message to the end.
 * lua-log, text: 19 bytes of local time, " [", the level's name, "] ", the message to the end.
 * What is none of these becomes an info record that shows how it begins.
 *
 *  1. every frame is at least one record;
 *  2. a record borrows from the frame, or from the stack while it is handed out.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "record.h"

enum {
    STAMP = 19, /* bytes of YYYY-MM-DD HH:MM:SS */
    SHOWN = 512, /* most bytes of an unknown frame that are shown */
    NAME_MAX_BYTES = 7 /* of a level's name */
};

/* The last local time that was read: calendars are slow, and records of one second come together. */
static _Thread_local struct {
    char text[STAMP];
    int64_t time_us;
} last;

static int digits(const char *text, int count)
{
    int n = 0;
    for (int i = 0; i < count; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -1;
        n = 10 * n + text[i] - '0';
    }
    return n;
}

/* Local time as lua-log writes it; false when it is none. */
static bool read_stamp(const char *text, int64_t *time_us)
{
    if (memcmp(text, last.text, STAMP) == 0) {
        *time_us = last.time_us;
        return true;
    }
    struct tm t = { .tm_year = digits(text, 4) - 1900, .tm_mon = digits(text + 5, 2) - 1, .tm_mday = digits(text + 8, 2),
                    .tm_hour = digits(text + 11, 2), .tm_min = digits(text + 14, 2), .tm_sec = digits(text + 17, 2),
                    .tm_isdst = -1 };
    if (text[4] != '-' || text[7] != '-' || text[10] != ' ' || text[13] != ':' || text[16] != ':' || t.tm_year < 0 ||
        t.tm_mon < 0 || t.tm_mon > 11 || t.tm_mday < 1 || t.tm_mday > 31 || t.tm_hour < 0 || t.tm_hour > 23 ||
        t.tm_min < 0 || t.tm_min > 59 || t.tm_sec < 0 || t.tm_sec > 60)
        return false;
    int64_t seconds = (int64_t)mktime(&t);
    if (seconds < 0)
        return false;
    memcpy(last.text, text, STAMP);
    *time_us = last.time_us = seconds * 1000000;
    return true;
}

static bool parse_packed(const char *frame, size_t size, struct record *out)
{
    if (size < 1 + STAMP || frame[0] < RECORD_EMERG || frame[0] > RECORD_TRACE || !read_stamp(frame + 1, &out->time_us))
        return false;
    out->level = frame[0];
    out->message = (struct unpack_text){ frame + 1 + STAMP, size - 1 - STAMP };
    return true;
}

static bool parse_line(const char *frame, size_t size, struct record *out)
{
    static const size_t name = STAMP + 2;
    if (size <= name || memcmp(frame + STAMP, " [", 2) != 0)
        return false;
    size_t most = size - name > NAME_MAX_BYTES + 1 ? NAME_MAX_BYTES + 1 : size - name;
    const char *end = memchr(frame + name, ']', most);
    int level = end ? record_level_of(frame + name, (size_t)(end - frame) - name) : -1;
    if (level < RECORD_EMERG || !read_stamp(frame, &out->time_us))
        return false;
    const char *message = end + 1;
    if (message < frame + size && *message == ' ')
        message++;
    out->level = level;
    out->message = (struct unpack_text){ message, (size_t)(frame + size - message) };
    return true;
}

/* Says what has come instead of a record. */
static void take_unknown(const char *what, const void *frame, size_t size, int64_t now_us, record_taker *take, void *context)
{
    char text[SHOWN + 128];
    size_t shown = size < SHOWN ? size : SHOWN;
    int head = snprintf(text, 128, "%s (%zu bytes%s)%s", what, size, size > SHOWN ? ", which begin" : "", size ? ": " : "");
    if (shown)
        memcpy(text + head, frame, shown);
    take(context, &(struct record){ .level = RECORD_INFO, .time_us = now_us, .message = { text, (size_t)head + shown } });
}

/* True when the frame is ours, whole or broken. */
static bool parse_ours(const void *frame, size_t size, int64_t now_us, record_taker *take, void *context)
{
    struct unpack bytes = { frame, (const unsigned char *)frame + size };
    struct unpack_text name;
    struct record r = { 0 };
    uint32_t count;
    if (!unpack_array(&bytes, &count) || count != 2 || !unpack_text(&bytes, &name) || name.size != 10 ||
        memcmp(name.bytes, "troupe.log", 10) != 0 || !unpack_text(&bytes, &r.process))
        return false;
    if (bytes.at == bytes.end)
        take_unknown("a frame without records from an unknown sender", frame, size, now_us, take, context);
    while (bytes.at < bytes.end) {
        if (!record_decode(&bytes, &r)) {
            take_unknown("broken records from an unknown sender", bytes.at, (size_t)(bytes.end - bytes.at), now_us, take, context);
            break;
        }
        take(context, &r);
    }
    return true;
}

void record_parse(const void *frame, size_t size, int64_t now_us, record_taker *take, void *context)
{
    struct record r = { .is_coarse = true };
    if (size > 0 && parse_ours(frame, size, now_us, take, context))
        return;
    if (parse_packed(frame, size, &r) || parse_line(frame, size, &r))
        take(context, &r);
    else
        take_unknown("a frame from an unknown sender", frame, size, now_us, take, context);
}
