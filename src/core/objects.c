/* SPDX-License-Identifier: Apache-2.0
 *
 * Objects on request: create, copy, destroy, change. Objects are immutable; a change
 * builds the next version, stores it under the condition that nobody was faster, and puts it
 * in the old one's place.
 */
#include "core/certificate.h"
#include "core/copies.h"
#include "core/load.h"
#include "core/make.h"

/* ---- create ---- */

/* What the template says it is. PKCS #11 v3.1, 4.1.1. */
static CK_RV
template_kind(view template, enum object_kind *ret_kind)
{
    uint64_t class, type = 0;
    view value;
    CK_ATTRIBUTE_TYPE type_attribute;

    if (!attributes_find(template, CKA_CLASS, &value)) {
        return CKR_TEMPLATE_INCOMPLETE;
    }
    if (!attributes_ulong(template, CKA_CLASS, &class)) {
        return CKR_ATTRIBUTE_VALUE_INVALID;
    }
    if (class == CKO_CERTIFICATE || class == CKO_PUBLIC_KEY || class == CKO_PRIVATE_KEY ||
        class == CKO_SECRET_KEY) {
        type_attribute = class == CKO_CERTIFICATE ? CKA_CERTIFICATE_TYPE : CKA_KEY_TYPE;
        if (!attributes_find(template, type_attribute, &value)) {
            return CKR_TEMPLATE_INCOMPLETE;
        }
        if (!attributes_ulong(template, type_attribute, &type)) {
            return CKR_ATTRIBUTE_VALUE_INVALID;
        }
    }
    return kind_of(class, type, ret_kind) ? CKR_OK : CKR_ATTRIBUTE_VALUE_INVALID;
}

/* The secret parts of a caller's template, each once. */
static void
secrets_take(enum object_kind kind, view template, struct writer *secrets)
{
    struct reader r = reader_of(template);
    struct attribute attribute;
    view there;

    while (attributes_next(&r, &attribute)) {
        if (use_is_secret(kind, attribute.type) &&
            !attributes_find(writer_view(secrets), attribute.type, &there)) {
            attribute_write(secrets, attribute.type, attribute.value);
        }
    }
}

CK_RV
handle_OBJECT_CREATE(struct request *r)
{
    struct object_create_request m;
    enum object_kind kind;
    struct make make;
    struct make *const makes[] = { &make };
    CK_RV rv;

    if (!object_create_request_read(r->body, &m)) {
        return CODE_BAD_FRAME;
    }
    rv = template_kind(m.template, &kind);
    if (rv != CKR_OK) {
        return rv;
    }
    if (!request_may(r, make_place(kind))) {
        return CODE_LATER;
    }
    make_init(&make, kind, ORIGIN_CREATE, m.handle);
    rv = template_check(r->rules, kind, ORIGIN_CREATE, r->who.role == ROLE_CO, m.template);
    if (rv != CKR_OK) {
        goto out;
    }
    template_complete(r->rules, kind, ORIGIN_CREATE, m.template, &make.attributes);
    secrets_take(kind, m.template, &make.secrets);
    if (!writer_ok(&make.attributes) || !writer_ok(&make.secrets)) {
        rv = CKR_DEVICE_MEMORY;
        goto out;
    }
    if ((rv = make_allowed(r, writer_view(&make.attributes))) != CKR_OK ||
        (rv = make_finish(r, &make)) != CKR_OK || (rv = make_commit(r, makes, 1)) != CKR_OK) {
        goto out;
    }
out:
    make_clear(&make);
    return rv;
}

/* ---- rights over an object that is there ---- */

/*
 * May the one who asks change or remove it? A token object wants a read-write session; what
 * a user made is that user's, sharing gives its use only.
 */
static CK_RV
object_may_change(const struct request *r, const struct object *object)
{
    if (object_is_token(object) && (r->frame->flags & FRAME_READ_WRITE) == 0) {
        return CKR_SESSION_READ_ONLY;
    }
    if (!object_is_token(object) || object->owner == 0 ||
        object->owner == r->who.user) {
        return CKR_OK;
    }
    if (!object_is_private(object) && rules_switch_on(r->rules, SWITCH_public_objects_open)) {
        return CKR_OK; /* Usage Guide, "Permitted object accesses" */
    }
    return r->who.user == 0 ? CKR_USER_NOT_LOGGED_IN : CKR_ACTION_PROHIBITED;
}

/*
 * Whoever changes an object reads it, builds the next and puts that in its place, all under
 * this lock. Session objects have their context's. It may be held while the store is waited for.
 */
static CK_RV
change_begin(struct request *r, uint32_t handle)
{
    if (handle_is_session(handle)) {
        pthread_mutex_lock(context_change(r->context, handle));
        return CKR_OK;
    }
    r->alone = true;
    return hsm_change_begin(r->hsm);
}

static void
change_end(struct request *r, uint32_t handle)
{
    if (handle_is_session(handle)) {
        pthread_mutex_unlock(context_change(r->context, handle));
    } else {
        hsm_change_end(r->hsm);
    }
}

/* Has the store a part in a change of it? */
static bool
change_waits(struct request *r, uint32_t handle)
{
    return !handle_is_session(handle) || atomic_load(&r->context->copies);
}

/* ---- change ---- */

/* A certificate's check value follows its value, unless the changes say it, too. */
static CK_RV
check_value_renew(view current, view changes, struct writer *merged)
{
    struct writer next, made, secrets;
    struct reader r;
    struct attribute attribute;
    view value, now;
    CK_RV rv;

    if (!attributes_find(changes, CKA_VALUE, &value) ||
        attributes_find(changes, CKA_CHECK_VALUE, &now) ||
        (attributes_find(current, CKA_VALUE, &now) && view_equal(value, now))) {
        return CKR_OK;
    }
    writer_init(&next, ATTRIBUTES_BYTES_MAX);
    writer_init(&made, ATTRIBUTES_BYTES_MAX);
    writer_init(&secrets, ATTRIBUTES_BYTES_MAX);
    r = reader_of(writer_view(merged));
    while (attributes_next(&r, &attribute)) {
        if (attribute.type != CKA_CHECK_VALUE) {
            attribute_write(&next, attribute.type, attribute.value);
        }
    }
    rv = algo_key_made(KIND_X509, NULL, writer_view(&next), &made, &secrets);
    write_raw(&next, writer_view(&made));
    if (rv == CKR_OK && (!writer_ok(&next) || !writer_ok(&made))) {
        rv = CKR_DEVICE_MEMORY;
    }
    if (rv == CKR_OK) {
        writer_truncate(merged, 0);
        write_raw(merged, writer_view(&next));
    }
    writer_clear(&next);
    writer_clear(&made);
    writer_clear(&secrets);
    return rv;
}

/* The next version of an object, in the reply, the store and its table. Under change_lock(). */
static CK_RV
object_replace(struct request *r, struct object *old, view attributes)
{
    struct hsm *hsm = r->hsm;
    const struct sealer *sealer = object_sealer(hsm, old->handle);
    bool token = object_is_token(old);
    struct object_parts parts = {
        .handle = old->handle,
        .session = old->session,
        .kind = old->kind,
        .owner = old->owner,
        .version = old->version + 1,
        .shares = old->shares,
        .share_count = old->share_count,
        .attributes = attributes,
    };
    struct object *object = NULL;
    struct writer secrets, record;
    CK_RV rv;

    writer_init(&secrets, ATTRIBUTES_BYTES_MAX);
    writer_init(&record, STORE_VALUE_MAX);
    rv = object_open_secrets(sealer, old, &secrets);
    if (rv != CKR_OK) {
        goto out;
    }
    parts.secrets = writer_view(&secrets);
    (void)attributes_bool(attributes, CKA_TOKEN, &token);
    if (token != object_is_token(old)) {
        parts.session = token ? 0 : r->frame->session;
        parts.owner = r->who.user;
    }
    if (parts.owner == 0) {
        parts.owner = r->who.user; /* who makes it private can see it from then on */
    }
    rv = object_new(sealer, &parts, &object);
    if (rv != CKR_OK) {
        goto out;
    }
    write_u32(r->reply, KEY_INFO_LEN);
    key_info_write(r->reply, &object->info);
    if (token != object_is_token(old)) {
        rv = token ? certificate_return(r, old, object) : certificate_leave(r, old, object);
    } else if (token) {
        struct record_name name = record_name('o', object->handle);

        rv = object_record(sealer, object, &record);
        if (rv != CKR_OK) {
            goto out;
        }

        const struct store_compare compare = { record_name_view(&name), old->revision };
        const struct store_change change = { record_name_view(&name), writer_view(&record),
                                             false };

        rv = request_commit(r, &compare, 1, &change, 1, &object->revision);
        if (rv != CKR_OK) {
            goto out;
        }
        objects_change(hsm, object);
    } else {
        if (atomic_load(&old->copied)) {
            atomic_store(&object->copied, true);
            rv = copies_end(r, old, object->version);
        }
        if (rv != CKR_OK) {
            goto out;
        }
        pthread_mutex_lock(&r->context->lock);
        /* Closing its session may have been faster; then it is gone and stays so. */
        if (table_find(&r->context->objects, object->handle) != old) {
            rv = CKR_OBJECT_HANDLE_INVALID;
        } else {
            table_replace(&r->context->objects, object);
        }
        pthread_mutex_unlock(&r->context->lock);
    }
out:
    object_unref(object);
    writer_clear(&secrets);
    writer_clear(&record);
    return rv;
}

CK_RV
object_set(struct request *r, struct object *object, view changes)
{
    struct writer attributes;
    CK_RV rv;

    if ((object->info.flags & KEY_FLAG_MODIFIABLE) == 0) {
        return CKR_ACTION_PROHIBITED;
    }
    rv = template_check_change(r->rules, object->kind, false, r->who.role == ROLE_CO,
                               object_attributes(object), changes);
    if (rv != CKR_OK) {
        return rv;
    }
    writer_init(&attributes, ATTRIBUTES_BYTES_MAX);
    attributes_merge(object_attributes(object), changes, &attributes);
    if (!writer_ok(&attributes)) {
        rv = CKR_DEVICE_MEMORY;
    } else if (object->kind == KIND_X509 &&
               ((rv = make_allowed(r, writer_view(&attributes))) != CKR_OK ||
                (rv = check_value_renew(object_attributes(object), changes, &attributes)) !=
                    CKR_OK)) {
        goto out;
    } else {
        rv = object_replace(r, object, writer_view(&attributes));
    }
out:
    writer_clear(&attributes);
    return rv;
}

CK_RV
handle_OBJECT_SET(struct request *r)
{
    struct object_set_request m;
    struct object *object = NULL;
    CK_RV rv;

    if (!object_set_request_read(r->body, &m)) {
        return CODE_BAD_FRAME;
    }
    note_key(r, m.object, AUDIT_NO_MECHANISM);
    if (change_waits(r, m.object) && !request_may(r, PLACE_STORE)) {
        return CODE_LATER;
    }
    if ((rv = change_begin(r, m.object)) != CKR_OK) {
        return rv;
    }
    object = request_object(r, m.object);
    if (object == NULL) {
        rv = CKR_OBJECT_HANDLE_INVALID;
    } else if ((object->info.flags & KEY_FLAG_MODIFIABLE) == 0) {
        rv = CKR_ACTION_PROHIBITED; /* whoever asks, so before that is looked at */
    } else if ((rv = object_may_change(r, object)) == CKR_OK) {
        rv = object_set(r, object, m.changes);
    }
    change_end(r, m.object);
    object_unref(object);
    return rv;
}

/* ---- destroy ---- */

CK_RV
handle_OBJECT_DESTROY(struct request *r)
{
    struct hsm *hsm = r->hsm;
    struct object_destroy_request m;
    struct object *object = NULL;
    bool session;
    CK_RV rv;

    if (!object_destroy_request_read(r->body, &m)) {
        return CODE_BAD_FRAME;
    }
    note_key(r, m.object, AUDIT_NO_MECHANISM);
    if (change_waits(r, m.object) && !request_may(r, PLACE_STORE)) {
        return CODE_LATER;
    }
    if ((rv = change_begin(r, m.object)) != CKR_OK) {
        return rv;
    }
    object = request_object(r, m.object);
    if (object == NULL) {
        rv = CKR_OBJECT_HANDLE_INVALID;
        goto out;
    }
    session = !object_is_token(object);
    if ((object->info.flags & KEY_FLAG_DESTROYABLE) == 0 &&
        !(session && rules_switch_on(r->rules, SWITCH_session_objects_destroyable))) {
        rv = CKR_ACTION_PROHIBITED;
        goto out;
    }
    rv = object_may_change(r, object);
    if (rv != CKR_OK) {
        goto out;
    }
    if (session) {
        if (atomic_load(&object->copied) &&
            (rv = copies_end(r, object, TOMB_VERSION_ALL)) != CKR_OK) {
            goto out;
        }
        pthread_mutex_lock(&r->context->lock);
        rv = table_remove(&r->context->objects, m.object) ? CKR_OK : CKR_OBJECT_HANDLE_INVALID;
        pthread_mutex_unlock(&r->context->lock);
    } else {
        struct record_name name = record_name('o', m.object);
        struct record_name rest = record_name('d', m.object);
        const bool rests = handle_is_certificate(m.object);
        const uint32_t now = hsm_seconds(hsm);
        struct writer record;
        uint64_t revision;

        writer_init(&record, STORE_VALUE_MAX);
        rv = rests ? rest_record(&hsm->sealer, m.object, now, &record) : CKR_OK;
        if (rv == CKR_OK) {
            const struct store_compare compare = { record_name_view(&name), object->revision };
            const struct store_change changes[] = {
                { record_name_view(&name), VIEW_EMPTY, true },
                { record_name_view(&rest), writer_view(&record), false },
            };

            rv = request_commit(r, &compare, 1, changes, rests ? 2 : 1, &revision);
        }
        writer_clear(&record);
        if (rv == CKR_OK) {
            objects_leave(hsm, m.object, revision);
            if (rests) {
                numbers_rest(&hsm->certificates, m.object, now);
            }
            r->barrier = true;
        }
    }
out:
    change_end(r, m.object);
    object_unref(object);
    return rv;
}

/* ---- copy ---- */

/* The copy's attributes: the source's with the changes, less what is made anew. */
static void
copy_attributes(view source, view changes, struct writer *out)
{
    struct writer merged;
    struct reader r;
    struct attribute attribute;

    writer_init(&merged, ATTRIBUTES_BYTES_MAX);
    attributes_merge(source, changes, &merged);
    r = reader_of(writer_view(&merged));
    while (attributes_next(&r, &attribute)) {
        if (attribute.type != CKA_UNIQUE_ID) {
            attribute_write(out, attribute.type, attribute.value);
        }
    }
    out->failed = out->failed || !writer_ok(&merged);
    writer_clear(&merged);
}

static CK_RV
copy_make(struct request *r, struct object *source, view changes, struct make *make)
{
    struct make *const makes[] = { make };
    CK_RV rv;

    copy_attributes(object_attributes(source), changes, &make->attributes);
    if (!writer_ok(&make->attributes)) {
        return CKR_DEVICE_MEMORY;
    }
    if ((rv = make_allowed(r, writer_view(&make->attributes))) != CKR_OK ||
        (rv = object_open_secrets(object_sealer(r->hsm, source->handle), source,
                                  &make->secrets)) != CKR_OK ||
        (rv = make_unique_id(r, make)) != CKR_OK || (rv = make_commit(r, makes, 1)) != CKR_OK) {
        return rv;
    }
    return CKR_OK;
}

CK_RV
handle_OBJECT_COPY(struct request *r)
{
    struct object_copy_request m;
    struct object *source;
    struct make make;
    CK_RV rv;

    if (!object_copy_request_read(r->body, &m)) {
        return CODE_BAD_FRAME;
    }
    if (!request_may(r, PLACE_STORE)) {
        return CODE_LATER;
    }
    source = request_object(r, m.object);
    if (source == NULL) {
        return CKR_OBJECT_HANDLE_INVALID;
    }
    make_init(&make, source->kind, ORIGIN_COPY, m.handle);
    /* Sharing gives an object's use; a copy would be the user's own and outlive it. */
    if ((source->info.flags & KEY_FLAG_COPYABLE) == 0 ||
        (object_is_private(source) && source->owner != r->who.user)) {
        rv = CKR_ACTION_PROHIBITED;
        goto out;
    }
    if (m.template.len > 0 && !rules_switch_on(r->rules, SWITCH_copy_with_template)) {
        rv = CKR_TEMPLATE_INCONSISTENT;
        goto out;
    }
    rv = template_check_change(r->rules, source->kind, true, r->who.role == ROLE_CO,
                               object_attributes(source), m.template);
    if (rv == CKR_OK) {
        rv = copy_make(r, source, m.template, &make);
    }
out:
    make_clear(&make);
    object_unref(source);
    return rv;
}
