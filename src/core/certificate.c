/* SPDX-License-Identifier: Apache-2.0
 *
 * Stored certificates that become objects of a session, and come back.
 */
#include "core/certificate.h"

#include "core/load.h"
#include "core/make.h"

#include "base/log.h"

CK_RV
certificate_leave(struct request *r, const struct object *old, struct object *object)
{
    struct hsm *hsm = r->hsm;
    struct record_name name = record_name('o', old->handle);
    struct record_name rest = record_name('d', old->handle);
    struct writer record;
    const uint32_t now = hsm_seconds(hsm);
    uint64_t revision;
    CK_RV rv;

    writer_init(&record, STORE_VALUE_MAX);
    rv = rest_record(&hsm->sealer, old->handle, now, &record);
    if (rv != CKR_OK) {
        goto out;
    }
    pthread_mutex_lock(&r->context->lock);
    if (table_count(&r->context->objects) >= CONTEXT_OBJECTS_MAX ||
        !table_put(&r->context->objects, object)) {
        rv = CKR_DEVICE_MEMORY;
    }
    pthread_mutex_unlock(&r->context->lock);
    if (rv != CKR_OK) {
        goto out;
    }

    const struct store_compare compare = { record_name_view(&name), old->revision };
    const struct store_change changes[] = {
        { record_name_view(&name), VIEW_EMPTY, true },
        { record_name_view(&rest), writer_view(&record), false },
    };

    rv = request_commit(r, &compare, 1, changes, ARRAY_COUNT(changes), &revision);
    if (rv == CKR_OK) {
        objects_leave(hsm, old->handle, revision);
        numbers_rest(&hsm->certificates, old->handle, now);
    } else {
        pthread_mutex_lock(&r->context->lock);
        table_remove(&r->context->objects, object->handle);
        pthread_mutex_unlock(&r->context->lock);
    }
out:
    writer_clear(&record);
    return rv;
}

CK_RV
certificate_return(struct request *r, const struct object *old, struct object *object)
{
    struct hsm *hsm = r->hsm;
    struct record_name name = record_name('o', old->handle);
    struct record_name rest = record_name('d', old->handle);
    struct writer record;
    bool reserved;
    CK_RV rv;

    if (handle_is_session(old->handle)) {
        return CKR_ATTRIBUTE_READ_ONLY;
    }
    if (!numbers_take_back(&hsm->certificates, old->handle)) {
        log_wrn("certificate %u: its number is another's after more than 24 hours; copy it",
                (unsigned)old->handle);
        return CKR_FUNCTION_FAILED;
    }
    writer_init(&record, STORE_VALUE_MAX);
    pthread_rwlock_wrlock(&hsm->lock);
    reserved = (object->owner != 0 || hsm->objects.unowned < UNOWNED_MAX) &&
               table_reserve(&hsm->objects, 1);
    pthread_rwlock_unlock(&hsm->lock);
    rv = reserved ? object_record(&hsm->sealer, object, &record) : CKR_DEVICE_MEMORY;
    if (rv == CKR_OK) {
        const struct store_compare compare = { record_name_view(&name), 0 };
        const struct store_change changes[] = {
            { record_name_view(&name), writer_view(&record), false },
            { record_name_view(&rest), VIEW_EMPTY, true },
        };

        rv = request_commit(r, &compare, 1, changes, ARRAY_COUNT(changes), &object->revision);
    }
    if (rv == CKR_OK) {
        objects_enter(hsm, object);
    } else if (reserved) {
        pthread_rwlock_wrlock(&hsm->lock);
        table_unreserve(&hsm->objects, 1);
        pthread_rwlock_unlock(&hsm->lock);
    }
    if (rv == CKR_OK) {
        pthread_mutex_lock(&r->context->lock);
        table_remove(&r->context->objects, old->handle);
        pthread_mutex_unlock(&r->context->lock);
        changes_add(&hsm->changes, old->handle);
    } else {
        numbers_rest(&hsm->certificates, old->handle, hsm_seconds(hsm));
    }
    writer_clear(&record);
    return rv;
}
