/* SPDX-License-Identifier: Apache-2.0
 *
 * What handlers ask of their request: where they may run, what it sees, what may be done with a
 * key, and what its reply says.
 */
#include "core/state.h"

#include "rules/template.h"

#include <string.h>
#include <time.h>

bool
request_may(struct request *request, enum hsm_place needed)
{
    /* A slow place may do everything; the store's may wait for the store and nothing more. */
    if (request->place == needed || request->place == PLACE_SLOW || needed == PLACE_LOOP) {
        return true;
    }
    request->later = needed;
    return false;
}

bool
request_may_work(struct request *request, enum work work)
{
    switch (work) {
    case WORK_slow:
        return request_may(request, PLACE_SLOW);
    case WORK_cpu:
        return request_may(request, PLACE_CPU);
    default:
        return true;
    }
}

bool
request_sees(const struct request *request, const struct object *object)
{
    if (!object_is_private(object)) {
        return true;
    }
    if (request->who.role != ROLE_CU) {
        return false;
    }
    if (object->owner == request->who.user) {
        return true;
    }
    for (size_t i = 0; i < object->share_count; i++) {
        if (object->shares[i] == request->who.user) {
            return true;
        }
    }
    return false;
}

static struct object *
session_object(struct request *request, uint32_t handle)
{
    struct object *object;

    pthread_mutex_lock(&request->context->lock);
    object = table_find(&request->context->objects, handle);
    object = object != NULL && request_sees(request, object) ? object_ref(object) : NULL;
    pthread_mutex_unlock(&request->context->lock);
    return object;
}

struct object *
request_object(struct request *request, uint32_t handle)
{
    struct hsm *hsm = request->hsm;
    struct object *object;

    if (handle_is_session(handle)) {
        object = session_object(request, handle);
    } else if (handle_is_builtin(handle)) {
        object = table_find(&hsm->builtin, handle);
        object = object != NULL ? object_ref(object) : NULL;
    } else {
        object = handle_is_certificate(handle) ? session_object(request, handle) : NULL;
        if (object != NULL) {
            return object; /* one that is not stored for now */
        }
        pthread_rwlock_rdlock(&hsm->lock);
        object = table_find(&hsm->objects, handle);
        request->missed = object == NULL && handle >= HANDLE_TOKEN_FIRST ? handle : request->missed;
        object = object != NULL && request_sees(request, object) ? object_ref(object) : NULL;
        pthread_rwlock_unlock(&hsm->lock);
    }
    return object;
}

bool
request_key_is_valid(const struct request *request, const struct object *key)
{
    struct clock *clock = request->hsm->ports.clock;
    const time_t now = (time_t)(clock->wall(clock) / 1000);
    view attributes = object_attributes(key);
    char today[9];
    struct tm day;
    view date;

    if (!rules_switch_on(request->rules, SWITCH_enforce_dates)) {
        return true;
    }
    if (gmtime_r(&now, &day) == NULL || strftime(today, sizeof today, "%Y%m%d", &day) != 8) {
        return false;
    }
    /* Eight digits each, as CK_DATE has them; or nothing. */
    return !(attributes_find(attributes, CKA_START_DATE, &date) && date.len == 8 &&
             memcmp(today, date.data, 8) < 0) &&
           !(attributes_find(attributes, CKA_END_DATE, &date) && date.len == 8 &&
             memcmp(today, date.data, 8) > 0);
}

bool
object_fits_policy(const struct hsm *hsm, const struct object *object)
{
    return template_flags_fit(hsm->fitting[object->kind], object->info.flags);
}

CK_RV
request_key_check(const struct request *request, const struct mechanism_row *row, CK_FLAGS function,
                  CK_MECHANISM_TYPE type, const struct object *key)
{
    CK_RV rv = key_check(request->rules, row, function, &key->info);

    if (rv != CKR_OK) {
        return rv;
    }
    if (!request_key_is_valid(request, key) || !object_fits_policy(request->hsm, key)) {
        return CKR_KEY_FUNCTION_NOT_PERMITTED;
    }
    return object_allows(key, type) ? CKR_OK : CKR_MECHANISM_INVALID;
}

view
request_reply_body(const struct request *request)
{
    return view_of(request->reply->data + request->reply_start,
                   request->reply->len - request->reply_start);
}

bool
request_reply_objects(const struct request *request, struct info_array *ret_objects)
{
    const view body = request_reply_body(request);
    struct generate_key_reply made;
    struct derive_reply derived;

    switch (request->row->names) {
    case NAMES_made:
    case NAMES_changed:
        if (!generate_key_reply_read(body, &made)) { /* all of them have its form */
            return false;
        }
        *ret_objects = made.made;
        return true;
    case NAMES_derived:
        if (!derive_reply_read(body, &derived)) {
            return false;
        }
        *ret_objects = derived.made;
        return true;
    default:
        return false;
    }
}
