/* SPDX-License-Identifier: Apache-2.0
 *
 * One function for each operation that the library asks for.
 */
#include "fuzz/lies.h"

#include "fuzz/fuzz.h"
#include "fuzz/liar.h"

#include <string.h>

#define DATA_MAX (FRAME_BODY_MAX - 1024u)
#define DEPTH_MAX 4u

/* What the library asks for, with the names of the messages. */
#define ASKED(ROW)                      \
    ROW(HELLO, hello)                   \
    ROW(MAILBOX, mailbox)               \
    ROW(DETACH, detach)                 \
    ROW(TOKEN, token)                   \
    ROW(LOGIN, login)                   \
    ROW(RENEW, renew)                   \
    ROW(LOGOUT, logout)                 \
    ROW(SESSION_CLOSE, session_close)   \
    ROW(AUTHENTICATE, authenticate)     \
    ROW(PIN_SET, pin_set)               \
    ROW(PIN_INIT, pin_init)             \
    ROW(RANDOM, random)                 \
    ROW(SEED, seed)                     \
    ROW(FIND, find)                     \
    ROW(OBJECT_CREATE, object_create)   \
    ROW(OBJECT_COPY, object_copy)       \
    ROW(OBJECT_DESTROY, object_destroy) \
    ROW(OBJECT_GET, object_get)         \
    ROW(OBJECT_SET, object_set)         \
    ROW(OBJECT_SIZE, object_size)       \
    ROW(GENERATE_KEY, generate_key)     \
    ROW(GENERATE_PAIR, generate_pair)   \
    ROW(DERIVE, derive)                 \
    ROW(WRAP, wrap)                     \
    ROW(UNWRAP, unwrap)                 \
    ROW(ENCRYPT, encrypt)               \
    ROW(DECRYPT, decrypt)               \
    ROW(SIGN, sign)                     \
    ROW(VERIFY, verify)                 \
    ROW(SIGN_RECOVER, sign_recover)     \
    ROW(VERIFY_RECOVER, verify_recover) \
    ROW(DIGEST, digest)                 \
    ROW(START, start)                   \
    ROW(UPDATE, update)                 \
    ROW(FINAL, final)                   \
    ROW(CANCEL, cancel)

/* ---- values ---- */

static uint8_t bytes[DATA_MAX];

static view
some_bytes(size_t near)
{
    return view_of(bytes, size_min(liar_len(near), sizeof bytes));
}

static view
some_text(void)
{
    static const char *const texts[] = { "", "0.1", "cloudhsm", "999999999999999999.4294967296",
                                         "\xc3\xa4\xc3\xb6\xc3\xbc", "a.b" };
    uint8_t b = liar_u8();

    if (b < 0xf0) {
        return view_str(texts[b % ARRAY_COUNT(texts)]);
    }
    memset(bytes, 'x', TEXT_MAX);
    return view_of(bytes, size_min(liar_len(32), TEXT_MAX));
}

static uint32_t
some_number(uint32_t near)
{
    static const uint32_t numbers[] = { 0, 1, 0x7fffffff, 0x80000000, 0xffffffff };
    uint8_t b = liar_u8();

    if (b < 0xc0) {
        return near;
    }
    return b < 0xf0 ? numbers[b % ARRAY_COUNT(numbers)] : liar_u32();
}

/* A key that could be, and any number in it. */
static void
some_info(struct writer *w, uint32_t handle)
{
    static const struct key_info keys[] = {
        { 0, CKO_SECRET_KEY, CKK_AES, 0, 256, 0 },
        { 0, CKO_SECRET_KEY, CKK_GENERIC_SECRET, 0, 256, 0 },
        { 0, CKO_PRIVATE_KEY, CKK_RSA, 0, 2048, 0 },
        { 0, CKO_PUBLIC_KEY, CKK_RSA, 0, 2048, 0 },
        { 0, CKO_PRIVATE_KEY, CKK_EC, 0, 256, 2 },
        { 0, CKO_PUBLIC_KEY, CKK_EC, 0, 256, 2 },
        { 0, CKO_DATA, UINT32_MAX, 0, 0, 0 },
    };
    uint8_t b = liar_u8();
    struct key_info info = keys[b % ARRAY_COUNT(keys)];

    info.handle = handle;
    info.flags = liar_u8() < 0xe0 ? (handle >= 0x80000000u ? ~(uint32_t)KEY_FLAG_TOKEN : UINT32_MAX)
                                  : liar_u32();
    if (b >= 0xc0) {
        info.bits = some_number(info.bits);
        info.curve = some_number(liar_u8());
        info.class = some_number(info.class);
        info.key_type = some_number(info.key_type);
    }
    key_info_write(w, &info);
}

static struct info_array
some_infos(struct writer *room, const uint32_t *handles, size_t count)
{
    size_t len = size_min(liar_len(count), 600);

    writer_init(room, 600 * KEY_INFO_LEN);
    for (size_t i = 0; i < len; i++) {
        some_info(room, some_number(i < count ? handles[i] : (uint32_t)(0x40000 + i)));
    }
    return (struct info_array){ writer_view(room) };
}

static void some_list(struct writer *w, unsigned depth);

static void
some_attribute(struct writer *w, uint32_t type, unsigned depth)
{
    const struct attribute_row *row = attribute_row(type);
    struct writer list;
    uint8_t b = liar_u8();

    if (b >= 0xf0) {
        write_u32(w, type);
        write_u32(w, UINT32_MAX - b % 3u); /* sensitive, unknown, or neither */
        return;
    }
    switch (row == NULL ? FORM_BYTES : row->form) {
    case FORM_BOOL:
        attribute_write(w, type, view_of(bytes, b < 0xc0 ? 1 : b & 7));
        break;
    case FORM_ULONG:
        attribute_write(w, type, view_of(bytes, b < 0xc0 ? 8 : b & 31));
        break;
    case FORM_MECHANISMS:
        attribute_write(w, type, view_of(bytes, b < 0xc0 ? (b & 3) * 8 : b & 31));
        break;
    case FORM_TEMPLATE:
        writer_init(&list, ATTRIBUTES_BYTES_MAX);
        some_list(&list, depth + 1);
        attribute_write(w, type, writer_view(&list));
        writer_clear(&list);
        break;
    default:
        attribute_write(w, type, view_of(bytes, b < 0xe0 ? b & 31 : liar_len(64) & 0xfff));
        break;
    }
}

static uint32_t
some_type(void)
{
    size_t count;
    const struct attribute_row *rows = attribute_rows(&count);
    uint8_t b = liar_u8();

    return b < 0xf8 ? (uint32_t)rows[b % count].type : liar_u32();
}

static void
some_list(struct writer *w, unsigned depth)
{
    if (depth > DEPTH_MAX) {
        return;
    }
    for (unsigned i = liar_u8() % 4; i > 0; i--) {
        some_attribute(w, some_type(), depth);
    }
}

uint32_t
lie_code(void)
{
    static const uint32_t codes[] = {
        CKR_DEVICE_ERROR,
        CKR_USER_NOT_LOGGED_IN,
        CKR_OBJECT_HANDLE_INVALID,
        CKR_KEY_HANDLE_INVALID,
        CKR_SESSION_CLOSED,
        CKR_OPERATION_NOT_INITIALIZED,
        CKR_USER_ALREADY_LOGGED_IN,
        CKR_CRYPTOKI_NOT_INITIALIZED,
        CKR_PIN_INCORRECT,
        CODE_UNKNOWN_CONTEXT,
        CODE_BAD_FRAME,
        CODE_USER_EXISTS,
        CKR_BUFFER_TOO_SMALL,
        CKR_KEY_FUNCTION_NOT_PERMITTED,
        CKR_SIGNATURE_INVALID,
        CKR_ATTRIBUTE_SENSITIVE,
    };
    uint8_t b = liar_u8();

    return b < 0xe0 ? codes[b % ARRAY_COUNT(codes)] : liar_u32();
}

/* ---- replies; q is the request ---- */

static void
hello_lie(const struct hello_request *q, struct hello_reply *m, struct writer *room)
{
    UNUSED(room);
    m->version = some_number(q->version);
    m->page = q->page && liar_u8() < 0xe0;
}

static void
mailbox_lie(const struct mailbox_request *q, struct mailbox_reply *m, struct writer *room)
{
    UNUSED(q);
    UNUSED(room);
    m->number = some_number(liar_u8() % 4);
}

static void
token_lie(const struct token_request *q, struct token_reply *m, struct writer *room)
{
    uint8_t b = liar_u8();

    UNUSED(q);
    UNUSED(room);
    m->policy = b < 0xf0 ? b % POLICY_COUNT : b;
    m->switches = some_text();
    m->label = some_text();
    m->model = some_text();
    m->serial = some_text();
    m->firmware = some_text();
}

static void
login_lie(const struct login_request *q, struct login_reply *m, struct writer *room)
{
    UNUSED(room);
    m->user = some_number(3);
    m->role = some_number(q->role);
    m->ticket = some_bytes(80);
    m->life = some_number(0);
}

static void
renew_lie(const struct renew_request *q, struct renew_reply *m, struct writer *room)
{
    UNUSED(q);
    UNUSED(room);
    m->ticket = some_bytes(80);
    m->life = some_number(0);
}

static void
random_lie(const struct random_request *q, struct random_reply *m, struct writer *room)
{
    UNUSED(room);
    m->data = some_bytes(q->len);
}

static void
find_lie(const struct find_request *q, struct find_reply *m, struct writer *room)
{
    uint8_t b = liar_u8();
    uint32_t handles[FIND_MAX];
    size_t count = q->max == 1 ? 1 : b & 3;

    if (b == 0xff) {
        count = FIND_MAX;
    }
    for (size_t i = 0; i < count; i++) {
        handles[i] = q->after + (uint32_t)i + 1;
    }
    m->found = some_infos(room, handles, count);
    m->more = b >= 0xe0;
}

static void
object_create_lie(const struct object_create_request *q, struct object_create_reply *m,
                  struct writer *room)
{
    const uint32_t handle = q->handle != 0 ? q->handle : 0x40000;

    m->made = some_infos(room, &handle, 1);
}

static void
object_copy_lie(const struct object_copy_request *q, struct object_copy_reply *m,
                struct writer *room)
{
    const uint32_t handle = q->handle != 0 ? q->handle : 0x40000;

    m->made = some_infos(room, &handle, 1);
}

static void
object_set_lie(const struct object_set_request *q, struct object_set_reply *m,
               struct writer *room)
{
    m->changed = some_infos(room, &q->object, 1);
}

static void
generate_key_lie(const struct generate_key_request *q, struct generate_key_reply *m,
                 struct writer *room)
{
    const uint32_t handle = q->handle != 0 ? q->handle : 0x40000;

    m->made = some_infos(room, &handle, 1);
}

static void
generate_pair_lie(const struct generate_pair_request *q, struct generate_pair_reply *m,
                  struct writer *room)
{
    const uint32_t handles[] = { q->public_handle != 0 ? q->public_handle : 0x40000,
                                 q->private_handle != 0 ? q->private_handle : 0x40001 };

    m->made = some_infos(room, handles, 2);
}

static void
derive_lie(const struct derive_request *q, struct derive_reply *m, struct writer *room)
{
    uint32_t handles[4] = { 0 };
    size_t count = size_min(number_array_count(q->handles), ARRAY_COUNT(handles));

    for (size_t i = 0; i < count; i++) {
        handles[i] = number_array_get(q->handles, i);
        handles[i] = handles[i] != 0 ? handles[i] : 0x40000 + (uint32_t)i;
    }
    m->data = some_bytes(0);
    m->made = some_infos(room, handles, count);
}

static void
wrap_lie(const struct wrap_request *q, struct wrap_reply *m, struct writer *room)
{
    UNUSED(room);
    m->data = some_bytes(q->max);
    m->iv = liar_u8() < 0x20 ? view_slice(some_bytes(12), 0, 12) : VIEW_EMPTY;
}

static void
unwrap_lie(const struct unwrap_request *q, struct unwrap_reply *m, struct writer *room)
{
    const uint32_t handle = q->handle != 0 ? q->handle : 0x40000;

    m->made = some_infos(room, &handle, 1);
}

static void
object_get_lie(const struct object_get_request *q, struct object_get_reply *m,
               struct writer *room)
{
    size_t count = number_array_count(q->types);
    uint8_t b = liar_u8();

    writer_init(room, ATTRIBUTES_BYTES_MAX);
    count += b == 0xff;
    count -= b == 0xfe && count > 0;
    for (size_t i = 0; i < count; i++) {
        bool other = i == number_array_count(q->types) || (b >= 0xc0 && (liar_u8() & 1) != 0);

        some_attribute(room, other ? some_type() : number_array_get(q->types, i), 0);
    }
    m->attributes = writer_view(room);
}

static void
object_size_lie(const struct object_size_request *q, struct object_size_reply *m,
                struct writer *room)
{
    UNUSED(room);
    m->size = q->object + liar_u8();
}

static void
encrypt_lie(const struct encrypt_request *q, struct encrypt_reply *m, struct writer *room)
{
    UNUSED(room);
    m->iv = some_bytes((liar_u8() & 1) * 12);
    m->data = some_bytes(size_min(q->data.len, q->max));
}

static void
decrypt_lie(const struct decrypt_request *q, struct decrypt_reply *m, struct writer *room)
{
    UNUSED(room);
    m->data = some_bytes(size_min(q->data.len, q->max));
}

static void
sign_lie(const struct sign_request *q, struct sign_reply *m, struct writer *room)
{
    UNUSED(room);
    m->data = some_bytes(size_min(q->max, 256));
}

static void
sign_recover_lie(const struct sign_recover_request *q, struct sign_recover_reply *m,
                 struct writer *room)
{
    UNUSED(room);
    m->data = some_bytes(size_min(q->max, 256));
}

static void
verify_recover_lie(const struct verify_recover_request *q, struct verify_recover_reply *m,
                   struct writer *room)
{
    UNUSED(room);
    m->data = some_bytes(size_min(q->max, 20));
}

static void
digest_lie(const struct digest_request *q, struct digest_reply *m, struct writer *room)
{
    UNUSED(room);
    m->data = some_bytes(size_min(q->max, 32));
}

static void
start_lie(const struct start_request *q, struct start_reply *m, struct writer *room)
{
    UNUSED(q);
    UNUSED(room);
    m->iv = some_bytes((liar_u8() & 1) * 12);
}

static void
update_lie(const struct update_request *q, struct update_reply *m, struct writer *room)
{
    UNUSED(room);
    m->data = some_bytes(q->data.len);
}

static void
final_lie(const struct final_request *q, struct final_reply *m, struct writer *room)
{
    UNUSED(q);
    UNUSED(room);
    m->data = some_bytes(16);
}

#define NOTHING(name)                                                             \
    static void                                                                   \
    name##_lie(const struct name##_request *q, struct name##_reply *m, struct writer *room) \
    {                                                                             \
        UNUSED(q);                                                                \
        UNUSED(m);                                                                \
        UNUSED(room);                                                             \
    }
NOTHING(detach)
NOTHING(authenticate)
NOTHING(pin_set)
NOTHING(pin_init)
NOTHING(logout)
NOTHING(session_close)
NOTHING(seed)
NOTHING(object_destroy)
NOTHING(verify)
NOTHING(cancel)

bool
lie_request_reads(enum operation operation, view body)
{
    switch (operation) {
#define ROW(OPERATION, name)                     \
    case OPERATION_##OPERATION: {                \
        struct name##_request q;                 \
                                                 \
        return name##_request_read(body, &q);    \
    }
        ASKED(ROW)
#undef ROW
    default:
        return false;
    }
}

void
lie_write(enum operation operation, view request, struct writer *w)
{
    struct writer room = { 0 };

    switch (operation) {
#define ROW(OPERATION, name)                     \
    case OPERATION_##OPERATION: {                \
        struct name##_request q;                 \
        struct name##_reply m;                   \
                                                 \
        HOLDS(name##_request_read(request, &q)); \
        memset(&m, 0, sizeof m);                 \
        name##_lie(&q, &m, &room);               \
        name##_reply_write(w, &m);               \
        break;                                   \
    }
        ASKED(ROW)
#undef ROW
    default:
        break;
    }
    writer_clear(&room);
    if (!writer_ok(w)) {
        writer_reset(w); /* too much at once */
    }
}
