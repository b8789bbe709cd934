/* SPDX-License-Identifier: Apache-2.0
 *
 * azcloudhsm_util: requests that several commands make, one function each.
 */
#include "tools/util.h"

/* Sends what was written to the call's body; begin gave rv. */
static CK_RV
send_with(struct call *call, CK_RV rv, enum operation operation, uint16_t flags)
{
    return rv != CKR_OK ? rv : call_send(call, operation, UTIL_SESSION, flags);
}

static CK_RV
send(struct call *call, CK_RV rv, enum operation operation)
{
    return send_with(call, rv, operation, FRAME_READ_WRITE);
}

/* A reply that does not read comes from no HSM of ours. */
static CK_RV
read_as(CK_RV rv, bool read)
{
    return rv == CKR_OK && !read ? CKR_DEVICE_ERROR : rv;
}

/* The answer's bytes, appended. */
static CK_RV
keep(CK_RV rv, view data, struct writer *out)
{
    if (rv == CKR_OK) {
        write_raw(out, data);
        rv = writer_ok(out) ? CKR_OK : CKR_HOST_MEMORY;
    }
    return rv;
}

static CK_RV
keep_made(CK_RV rv, struct info_array made, uint32_t *ret_handle)
{
    if (rv == CKR_OK && info_array_count(made) != 1) {
        rv = CKR_DEVICE_ERROR;
    }
    if (rv == CKR_OK) {
        *ret_handle = info_array_get(made, 0).handle;
    }
    return rv;
}

CK_RV
util_get(struct util *util, uint32_t handle, const CK_ATTRIBUTE_TYPE *types, size_t count,
         struct writer *ret_list)
{
    struct object_get_request request = { .object = handle };
    struct object_get_reply reply = { VIEW_EMPTY };
    struct writer numbers;
    struct call call;
    CK_RV rv = call_begin(util->client, &call);

    writer_init(&numbers, UTIL_TEMPLATE_MAX);
    for (size_t i = 0; i < count; i++) {
        number_write(&numbers, (uint32_t)types[i]);
    }
    request.types.bytes = writer_view(&numbers);
    if (rv == CKR_OK) {
        object_get_request_write(call.body, &request);
    }
    rv = send(&call, rv, OPERATION_OBJECT_GET);
    rv = read_as(rv, rv == CKR_OK && object_get_reply_read(call.reply, &reply));
    rv = keep(rv, reply.attributes, ret_list);
    call_end(&call);
    writer_clear(&numbers);
    return rv;
}

CK_RV
util_set(struct util *util, uint32_t handle, view changes)
{
    const struct object_set_request request = { .object = handle, .changes = changes };
    struct call call;
    CK_RV rv = call_begin(util->client, &call);

    if (rv == CKR_OK) {
        object_set_request_write(call.body, &request);
    }
    rv = send(&call, rv, OPERATION_OBJECT_SET);
    call_end(&call);
    return rv;
}

CK_RV
util_destroy(struct util *util, uint32_t handle)
{
    const struct object_destroy_request request = { .object = handle };
    struct call call;
    CK_RV rv = call_begin(util->client, &call);

    if (rv == CKR_OK) {
        object_destroy_request_write(call.body, &request);
    }
    rv = send(&call, rv, OPERATION_OBJECT_DESTROY);
    call_end(&call);
    return rv;
}

CK_RV
util_create(struct util *util, uint16_t flags, uint32_t wanted, view template,
            uint32_t *ret_handle)
{
    const struct object_create_request request = { .handle = wanted, .template = template };
    struct object_create_reply reply = { { VIEW_EMPTY } };
    struct call call;
    CK_RV rv = call_begin(util->client, &call);

    if (rv == CKR_OK) {
        object_create_request_write(call.body, &request);
    }
    rv = send_with(&call, rv, OPERATION_OBJECT_CREATE, flags);
    rv = read_as(rv, rv == CKR_OK && object_create_reply_read(call.reply, &reply));
    rv = keep_made(rv, reply.made, ret_handle);
    call_end(&call);
    return rv;
}

CK_RV
util_wrap(struct util *util, const struct mechanism *mechanism, uint32_t wrapping, uint32_t key,
          struct writer *iv, struct writer *ret_blob)
{
    const struct wrap_request request = { *mechanism, wrapping, key, FRAME_DATA_MAX };
    struct wrap_reply reply = { VIEW_EMPTY, VIEW_EMPTY };
    struct call call;
    CK_RV rv = call_begin(util->client, &call);

    if (rv == CKR_OK) {
        wrap_request_write(call.body, &request);
    }
    rv = send(&call, rv, OPERATION_WRAP);
    rv = read_as(rv, rv == CKR_OK && wrap_reply_read(call.reply, &reply));
    if (iv != NULL) {
        rv = keep(rv, reply.iv, iv);
    }
    rv = keep(rv, reply.data, ret_blob);
    call_end(&call);
    return rv;
}

CK_RV
util_unwrap(struct util *util, uint16_t flags, const struct mechanism *mechanism,
            uint32_t unwrapping, view blob, uint32_t wanted, view template, uint32_t *ret_handle)
{
    const struct unwrap_request request = { *mechanism, unwrapping, blob, wanted, template };
    struct unwrap_reply reply = { { VIEW_EMPTY } };
    struct call call;
    CK_RV rv = call_begin(util->client, &call);

    if (rv == CKR_OK) {
        unwrap_request_write(call.body, &request);
    }
    rv = send_with(&call, rv, OPERATION_UNWRAP, flags);
    rv = read_as(rv, rv == CKR_OK && unwrap_reply_read(call.reply, &reply));
    rv = keep_made(rv, reply.made, ret_handle);
    call_end(&call);
    return rv;
}

CK_RV
util_encrypt(struct util *util, const struct mechanism *mechanism, uint32_t key, view data,
             struct writer *ret_data)
{
    const struct encrypt_request request = { *mechanism, key, FRAME_DATA_MAX, data };
    struct encrypt_reply reply = { VIEW_EMPTY, VIEW_EMPTY };
    struct call call;
    CK_RV rv = call_begin(util->client, &call);

    if (rv == CKR_OK) {
        encrypt_request_write(call.body, &request);
    }
    rv = send(&call, rv, OPERATION_ENCRYPT);
    rv = read_as(rv, rv == CKR_OK && encrypt_reply_read(call.reply, &reply));
    rv = keep(rv, reply.data, ret_data);
    call_end(&call);
    return rv;
}

CK_RV
util_decrypt(struct util *util, const struct mechanism *mechanism, uint32_t key, view data,
             struct writer *ret_data)
{
    const struct decrypt_request request = { *mechanism, key, FRAME_DATA_MAX, data };
    struct decrypt_reply reply = { VIEW_EMPTY };
    struct call call;
    CK_RV rv = call_begin(util->client, &call);

    if (rv == CKR_OK) {
        decrypt_request_write(call.body, &request);
    }
    rv = send(&call, rv, OPERATION_DECRYPT);
    rv = read_as(rv, rv == CKR_OK && decrypt_reply_read(call.reply, &reply));
    rv = keep(rv, reply.data, ret_data);
    call_end(&call);
    return rv;
}

CK_RV
util_mask(struct util *util, uint32_t key, struct writer *ret_blob)
{
    const struct object_mask_request request = { key };
    struct object_mask_reply reply = { VIEW_EMPTY };
    struct call call;
    CK_RV rv = call_begin(util->client, &call);

    if (rv == CKR_OK) {
        object_mask_request_write(call.body, &request);
    }
    rv = send(&call, rv, OPERATION_OBJECT_MASK);
    rv = read_as(rv, rv == CKR_OK && object_mask_reply_read(call.reply, &reply));
    rv = keep(rv, reply.masked, ret_blob);
    call_end(&call);
    return rv;
}

CK_RV
util_unmask(struct util *util, uint16_t flags, view blob, uint32_t wanted, bool token,
            uint32_t *ret_handle)
{
    const struct object_unmask_request request = { blob, wanted, token };
    struct object_unmask_reply reply = { { VIEW_EMPTY } };
    struct call call;
    CK_RV rv = call_begin(util->client, &call);

    if (rv == CKR_OK) {
        object_unmask_request_write(call.body, &request);
    }
    rv = send_with(&call, rv, OPERATION_OBJECT_UNMASK, flags);
    rv = read_as(rv, rv == CKR_OK && object_unmask_reply_read(call.reply, &reply));
    rv = keep_made(rv, reply.made, ret_handle);
    call_end(&call);
    return rv;
}

/* ---- signatures, in parts where one request cannot hold the data ---- */

static CK_RV
start(struct util *util, CK_FLAGS function, const struct mechanism *mechanism, uint32_t key)
{
    const struct start_request request = { (uint32_t)function, *mechanism, key, false };
    struct call call;
    CK_RV rv = call_begin(util->client, &call);

    if (rv == CKR_OK) {
        start_request_write(call.body, &request);
    }
    rv = send(&call, rv, OPERATION_START);
    call_end(&call);
    return rv;
}

static CK_RV
update(struct util *util, CK_FLAGS function, view data, uint32_t *ret_steps)
{
    CK_RV rv = CKR_OK;

    *ret_steps = 0;
    while (rv == CKR_OK && data.len > 0) {
        const struct update_request request = { (uint32_t)function, (*ret_steps)++, 0,
                                                view_slice(data, 0, FRAME_DATA_MAX) };
        struct call call;

        rv = call_begin(util->client, &call);
        if (rv == CKR_OK) {
            update_request_write(call.body, &request);
        }
        rv = send(&call, rv, OPERATION_UPDATE);
        call_end(&call);
        data = view_slice(data, request.data.len, data.len);
    }
    return rv;
}

static CK_RV
final(struct util *util, CK_FLAGS function, uint32_t steps, view signature, struct writer *out)
{
    const struct final_request request = { (uint32_t)function, steps, signature };
    struct final_reply reply = { VIEW_EMPTY };
    struct call call;
    CK_RV rv = call_begin(util->client, &call);

    if (rv == CKR_OK) {
        final_request_write(call.body, &request);
    }
    rv = send(&call, rv, OPERATION_FINAL);
    rv = read_as(rv, rv == CKR_OK && final_reply_read(call.reply, &reply));
    if (out != NULL) {
        rv = keep(rv, reply.data, out);
    }
    call_end(&call);
    return rv;
}

static CK_RV
in_parts(struct util *util, CK_FLAGS function, const struct mechanism *mechanism, uint32_t key,
         view data, view signature, struct writer *out)
{
    CK_RV rv = start(util, function, mechanism, key);
    uint32_t steps = 0;

    rv = rv == CKR_OK ? update(util, function, data, &steps) : rv;
    return rv == CKR_OK ? final(util, function, steps, signature, out) : rv;
}

CK_RV
util_sign(struct util *util, const struct mechanism *mechanism, uint32_t key, view data,
          struct writer *ret_signature)
{
    const struct sign_request request = { *mechanism, key, FRAME_DATA_MAX, data };
    struct sign_reply reply = { VIEW_EMPTY };
    struct call call;
    CK_RV rv;

    if (data.len > FRAME_DATA_MAX) {
        return in_parts(util, CKF_SIGN, mechanism, key, data, VIEW_EMPTY, ret_signature);
    }
    if ((rv = call_begin(util->client, &call)) == CKR_OK) {
        sign_request_write(call.body, &request);
    }
    rv = send(&call, rv, OPERATION_SIGN);
    rv = read_as(rv, rv == CKR_OK && sign_reply_read(call.reply, &reply));
    rv = keep(rv, reply.data, ret_signature);
    call_end(&call);
    return rv;
}

CK_RV
util_verify(struct util *util, const struct mechanism *mechanism, uint32_t key, view data,
            view signature)
{
    const struct verify_request request = { *mechanism, key, data, signature };
    struct call call;
    CK_RV rv;

    if (data.len > FRAME_DATA_MAX) {
        return in_parts(util, CKF_VERIFY, mechanism, key, data, signature, NULL);
    }
    if ((rv = call_begin(util->client, &call)) == CKR_OK) {
        verify_request_write(call.body, &request);
    }
    rv = send(&call, rv, OPERATION_VERIFY);
    call_end(&call);
    return rv;
}
