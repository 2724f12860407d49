/* fuzz_record.c - the sink's parser under libFuzzer: any frame is at least one record, and every record is one line, as text
 * and as JSON, and survives being encoded and decoded.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "buffer.h"
#include "fuzz.h"
#include "record.h"

struct judge {
    int records;
    struct record_printer text, json;
    struct buffer line, again;
};

static void check(int holds)
{
    if (!holds)
        abort();
}

static void check_line(struct record_printer *printer, const struct record *r, struct buffer *line)
{
    line->size = 0;
    check(record_print(printer, r, line) == 0);
    check(line->size > 0 && memchr(line->data, '\n', line->size) == line->data + line->size - 1);
    for (size_t i = 0; i + 1 < line->size; i++)
        check(line->data[i] >= ' ' && line->data[i] != 127);
}

static void judge_record(void *context, const struct record *r)
{
    struct judge *self = context;
    struct record copy = { .process = r->process };
    self->records++;
    check(r->level >= RECORD_EMERG && r->level <= RECORD_TRACE);
    check_line(&self->text, r, &self->line);
    check_line(&self->json, r, &self->line);
    self->again.size = 0;
    check(record_encode(r, &self->again) == 0);
    struct unpack bytes = { self->again.data, self->again.data + self->again.size };
    check(record_decode(&bytes, &copy) && bytes.at == bytes.end);
    check(copy.level == r->level && copy.time_us == r->time_us && copy.job == r->job && copy.actor == r->actor &&
          copy.task == r->task);
    check(copy.message.size == r->message.size &&
          (r->message.size == 0 || memcmp(copy.message.bytes, r->message.bytes, r->message.size) == 0));
    check(copy.fields.size == r->fields.size);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct judge judge = { .json = { .json = true } };
    buffer_init(&judge.line);
    buffer_init(&judge.again);
    record_parse(bytes, size, 1400000000000000, judge_record, &judge);
    check(judge.records > 0);
    buffer_release(&judge.line);
    buffer_release(&judge.again);
    return 0;
}
