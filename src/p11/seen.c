/* SPDX-License-Identifier: Apache-2.0
 *
 * Objects share places by their handle; the last one that was asked about has it. A place is a
 * list as the HSM sent it, each type once.
 */
#include "p11/seen.h"

#include "p11/template.h"
#include "rules/template.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define PLACES 256u
#define PLACE_BYTES_MAX 8192u

struct place {
    struct seen_key key; /* .handle 0: empty */
    struct writer list;
};

struct seen {
    pthread_mutex_t lock;
    struct place places[PLACES]; /* under lock */
};

struct seen *
seen_new(void)
{
    struct seen *seen = calloc(1, sizeof *seen);

    if (seen == NULL || pthread_mutex_init(&seen->lock, NULL) != 0) {
        free(seen);
        return NULL;
    }
    for (size_t i = 0; i < PLACES; i++) {
        writer_init(&seen->places[i].list, PLACE_BYTES_MAX);
    }
    return seen;
}

void
seen_free(struct seen *seen)
{
    if (seen == NULL) {
        return;
    }
    for (size_t i = 0; i < PLACES; i++) {
        writer_clear(&seen->places[i].list);
    }
    pthread_mutex_destroy(&seen->lock);
    free(seen);
}

static struct place *
place_of(struct seen *seen, uint32_t handle)
{
    return &seen->places[handle % PLACES];
}

static bool
is_same(const struct seen_key *a, const struct seen_key *b)
{
    return a->handle == b->handle && a->stamp == b->stamp && a->epoch == b->epoch;
}

static bool
list_has(view list, uint32_t type, struct attribute *ret_attribute)
{
    struct reader r = reader_of(list);

    while (attributes_next(&r, ret_attribute)) {
        if (ret_attribute->type == type) {
            return true;
        }
    }
    return false;
}

static CK_ATTRIBUTE
attribute_at(const uint8_t *template, size_t i)
{
    CK_ATTRIBUTE attribute;

    memcpy(&attribute, template + i * sizeof attribute, sizeof attribute);
    return attribute;
}

static bool
list_has_all(view list, const uint8_t *template, size_t count)
{
    struct attribute unused;

    for (size_t i = 0; i < count; i++) {
        CK_ATTRIBUTE_TYPE type = attribute_at(template, i).type;

        if (type >= UINT32_MAX || !list_has(list, (uint32_t)type, &unused)) {
            return false;
        }
    }
    return true;
}

bool
seen_give(struct seen *seen, const struct seen_key *key, uint8_t *template, size_t count,
          CK_RV *ret_rv)
{
    struct place *place = place_of(seen, key->handle);
    CK_RV rv = CKR_OK;
    bool knows;

    pthread_mutex_lock(&seen->lock);
    knows = is_same(&place->key, key) && list_has_all(writer_view(&place->list), template, count);
    for (size_t i = 0; knows && i < count; i++) {
        CK_ATTRIBUTE to = attribute_at(template, i);
        struct attribute from;

        (void)list_has(writer_view(&place->list), (uint32_t)to.type, &from);
        rv = return_first(rv, template_give(&from, &to));
        memcpy(template + i * sizeof to, &to, sizeof to);
    }
    pthread_mutex_unlock(&seen->lock);
    if (knows) {
        *ret_rv = rv;
    }
    return knows;
}

/* A value that is secret of some kind of object is nobody's to keep. */
static bool
may_keep(const struct attribute *attribute)
{
    size_t count;
    const struct use_row *rows = use_rows(&count);

    for (size_t i = 0; attribute->status == ATTRIBUTE_PRESENT && i < count; i++) {
        if (rows[i].type == attribute->type && rows[i].secret) {
            return false;
        }
    }
    return true;
}

void
seen_keep(struct seen *seen, const struct seen_key *key, view answers)
{
    struct place *place = place_of(seen, key->handle);
    struct reader r = reader_of(answers);
    struct attribute attribute, there;

    pthread_mutex_lock(&seen->lock);
    if (!is_same(&place->key, key)) {
        place->key = *key;
        writer_reset(&place->list);
    }
    while (attributes_next(&r, &attribute)) {
        if (!may_keep(&attribute) || list_has(writer_view(&place->list), attribute.type, &there)) {
            continue;
        }
        if (attribute.status == ATTRIBUTE_PRESENT) {
            attribute_write(&place->list, attribute.type, attribute.value);
        } else {
            attribute_write_status(&place->list, attribute.type, (int)attribute.status);
        }
    }
    if (!writer_ok(&place->list)) {
        place->key.handle = 0; /* more than a place holds; it is asked for each time */
        writer_reset(&place->list);
    }
    pthread_mutex_unlock(&seen->lock);
}
