/* SPDX-License-Identifier: Apache-2.0
 *
 * The core as a whole. The input is a play of four applications on one partition: each step
 * is a request whose fields come from the input, or something that happens around them (a
 * session changes, time passes, the store fails, the node is restarted). Whatever happens, each
 * request gets one well-formed reply or is put off without effect, and what is in memory is
 * what is in the store.
 */
#include "fuzz/fuzz.h"

#include <string.h>

#include "core/state.h"
#include "lib/app.h"
#include "rules/template.h"

#define APPS 4u
#define STEPS_MAX 48u
#define HANDLES_MAX 32u
#define ROOM_LEN 32768u

struct play {
    struct reader input;
    struct hsm_fixture fixture;
    struct app apps[APPS];
    unsigned slow; /* so many passwords and RSA keys, which take their time */
    uint32_t handles[HANDLES_MAX];
    size_t handle_count;
    uint8_t room[ROOM_LEN]; /* of one request's lists */
    size_t room_used;
};

/* ---- what the input says ---- */

/* 0 when there is nothing left. */
static uint8_t
take(struct play *p)
{
    uint8_t value = 0;

    (void)read_u8(&p->input, &value);
    return value;
}

static view
take_view(struct play *p, size_t max)
{
    view bytes = VIEW_EMPTY;

    (void)read_raw(&p->input, size_min(size_min(take(p), max), p->input.left), &bytes);
    return bytes;
}

/* Numbers that mean something somewhere, more often than any. */
static uint32_t
take_number(struct play *p)
{
    uint8_t b = take(p);
    uint32_t value = 0;

    switch (b >> 5) {
    case 0:
        return p->handle_count == 0 ? b : p->handles[b % p->handle_count];
    case 1:
        return UINT32_C(1) << (b & 31); /* a CKF_ bit */
    case 2:
        return b & 31;
    case 3:
        return APP_ROOM_MAX;
    case 4:
        return HANDLE_SESSION_FIRST + (b & 31);
    case 5:
        return HANDLE_TOKEN_FIRST + (b & 31);
    case 6:
        return FIND_MAX;
    default:
        (void)read_u32(&p->input, &value);
        return value;
    }
}

static void
room_writer(struct play *p, struct writer *w)
{
    writer_init_fixed(w, p->room + p->room_used, ROOM_LEN - p->room_used);
}

static view
room_take(struct play *p, const struct writer *w)
{
    p->room_used += w->len;
    return writer_ok(w) ? writer_view(w) : VIEW_EMPTY;
}

static void
write_stock(struct writer *w, uint8_t which)
{
    static const uint8_t p256[] = "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";
    static const CK_ATTRIBUTE_TYPE uses[] = { CKA_ENCRYPT, CKA_DECRYPT, CKA_SIGN, CKA_VERIFY };

    switch (which % 8) {
    case 0:
        attribute_write_ulong(w, CKA_CLASS, CKO_DATA);
        return;
    case 1:
        attribute_write_ulong(w, CKA_CLASS, CKO_SECRET_KEY);
        attribute_write_ulong(w, CKA_KEY_TYPE, CKK_AES);
        attribute_write(w, CKA_VALUE, VIEW_TEXT("0123456789abcdef"));
        break;
    case 2:
        attribute_write_ulong(w, CKA_VALUE_LEN, 16);
        break;
    case 3:
        attribute_write(w, CKA_EC_PARAMS, view_of(p256, sizeof p256 - 1));
        attribute_write_bool(w, CKA_VERIFY, true);
        return;
    case 5:
        attribute_write(w, CKA_EC_PARAMS, VIEW_TEXT("\x06\x03\x2b\x65\x70"));
        attribute_write_bool(w, CKA_VERIFY, true);
        return;
    case 6:
        attribute_write_ulong(w, CKA_CLASS, CKO_PRIVATE_KEY);
        attribute_write_ulong(w, CKA_KEY_TYPE, CKK_EC_EDWARDS);
        attribute_write(w, CKA_EC_PARAMS, VIEW_TEXT("\x13\x0c" "edwards25519"));
        attribute_write(w, CKA_VALUE, VIEW_TEXT("0123456789abcdef0123456789abcdef"));
        break;
    case 4:
        attribute_write_bool(w, CKA_SIGN, true);
        attribute_write_bool(w, CKA_DERIVE, true);
        attribute_write_ulong(w, CKA_KEY_TYPE, CKK_GENERIC_SECRET);
        return;
    default:
        return;
    }
    for (size_t i = 0; i < ARRAY_COUNT(uses); i++) {
        attribute_write_bool(w, uses[i], true);
    }
}

static void
write_any(struct play *p, struct writer *w)
{
    size_t count;
    const struct attribute_row *rows = attribute_rows(&count);
    const struct attribute_row *row = &rows[take(p) % count];

    switch (row->form) {
    case FORM_BOOL:
        attribute_write_bool(w, row->type, (take(p) & 1) != 0);
        break;
    case FORM_ULONG:
        attribute_write_ulong(w, row->type, take_number(p));
        break;
    default:
        attribute_write(w, row->type, take_view(p, 64));
        break;
    }
}

/* ---- fields of messages, by form ---- */

static uint8_t
take_u8(struct play *p)
{
    return take(p);
}

#define take_u32 take_number
#define take_u64 take_number

static bool
take_flag(struct play *p)
{
    return (take(p) & 1) != 0;
}

static view
take_bytes(struct play *p)
{
    return take_view(p, 255);
}

#define take_secret take_bytes

static view
take_text(struct play *p)
{
    static const char *const texts[] = { USER1_NAME, USER2_NAME, OFFICER_NAME, "cu3", "", "a:b" };

    return view_str(texts[take(p) % ARRAY_COUNT(texts)]);
}

static view
take_list(struct play *p)
{
    uint8_t b = take(p);
    struct writer w;

    room_writer(p, &w);
    write_stock(&w, b);
    for (unsigned i = 0; i < b / 6u % 6; i++) {
        write_any(p, &w);
    }
    return room_take(p, &w);
}

static void
take_items(struct play *p, struct params_items *items)
{
    items->count = take(p) % (PARAMS_ITEMS_MAX + 1);
    for (uint32_t i = 0; i < items->count; i++) {
        uint8_t b = take(p);

        items->item[i] = (struct params_item){ b % 6u, b & 1, (uint8_t)(b & 0x78), (b & 2) != 0,
                                               take_view(p, b & 7), take_number(p) };
    }
}

#define P256_POINT                                                      \
    "\x04\x6b\x17\xd1\xf2\xe1\x2c\x42\x47\xf8\xbc\xe6\xe5\x63\xa4\x40" \
    "\xf2\x77\x03\x7d\x81\x2d\xeb\x33\xa0\xf4\xa1\x39\x45\xd8\x98\xc2" \
    "\x96\x4f\xe3\x42\xe2\xfe\x1a\x7f\x9b\x8e\xe7\xeb\x4a\x7c\x0f\x9e" \
    "\x16\x2b\xce\x33\x57\x6b\x31\x5e\xce\xcb\xb6\x40\x68\x37\xbf\x51\xf5"

static struct mechanism
take_mech(struct play *p)
{
    size_t count;
    const struct mechanism_row *rows = mechanism_rows(&count);
    uint8_t b = take(p);
    const struct mechanism_row *row = &rows[b % count];
    struct mechanism m = { .type = (uint32_t)row->type, .shape = row->params };

    switch (m.shape) {
    case PARAMS_none:
        break;
    case PARAMS_iv:
        m.params.iv.bytes = take(p) == 0 ? take_view(p, 16) : VIEW_TEXT("an iv of 16 byte");
        break;
    case PARAMS_wrap_iv:
        m.params.wrap_iv.bytes = take(p) == 0 ? take_view(p, 8) : VIEW_EMPTY;
        break;
    case PARAMS_ctr:
        m.params.ctr.bits = take(p);
        m.params.ctr.block = VIEW_TEXT("an iv of 16 byte");
        break;
    case PARAMS_gcm:
        m.params.gcm.iv = (take(p) & 1) != 0 ? VIEW_TEXT("\0\0\0\0\0\0\0\0\0\0\0\0")
                                             : take_view(p, 255);
        m.params.gcm.aad = take_view(p, 32);
        m.params.gcm.tag_bits = (take(p) & 1) != 0 ? 128 : take(p);
        break;
    case PARAMS_ccm:
        m.params.ccm.data_len = take(p);
        m.params.ccm.nonce = (take(p) & 1) != 0 ? VIEW_TEXT("twelve bytes") : take_view(p, 13);
        m.params.ccm.aad = take_view(p, 32);
        m.params.ccm.mac_len = take(p) & 31;
        break;
    case PARAMS_oaep:
        m.params.oaep.hash = (uint32_t)hash_row(HASH_SHA256)->mechanism;
        m.params.oaep.mgf = take(p);
        m.params.oaep.source = take(p) & 1;
        m.params.oaep.label = take_view(p, 32);
        break;
    case PARAMS_ecdh_aes:
        m.params.ecdh_aes = (struct params_ecdh_aes){ (take(p) & 1) != 0 ? 256 : take(p),
                                                      take(p), take_view(p, 32) };
        break;
    case PARAMS_rsa_aes:
        m.params.rsa_aes = (struct params_rsa_aes){
            (take(p) & 1) != 0 ? 256 : take(p),
            { (uint32_t)hash_row(HASH_SHA256)->mechanism, take(p), take(p) & 1, take_view(p, 32) }
        };
        break;
    case PARAMS_hkdf:
        m.params.hkdf = (struct params_hkdf){ take(p) & 1, take(p) & 1, CKM_SHA256, take(p) & 7,
                                              take_view(p, 16), take_number(p),
                                              take_view(p, 16) };
        break;
    case PARAMS_pbkd2:
        m.params.pbkd2 = (struct params_pbkd2){ 1, take_view(p, 16), take(p), take(p) & 15,
                                                VIEW_EMPTY, take_view(p, 16) };
        break;
    case PARAMS_data:
        m.params.data.bytes = take_view(p, 255);
        break;
    case PARAMS_cbc_data:
        m.params.cbc_data.iv = VIEW_TEXT("an iv of 16 byte");
        m.params.cbc_data.bytes = take_view(p, 255);
        break;
    case PARAMS_number:
        m.params.number.number = take_number(p);
        break;
    case PARAMS_tls_master:
        m.params.tls_master = (struct params_tls_master){ take_view(p, 8), take_view(p, 8),
                                                          take(p) & 1, CKM_SHA256 };
        break;
    case PARAMS_tls_extended:
        m.params.tls_extended = (struct params_tls_extended){ CKM_SHA256, take_view(p, 8),
                                                              take(p) & 1 };
        break;
    case PARAMS_tls_keys:
        m.params.tls_keys = (struct params_tls_keys){ take(p), take(p), take(p), 0,
                                                      take_view(p, 8), take_view(p, 8), 1,
                                                      CKM_SHA256 };
        break;
    case PARAMS_tls_kdf:
        m.params.tls_kdf = (struct params_tls_kdf){ CKM_SHA256, take_view(p, 8), take_view(p, 8),
                                                    take_view(p, 8), take_view(p, 8) };
        break;
    case PARAMS_chacha20:
        m.params.chacha20 = (struct params_chacha20){ take_view(p, 8), take_view(p, 12) };
        break;
    case PARAMS_chacha_poly:
        m.params.chacha_poly = (struct params_chacha_poly){
            (take(p) & 7) != 0 ? VIEW_TEXT("twelve bytes") : take_view(p, 24), take_view(p, 16) };
        break;
    case PARAMS_tls_mac:
        m.params.tls_mac = (struct params_tls_mac){ CKM_SHA256, take(p), take(p) & 3 };
        break;
    case PARAMS_kbkdf:
    case PARAMS_feedback:
        m.params.kbkdf.prf = CKM_SHA256_HMAC;
        take_items(p, &m.params.kbkdf.items);
        m.params.feedback.iv = take_view(p, 16); /* of both shapes what comes first is alike */
        break;
    case PARAMS_ecdh:
        m.params.ecdh.kdf = take(p) & 31;
        m.params.ecdh.shared = take_view(p, 8);
        m.params.ecdh.point = (take(p) & 7) != 0 ? VIEW_TEXT(P256_POINT) : take_view(p, 80);
        break;
    case PARAMS_eddsa:
        m.params.eddsa = (struct params_eddsa){ take(p) & 1, take(p) & 1, take_view(p, 8) };
        break;
    case PARAMS_pss:
        m.params.pss.hash = (uint32_t)hash_row(HASH_SHA256)->mechanism;
        m.params.pss.mgf = take(p);
        m.params.pss.salt_len = take_number(p);
        break;
    }
    return m;
}

static struct number_array
take_numbers(struct play *p)
{
    size_t count;
    const struct attribute_row *rows = attribute_rows(&count);
    uint8_t b = take(p);
    struct writer w;

    room_writer(p, &w);
    for (unsigned i = 0; i < b % 8u; i++) {
        uint8_t which = take(p); /* of an attribute, or of a session object to be */

        number_write(&w, (which & 1) != 0 ? (uint32_t)rows[which / 2 % count].type
                                          : HANDLE_SESSION_FIRST + which);
    }
    return (struct number_array){ room_take(p, &w) };
}

/* Of replies; nobody fills these. */
static struct info_array
take_infos(struct play *p)
{
    UNUSED(p);
    return (struct info_array){ VIEW_EMPTY };
}

static struct user_array
take_users(struct play *p)
{
    UNUSED(p);
    return (struct user_array){ VIEW_EMPTY };
}

static struct node_array
take_nodes(struct play *p)
{
    UNUSED(p);
    return (struct node_array){ VIEW_EMPTY };
}

/* Those that came before the last reply of the first application, or bytes that are none. */
static struct copy_array
take_copies(struct play *p)
{
    const struct copy_info none = { HANDLE_SESSION_FIRST + take(p), 1, 1, take_view(p, 200) };
    struct copies_reply told;
    struct writer w;

    if ((take(p) & 3) != 0 && copies_reply_read(writer_view(&p->apps[0].told), &told)) {
        return told.copies;
    }
    room_writer(p, &w);
    copy_info_write(&w, &none);
    return (struct copy_array){ room_take(p, &w) };
}

/* static void fill_find_request(struct play *p, struct find_request *m)
 * { UNUSED(p); UNUSED(m); m->template = take_list(p); m->after = take_u32(p); ... } */
#define MESSAGE(name)                                               \
    static __attribute__((unused)) void                             \
    fill_##name(struct play *p, struct name *m)                     \
    {                                                               \
        UNUSED(p);                                                  \
        UNUSED(m);
#define FIELD(form, name) m->name = take_##form(p);
#define MESSAGE_END(name) }
#include "wire/messages.def"
#undef MESSAGE
#undef FIELD
#undef MESSAGE_END

/* A body whose fields the input names. */
static void
body_write(struct play *p, enum operation operation, struct writer *body)
{
    switch (operation) {
#define ROW(OPERATION, name)                      \
    case OPERATION_##OPERATION: {                 \
        struct name##_request m;                  \
                                                  \
        fill_##name##_request(p, &m);             \
        name##_request_write(body, &m);           \
        break;                                    \
    }
        APP_OPERATIONS(ROW)
#undef ROW
    default:
        break;
    }
}

/* ---- what comes back ---- */

static void
note_infos(struct play *p, struct info_array infos)
{
    for (size_t i = 0; i < info_array_count(infos); i++) {
        uint32_t handle = info_array_get(infos, i).handle;

        HOLDS(handle != 0);
        if (p->handle_count < HANDLES_MAX) {
            p->handles[p->handle_count++] = handle;
        }
    }
}

static void
reply_check(struct play *p, enum operation operation, view body)
{
    bool reads = false;

    switch (operation) {
#define ROW(OPERATION, name)                       \
    case OPERATION_##OPERATION: {                  \
        struct name##_reply m;                     \
                                                   \
        reads = name##_reply_read(body, &m);       \
        break;                                     \
    }
        APP_OPERATIONS(ROW)
#undef ROW
    default:
        break;
    }
    HOLDS(reads);
    if (operation == OPERATION_OBJECT_CREATE || operation == OPERATION_OBJECT_COPY ||
        operation == OPERATION_GENERATE_KEY || operation == OPERATION_GENERATE_PAIR ||
        operation == OPERATION_UNWRAP || operation == OPERATION_OBJECT_UNMASK) {
        note_infos(p, (struct info_array){ view_slice(body, 4, body.len) });
    } else if (operation == OPERATION_DERIVE) {
        struct derive_reply m;

        HOLDS(derive_reply_read(body, &m));
        note_infos(p, m.made);
    }
}

/* app.c holds each reply to its frame; here to its message, and what is put off to nothing. */
static void
ask(struct play *p, struct app *app, enum operation operation, view body)
{
    struct hsm_state before = hsm_fixture_state(&p->fixture);
    enum hsm_place place = PLACE_LOOP;
    view reply = VIEW_EMPTY;

    if (app_put_off(app, operation, body, PLACE_LOOP, &place)) {
        HOLDS(hsm_state_equal(before, hsm_fixture_state(&p->fixture)));
        if (place == PLACE_SLOW && p->slow == 0) {
            return;
        }
        p->slow -= place == PLACE_SLOW;
        if (app_repeat(app, operation, body, &reply) != CKR_OK) {
            return;
        }
    } else if (app->answer.code != CKR_OK) {
        return;
    } else {
        reply = view_slice(writer_view(&app->reply), FRAME_HEADER_LEN, FRAME_BODY_MAX);
    }
    reply_check(p, operation, reply);
}

/* ---- steps ---- */

static void
step_request(struct play *p, struct app *app, enum operation operation)
{
    struct writer body;
    uint8_t b = take(p);

    writer_init(&body, FRAME_BODY_MAX);
    p->room_used = 0;
    body_write(p, operation, &body);
    if (writer_ok(&body)) {
        /* Seldom something that is no message. */
        if (b == 0xff && body.len > 0) {
            writer_truncate(&body, take(p) % body.len);
        } else if (b == 0xfe && body.len > 0) {
            body.data[take(p) % body.len] ^= take(p);
        }
        ask(p, app, operation, writer_view(&body));
    }
    writer_clear(&body);
}

static void
apps_attach(struct play *p)
{
    for (unsigned i = 0; i < APPS; i++) {
        (void)app_attach(&p->apps[i]);
    }
}

static void
step(struct play *p)
{
    struct app *app = &p->apps[take(p) % APPS];
    uint8_t what = take(p);
    size_t count;
    const struct operation_row *rows = operation_rows(&count);

    switch (what) {
    case 0xff:
        ask(p, app, (enum operation)(uint16_t)take_number(p), take_view(p, 255));
        break;
    case 0xfe:
        app->session = take(p) % 4;
        break;
    case 0xfd:
        app->read_write = !app->read_write;
        break;
    case 0xfc:
        app->port = app->port == PORTS_client ? PORTS_manage : PORTS_client;
        break;
    case 0xfb:
        outside_move_clock(&p->fixture.outside, take(p) * UINT64_C(100000));
        break;
    case 0xfa:
        hsm_sweep(p->fixture.hsm, take(p) * UINT64_C(100000));
        break;
    case 0xf9:
        outside_mend(&p->fixture.outside);
        hsm_fixture_reopen(&p->fixture);
        apps_attach(p);
        break;
    case 0xf8:
        outside_fail(&p->fixture.outside, CALL_ANY & ~CALL_LOAD, take(p) % 8);
        break;
    case 0xf7:
        app->request -= app->request > 0;
        break;
    default:
        step_request(p, app, rows[what % count].operation);
        break;
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint32_t users[APPS] = { APP_NOBODY, USER1, USER2, OFFICER_USER };
    static struct play play;
    struct play *p = &play;
    struct hsm_state state;

    memset(p, 0, sizeof *p);
    p->input = reader_of(view_of(data, size));

    uint8_t first = take(p);

    hsm_fixture_init(&p->fixture, (enum policy)(first % POLICY_COUNT));
    p->slow = first >= 0xf0 ? 2 : 0;
    for (unsigned i = 0; i < APPS; i++) {
        app_init(&p->apps[i], &p->fixture, users[i]);
    }
    p->apps[3].port = PORTS_manage;
    for (unsigned i = 0; i < STEPS_MAX && p->input.left > 0; i++) {
        step(p);
    }

    outside_mend(&p->fixture.outside);
    state = hsm_fixture_state(&p->fixture);
    hsm_fixture_reopen(&p->fixture);
    state.contexts = 0;
    HOLDS(hsm_state_equal(state, hsm_fixture_state(&p->fixture)));
    for (unsigned i = 0; i < APPS; i++) {
        app_clear(&p->apps[i]);
    }
    hsm_fixture_clear(&p->fixture);
    return 0;
}
