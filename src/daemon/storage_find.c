/* SPDX-License-Identifier: Apache-2.0
 *
 * Searches over the keys of the HSM and the certificates of a container.
 */
#include "daemon/storage_work.h"

#include <string.h>

#define CERTIFICATE_FIRST 0xfff00000u

/* A page of a search by the HSM, into room. */
CK_RV
storage_hsm_find(struct storage_job *job, const struct find_request *m, struct writer *room,
                 struct find_reply *ret_answer)
{
    struct writer body;
    CK_RV rv;

    writer_init(&body, FRAME_BODY_MAX);
    writer_reset(room);
    find_request_write(&body, m);
    rv = storage_call(job, OPERATION_FIND, writer_view(&body), room);
    if (rv == CKR_OK && !find_reply_read(writer_view(room), ret_answer)) {
        rv = CKR_DEVICE_ERROR;
    }
    writer_clear(&body);
    return rv;
}

/* How long the part of a page is that is below the certificates' handles. */
static size_t
below_certificates(struct info_array page)
{
    size_t count = 0;

    while (count < info_array_count(page) &&
           info_array_get(page, count).handle < CERTIFICATE_FIRST) {
        count++;
    }
    return count;
}

static uint64_t
hash_of(view bytes)
{
    uint64_t hash = 0xcbf29ce484222325u;

    for (size_t i = 0; i < bytes.len; i++) {
        hash = (hash ^ bytes.data[i]) * 0x100000001b3u;
    }
    return hash;
}

struct match {
    const struct storage_job *job;
    view template;
    bool by_id;
    uint64_t id_hash;
};

static bool
matches(const struct match *match, const struct entry *entry)
{
    return !entry->refused && (!match->by_id || entry->id_hash == match->id_hash) &&
           storage_sees(match->job, writer_view(&entry->list)) &&
           template_matches(match->template, writer_view(&entry->list));
}

/* The container's certificates that match, and those of this process's sessions that have such
 * handles (page), by rising handle. */
static void
find_merge(struct storage_job *job, const struct find_request *m, struct info_array page)
{
    struct storage *storage = job->storage;
    struct match match = { .job = job, .template = m->template };
    size_t shown = 0, at_page = 0, start = job->reply.len;
    size_t page_count = info_array_count(page);
    bool more = false;
    view id;

    match.by_id = attributes_find(m->template, CKA_ID, &id);
    match.id_hash = match.by_id ? hash_of(id) : 0;
    write_u32(&job->reply, 0);
    pthread_mutex_lock(&storage->lock);
    for (size_t i = 0; i <= storage->count; i++) {
        const struct entry *entry = i < storage->count ? storage->entries[i] : NULL;

        if (entry != NULL && (entry->handle <= m->after || !matches(&match, entry))) {
            continue;
        }
        while (at_page < page_count && shown < m->max &&
               (entry == NULL || info_array_get(page, at_page).handle <= entry->handle)) {
            struct key_info info = info_array_get(page, at_page++);

            key_info_write(&job->reply, &info);
            shown++;
            if (entry != NULL && info.handle == entry->handle) {
                entry = NULL;
                break;
            }
        }
        if (entry == NULL) {
            continue;
        }
        if (shown == m->max) {
            more = true;
            break;
        }
        struct key_info info = key_info_of(writer_view(&entry->list), entry->handle);

        key_info_write(&job->reply, &info);
        shown++;
    }
    pthread_mutex_unlock(&storage->lock);
    more = more || at_page < page_count;
    writer_patch_u32(&job->reply, start, (uint32_t)(shown * KEY_INFO_LEN));
    write_u8(&job->reply, more);
}

/* Those of this process's sessions that have handles of certificates, out of the HSM's pages. */
static CK_RV
session_certificates(struct storage_job *job, const struct find_request *first,
                     struct find_reply *answer, struct writer *reply, struct writer *own)
{
    struct find_request m = *first;
    CK_RV rv = CKR_OK;

    for (;;) {
        size_t count = info_array_count(answer->found);

        for (size_t i = 0; i < count; i++) {
            struct key_info info = info_array_get(answer->found, i);

            m.after = info.handle;
            if ((info.flags & KEY_FLAG_TOKEN) == 0) {
                key_info_write(own, &info);
            }
        }
        if (!answer->more || count == 0) {
            break;
        }
        if ((rv = storage_hsm_find(job, &m, reply, answer)) != CKR_OK) {
            return rv;
        }
    }
    return writer_ok(own) ? CKR_OK : CKR_DEVICE_MEMORY;
}

/* Keys come first, by handle, and do not wait for the container: a page that has any is theirs
 * alone, and says that there is more. */
CK_RV
storage_work_find(struct storage_job *job)
{
    struct find_request m;
    struct find_reply answer;
    struct writer reply, own;
    size_t keys;
    CK_RV rv;

    if (!find_request_read(writer_view(&job->body), &m)) {
        return CKR_DEVICE_ERROR;
    }
    writer_init(&reply, FRAME_BODY_MAX);
    writer_init(&own, FRAME_BODY_MAX);
    rv = storage_hsm_find(job, &m, &reply, &answer);
    if (rv != CKR_OK) {
        goto out;
    }
    keys = below_certificates(answer.found);
    if (keys > 0) {
        write_u32(&job->reply, (uint32_t)(keys * KEY_INFO_LEN));
        for (size_t i = 0; i < keys; i++) {
            struct key_info info = info_array_get(answer.found, i);

            key_info_write(&job->reply, &info);
        }
        write_u8(&job->reply, true);
        goto out;
    }
    if ((rv = session_certificates(job, &m, &answer, &reply, &own)) == CKR_OK &&
        (rv = storage_begin(job)) == CKR_OK && (rv = storage_refresh(job)) == CKR_OK) {
        find_merge(job, &m, (struct info_array){ writer_view(&own) });
    }
out:
    writer_clear(&own);
    writer_clear(&reply);
    return rv;
}
