/* SPDX-License-Identifier: Apache-2.0
 *
 * azcloudhsm_util: certificates, wherever the application's configuration keeps them. The first
 * listing of a large container takes its time; how far it is, is told on standard error meanwhile.
 */
#include "tools/util.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define HANDLES_MAX (4u * 1048576u) /* bytes */
#define TELL_MS 500

/* ---- how far it is ---- */

struct watch {
    struct util *util;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t over;
    bool ended; /* under lock */
    bool told;  /* the thread's; main's once that has ended */
};

static bool
state_ask(struct util *util, struct storage_state_reply *ret_state)
{
    struct call call;
    bool known = call_begin(util->client, &call) == CKR_OK &&
                 call_send(&call, OPERATION_STORAGE_STATE, 0, 0) == CKR_OK &&
                 storage_state_reply_read(call.reply, ret_state);

    call_end(&call);
    return known;
}

static void
state_tell(struct watch *watch, const struct storage_state_reply *state)
{
    const bool terminal = isatty(STDERR_FILENO);

    if (state->wanted > 0) {
        fprintf(stderr, "%s\treading certificates: %u of %u%s", terminal ? "\r" : "",
                (unsigned)state->read, (unsigned)state->wanted, terminal ? "" : "\n");
    } else {
        fprintf(stderr, "%s\tlisting certificates: %u%s", terminal ? "\r" : "",
                (unsigned)state->found, terminal ? "" : "\n");
    }
    fflush(stderr);
    watch->told = terminal;
}

static void *
watch_run(void *arg)
{
    struct watch *watch = arg;
    struct storage_state_reply state;
    struct timespec at;

    clock_gettime(CLOCK_REALTIME, &at);
    pthread_mutex_lock(&watch->lock);
    while (!watch->ended) {
        at.tv_nsec += TELL_MS * 1000000L;
        at.tv_sec += at.tv_nsec / 1000000000L;
        at.tv_nsec %= 1000000000L;
        while (!watch->ended &&
               pthread_cond_timedwait(&watch->over, &watch->lock, &at) != ETIMEDOUT) {
        }
        if (!watch->ended) {
            pthread_mutex_unlock(&watch->lock);
            if (state_ask(watch->util, &state) && state.listing) {
                state_tell(watch, &state);
            }
            pthread_mutex_lock(&watch->lock);
        }
    }
    pthread_mutex_unlock(&watch->lock);
    return NULL;
}

static bool
watch_begin(struct watch *watch, struct util *util)
{
    *watch = (struct watch){ .util = util };
    pthread_mutex_init(&watch->lock, NULL);
    pthread_cond_init(&watch->over, NULL);
    return pthread_create(&watch->thread, NULL, watch_run, watch) == 0;
}

static void
watch_end(struct watch *watch, bool begun)
{
    if (begun) {
        pthread_mutex_lock(&watch->lock);
        watch->ended = true;
        pthread_cond_signal(&watch->over);
        pthread_mutex_unlock(&watch->lock);
        pthread_join(watch->thread, NULL);
    }
    if (watch->told) {
        fputc('\n', stderr);
    }
    pthread_cond_destroy(&watch->over);
    pthread_mutex_destroy(&watch->lock);
}

/* ---- the listing ---- */

static CK_RV
page_read(struct util *util, view template, uint32_t *after, struct writer *handles, bool *ret_more)
{
    const struct find_request request = { template, *after, FIND_MAX };
    struct find_reply reply;
    struct call call;
    CK_RV rv = call_begin(util->client, &call);

    if (rv == CKR_OK) {
        find_request_write(call.body, &request);
        rv = call_send(&call, OPERATION_FIND, UTIL_SESSION, FRAME_READ_WRITE);
    }
    if (rv == CKR_OK && !find_reply_read(call.reply, &reply)) {
        rv = CKR_DEVICE_ERROR;
    }
    if (rv == CKR_OK) {
        const size_t count = info_array_count(reply.found);

        for (size_t i = 0; i < count; i++) {
            *after = info_array_get(reply.found, i).handle;
            write_u32(handles, *after);
        }
        *ret_more = reply.more && count > 0;
        rv = writer_ok(handles) ? CKR_OK : CKR_HOST_MEMORY;
    }
    call_end(&call);
    return rv;
}

/* A search that ran out of time goes on where it was: as long as that brings
 * more, it is asked again. */
static CK_RV
certificates_find(struct util *util, view template, struct writer *handles)
{
    struct storage_state_reply before = { 0 }, now = { 0 };
    uint32_t after = 0;
    bool more = true;
    CK_RV rv = CKR_OK;

    (void)state_ask(util, &before);
    while (more) {
        rv = page_read(util, template, &after, handles, &more);
        if (rv == CKR_DEVICE_ERROR && state_ask(util, &now) && now.known > before.known) {
            before = now;
        } else if (rv != CKR_OK) {
            break;
        }
    }
    return rv;
}

static void
certificates_print(const struct util *util, const struct writer *handles)
{
    const size_t count = handles->len / 4;
    json_t *json = json_array();

    for (size_t i = 0; i < count; i++) {
        json_array_append_new(json, json_integer(load_u32(handles->data + 4 * i)));
    }
    util_json(util, json_pack("{s:I, s:o}", "count", (json_int_t)count, "handles", json));
    printf("\n\tTotal number of certificates present: %zu\n", count);
    for (size_t i = 0; i < count; i++) {
        printf(i == 0 ? "\n\tHandles of matching certificates:\n\t%u" : ", %u",
               (unsigned)load_u32(handles->data + 4 * i));
    }
    if (count > 0) {
        putchar('\n');
    }
}

enum status
util_list_certificates(void *tool, const struct values *values)
{
    struct util *util = tool;
    const char *label = values_text(values, "-l");
    const char *id = values_text(values, "-id");
    struct writer template, handles;
    struct watch watch;
    bool watched;
    CK_RV rv;

    writer_init(&template, UTIL_TEMPLATE_MAX);
    writer_init(&handles, HANDLES_MAX);
    attribute_write_ulong(&template, CKA_CLASS, CKO_CERTIFICATE);
    if (label != NULL) {
        attribute_write(&template, CKA_LABEL, view_str(label));
    }
    if (id != NULL) {
        attribute_write(&template, CKA_ID, view_str(id));
    }
    if (!writer_ok(&template)) {
        fputs("listCertificates: the label or the id is too long\n", stderr);
        writer_clear(&template);
        return STATUS_MISUSED;
    }
    watched = watch_begin(&watch, util);
    rv = certificates_find(util, writer_view(&template), &handles);
    watch_end(&watch, watched);
    if (rv == CKR_OK) {
        certificates_print(util, &handles);
    }
    writer_clear(&template);
    writer_clear(&handles);
    return util_returned("listCertificates", rv);
}
