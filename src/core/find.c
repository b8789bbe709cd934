/* SPDX-License-Identifier: Apache-2.0
 *
 * Searches: by rising handle, a page at a time, without a cursor at this end. A template
 * with a label or an id looks only at the objects of that label or id.
 */
#include "core/state.h"
#include "rules/template.h"

#include <stdlib.h>
#include <string.h>

/* The smallest matches above `after`, up to max + 1 of them (one more tells that there is
 * a next page). */
struct found {
    const struct request *request;
    view template;
    uint32_t after;
    size_t max;
    struct key_info infos[FIND_MAX + 1];
    size_t count;
};

static bool
object_fits(const struct found *found, const struct object *object)
{
    return object->handle > found->after && request_sees(found->request, object) &&
           template_matches(found->template, object_attributes(object));
}

/* Keeps the list sorted and cut at max + 1. */
static void
found_insert(struct found *found, const struct key_info *info)
{
    size_t at = found->count;

    while (at > 0 && found->infos[at - 1].handle > info->handle) {
        at--;
    }
    /* A certificate may be in both tables: the process's own, which comes last, is what it sees. */
    if (at > 0 && found->infos[at - 1].handle == info->handle) {
        found->infos[at - 1] = *info;
        return;
    }
    if (at > found->max) {
        return;
    }
    if (found->count <= found->max) {
        found->count++;
    }
    memmove(found->infos + at + 1, found->infos + at,
            (found->count - 1 - at) * sizeof *found->infos);
    found->infos[at] = *info;
}

static void
found_visit(void *arg, struct object *object)
{
    struct found *found = arg;

    if (object_fits(found, object)) {
        found_insert(found, &object->info);
    }
}

/* Adds the matches of a table; stops when no later one can belong to this page. */
static void
found_scan(struct found *found, const struct table *table)
{
    bool all;

    table_candidates(table, found->template, &all, found_visit, found);
    if (!all) {
        return;
    }
    for (struct object *object = table_next(table, found->after); object != NULL;
         object = table_next(table, object->handle)) {
        if (found->count > found->max && object->handle > found->infos[found->max].handle) {
            return;
        }
        found_visit(found, object);
    }
}

CK_RV
handle_FIND(struct request *r)
{
    struct hsm *hsm = r->hsm;
    struct find_request m;
    struct found *found;
    size_t shown;

    if (!find_request_read(r->body, &m) || m.max > FIND_MAX || m.max == 0) {
        return CODE_BAD_FRAME;
    }
    found = calloc(1, sizeof *found);
    if (found == NULL) {
        return CKR_DEVICE_MEMORY;
    }
    found->request = r;
    found->template = m.template;
    found->after = m.after;
    found->max = m.max;

    if (builtin_is_sought(m.template)) {
        found_scan(found, &hsm->builtin);
    }
    pthread_rwlock_rdlock(&hsm->lock);
    found_scan(found, &hsm->objects);
    pthread_rwlock_unlock(&hsm->lock);
    pthread_mutex_lock(&r->context->lock);
    found_scan(found, &r->context->objects);
    pthread_mutex_unlock(&r->context->lock);

    shown = size_min(found->count, found->max);
    write_u32(r->reply, (uint32_t)(shown * KEY_INFO_LEN));
    for (size_t i = 0; i < shown; i++) {
        key_info_write(r->reply, &found->infos[i]);
    }
    write_u8(r->reply, found->count > found->max);
    free(found);
    return CKR_OK;
}
