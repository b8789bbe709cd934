/* SPDX-License-Identifier: Apache-2.0
 *
 * A table of objects: by handle in rising order, and by label and by id, so that a search
 * for either does not depend on how many objects there are. It holds a reference on each.
 * Not locked; its owner says by which lock it is guarded.
 */
#ifndef CORE_TABLE_H
#define CORE_TABLE_H

#include "core/object.h"

struct table_slot {
    uint32_t handle;
    struct object *object; /* NULL: removed, until the next packing */
};

struct table {
    struct table_slot *slots; /* by rising handle */
    size_t slot_count;
    size_t slot_size;
    size_t removed;
    size_t unowned;  /* objects that nobody's login made */
    size_t reserved; /* slots that are kept free for table_put_reserved() */
    struct object **labels; /* bucket_count chains */
    struct object **ids;
    size_t bucket_count;
};

void table_init(struct table *table);
void table_clear(struct table *table);
size_t table_count(const struct table *table);

/* Takes its own reference; replaces an object of the same handle. False: memory is short. */
MUST_USE bool table_put(struct table *table, struct object *object);
/* The same where there is one of that handle, which cannot fail. */
void table_replace(struct table *table, struct object *object);
/* Room for count new objects, before something that cannot be undone; each is used by
 * table_put_reserved() or given back. */
MUST_USE bool table_reserve(struct table *table, size_t count);
void table_unreserve(struct table *table, size_t count);
void table_put_reserved(struct table *table, struct object *object);
/* Gives up the table's reference; false when there is no such handle. */
bool table_remove(struct table *table, uint32_t handle);
/* Borrowed; NULL when there is none. */
struct object *table_find(const struct table *table, uint32_t handle);
/* The first object with a handle above `after`; NULL at the end. Borrowed. */
struct object *table_next(const struct table *table, uint32_t after);

/*
 * Objects that may match a search template: when it has a label or an id, only those of the
 * same hash; *ret_all is true when it has neither, or when they are thousands, and every object
 * has to be looked at.
 * visit is called for each candidate, in no order.
 */
void table_candidates(const struct table *table, view template, bool *ret_all,
                      void (*visit)(void *arg, struct object *object), void *arg);

#endif
