/* SPDX-License-Identifier: Apache-2.0
 *
 * One pair of functions for each shape.
 */
#include "p11/message_params.h"

#include <string.h>

#define TAG_MAX 16u
#define CHACHA_NONCE_MAX 24u

static struct message_params
gcm_read(const void *parameter)
{
    CK_GCM_MESSAGE_PARAMS from;

    memcpy(&from, parameter, sizeof from);
    return (struct message_params){
        .nonce = from.pIv,
        .nonce_len = from.ulIvLen,
        .fixed_bits = from.ulIvFixedBits,
        .generator = from.ivGenerator,
        .tag = from.pTag,
        .tag_len = from.ulTagBits % 8 == 0 ? from.ulTagBits / 8 : SIZE_MAX,
    };
}

static void
gcm_put(const struct message_params *params, view nonce, view aad, struct mechanism *mechanism)
{
    mechanism->params.gcm = (struct params_gcm){
        .iv = nonce,
        .aad = aad,
        .tag_bits = (uint32_t)(8 * params->tag_len),
    };
}

static view
gcm_nonce(const struct mechanism *mechanism)
{
    return mechanism->params.gcm.iv;
}

static struct message_params
ccm_read(const void *parameter)
{
    CK_CCM_MESSAGE_PARAMS from;

    memcpy(&from, parameter, sizeof from);
    return (struct message_params){
        .nonce = from.pNonce,
        .nonce_len = from.ulNonceLen,
        .fixed_bits = from.ulNonceFixedBits,
        .generator = from.nonceGenerator,
        .tag = from.pMAC,
        .tag_len = from.ulMACLen,
        .data_len = from.ulDataLen,
    };
}

static void
ccm_put(const struct message_params *params, view nonce, view aad, struct mechanism *mechanism)
{
    mechanism->params.ccm = (struct params_ccm){
        .data_len = (uint32_t)params->data_len,
        .nonce = nonce,
        .aad = aad,
        .mac_len = (uint32_t)params->tag_len,
    };
}

static view
ccm_nonce(const struct mechanism *mechanism)
{
    return mechanism->params.ccm.nonce;
}

/* The nonce's length is told in bits, the tag's is not told. */
static struct message_params
chacha_read(const void *parameter)
{
    CK_SALSA20_CHACHA20_POLY1305_MSG_PARAMS from;

    memcpy(&from, parameter, sizeof from);
    return (struct message_params){
        .nonce = from.pNonce,
        .nonce_len = params_bits_len(from.ulNonceLen, CHACHA_NONCE_MAX),
        .generator = CKG_NO_GENERATE,
        .tag = from.pTag,
        .tag_len = TAG_MAX,
    };
}

static void
chacha_put(const struct message_params *params, view nonce, view aad, struct mechanism *mechanism)
{
    UNUSED(params);
    mechanism->params.chacha_poly = (struct params_chacha_poly){ .nonce = nonce, .aad = aad };
}

static view
chacha_nonce(const struct mechanism *mechanism)
{
    return mechanism->params.chacha_poly.nonce;
}

static const struct form {
    enum params_shape shape;
    size_t size; /* of the structure */
    struct message_params (*read)(const void *parameter);
    void (*put)(const struct message_params *params, view nonce, view aad,
                struct mechanism *mechanism);
    view (*nonce)(const struct mechanism *mechanism);
} forms[] = {
    { PARAMS_gcm, sizeof(CK_GCM_MESSAGE_PARAMS), gcm_read, gcm_put, gcm_nonce },
    { PARAMS_ccm, sizeof(CK_CCM_MESSAGE_PARAMS), ccm_read, ccm_put, ccm_nonce },
    { PARAMS_chacha_poly, sizeof(CK_SALSA20_CHACHA20_POLY1305_MSG_PARAMS), chacha_read, chacha_put,
      chacha_nonce },
};

static const struct form *
form_of(enum params_shape shape)
{
    for (size_t i = 0; i < ARRAY_COUNT(forms); i++) {
        if (forms[i].shape == shape) {
            return &forms[i];
        }
    }
    return NULL;
}

CK_RV
message_params_read(enum params_shape shape, bool encrypts, const void *parameter, CK_ULONG len,
                    struct message_params *ret_params)
{
    const struct form *form = form_of(shape);
    struct message_params params;

    if (form == NULL || parameter == NULL || len != form->size) {
        return CKR_MECHANISM_PARAM_INVALID;
    }
    params = form->read(parameter);
    if (params.nonce == NULL || params.nonce_len == 0 || params.nonce_len > NONCE_MAX ||
        params.tag == NULL || params.tag_len > TAG_MAX || params.data_len > UINT32_MAX) {
        return CKR_MECHANISM_PARAM_INVALID;
    }
    /* PKCS #11 v3.1, 6.13.2: on decryption the generator's fields are ignored. */
    if (!encrypts) {
        params.generator = CKG_NO_GENERATE;
    }
    *ret_params = params;
    return CKR_OK;
}

struct mechanism
message_params_mechanism(const struct mechanism_row *row, const struct message_params *params,
                         const uint8_t *nonce, view aad)
{
    struct mechanism mechanism = { .type = (uint32_t)row->type, .shape = row->params };

    form_of(row->params)->put(params, view_of(nonce, params->nonce_len), aad, &mechanism);
    return mechanism;
}

view
message_params_nonce(const struct mechanism *mechanism)
{
    return form_of(mechanism->shape)->nonce(mechanism);
}
