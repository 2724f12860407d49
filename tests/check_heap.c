/* check_heap.c - the heap, the id map and the slab: each against the plainest way to do the same.
 *
 * Where rounds are many what is wrong is counted: an assertion for each would cost more than all else.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "heap.h"
#include "id_map.h"
#include "slab.h"
#include "suite.h"
#include "troupe.h"

static uint64_t seed;

/* splitmix64: the same numbers on every machine. */
static uint64_t next_random(void)
{
    uint64_t z = seed += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

START_TEST(heap_gives_smallest_first_and_equal_ones_as_pushed)
{
    enum { COUNT = 2000, KEYS = 50 };
    static struct heap_node nodes[COUNT];
    struct heap heap;
    heap_init(&heap);
    ck_assert_ptr_null(heap_top(&heap));
    ck_assert_int_eq(heap_reserve(&heap, COUNT), 0);
    seed = 1;
    for (int i = 0; i < COUNT; i++)
        heap_push(&heap, &nodes[i], (double)(next_random() % KEYS));
    struct heap_node *last = NULL;
    for (int i = 0; i < COUNT; i++) {
        struct heap_node *top = heap_top(&heap);
        heap_remove(&heap, top);
        ck_assert_uint_eq(top->index, 0);
        if (last)
            ck_assert(last->key < top->key || (last->key == top->key && last < top));
        last = top;
    }
    ck_assert_uint_eq(heap.count, 0);
    heap_release(&heap);
}
END_TEST

START_TEST(heap_removes_any_node)
{
    int wrong = 0;
    enum { COUNT = 300 };
    static struct heap_node nodes[COUNT];
    static int pushed[COUNT]; /* in which round */
    struct heap heap;
    heap_init(&heap);
    ck_assert_int_eq(heap_reserve(&heap, COUNT), 0);
    seed = 2;
    for (int round = 0; round < 2000; round++) {
        struct heap_node *node = &nodes[next_random() % COUNT];
        if (node->index) {
            heap_remove(&heap, node);
        } else {
            heap_push(&heap, node, (double)(next_random() % 1000));
            pushed[node - nodes] = round;
        }
        struct heap_node *least = NULL;
        for (int i = 0; i < COUNT; i++) {
            struct heap_node *n = &nodes[i];
            if (n->index && (!least || n->key < least->key || (n->key == least->key && pushed[i] < pushed[least - nodes])))
                least = n;
        }
        wrong += heap_top(&heap) != least;
    }
    ck_assert_int_eq(wrong, 0);
    heap_release(&heap);
}
END_TEST

struct thing {
    uint64_t id;
    int mark;
};

/* Ids as they come: in sequence, far apart, by client in the high bits, at random. */
static uint64_t pattern_id(int pattern, uint64_t i)
{
    switch (pattern) {
    case 0:
        return i + 1;
    case 1:
        return (i + 1) << 20;
    case 2:
        return (i % 7) << 48 | (i / 7 + 1);
    case 3:
        return (i + 1) * 1024 + 5;
    default:
        return (i + 1) * UINT64_C(0xd1342543de82ef95);
    }
}

START_TEST(id_map_finds_what_is_in_it_and_nothing_else)
{
    int wrong = 0;
    enum { COUNT = 3000 };
    struct thing *things = calloc(COUNT, sizeof *things);
    struct id_map map;
    id_map_init(&map);
    for (uint64_t i = 0; i < COUNT; i++) {
        things[i].id = pattern_id(_i, i);
        wrong += id_map_find(&map, things[i].id) != NULL;
        wrong += id_map_insert(&map, &things[i]) != 0;
        wrong += id_map_insert(&map, &things[i]) != TROUPE_EINVAL;
        wrong += id_map_find(&map, things[i / 2].id) != &things[i / 2];
    }
    ck_assert_uint_eq(map.count, COUNT);
    for (uint64_t i = 0; i < COUNT; i++) {
        wrong += id_map_remove(&map, things[i].id) != &things[i];
        wrong += id_map_remove(&map, things[i].id) != NULL;
        if (i + 1 < COUNT)
            wrong += id_map_find(&map, things[i + 1].id) != &things[i + 1];
        wrong += id_map_find(&map, things[COUNT - 1].id) != (i + 1 < COUNT ? &things[COUNT - 1] : NULL);
    }
    ck_assert_uint_eq(map.count, 0);
    /* Little by little it gives back what it took for many. */
    for (int i = 0; i < COUNT; i++) {
        wrong += id_map_insert(&map, &things[0]) != 0;
        wrong += id_map_remove(&map, things[0].id) != &things[0];
    }
    ck_assert_uint_eq(map.now.log2, 6);
    ck_assert_ptr_null(map.old.slots);
    ck_assert_int_eq(wrong, 0);
    id_map_release(&map);
    free(things);
}
END_TEST

START_TEST(id_map_survives_any_order_of_changes)
{
    int wrong = 0;
    enum { COUNT = 2000 };
    struct thing *things = calloc(COUNT, sizeof *things);
    struct id_map map;
    id_map_init(&map);
    seed = 3;
    size_t in = 0;
    for (uint64_t i = 0; i < COUNT; i++)
        things[i].id = pattern_id(_i, i);
    for (int round = 0; round < 20000; round++) {
        /* Long tides of more coming than going and back, so that it grows and shrinks. */
        bool tide = round / 2500 % 2;
        struct thing *thing = &things[next_random() % COUNT];
        wrong += id_map_find(&map, thing->id) != (thing->mark ? thing : NULL);
        if (thing->mark && (!tide || next_random() % 8 == 0)) {
            wrong += id_map_remove(&map, thing->id) != thing;
            thing->mark = 0;
            in--;
        } else if (!thing->mark && (tide || next_random() % 8 == 0)) {
            wrong += id_map_insert(&map, thing) != 0;
            thing->mark = 1;
            in++;
        }
        wrong += map.count != in;
    }
    for (int i = 0; i < COUNT; i++)
        wrong += id_map_find(&map, things[i].id) != (things[i].mark ? &things[i] : NULL);
    ck_assert_int_eq(wrong, 0);
    id_map_release(&map);
    free(things);
}
END_TEST

/* A table that had to be emptied at once would show as slots moved by one call. */
START_TEST(id_map_grows_a_line_at_a_time)
{
    int wrong = 0;
    enum { COUNT = 30000 };
    struct thing *things = calloc(COUNT, sizeof *things);
    struct id_map map;
    id_map_init(&map);
    for (uint64_t i = 0; i < COUNT; i++) {
        size_t moved = map.old.slots ? map.moved : 0;
        size_t left = map.old.slots ? ((size_t)1 << map.old.log2) - moved : 0;
        things[i].id = i + 1;
        wrong += id_map_insert(&map, &things[i]) != 0;
        if (left > 8)
            wrong += map.moved != moved + 8;
    }
    ck_assert_int_eq(wrong, 0);
    id_map_release(&map);
    free(things);
}
END_TEST

START_TEST(slab_objects_do_not_overlap)
{
    int wrong = 0;
    enum { COUNT = 3000 };
    static const size_t sizes[] = {1, 24, 64, 112, 4096};
    unsigned char *objects[COUNT] = {NULL};
    size_t size = sizes[_i];
    struct slab slab;
    slab_init(&slab, size);
    seed = 4;
    for (int round = 0; round < 20000; round++) {
        int i = (int)(next_random() % COUNT);
        unsigned char mark = (unsigned char)(i % 251);
        if (objects[i]) {
            wrong += objects[i][0] != mark;
            wrong += objects[i][size - 1] != mark;
            slab_put(&slab, objects[i]);
            objects[i] = NULL;
        } else {
            objects[i] = slab_get(&slab);
            wrong += objects[i] == NULL;
            wrong += (uintptr_t)objects[i] % _Alignof(max_align_t) != 0;
            objects[i][0] = mark;
            objects[i][size - 1] = mark;
        }
    }
    ck_assert_int_eq(wrong, 0);
    slab_release(&slab);
}
END_TEST

START_TEST(slab_keeps_one_empty_chunk_only)
{
    enum { COUNT = 5000 };
    static void *objects[COUNT];
    struct slab slab;
    slab_init(&slab, 64);
    for (int i = 0; i < COUNT; i++)
        objects[i] = slab_get(&slab);
    ck_assert_ptr_nonnull(slab.full);
    for (int i = 0; i < COUNT; i++)
        slab_put(&slab, objects[i]);
    ck_assert_ptr_null(slab.full);
    ck_assert_uint_eq(slab.empty, 1);
    ck_assert_ptr_nonnull(slab.partial);
    slab_release(&slab);
}
END_TEST

/* Most slabs are of a pool with one job, or of a vm with one task. */
START_TEST(slab_takes_little_memory_for_few_objects)
{
    struct slab slab;
    void *objects[5];
    slab_init(&slab, 200);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 4; i++)
            objects[i] = slab_get(&slab);
        ck_assert_ptr_nonnull(slab.first);
        ck_assert_ptr_eq(slab.full, slab.first);
        ck_assert_ptr_null(slab.partial);
        objects[4] = slab_get(&slab);
        ck_assert_ptr_ne(slab.partial, slab.first); /* the next is a large one */
        for (int i = 4; i >= 0; i--)
            slab_put(&slab, objects[i]);
        ck_assert_uint_eq(slab.empty, 1);
        ck_assert_ptr_null(slab.full);
        slab_release(&slab);
        ck_assert_ptr_null(slab.first);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("heap");
    TCase *cases = suite_case(suite, "heap, id_map, slab");
    tcase_add_test(cases, heap_gives_smallest_first_and_equal_ones_as_pushed);
    tcase_add_test(cases, heap_removes_any_node);
    tcase_add_loop_test(cases, id_map_finds_what_is_in_it_and_nothing_else, 0, 5);
    tcase_add_loop_test(cases, id_map_survives_any_order_of_changes, 0, 5);
    tcase_add_test(cases, id_map_grows_a_line_at_a_time);
    tcase_add_loop_test(cases, slab_objects_do_not_overlap, 0, 5);
    tcase_add_test(cases, slab_keeps_one_empty_chunk_only);
    tcase_add_test(cases, slab_takes_little_memory_for_few_objects);
    return suite_run(suite);
}
