/* check_buffer.c - bytes that grow at the end: content kept, lent memory left alone, failures without effect. */
#include <stdint.h>
#include <stdlib.h>

#include "buffer.h"
#include "suite.h"
#include "troupe.h"

START_TEST(an_empty_buffer_owns_nothing)
{
    struct buffer buffer;

    buffer_init(&buffer);
    ck_assert_ptr_null(buffer.data);
    ck_assert_uint_eq(buffer.size, 0);
    ck_assert_uint_eq(buffer.capacity, 0);
    buffer_release(&buffer);
    buffer_release(&buffer);
}
END_TEST

START_TEST(what_was_appended_stays_in_order)
{
    struct buffer buffer;

    buffer_init(&buffer);
    for (unsigned i = 0; i < 10000; i++) {
        unsigned char bytes[3] = { (unsigned char)i, (unsigned char)(i >> 8), 0x55 };

        ck_assert_int_eq(buffer_append(&buffer, bytes, sizeof bytes), 0);
        ck_assert_uint_le(buffer.size, buffer.capacity);
    }
    ck_assert_uint_eq(buffer.size, 30000);
    for (unsigned i = 0; i < 10000; i++) {
        ck_assert_uint_eq(buffer.data[3 * i], i & 0xff);
        ck_assert_uint_eq(buffer.data[3 * i + 1], i >> 8);
        ck_assert_uint_eq(buffer.data[3 * i + 2], 0x55);
    }
    buffer_release(&buffer);
}
END_TEST

START_TEST(nothing_can_be_appended)
{
    struct buffer buffer;

    buffer_init(&buffer);
    ck_assert_int_eq(buffer_append(&buffer, NULL, 0), 0);
    ck_assert_uint_eq(buffer.size, 0);
    buffer_release(&buffer);
}
END_TEST

START_TEST(lent_bytes_are_used_and_left_when_they_are_too_few)
{
    unsigned char room[16];
    struct buffer buffer;

    buffer_init_lent(&buffer, room, sizeof room);
    ck_assert_int_eq(buffer_append(&buffer, "0123456789abcdef", 16), 0);
    ck_assert_ptr_eq(buffer.data, room);
    ck_assert_int_eq(buffer_append(&buffer, "g", 1), 0);
    ck_assert_ptr_ne(buffer.data, room);
    ck_assert_uint_eq(buffer.lent, 0);
    ck_assert_mem_eq(buffer.data, "0123456789abcdefg", 17);
    ck_assert_mem_eq(room, "0123456789abcdef", 16);
    buffer_release(&buffer);
    ck_assert_ptr_null(buffer.data);
}
END_TEST

START_TEST(releasing_lent_bytes_leaves_them_to_their_owner)
{
    unsigned char *room = malloc(8);
    struct buffer buffer;

    ck_assert_ptr_nonnull(room);
    buffer_init_lent(&buffer, room, 8);
    ck_assert_int_eq(buffer_append(&buffer, "x", 1), 0);
    buffer_release(&buffer);
    ck_assert_int_eq(room[0], 'x');
    free(room);
}
END_TEST

START_TEST(a_reserve_within_capacity_moves_nothing)
{
    struct buffer buffer;
    unsigned char *data;

    buffer_init(&buffer);
    ck_assert_int_eq(buffer_reserve(&buffer, 1000), 0);
    data = buffer.data;
    ck_assert_int_eq(buffer_reserve(&buffer, buffer.capacity), 0);
    ck_assert_int_eq(buffer_grow(&buffer, 1), 0);
    ck_assert_ptr_eq(buffer.data, data);
    buffer_release(&buffer);
}
END_TEST

START_TEST(a_large_append_takes_no_more_than_it_needs)
{
    struct buffer buffer;

    buffer_init(&buffer);
    ck_assert_int_eq(buffer_reserve(&buffer, 1 << 20), 0);
    ck_assert_uint_eq(buffer.capacity, 1 << 20);
    buffer_release(&buffer);
}
END_TEST

START_TEST(a_growth_that_cannot_be_leaves_the_buffer_as_it_was)
{
    struct buffer buffer;

    buffer_init(&buffer);
    ck_assert_int_eq(buffer_append(&buffer, "abc", 3), 0);
    ck_assert_int_eq(buffer_reserve(&buffer, SIZE_MAX), TROUPE_ENOMEM);
    ck_assert_int_eq(buffer_reserve(&buffer, SIZE_MAX - 3), TROUPE_ENOMEM);
    ck_assert_uint_eq(buffer.size, 3);
    ck_assert_mem_eq(buffer.data, "abc", 3);
    buffer_release(&buffer);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("buffer");
    TCase *tcase = suite_case(suite, "buffer");
    tcase_add_test(tcase, an_empty_buffer_owns_nothing);
    tcase_add_test(tcase, what_was_appended_stays_in_order);
    tcase_add_test(tcase, nothing_can_be_appended);
    tcase_add_test(tcase, lent_bytes_are_used_and_left_when_they_are_too_few);
    tcase_add_test(tcase, releasing_lent_bytes_leaves_them_to_their_owner);
    tcase_add_test(tcase, a_reserve_within_capacity_moves_nothing);
    tcase_add_test(tcase, a_large_append_takes_no_more_than_it_needs);
    tcase_add_test(tcase, a_growth_that_cannot_be_leaves_the_buffer_as_it_was);
    return suite_run(suite);
}
