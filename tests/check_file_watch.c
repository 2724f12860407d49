/* check_file_watch.c - what changes a file is told, what happens beside it is not. */
#include "file_watch.h"
#include "suite.h"
#include "troupe.h"

#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[] = "/tmp/check_file_watch.XXXXXX";
static struct file_watch *self;

static const char *path_of(const char *name)
{
    static char paths[4][PATH_MAX];
    static int turn;
    turn = (turn + 1) % 4;
    snprintf(paths[turn], sizeof *paths, "%s/%s", directory, name);
    return paths[turn];
}

static void write_file(const char *name)
{
    FILE *file = fopen(path_of(name), "w");
    ck_assert_ptr_nonnull(file);
    fputs("text", file);
    fclose(file);
}

static void set_up(void)
{
    ck_assert_ptr_nonnull(mkdtemp(directory));
    write_file("file");
}

static void tear_down(void)
{
    file_watch_destroy(&self);
    static const char *const names[] = {"file", "other", "link", "middle", "now", "nowhere", "below/file", "above/file"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unlink(path_of(names[i]));
    rmdir(path_of("below"));
    rmdir(path_of("above"));
    rmdir(directory);
}

static bool is_readable(void)
{
    struct pollfd item = {.fd = file_watch_descriptor(self), .events = POLLIN};
    return poll(&item, 1, 0) == 1;
}

START_TEST(nothing_happened_yet)
{
    ck_assert_int_eq(file_watch_new(&self, path_of("file")), 0);
    ck_assert(!is_readable());
    ck_assert(!file_watch_take(self));
}
END_TEST

START_TEST(a_write_is_told_once)
{
    ck_assert_int_eq(file_watch_new(&self, path_of("file")), 0);
    write_file("file");
    write_file("file");
    ck_assert(is_readable());
    ck_assert(file_watch_take(self));
    ck_assert(!is_readable());
    ck_assert(!file_watch_take(self));
}
END_TEST

START_TEST(a_file_that_takes_its_place_is_told)
{
    ck_assert_int_eq(file_watch_new(&self, path_of("file")), 0);
    write_file("other");
    ck_assert(!file_watch_take(self));
    ck_assert_int_eq(rename(path_of("other"), path_of("file")), 0);
    ck_assert(file_watch_take(self));
    write_file("file");
    ck_assert(file_watch_take(self));
}
END_TEST

START_TEST(it_may_come_and_go)
{
    ck_assert_int_eq(file_watch_new(&self, path_of("other")), 0);
    write_file("other");
    ck_assert(file_watch_take(self));
    unlink(path_of("other"));
    ck_assert(!file_watch_take(self));
    write_file("other");
    ck_assert(file_watch_take(self));
}
END_TEST

START_TEST(a_link_is_followed_to_where_it_leads)
{
    ck_assert_int_eq(mkdir(path_of("below"), 0700), 0);
    write_file("below/file");
    ck_assert_int_eq(symlink("below/file", path_of("link")), 0);
    ck_assert_int_eq(file_watch_new(&self, path_of("link")), 0);
    write_file("below/file");
    ck_assert(file_watch_take(self));
    ck_assert_int_eq(symlink("file", path_of("other")), 0);
    ck_assert_int_eq(rename(path_of("other"), path_of("link")), 0);
    ck_assert(file_watch_take(self));
    write_file("file");
    ck_assert(file_watch_take(self));
    write_file("below/file");
    ck_assert(!file_watch_take(self));
}
END_TEST

/* As ln -sfn does it: gone, and there again. */
static void lead(const char *link, const char *target)
{
    unlink(path_of(link));
    ck_assert_int_eq(symlink(target, path_of(link)), 0);
}

static void make_two_directories(void)
{
    ck_assert_int_eq(mkdir(path_of("below"), 0700), 0);
    ck_assert_int_eq(mkdir(path_of("above"), 0700), 0);
    write_file("below/file");
    write_file("above/file");
}

START_TEST(a_link_in_the_middle_of_a_chain_may_lead_elsewhere)
{
    make_two_directories();
    lead("middle", "below/file");
    lead("link", "middle");
    ck_assert_int_eq(file_watch_new(&self, path_of("link")), 0);
    lead("middle", path_of("above/file"));
    ck_assert(file_watch_take(self));
    write_file("below/file");
    ck_assert(!file_watch_take(self));
    write_file("above/file");
    ck_assert(file_watch_take(self));
    write_file("middle");
    ck_assert(file_watch_take(self));
}
END_TEST

START_TEST(a_directory_on_the_way_may_be_another_one)
{
    make_two_directories();
    lead("now", "below");
    lead("link", "now/file");
    ck_assert_int_eq(file_watch_new(&self, path_of("link")), 0);
    write_file("above/file");
    ck_assert(!file_watch_take(self));
    lead("now", "above");
    ck_assert(file_watch_take(self));
    write_file("below/file");
    ck_assert(!file_watch_take(self));
    write_file("above/file");
    ck_assert(file_watch_take(self));
}
END_TEST

START_TEST(the_path_itself_may_lead_through_a_directory_that_changes)
{
    make_two_directories();
    lead("now", "below");
    ck_assert_int_eq(file_watch_new(&self, path_of("now/file")), 0);
    write_file("below/file");
    ck_assert(file_watch_take(self));
    lead("now", "above");
    ck_assert(file_watch_take(self));
    write_file("below/file");
    ck_assert(!file_watch_take(self));
    write_file("above/file");
    ck_assert(file_watch_take(self));
    lead("now", "nowhere");
    ck_assert(file_watch_take(self));
    lead("nowhere", "above");
    ck_assert(file_watch_take(self));
    unlink(path_of("now"));
    ck_assert(!file_watch_take(self));
    lead("now", "below");
    ck_assert(file_watch_take(self));
    write_file("below/file");
    ck_assert(file_watch_take(self));
}
END_TEST

/* How many directories are watched. */
static int count_watches(void)
{
    char line[256], path[64];
    int count = 0;
    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", file_watch_descriptor(self));
    FILE *file = fopen(path, "r");
    ck_assert_ptr_nonnull(file);
    while (fgets(line, sizeof line, file))
        count += strncmp(line, "inotify ", 8) == 0;
    fclose(file);
    return count;
}

START_TEST(a_directory_to_which_nothing_leads_any_more_is_not_watched)
{
    make_two_directories();
    lead("link", "below/file");
    ck_assert_int_eq(file_watch_new(&self, path_of("link")), 0);
    ck_assert_int_eq(count_watches(), 2);
    for (int i = 0; i < 10; i++) {
        lead("link", i % 2 ? "below/file" : "above/file");
        ck_assert(file_watch_take(self));
        ck_assert_int_eq(count_watches(), 2);
    }
    lead("link", "file");
    ck_assert(file_watch_take(self));
    ck_assert_int_eq(count_watches(), 1);
    write_file("file");
    ck_assert(file_watch_take(self));
}
END_TEST

START_TEST(a_link_to_itself_leads_nowhere)
{
    lead("link", "link");
    ck_assert_int_eq(file_watch_new(&self, path_of("link")), 0);
    ck_assert(!file_watch_take(self));
    lead("link", "file");
    ck_assert(file_watch_take(self));
    write_file("file");
    ck_assert(file_watch_take(self));
}
END_TEST

START_TEST(a_missing_directory_is_refused)
{
    ck_assert_int_eq(file_watch_new(&self, path_of("nowhere/file")), TROUPE_EINVAL);
    ck_assert_ptr_null(self);
    file_watch_destroy(&self);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("file_watch");
    TCase *all = suite_case(suite, "all");
    tcase_add_checked_fixture(all, set_up, tear_down);
    tcase_add_test(all, nothing_happened_yet);
    tcase_add_test(all, a_write_is_told_once);
    tcase_add_test(all, a_file_that_takes_its_place_is_told);
    tcase_add_test(all, it_may_come_and_go);
    tcase_add_test(all, a_link_is_followed_to_where_it_leads);
    tcase_add_test(all, a_link_in_the_middle_of_a_chain_may_lead_elsewhere);
    tcase_add_test(all, a_directory_on_the_way_may_be_another_one);
    tcase_add_test(all, the_path_itself_may_lead_through_a_directory_that_changes);
    tcase_add_test(all, a_directory_to_which_nothing_leads_any_more_is_not_watched);
    tcase_add_test(all, a_link_to_itself_leads_nowhere);
    tcase_add_test(all, a_missing_directory_is_refused);
    return suite_run(suite);
}
