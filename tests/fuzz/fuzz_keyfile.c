/* SPDX-License-Identifier: Apache-2.0
 *
 * Files that the key tool reads: the first byte chooses. A wrapped key's header says the same when
 * it is written again; a PEM file names a key or holds one, never both; what is unwrapped here
 * wraps to the same bytes; a signature in DER is the same signature again.
 */
#include "fuzz/fuzz.h"
#include "tools/envelope.h"
#include "tools/fake.h"
#include "tools/host.h"

static const uint8_t kek[32] = { 1, 2, 3, 4, 5, 6, 7, 8 };

static void
header(view file)
{
    struct envelope envelope;
    struct writer again;
    uint64_t class = 0;

    if (!envelope_read(file, &envelope)) {
        return;
    }
    HOLDS(attributes_ulong(envelope.attributes, CKA_CLASS, &class));
    HOLDS(class == CKO_SECRET_KEY || class == CKO_PRIVATE_KEY);
    writer_init(&again, file.len);
    envelope_write(&again, &envelope);
    HOLDS(view_equal(writer_view(&again), file));
    writer_clear(&again);
}

static void
fake(view pem)
{
    CK_KEY_TYPE type = 0;
    uint64_t handle = 0;
    enum fake what = fake_read(pem, &handle);
    struct secret *info = host_private_read(pem, &type);

    HOLDS(info == NULL || what != FAKE_UNREADABLE);
    HOLDS(handle == 0 || what == FAKE_HANDLE);
    secret_free(info);
}

static void
public_key(view pem)
{
    struct writer attributes;
    CK_KEY_TYPE type = 0;

    writer_init(&attributes, ATTRIBUTES_BYTES_MAX);
    if (host_public_read(pem, &type, &attributes)) {
        HOLDS(writer_ok(&attributes) && attributes_valid(writer_view(&attributes)));
        HOLDS(attributes_count(writer_view(&attributes)) == 2);
    }
    writer_clear(&attributes);
}

/* A fake key of any public key that reads is found to be one, with its handle. */
static void
fake_of(view info)
{
    uint8_t check[3];
    uint64_t handle = 0;
    struct writer pem;

    writer_init(&pem, HOST_KEY_MAX);
    if (fake_write(info, 0x0123456789abcdefu, &pem)) {
        HOLDS(fake_read(writer_view(&pem), &handle) == FAKE_HANDLE);
        HOLDS(handle == 0x0123456789abcdefu);
        HOLDS(host_public_check(info, check));
    }
    writer_clear(&pem);
}

static void
wrapped(view blob)
{
    const view key = view_of(kek, sizeof kek);
    struct writer there, back;

    writer_init(&there, HOST_KEY_MAX);
    writer_init(&back, HOST_KEY_MAX);
    if (host_unwrap(key, blob, &there) == CKR_OK) {
        HOLDS(host_wrap(key, writer_view(&there), &back) == CKR_OK);
        HOLDS(view_equal(writer_view(&back), blob));
    }
    writer_reset(&there);
    writer_reset(&back);
    if (host_wrap(key, blob, &there) == CKR_OK) {
        HOLDS(host_unwrap(key, writer_view(&there), &back) == CKR_OK);
        HOLDS(view_equal(writer_view(&back), blob));
    }
    writer_clear(&there);
    writer_clear(&back);
}

static void
signature(view der)
{
    struct writer numbers, again;

    writer_init(&numbers, HOST_KEY_MAX);
    writer_init(&again, HOST_KEY_MAX);
    host_signature_from_der(der, 66, &numbers);
    HOLDS(view_equal(writer_view(&numbers), der) || numbers.len == 132);
    if (numbers.len == 132 && host_signature_to_der(&numbers)) {
        host_signature_from_der(writer_view(&numbers), 66, &again);
        HOLDS(again.len == 132);
    }
    writer_clear(&numbers);
    writer_clear(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const harnesses[])(view) = { header, fake, public_key, fake_of, wrapped,
                                               signature };
    const view input = view_of(data, size);

    if (size == 0) {
        return 0;
    }
    harnesses[data[0] % ARRAY_COUNT(harnesses)](view_slice(input, 1, size));
    return 0;
}
