/* SPDX-License-Identifier: Apache-2.0
 *
 * Frames out, frames in. Whatever comes back must be one whole frame that answers the
 * request, and a request that is put off must leave nothing in the reply.
 */
#include "lib/app.h"

#include "core/ticket.h"
#include "core/state.h"

#include <string.h>
#include <sys/random.h>
#include <unistd.h>

static void
app_frame(const struct app *app, enum operation operation, view body, struct frame *ret_frame)
{
    *ret_frame = (struct frame){
        .body_len = (uint32_t)body.len,
        .operation = (uint16_t)operation,
        .flags = app->read_write ? FRAME_READ_WRITE : 0,
        .request = app->request,
        .session = app->session,
        .code = app->back,
        .revision = app->revision,
    };
    frame_nodes_raise(ret_frame, app->nodes);
    memcpy(ret_frame->context, app->context, FRAME_CONTEXT_LEN);
}

/* What comes before the reply, if anything does: the reply. */
static view
app_told(struct app *app, const struct frame *request, view whole)
{
    struct frame told;

    writer_reset(&app->told);
    LIB_HOLDS(whole.len >= FRAME_HEADER_LEN && frame_decode(whole.data, &told));
    if (told.operation != OPERATION_COPIES || request->operation == OPERATION_COPIES) {
        return whole;
    }
    LIB_HOLDS(told.flags == FRAME_REPLY && told.request == 0 && told.code == CKR_OK);
    LIB_HOLDS(memcmp(told.context, request->context, FRAME_CONTEXT_LEN) == 0);
    LIB_HOLDS(whole.len >= FRAME_HEADER_LEN + told.body_len);
    write_raw(&app->told, view_slice(whole, FRAME_HEADER_LEN, told.body_len));
    return view_slice(whole, FRAME_HEADER_LEN + told.body_len, whole.len);
}

/* Header and body of the reply; only two codes come with a body. */
static view
app_answer(struct app *app, const struct frame *request)
{
    view whole = app_told(app, request, writer_view(&app->reply));
    view body = view_slice(whole, FRAME_HEADER_LEN, whole.len);
    struct frame *answer = &app->answer;

    LIB_HOLDS(writer_ok(&app->reply) && whole.len >= FRAME_HEADER_LEN);
    LIB_HOLDS(frame_decode(whole.data, answer) && answer->body_len == body.len);
    LIB_HOLDS(answer->flags == FRAME_REPLY && answer->operation == request->operation &&
              answer->request == request->request && answer->session == request->session);
    LIB_HOLDS(memcmp(answer->context, request->context, FRAME_CONTEXT_LEN) == 0);
    app->revision = answer->revision > app->revision ? answer->revision : app->revision;
    if (answer->code == CKR_BUFFER_TOO_SMALL) {
        LIB_HOLDS(body.len == 4);
        app->needed = load_u32(body.data);
    } else {
        LIB_HOLDS(answer->code == CKR_OK || body.len == 0);
    }
    return body;
}

static enum hsm_result
app_handle(struct app *app, const struct frame *frame, view body, enum hsm_place place,
           enum hsm_place *ret_place)
{
    const struct hsm_peer peer = { app->port, 1, "test", app->certificate };
    struct hsm_told told = { .place = place };
    enum hsm_result result;

    writer_reset(&app->reply);
    outside_enter(app->outside);
    result = hsm_handle(*app->hsm, &peer, place, frame, body, &app->reply, &told);
    outside_enter(NULL);
    *ret_place = told.place;
    LIB_HOLDS(result == HSM_DONE || (app->reply.len == 0 && *ret_place != place));
    return result;
}

#define PATIENCE 2000
#define PATIENCE_US 10000

/* Once, wherever it is sent on to. */
static CK_RV
app_try(struct app *app, enum operation operation, view body, view *ret_body)
{
    struct frame frame;
    enum hsm_place place = PLACE_LOOP;
    view answer;

    app_frame(app, operation, body, &frame);
    app->place_count = 0;
    while (app_handle(app, &frame, body, place, &place) == HSM_LATER) {
        LIB_HOLDS(app->place_count < APP_PLACES_MAX);
        app->places[app->place_count++] = place;
    }
    answer = app_answer(app, &frame);
    if (app->answer.code == CKR_OK) {
        *ret_body = answer;
    }
    return app->answer.code;
}

CK_RV
app_repeat(struct app *app, enum operation operation, view body, view *ret_body)
{
    CK_RV rv = app_try(app, operation, body, ret_body);

    for (int i = 0; app->patient && rv == CODE_LAGGING && i < PATIENCE; i++) {
        usleep(PATIENCE_US);
        rv = app_try(app, operation, body, ret_body);
    }
    return rv;
}

CK_RV
app_call(struct app *app, enum operation operation, view body, view *ret_body)
{
    app->request++;
    return app_repeat(app, operation, body, ret_body);
}

bool
app_put_off(struct app *app, enum operation operation, view body, enum hsm_place place,
            enum hsm_place *ret_place)
{
    struct frame frame;

    app->request++;
    app_frame(app, operation, body, &frame);
    if (app_handle(app, &frame, body, place, ret_place) == HSM_LATER) {
        return true;
    }
    (void)app_answer(app, &frame);
    return false;
}

#define APP_DEFINE(operation, name)                                       \
    CK_RV                                                                 \
    app_send_##name(struct app *app, const struct name##_request *m,      \
                    struct name##_reply *ret_m)                           \
    {                                                                     \
        struct writer w;                                                  \
        view body;                                                        \
        CK_RV rv;                                                         \
                                                                          \
        writer_init(&w, FRAME_BODY_MAX);                                  \
        name##_request_write(&w, m);                                      \
        LIB_HOLDS(writer_ok(&w));                                         \
        rv = app_call(app, OPERATION_##operation, writer_view(&w), &body); \
        writer_clear(&w);                                                 \
        if (rv == CKR_OK) {                                               \
            LIB_HOLDS(name##_reply_read(body, ret_m));                    \
        }                                                                 \
        return rv;                                                        \
    }
APP_OPERATIONS(APP_DEFINE)

/* ---- coming and going ---- */

void
app_ticket(struct app *app, struct hsm_fixture *f, uint32_t user, uint64_t expires)
{
    static _Atomic uint64_t logins;
    const struct sealer sealer = hsm_fixture_sealer(f);
    struct ticket ticket = {
        .uid = app->uid,
        .user = user,
        .role = user == OFFICER_USER ? ROLE_CO : ROLE_CU,
        .user_version = 1,
        .login = atomic_fetch_add(&logins, 1) + 1,
        .expires = expires,
    };
    struct writer w;

    memcpy(ticket.context, app->context, FRAME_CONTEXT_LEN);
    writer_init_fixed(&w, app->ticket, sizeof app->ticket);
    LIB_HOLDS(ticket_seal(&sealer, &ticket, &w) == CKR_OK);
    app->ticket_len = w.len;
}

void
app_init(struct app *app, struct hsm_fixture *f, uint32_t user)
{
    memset(app, 0, sizeof *app);
    app->hsm = &f->hsm;
    app->outside = &f->outside;
    app->uid = 1000;
    app->port = PORTS_client;
    app->session = 1;
    app->read_write = true;
    app->handle = HANDLE_SESSION_FIRST;
    writer_init(&app->reply, FRAME_MAX);
    writer_init(&app->told, FRAME_MAX);
    LIB_HOLDS(getrandom(app->context, FRAME_CONTEXT_LEN, 0) == FRAME_CONTEXT_LEN);
    if (user != APP_NOBODY) {
        app_ticket(app, f, user, UINT64_MAX);
    }
    LIB_HOLDS(app_attach(app) == CKR_OK);
}

void
app_clear(struct app *app)
{
    writer_clear(&app->reply);
    writer_clear(&app->told);
}

CK_RV
app_attach(struct app *app)
{
    const struct attach_request m = {
        .version = FRAME_VERSION,
        .interface = (uint8_t)app->interface,
        .uid = app->uid,
        .pid = 1,
        .ticket = view_of(app->ticket, app->ticket_len),
    };
    struct attach_reply answer;

    return app_send_attach(app, &m, &answer);
}

CK_RV
app_move(struct app *app, struct hsm_fixture *to)
{
    const uint64_t request = app->request;
    CK_RV rv;

    app->hsm = &to->hsm;
    app->outside = &to->outside;
    rv = app_attach(app);
    app->request = request;
    return rv;
}

CK_RV
app_detach(struct app *app)
{
    struct detach_reply answer;

    return app_send_detach(app, NULL, &answer);
}

CK_RV
app_login(struct app *app, uint32_t role, const char *name, const char *password)
{
    const struct login_request m = { role, view_str(name), view_str(password) };
    struct login_reply answer;
    CK_RV rv = app_send_login(app, &m, &answer);

    if (rv == CKR_OK) {
        LIB_HOLDS(answer.ticket.len <= sizeof app->ticket && answer.role == role);
        memcpy(app->ticket, answer.ticket.data, answer.ticket.len);
        app->ticket_len = answer.ticket.len;
    }
    return rv;
}

CK_RV
app_logout(struct app *app)
{
    struct logout_reply answer;

    return app_send_logout(app, NULL, &answer);
}

/* ---- users ---- */

CK_RV
app_make_user(struct app *app, uint32_t role, const char *name, const char *password)
{
    const struct user_create_request m = { role, view_str(name), view_str(password) };
    struct user_create_reply answer;

    return app_send_user_create(app, &m, &answer);
}

CK_RV
app_set_password(struct app *app, uint32_t role, const char *name, const char *password)
{
    const struct user_password_request m = { role, view_str(name), view_str(password) };
    struct user_password_reply answer;

    return app_send_user_password(app, &m, &answer);
}

CK_RV
app_delete_user(struct app *app, uint32_t role, const char *name)
{
    const struct user_delete_request m = { role, view_str(name) };
    struct user_delete_reply answer;

    return app_send_user_delete(app, &m, &answer);
}

uint32_t
app_failures(struct app *app, const char *name)
{
    const struct user_list_request all = { 0, 0 };
    struct user_list_reply answer;
    struct user_info user;

    LIB_HOLDS(app_send_user_list(app, &all, &answer) == CKR_OK);

    struct reader r = reader_of(answer.users.bytes);

    while (user_array_next(&r, &user)) {
        if (view_equal(user.name, view_str(name))) {
            return user.failures;
        }
    }
    lib_does_not_hold(__FILE__, __LINE__, name);
}

/* ---- objects ---- */

static void
info_take(struct info_array made, size_t count, size_t i, struct key_info *ret_info)
{
    LIB_HOLDS(info_array_count(made) == count);
    if (ret_info != NULL) {
        *ret_info = info_array_get(made, i);
    }
}

CK_RV
app_create(struct app *app, view template, struct key_info *ret_info)
{
    const struct object_create_request m = { app->handle++, template };
    struct object_create_reply answer;
    CK_RV rv = app_send_object_create(app, &m, &answer);

    if (rv == CKR_OK) {
        info_take(answer.made, 1, 0, ret_info);
    }
    return rv;
}

CK_RV
app_copy(struct app *app, uint32_t object, view template, struct key_info *ret_info)
{
    const struct object_copy_request m = { object, app->handle++, template };
    struct object_copy_reply answer;
    CK_RV rv = app_send_object_copy(app, &m, &answer);

    if (rv == CKR_OK) {
        info_take(answer.made, 1, 0, ret_info);
    }
    return rv;
}

CK_RV
app_set(struct app *app, uint32_t object, view changes)
{
    const struct object_set_request m = { object, changes };
    struct object_set_reply answer;
    CK_RV rv = app_send_object_set(app, &m, &answer);

    if (rv == CKR_OK) {
        info_take(answer.changed, 1, 0, NULL);
    }
    return rv;
}

CK_RV
app_destroy(struct app *app, uint32_t object)
{
    struct object_destroy_reply answer;

    return app_send_object_destroy(app, &(struct object_destroy_request){ object }, &answer);
}

CK_RV
app_generate(struct app *app, CK_MECHANISM_TYPE type, view template, struct key_info *ret_info)
{
    const struct generate_key_request m = { mechanism_plain(type), app->handle++, template };
    struct generate_key_reply answer;
    CK_RV rv = app_send_generate_key(app, &m, &answer);

    if (rv == CKR_OK) {
        info_take(answer.made, 1, 0, ret_info);
    }
    return rv;
}

CK_RV
app_derive(struct app *app, struct mechanism mechanism, uint32_t key, view template,
           struct key_info *ret_info)
{
    struct derive_request m = { .mechanism = mechanism, .key = key, .template = template };
    struct derive_reply answer;
    uint8_t handle[4];
    CK_RV rv;

    store_u32(handle, app->handle++);
    m.handles.bytes = view_of(handle, sizeof handle);
    rv = app_send_derive(app, &m, &answer);
    if (rv == CKR_OK) {
        info_take(answer.made, 1, 0, ret_info);
    }
    return rv;
}

CK_RV
app_generate_pair(struct app *app, CK_MECHANISM_TYPE type, view public_template,
                  view private_template, struct key_info *ret_public,
                  struct key_info *ret_private)
{
    const struct generate_pair_request m = {
        .mechanism = mechanism_plain(type),
        .public_handle = app->handle,
        .private_handle = app->handle + 1,
        .public_template = public_template,
        .private_template = private_template,
    };
    struct generate_pair_reply answer;
    CK_RV rv;

    app->handle += 2;
    rv = app_send_generate_pair(app, &m, &answer);
    if (rv == CKR_OK) {
        info_take(answer.made, 2, 0, ret_public);
        info_take(answer.made, 2, 1, ret_private);
    }
    return rv;
}

CK_RV
app_get(struct app *app, uint32_t object, CK_ATTRIBUTE_TYPE type,
        struct attribute *ret_attribute)
{
    uint8_t number[4];
    const struct object_get_request m = { object, { view_of(number, sizeof number) } };
    struct object_get_reply answer;
    CK_RV rv;

    store_u32(number, (uint32_t)type);
    rv = app_send_object_get(app, &m, &answer);
    if (rv == CKR_OK) {
        struct reader r = reader_of(answer.attributes);

        LIB_HOLDS(attributes_next(&r, ret_attribute) && reader_done(&r) &&
                  ret_attribute->type == type);
    }
    return rv;
}

CK_RV
app_find(struct app *app, view template, uint32_t page, uint32_t *handles, size_t max,
         size_t *ret_count)
{
    struct find_request m = { .template = template, .max = page };
    struct find_reply answer;
    size_t count = 0;

    do {
        CK_RV rv = app_send_find(app, &m, &answer);

        if (rv != CKR_OK) {
            return rv;
        }
        for (size_t i = 0; i < info_array_count(answer.found); i++) {
            uint32_t handle = info_array_get(answer.found, i).handle;

            LIB_HOLDS(handle > m.after);
            m.after = handle;
            if (count < max) {
                handles[count] = handle;
            }
            count++;
        }
        LIB_HOLDS(!answer.more || info_array_count(answer.found) == page);
    } while (answer.more);
    *ret_count = count;
    return CKR_OK;
}

size_t
app_count(struct app *app)
{
    size_t count;

    LIB_HOLDS(app_find(app, VIEW_EMPTY, FIND_MAX, NULL, 0, &count) == CKR_OK);
    return count;
}

bool
app_finds(struct app *app, uint32_t object)
{
    const struct find_request m = { .after = object - 1, .max = 1 };
    struct find_reply answer;

    LIB_HOLDS(app_send_find(app, &m, &answer) == CKR_OK);
    return info_array_count(answer.found) == 1 &&
           info_array_get(answer.found, 0).handle == object;
}

/* ---- cryptography ---- */

struct mechanism
mechanism_plain(CK_MECHANISM_TYPE type)
{
    return (struct mechanism){ .type = (uint32_t)type, .shape = PARAMS_none };
}

CK_RV
app_encrypt(struct app *app, struct mechanism mechanism, uint32_t key, view data,
            view *ret_data)
{
    const struct encrypt_request m = { mechanism, key, APP_ROOM_MAX, data };
    struct encrypt_reply answer;
    CK_RV rv = app_send_encrypt(app, &m, &answer);

    if (rv == CKR_OK) {
        *ret_data = answer.data;
    }
    return rv;
}

CK_RV
app_decrypt(struct app *app, struct mechanism mechanism, uint32_t key, view data,
            view *ret_data)
{
    const struct decrypt_request m = { mechanism, key, APP_ROOM_MAX, data };
    struct decrypt_reply answer;
    CK_RV rv = app_send_decrypt(app, &m, &answer);

    if (rv == CKR_OK) {
        *ret_data = answer.data;
    }
    return rv;
}

CK_RV
app_sign(struct app *app, struct mechanism mechanism, uint32_t key, view data,
         view *ret_signature)
{
    const struct sign_request m = { mechanism, key, APP_ROOM_MAX, data };
    struct sign_reply answer;
    CK_RV rv = app_send_sign(app, &m, &answer);

    if (rv == CKR_OK) {
        *ret_signature = answer.data;
    }
    return rv;
}

CK_RV
app_verify(struct app *app, struct mechanism mechanism, uint32_t key, view data, view signature)
{
    const struct verify_request m = { mechanism, key, data, signature };
    struct verify_reply answer;

    return app_send_verify(app, &m, &answer);
}

CK_RV
app_digest(struct app *app, CK_MECHANISM_TYPE type, view data, view *ret_digest)
{
    const struct digest_request m = { mechanism_plain(type), APP_ROOM_MAX, data };
    struct digest_reply answer;
    CK_RV rv = app_send_digest(app, &m, &answer);

    if (rv == CKR_OK) {
        *ret_digest = answer.data;
    }
    return rv;
}

uint32_t *
app_step(struct app *app, CK_FLAGS function)
{
    const size_t bit = function == 0 ? 0 : (size_t)__builtin_ctzl(function);

    return &app->steps[(app->session * 5 + bit) % ARRAY_COUNT(app->steps)];
}

CK_RV
app_start(struct app *app, CK_FLAGS function, struct mechanism mechanism, uint32_t key)
{
    const struct start_request m = { (uint32_t)function, mechanism, key, false };
    struct start_reply answer;

    *app_step(app, function) = 0;

    return app_send_start(app, &m, &answer);
}

CK_RV
app_update(struct app *app, CK_FLAGS function, view data, view *ret_data)
{
    const struct update_request m = { (uint32_t)function, (*app_step(app, function))++, 0, data };
    struct update_reply answer;
    CK_RV rv = app_send_update(app, &m, &answer);

    if (rv == CKR_OK) {
        *ret_data = answer.data;
    }
    return rv;
}

CK_RV
app_digest_key(struct app *app, uint32_t key)
{
    const struct update_request m = { CKF_DIGEST, (*app_step(app, CKF_DIGEST))++, key, VIEW_EMPTY };
    struct update_reply answer;

    return app_send_update(app, &m, &answer);
}

CK_RV
app_final(struct app *app, CK_FLAGS function, view signature, view *ret_data)
{
    const struct final_request m = { (uint32_t)function, *app_step(app, function), signature };
    struct final_reply answer;
    CK_RV rv = app_send_final(app, &m, &answer);

    if (rv == CKR_OK) {
        *ret_data = answer.data;
    }
    return rv;
}
