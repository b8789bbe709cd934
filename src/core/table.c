/* SPDX-License-Identifier: Apache-2.0
 *
 * Handles are mostly given in rising order, so the sorted array is mostly appended to.
 * Removal leaves a hole, and holes are packed away when they are half of the array. The
 * chains of labels and ids run through the objects themselves.
 */
#include "core/table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS_FIRST 16
#define BUCKETS_FIRST 64
/* A longer chain is no short cut: a page of a search would look at all of it, and the next page
 * again. */
#define CHAIN_MAX 4096u

void
table_init(struct table *table)
{
    *table = (struct table){ 0 };
}

void
table_clear(struct table *table)
{
    for (size_t i = 0; i < table->slot_count; i++) {
        object_unref(table->slots[i].object);
    }
    free(table->slots);
    free(table->labels);
    free(table->ids);
    table_init(table);
}

size_t
table_count(const struct table *table)
{
    return table->slot_count - table->removed;
}

/* FNV-1a; the table is not an oracle for anyone: labels are the caller's own. */
static uint64_t
hash_bytes(view bytes)
{
    uint64_t hash = 0xcbf29ce484222325u;

    for (size_t i = 0; i < bytes.len; i++) {
        hash = (hash ^ bytes.data[i]) * 0x100000001b3u;
    }
    return hash;
}

/* An object without the attribute, or with an empty one, is in no chain. */
static struct object **
bucket_of(struct object **buckets, size_t count, view attributes, CK_ATTRIBUTE_TYPE type)
{
    view value;

    if (count == 0 || !attributes_find(attributes, type, &value) || value.len == 0) {
        return NULL;
    }
    return &buckets[hash_bytes(value) % count];
}

static void
chains_add(struct table *table, struct object *object)
{
    view attributes = object_attributes(object);
    struct object **label =
        bucket_of(table->labels, table->bucket_count, attributes, CKA_LABEL);
    struct object **id = bucket_of(table->ids, table->bucket_count, attributes, CKA_ID);

    object->label_next = label == NULL ? NULL : *label;
    object->label_at = label;
    if (label != NULL) {
        if (*label != NULL) {
            (*label)->label_at = &object->label_next;
        }
        *label = object;
    }
    object->id_next = id == NULL ? NULL : *id;
    object->id_at = id;
    if (id != NULL) {
        if (*id != NULL) {
            (*id)->id_at = &object->id_next;
        }
        *id = object;
    }
}

/* However long the chains are: many objects may have one label. */
static void
chains_drop(struct object *object)
{
    if (object->label_at != NULL) {
        *object->label_at = object->label_next;
        if (object->label_next != NULL) {
            object->label_next->label_at = object->label_at;
        }
    }
    if (object->id_at != NULL) {
        *object->id_at = object->id_next;
        if (object->id_next != NULL) {
            object->id_next->id_at = object->id_at;
        }
    }
    object->label_next = object->id_next = NULL;
    object->label_at = object->id_at = NULL;
}

static bool
buckets_grow(struct table *table)
{
    size_t count = table->bucket_count == 0 ? BUCKETS_FIRST : table->bucket_count * 2;
    struct object **labels = calloc(count, sizeof(struct object *));
    struct object **ids = calloc(count, sizeof(struct object *));

    if (labels == NULL || ids == NULL) {
        free(labels);
        free(ids);
        return false;
    }
    free(table->labels);
    free(table->ids);
    table->labels = labels;
    table->ids = ids;
    table->bucket_count = count;
    for (size_t i = 0; i < table->slot_count; i++) {
        struct object *object = table->slots[i].object;

        if (object != NULL) {
            chains_add(table, object);
        }
    }
    return true;
}

/* The first slot whose handle is not below; slot_count when there is none. */
static size_t
slot_at(const struct table *table, uint32_t handle)
{
    size_t low = 0;
    size_t high = table->slot_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (table->slots[middle].handle < handle) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static void
slots_pack(struct table *table)
{
    size_t kept = 0;

    for (size_t i = 0; i < table->slot_count; i++) {
        if (table->slots[i].object != NULL) {
            table->slots[kept++] = table->slots[i];
        }
    }
    table->slot_count = kept;
    table->removed = 0;
}

/* Room for so many more than are reserved. */
static bool
slots_grow(struct table *table, size_t more)
{
    size_t needed = table->slot_count + table->reserved + more;
    size_t size = table->slot_size == 0 ? SLOTS_FIRST : table->slot_size;
    struct table_slot *slots;

    if (needed <= table->slot_size) {
        return true;
    }
    while (size < needed) {
        size *= 2;
    }
    slots = realloc(table->slots, size * sizeof *slots);
    if (slots == NULL) {
        return false;
    }
    table->slots = slots;
    table->slot_size = size;
    return true;
}

/* The first buckets have to be; later ones only make searches short. */
static bool
buckets_suffice(struct table *table)
{
    return table->slot_count < table->bucket_count || buckets_grow(table) ||
           table->bucket_count > 0;
}

bool
table_reserve(struct table *table, size_t count)
{
    if (!slots_grow(table, count) || !buckets_suffice(table)) {
        return false;
    }
    table->reserved += count;
    return true;
}

void
table_unreserve(struct table *table, size_t count)
{
    table->reserved -= count;
}

/* There is room. */
static void
slot_set(struct table *table, size_t at, struct object *object)
{
    if (at < table->slot_count && table->slots[at].handle == object->handle) {
        struct object *old = table->slots[at].object;

        if (old != NULL) {
            table->unowned -= old->owner == 0;
            chains_drop(old);
            object_unref(old);
        } else {
            table->removed--;
        }
    } else {
        memmove(table->slots + at + 1, table->slots + at,
                (table->slot_count - at) * sizeof *table->slots);
        table->slot_count++;
    }
    table->slots[at] = (struct table_slot){ object->handle, object_ref(object) };
    table->unowned += object->owner == 0;
    chains_add(table, object);
}

void
table_put_reserved(struct table *table, struct object *object)
{
    table->reserved--;
    (void)buckets_suffice(table);
    slot_set(table, slot_at(table, object->handle), object);
}

void
table_replace(struct table *table, struct object *object)
{
    size_t at = slot_at(table, object->handle);

    assert(at < table->slot_count && table->slots[at].handle == object->handle);
    slot_set(table, at, object);
}

bool
table_put(struct table *table, struct object *object)
{
    size_t at = slot_at(table, object->handle);
    bool there = at < table->slot_count && table->slots[at].handle == object->handle;

    if (!there && (!slots_grow(table, 1) || !buckets_suffice(table))) {
        return false;
    }
    slot_set(table, at, object);
    return true;
}

bool
table_remove(struct table *table, uint32_t handle)
{
    size_t at = slot_at(table, handle);

    if (at == table->slot_count || table->slots[at].handle != handle ||
        table->slots[at].object == NULL) {
        return false;
    }

    struct object *object = table->slots[at].object;

    chains_drop(object);
    table->unowned -= object->owner == 0;
    table->slots[at].object = NULL;
    table->removed++;
    object_unref(object);
    if (table->removed > SLOTS_FIRST && table->removed > table->slot_count / 2) {
        slots_pack(table);
    }
    return true;
}

struct object *
table_find(const struct table *table, uint32_t handle)
{
    size_t at = slot_at(table, handle);

    if (at == table->slot_count || table->slots[at].handle != handle) {
        return NULL;
    }
    return table->slots[at].object;
}

struct object *
table_next(const struct table *table, uint32_t after)
{
    if (after == UINT32_MAX) {
        return NULL;
    }
    for (size_t i = slot_at(table, after + 1); i < table->slot_count; i++) {
        if (table->slots[i].object != NULL) {
            return table->slots[i].object;
        }
    }
    return NULL;
}

static bool
chain_is_long(const struct object *object, bool by_id)
{
    size_t len = 0;

    while (object != NULL && len <= CHAIN_MAX) {
        object = by_id ? object->id_next : object->label_next;
        len++;
    }
    return len > CHAIN_MAX;
}

void
table_candidates(const struct table *table, view template, bool *ret_all,
                 void (*visit)(void *arg, struct object *object), void *arg)
{
    view value;
    bool by_id = attributes_find(template, CKA_ID, &value) && value.len > 0;
    bool by_label = !by_id && attributes_find(template, CKA_LABEL, &value) && value.len > 0;

    *ret_all = !by_id && !by_label;
    if (*ret_all || table->bucket_count == 0) {
        return;
    }

    struct object **buckets = by_id ? table->ids : table->labels;
    struct object *object = buckets[hash_bytes(value) % table->bucket_count];

    if (chain_is_long(object, by_id)) {
        *ret_all = true;
        return;
    }
    while (object != NULL) {
        struct object *next = by_id ? object->id_next : object->label_next;

        visit(arg, object);
        object = next;
    }
}
