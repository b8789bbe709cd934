/* SPDX-License-Identifier: Apache-2.0
 *
 * Tables of objects: in order by handle, and found by label and by id, whatever was put in,
 * replaced and removed before.
 */
#include "unit/core/core_test.h"

#define MODEL_SIZE 512u

struct bench {
    struct table table;
    struct object *model[MODEL_SIZE]; /* what should be at each handle; borrowed */
};

static int
setup(void **state)
{
    struct bench *b = calloc(1, sizeof *b);

    assert_non_null(b);
    table_init(&b->table);
    *state = b;
    return 0;
}

static int
teardown(void **state)
{
    struct bench *b = *state;

    table_clear(&b->table);
    free(b);
    return 0;
}

/* An object without secrets needs no sealer. */
static struct object *
object_of(uint32_t handle, const char *label, const char *id)
{
    const struct object_parts parts = {
        .handle = handle,
        .kind = KIND_DATA,
        .version = 1,
        .attributes = LIST(VIEW(CKA_LABEL, view_str(label)), VIEW(CKA_ID, view_str(id))),
    };
    struct object *object = NULL;

    assert_ok(object_new(NULL, &parts, &object));
    return object;
}

/* The table's reference is the only one that stays. */
static struct object *
put(struct bench *b, uint32_t handle, const char *label, const char *id)
{
    struct object *object = object_of(handle, label, id);

    assert_true(table_put(&b->table, object));
    object_unref(object);
    return object;
}

static void
append_handle(void *arg, struct object *object)
{
    uint64_t *mask = arg;

    assert_true(object->handle < 64);
    assert_int_equal(*mask >> object->handle & 1, 0); /* each once */
    *mask |= UINT64_C(1) << object->handle;
}

/* Handles below 64 that the template's label or id leads to, as bits. */
static uint64_t
candidates(const struct table *table, view template, bool *ret_all)
{
    uint64_t mask = 0;

    table_candidates(table, template, ret_all, append_handle, &mask);
    return mask;
}

static void
count_one(void *arg, struct object *object)
{
    size_t *count = arg;

    UNUSED(object);
    (*count)++;
}

/* A page of a search that begins in their middle then stops when it is full. */
static void
thousands_of_one_label_are_looked_at_in_order(void **state)
{
    struct bench *b = *state;
    size_t count = 0;
    bool all;

    for (uint32_t i = 1; i <= 4096; i++) {
        put(b, i, "same", "x");
    }
    table_candidates(&b->table, LIST(BYTES(LABEL, "same")), &all, count_one, &count);
    assert_false(all);
    assert_int_equal(count, 4096);
    put(b, 5000, "same", "y");

    count = 0;
    table_candidates(&b->table, LIST(BYTES(LABEL, "same")), &all, count_one, &count);
    assert_true(all);
    assert_int_equal(count, 0);
    table_candidates(&b->table, LIST(BYTES(ID, "x")), &all, count_one, &count);
    assert_false(all);
    assert_int_equal(count, 4096);
}

static void
an_empty_table_has_nothing(void **state)
{
    struct bench *b = *state;
    bool all;

    assert_int_equal(table_count(&b->table), 0);
    assert_null(table_find(&b->table, 1));
    assert_null(table_next(&b->table, 0));
    assert_false(table_remove(&b->table, 1));
    assert_int_equal(candidates(&b->table, LIST(BYTES(LABEL, "a")), &all), 0);
    assert_false(all);
}

static void
objects_come_in_the_order_of_handles(void **state)
{
    static const uint32_t handles[] = { 0xfffffffe, 3, 0x80000000, 1, 2 };
    static const uint32_t sorted[] = { 1, 2, 3, 0x80000000, 0xfffffffe };
    struct bench *b = *state;
    uint32_t at = 0;

    for (size_t i = 0; i < ARRAY_COUNT(handles); i++) {
        put(b, handles[i], "", "");
    }

    for (size_t i = 0; i < ARRAY_COUNT(sorted); i++) {
        struct object *object = table_next(&b->table, at);

        assert_non_null(object);
        assert_int_equal(object->handle, sorted[i]);
        at = object->handle;
    }
    assert_null(table_next(&b->table, at));
    assert_null(table_next(&b->table, UINT32_MAX));
    assert_int_equal(table_count(&b->table), ARRAY_COUNT(handles));
}

static void
the_table_holds_a_reference(void **state)
{
    struct bench *b = *state;
    struct object *object = object_of(1, "a", "");

    assert_true(table_put(&b->table, object));
    assert_int_equal(atomic_load(&object->refs), 2);
    assert_true(table_remove(&b->table, 1));
    assert_int_equal(atomic_load(&object->refs), 1);
    object_unref(object);
}

static void
an_object_of_the_same_handle_takes_the_place(void **state)
{
    struct bench *b = *state;
    struct object *old = object_of(1, "old", "");
    struct object *new;
    bool all;

    assert_true(table_put(&b->table, old));
    new = put(b, 1, "new", "");

    assert_ptr_equal(table_find(&b->table, 1), new);
    assert_int_equal(table_count(&b->table), 1);
    assert_int_equal(candidates(&b->table, LIST(BYTES(LABEL, "old")), &all), 0);
    assert_int_equal(candidates(&b->table, LIST(BYTES(LABEL, "new")), &all), 1 << 1);
    assert_int_equal(atomic_load(&old->refs), 1);
    object_unref(old);
}

static void
a_label_or_an_id_leads_to_its_objects(void **state)
{
    struct bench *b = *state;
    bool all;

    put(b, 1, "one", "x");
    put(b, 2, "two", "x");
    put(b, 3, "one", "y");
    put(b, 4, "", "");

    assert_int_equal(candidates(&b->table, LIST(BYTES(LABEL, "one")), &all), 1 << 1 | 1 << 3);
    assert_false(all);
    assert_int_equal(candidates(&b->table, LIST(BYTES(ID, "x")), &all), 1 << 1 | 1 << 2);
    assert_false(all);
    /* Both: the candidates of one of them are enough. */
    assert_true(candidates(&b->table, LIST(BYTES(LABEL, "one"), BYTES(ID, "x")), &all) & 1 << 1);
    assert_false(all);
}

static void
without_label_or_id_all_have_to_be_looked_at(void **state)
{
    struct bench *b = *state;
    bool all = false;

    put(b, 1, "", "");

    (void)candidates(&b->table, VIEW_EMPTY, &all);
    assert_true(all);
    all = false;
    (void)candidates(&b->table, LIST(BYTES(LABEL, "")), &all);
    assert_true(all);
    all = false;
    (void)candidates(&b->table, LIST(BYTES(ID, ""), BYTES(VALUE, "x")), &all);
    assert_true(all);
}

/* ---- against a model ---- */

struct bucket_chain {
    const struct bench *bench;
    const char *label;
    size_t count;
};

static void
chain_visit(void *arg, struct object *object)
{
    struct bucket_chain *chain = arg;
    view label;

    assert_true(object->handle < MODEL_SIZE);
    assert_ptr_equal(chain->bench->model[object->handle], object);
    if (attributes_find(object_attributes(object), CKA_LABEL, &label) &&
        view_equal(label, view_str(chain->label))) {
        chain->count++;
    }
}

static size_t
model_count(const struct bench *b, const char *label)
{
    size_t count = 0;
    view value;

    for (size_t i = 0; i < MODEL_SIZE; i++) {
        count += b->model[i] != NULL &&
                 (label == NULL ||
                  (attributes_find(object_attributes(b->model[i]), CKA_LABEL, &value) &&
                   view_equal(value, view_str(label))));
    }
    return count;
}

static void
assert_as_model(struct bench *b, const char *const *labels, size_t label_count)
{
    struct object *object = table_next(&b->table, 0);
    bool all;

    assert_int_equal(table_count(&b->table), model_count(b, NULL));
    for (uint32_t i = 1; i < MODEL_SIZE; i++) {
        assert_ptr_equal(table_find(&b->table, i), b->model[i]);
        if (b->model[i] != NULL) {
            assert_ptr_equal(object, b->model[i]);
            object = table_next(&b->table, i);
        }
    }
    assert_null(object);
    for (size_t i = 0; i < label_count; i++) {
        struct bucket_chain chain = { b, labels[i], 0 };

        table_candidates(&b->table, LIST(VIEW(CKA_LABEL, view_str(labels[i]))), &all,
                         chain_visit, &chain);
        assert_int_equal(chain.count, model_count(b, labels[i]));
    }
}

static void
it_agrees_with_a_plain_array_after_any_changes(void **state)
{
    static const char *const labels[] = { "a", "b", "c", "d" };
    struct bench *b = *state;
    uint32_t random = 1;

    for (unsigned step = 0; step < 20000; step++) {
        /* Grows in the first half of each 5,000 steps, shrinks in the second. */
        bool grows = step % 5000 < 2500;
        uint32_t handle;

        random = random * 1664525 + 1013904223;
        handle = 1 + (random >> 8) % (MODEL_SIZE - 1);
        if ((random >> 24) % 4 != 0 ? grows : !grows) {
            b->model[handle] = put(b, handle, labels[random >> 28 & 3], "id");
        } else {
            assert_int_equal(table_remove(&b->table, handle), b->model[handle] != NULL);
            b->model[handle] = NULL;
        }
        if (step % 250 == 0) {
            assert_as_model(b, labels, ARRAY_COUNT(labels));
        }
    }
    assert_as_model(b, labels, ARRAY_COUNT(labels));
}

#define BENCH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH(an_empty_table_has_nothing),
        BENCH(objects_come_in_the_order_of_handles),
        BENCH(the_table_holds_a_reference),
        BENCH(an_object_of_the_same_handle_takes_the_place),
        BENCH(a_label_or_an_id_leads_to_its_objects),
        BENCH(thousands_of_one_label_are_looked_at_in_order),
        BENCH(without_label_or_id_all_have_to_be_looked_at),
        BENCH(it_agrees_with_a_plain_array_after_any_changes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
