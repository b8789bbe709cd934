/* SPDX-License-Identifier: Apache-2.0
 *
 * Records of the store. The first byte chooses what is read. Random bytes never open, so the
 * input is sealed first, as the plaintext of a record that somebody with the master key wrote, or
 * an older node; then once more as it is, as a damaged record. What reads is written alike.
 */
#include "core/logout.h"
#include "core/object.h"
#include "core/release.h"
#include "core/replies.h"
#include "core/tomb.h"
#include "core/user.h"
#include "fuzz/fuzz.h"

#include <string.h>

#define NUMBER 0x40007u
#define LOGIN UINT64_C(0x0123456789abcdef)

static bool
some_bytes(struct entropy *entropy, void *out, size_t len)
{
    UNUSED(entropy);
    memset(out, 0x5a, len);
    return true;
}

static struct entropy entropy = { .fill = some_bytes };
static struct sealer sealer = { .entropy = &entropy };

static const struct reply_key reply_key = { .context = "0123456789abcde", .request = 7 };

/* ---- objects ---- */

static void
object_is_written_alike(struct object *object)
{
    const struct algo_key *key;
    struct object *again = NULL;
    struct writer record, secrets;

    writer_init(&record, STORE_VALUE_MAX);
    HOLDS(object_record(&sealer, object, &record) == CKR_OK);
    HOLDS(object_from_record(&sealer, NUMBER, writer_view(&record), 9, &again) == CKR_OK);
    HOLDS(view_equal(object_attributes(again), object_attributes(object)));
    HOLDS(again->owner == object->owner && again->kind == object->kind &&
          again->share_count == object->share_count &&
          memcmp(&again->info, &object->info, sizeof again->info) == 0);
    writer_clear(&record);
    object_unref(again);

    /* The secret part need not fit to the other one. */
    writer_init(&secrets, ATTRIBUTES_BYTES_MAX);
    (void)!object_open_secrets(&sealer, object, &secrets);
    writer_clear(&secrets);
    if (kind_is_key(object->kind)) {
        bool parsed;

        (void)!object_key(&sealer, object, &key, &parsed);
    }
}

static void
object_reads(view record)
{
    struct object *object = NULL;

    if (object_from_record(&sealer, NUMBER, record, 1, &object) == CKR_OK) {
        object_is_written_alike(object);
        object_unref(object);
    }
}

/* The first two bytes are the length of the head; the rest is the secret part. */
static void
object_play(view plain)
{
    struct record_name name = record_name('o', NUMBER);
    struct reader r = reader_of(plain);
    struct writer record;
    uint16_t len;
    view head;

    if (!read_u16(&r, &len) || !read_raw(&r, size_min(len, r.left), &head)) {
        return;
    }
    writer_init(&record, STORE_VALUE_MAX);
    write_u32(&record, (uint32_t)(head.len + RECORD_OVERHEAD));
    HOLDS(record_seal(&sealer, record_name_view(&name), 0, 3, head, &record) == CKR_OK);
    if (r.left > 0) {
        HOLDS(record_seal(&sealer, record_name_view(&name), 1, 3, view_of(r.next, r.left),
                          &record) == CKR_OK);
    }
    object_reads(writer_view(&record));
    writer_clear(&record);
}

/* ---- the others: one part ---- */

static void
user_reads(view record)
{
    struct user user, again;
    struct writer w;

    if (user_from_record(&sealer, NUMBER, record, 1, &user) != CKR_OK) {
        return;
    }
    writer_init(&w, STORE_VALUE_MAX);
    HOLDS(user_record(&sealer, &user, &w) == CKR_OK);
    HOLDS(user_from_record(&sealer, NUMBER, writer_view(&w), 1, &again) == CKR_OK);
    HOLDS(user.role == again.role && strcmp(user.name, again.name) == 0 &&
          memcmp(user.salt, again.salt, sizeof user.salt) == 0 &&
          memcmp(user.hash, again.hash, sizeof user.hash) == 0 &&
          user.factor.len == again.factor.len && user.factor.len <= sizeof user.factor.der &&
          memcmp(user.factor.der, again.factor.der, sizeof user.factor.der) == 0);
    writer_clear(&w);
}

static void
failures_read(view record)
{
    struct user user = { .id = NUMBER, .version = 1 };
    uint32_t failures, again;
    struct writer w;

    if (failures_from_record(&sealer, NUMBER, record, &failures) != CKR_OK) {
        return;
    }
    writer_init(&w, STORE_VALUE_MAX);
    HOLDS(failures_record(&sealer, &user, failures, &w) == CKR_OK);
    HOLDS(failures_from_record(&sealer, NUMBER, writer_view(&w), &again) == CKR_OK);
    HOLDS(failures == again);
    writer_clear(&w);
}

static void
reply_reads(view record)
{
    struct reply_key key = reply_key, again_key = reply_key;
    struct writer body, again_body, w;
    uint64_t at, again, settled, again_settled;

    writer_init(&body, FRAME_BODY_MAX);
    writer_init(&again_body, FRAME_BODY_MAX);
    writer_init(&w, STORE_VALUE_MAX);
    if (reply_from_record(&sealer, &key, record, &at, &settled, &body) == CKR_OK &&
        reply_record(&sealer, &key, at, settled, writer_view(&body), &w) == CKR_OK) {
        HOLDS(reply_from_record(&sealer, &again_key, writer_view(&w), &again, &again_settled,
                                &again_body) == CKR_OK);
        HOLDS(at == again && settled == again_settled && key.operation == again_key.operation &&
              view_equal(writer_view(&body), writer_view(&again_body)));
    }
    writer_clear(&body);
    writer_clear(&again_body);
    writer_clear(&w);
}

static void
logout_reads(view record)
{
    uint64_t until, again;
    struct writer w;

    if (logout_from_record(&sealer, LOGIN, record, &until) != CKR_OK) {
        return;
    }
    writer_init(&w, STORE_VALUE_MAX);
    HOLDS(logout_record(&sealer, LOGIN, until, &w) == CKR_OK);
    HOLDS(logout_from_record(&sealer, LOGIN, writer_view(&w), &again) == CKR_OK);
    HOLDS(until == again);
    writer_clear(&w);
}

static const uint8_t identity[COPY_IDENTITY_LEN] = { 0x0f, 0x1e };

static void
tomb_reads(view record)
{
    struct tomb tomb = { .handle = 0 }, again;
    struct writer w;

    memcpy(tomb.identity, identity, sizeof identity);
    again = tomb;
    if (tomb_from_record(&sealer, record, 1, &tomb) != CKR_OK) {
        return;
    }
    writer_init(&w, STORE_VALUE_MAX);
    HOLDS(tomb_record(&sealer, &tomb, &w) == CKR_OK);
    HOLDS(tomb_from_record(&sealer, writer_view(&w), 1, &again) == CKR_OK);
    HOLDS(memcmp(&tomb, &again, sizeof tomb) == 0);
    writer_clear(&w);
}

/* ---- copies of session objects, which daemons bring ---- */

static void
copy_reads(view sealed)
{
    struct writer plain, again_plain, w;
    struct copy copy, again;

    writer_init(&plain, COPY_MAX);
    writer_init(&again_plain, COPY_MAX);
    writer_init(&w, STORE_VALUE_MAX);
    if (copy_open(&sealer, reply_key.context, sealed, &plain, &copy)) {
        struct writer alike;

        writer_init(&alike, COPY_MAX);
        copy_write(&alike, &copy);
        /* The version is the record's and the plaintext's. */
        HOLDS(view_equal(writer_view(&alike), writer_view(&plain)));
        writer_clear(&alike);
        HOLDS(copy_seal(&sealer, reply_key.context, &copy, &w) == CKR_OK);
        HOLDS(copy_open(&sealer, reply_key.context, writer_view(&w), &again_plain, &again));
        HOLDS(view_equal(writer_view(&again_plain), writer_view(&plain)));
    }
    writer_clear(&plain);
    writer_clear(&again_plain);
    writer_clear(&w);
}

/* As somebody with the master key would have sealed it, of the version that it says. */
static void
copy_play(view input)
{
    char label[] = "session copy 30313233343536373839616263646500";
    struct reader r = reader_of(input);
    struct writer sealed;
    struct copy copy;
    uint32_t ignored;
    uint64_t version = 0;

    (void)(read_u32(&r, &ignored) && read_u32(&r, &ignored) && read_u64(&r, &version));
    if (copy_read(input, &copy)) {
        struct writer alike;

        writer_init(&alike, STORE_VALUE_MAX);
        copy_write(&alike, &copy);
        HOLDS(view_equal(writer_view(&alike), input));
        writer_clear(&alike);
    }
    writer_init(&sealed, STORE_VALUE_MAX);
    HOLDS(record_seal(&sealer, view_str(label), 0, version, input, &sealed) == CKR_OK);
    copy_reads(writer_view(&sealed));
    writer_clear(&sealed);
}

static void
release_reads(view record)
{
    uint32_t number, again;
    struct writer w;

    if (release_from_record(&sealer, record, &number) != CKR_OK) {
        return;
    }
    writer_init(&w, STORE_VALUE_MAX);
    HOLDS(release_record(&sealer, number, &w) == CKR_OK);
    HOLDS(release_from_record(&sealer, writer_view(&w), &again) == CKR_OK);
    HOLDS(number == again);
    writer_clear(&w);
}

/* ---- names ---- */

static void
names_read(view text)
{
    struct reply_key key = { .request = 0 };
    uint8_t object[COPY_IDENTITY_LEN];
    uint64_t login;

    if (reply_name_parse(text, &key)) {
        struct reply_name name = reply_name(&key);

        HOLDS(view_equal(reply_name_view(&name), text));
    }
    if (tomb_name_parse(text, object)) {
        struct tomb_name name = tomb_name(object);

        HOLDS(view_equal(tomb_name_view(&name), text));
    }
    if (logout_name_parse(text, &login)) {
        struct logout_name name = logout_name(login);

        HOLDS(view_equal(logout_name_view(&name), text));
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t master[32] = { 1, 2, 3 };
    const struct record_name user = record_name('u', NUMBER), failures = record_name('f', NUMBER);
    const struct reply_name reply = reply_name(&reply_key);
    const struct logout_name logout = logout_name(LOGIN);
    const struct tomb_name tomb = tomb_name(identity);
    const struct record_name release = release_name();
    const struct {
        view name;
        void (*reads)(view record);
    } kinds[] = {
        { VIEW_EMPTY, object_reads },
        { record_name_view(&user), user_reads },
        { record_name_view(&failures), failures_read },
        { reply_name_view(&reply), reply_reads },
        { logout_name_view(&logout), logout_reads },
        { VIEW_EMPTY, names_read },
        { tomb_name_view(&tomb), tomb_reads },
        { VIEW_EMPTY, copy_reads },
        { record_name_view(&release), release_reads },
    };
    struct writer record;

    if (sealer.key == NULL) {
        sealer.key = secret_dup(view_of(master, sizeof master));
        HOLDS(sealer.key != NULL);
    }
    if (size == 0 || size > STORE_VALUE_MAX / 2) {
        return 0;
    }

    const size_t kind = data[0] % ARRAY_COUNT(kinds);
    const view input = view_of(data + 1, size - 1);

    kinds[kind].reads(input);
    if (kind == 0) {
        object_play(input);
    } else if (kinds[kind].reads == copy_reads) {
        copy_play(input);
    } else if (kinds[kind].name.len > 0) {
        writer_init(&record, STORE_VALUE_MAX);
        HOLDS(record_seal(&sealer, kinds[kind].name, 0, 3, input, &record) == CKR_OK);
        kinds[kind].reads(writer_view(&record));
        writer_clear(&record);
    }
    return 0;
}
