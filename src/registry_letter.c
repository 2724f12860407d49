/* registry_letter.c - see registry_letter.h. An answer of nil says that memory is out, but for WHEREIS: nobody. */
#include "registry_letter.h"

#include "address.h"
#include "message.h"
#include "pack.h"
#include "registry_program.h"
#include "troupe.h"

/* An array of so many elements. */
static void write_head(unsigned char *head, uint32_t count)
{
    head[0] = 0xdd;
    for (int i = 1; i <= 4; i++)
        head[i] = (unsigned char)(count >> (32 - 8 * i));
}

struct list {
    struct buffer *out;
    uint32_t count;
};

static int add_name(void *context, const char *name, size_t size)
{
    struct list *list = context;
    list->count++;
    return pack_text(list->out, name, size, false);
}

static int pack_names(const struct registry *r, struct buffer *out)
{
    unsigned char head[5];
    size_t at = out->size;
    struct list list = {.out = out};
    write_head(head, 0);
    int rc = buffer_append(out, head, sizeof head);
    rc = rc ? rc : registry_names(r, add_name, &list);
    if (rc == 0)
        write_head(out->data + at, list.count);
    return rc;
}

static int pack_subscribers(struct registry *r, const char *topic, size_t size, struct buffer *out)
{
    unsigned char head[5];
    struct buffer found;
    buffer_init(&found);
    int rc = registry_subscribers(r, topic, size, &found);
    uint32_t count = (uint32_t)(found.size / sizeof(uint64_t));
    write_head(head, count);
    rc = rc ? rc : buffer_append(out, head, sizeof head);
    for (uint32_t i = 0; i < count && rc == 0; i++) {
        uint64_t address;
        memcpy(&address, found.data + i * sizeof address, sizeof address);
        rc = pack_unsigned(out, address);
    }
    buffer_release(&found);
    return rc;
}

static int pack_address(struct buffer *out, uint64_t address)
{
    return address ? pack_unsigned(out, address) : pack_nil(out);
}

/* Does what the letter asks, and writes the answer. */
static int answer(struct registry *r, const struct message *letter, struct buffer *out)
{
    const struct header *h = message_header(letter);
    const char *text = (const char *)message_body(letter);
    size_t size = message_body_size(letter);
    int rc;
    switch (h->kind) {
    case MAIL_REGISTER:
        rc = registry_register(r, text, size, h->id);
        return rc == TROUPE_ENOMEM ? rc : pack_boolean(out, rc == 0);
    case MAIL_UNREGISTER:
        return pack_boolean(out, registry_unregister(r, text, size));
    case MAIL_WHEREIS:
        return pack_address(out, registry_whereis(r, text, size));
    case MAIL_NAMES:
        return pack_names(r, out);
    case MAIL_SUBSCRIBE:
        rc = registry_subscribe(r, text, size, h->id);
        return rc ? rc : pack_boolean(out, true);
    case MAIL_UNSUBSCRIBE:
        return pack_boolean(out, registry_unsubscribe(r, text, size, h->id));
    case MAIL_SUBSCRIBERS:
        return pack_subscribers(r, text, size, out);
    default: /* MAIL_UNREAD */
        return pack_unsigned(out, registry_count_dead((uint64_t)h->u.number));
    }
}

static void make_answer(struct message *letter)
{
    struct header *h = message_header(letter);
    struct buffer out;
    buffer_init(&out);
    struct registry *r = registry_enter();
    int rc = r ? answer(r, letter, &out) : TROUPE_ENOMEM;
    if (r)
        registry_exit();
    h->kind = MAIL_ANSWER;
    h->to = h->from;
    message_clear_body(letter);
    rc = rc ? rc : buffer_append(&letter->bytes, out.data, out.size);
    if (rc)
        pack_nil(&letter->bytes); /* fits into what the letter has: memory is out */
    buffer_release(&out);
}

int registry_take_letter(struct message **letter)
{
    const struct header *h = message_header(*letter);
    switch (h->kind) {
    case MAIL_LEAVE: /* the node hears it too */
        registry_closed(h->from);
        return 0;
    case MAIL_GONE:
        if (address_task(h->id))
            registry_ended(h->id);
        else
            registry_closed(h->id);
        message_destroy(letter);
        return 1;
    case MAIL_REGISTER: case MAIL_UNREGISTER: case MAIL_WHEREIS: case MAIL_NAMES: case MAIL_SUBSCRIBE: case MAIL_UNSUBSCRIBE:
    case MAIL_SUBSCRIBERS: case MAIL_UNREAD:
        make_answer(*letter);
        if (message_header(*letter)->code == 0)
            message_destroy(letter); /* it was no question */
        return 1;
    default:
        return 0;
    }
}
