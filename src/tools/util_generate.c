/* SPDX-License-Identifier: Apache-2.0
 *
 * azcloudhsm_util: making keys. What a kind of key may do is a row; the options that every
 * such command has are read in one place.
 */
#include "tools/util.h"

#include <stdlib.h>
#include <string.h>

#define TEMPLATE_MAX 4096u
#define SESSION_HANDLE_FIRST 0x80000000u

/* clang-format off */
/*                                    usage attributes, all TRUE; 0 ends a row */
static const CK_ATTRIBUTE_TYPE usage_cipher[]      = { CKA_ENCRYPT, CKA_DECRYPT, CKA_WRAP, CKA_UNWRAP, CKA_DERIVE, 0 };
static const CK_ATTRIBUTE_TYPE usage_rc4[]         = { CKA_ENCRYPT, CKA_DECRYPT, 0 };
static const CK_ATTRIBUTE_TYPE usage_generic[]     = { CKA_DERIVE, 0 };
static const CK_ATTRIBUTE_TYPE usage_rsa_public[]  = { CKA_VERIFY, CKA_ENCRYPT, CKA_WRAP, 0 };
static const CK_ATTRIBUTE_TYPE usage_rsa_private[] = { CKA_SIGN, CKA_DECRYPT, CKA_UNWRAP, 0 };
static const CK_ATTRIBUTE_TYPE usage_ec_public[]   = { CKA_VERIFY, 0 };
static const CK_ATTRIBUTE_TYPE usage_ec_private[]  = { CKA_SIGN, CKA_DERIVE, 0 };
static const CK_ATTRIBUTE_TYPE usage_signs[]       = { CKA_SIGN, 0 };
static const CK_ATTRIBUTE_TYPE usage_none[]        = { 0 };

/* By class and type, for keys that come from outside. */
static const struct usage_row {
    CK_OBJECT_CLASS class;
    CK_KEY_TYPE type;
    const CK_ATTRIBUTE_TYPE *usage;
} usage_rows[] = {
    { CKO_PUBLIC_KEY,  CKK_RSA,            usage_rsa_public  },
    { CKO_PUBLIC_KEY,  CKK_EC,             usage_ec_public   },
    { CKO_PUBLIC_KEY,  CKK_EC_EDWARDS,     usage_ec_public   },
    { CKO_PUBLIC_KEY,  CKK_EC_MONTGOMERY,  usage_none        },
    { CKO_PRIVATE_KEY, CKK_RSA,            usage_rsa_private },
    { CKO_PRIVATE_KEY, CKK_EC,             usage_ec_private  },
    { CKO_PRIVATE_KEY, CKK_EC_EDWARDS,     usage_signs       },
    { CKO_PRIVATE_KEY, CKK_EC_MONTGOMERY,  usage_generic     },
    { CKO_SECRET_KEY,  CKK_GENERIC_SECRET, usage_generic     },
    { CKO_SECRET_KEY,  CKK_RC4,            usage_rc4         },
    { CKO_SECRET_KEY,  CKK_DES3,           usage_cipher      },
    { CKO_SECRET_KEY,  CKK_AES,            usage_cipher      },
};

/* genSymKey: the numbers of -t. */
static const struct sym_row {
    uint32_t type;
    CK_MECHANISM_TYPE mechanism;
    const CK_ATTRIBUTE_TYPE *usage;
    uint32_t size; /* the only one there is; 0: any that the mechanism has */
} sym_rows[] = {
    { 16, CKM_GENERIC_SECRET_KEY_GEN, usage_generic, 0  },
    { 18, CKM_RC4_KEY_GEN,            usage_rc4,     0  },
    { 21, CKM_DES3_KEY_GEN,           usage_cipher,  24 },
    { 31, CKM_AES_KEY_GEN,            usage_cipher,  0  },
};
/* clang-format on */

void
util_common_write(struct writer *w, const struct values *values, const CK_ATTRIBUTE_TYPE *usage)
{
    const char *label = values_text(values, "-l");
    const char *id = values_text(values, "-id");

    attribute_write_bool(w, CKA_TOKEN, !values_given(values, "-sess"));
    attribute_write_bool(w, CKA_PRIVATE, true);
    if (label != NULL) {
        attribute_write(w, CKA_LABEL, view_str(label));
    }
    if (id != NULL) {
        attribute_write(w, CKA_ID, view_str(id));
    }
    for (; *usage != 0; usage++) {
        attribute_write_bool(w, *usage, true);
    }
}

void
util_secret_write(struct writer *w, const struct util *util, const struct values *values)
{
    attribute_write_bool(w, CKA_SENSITIVE, true);
    attribute_write_bool(w, CKA_EXTRACTABLE, !values_given(values, "-nex"));
    attribute_write_bool(
        w, CKA_WRAP_WITH_TRUSTED,
        values_number(values, "-wrap_with_trusted", util->config.wrap_with_trusted) != 0);
}

uint32_t
util_handle_next(struct util *util, const struct values *values)
{
    return values_given(values, "-sess") ? SESSION_HANDLE_FIRST + util->session_objects++ : 0;
}

uint16_t
util_flags(const struct values *values)
{
    struct frame frame = { .flags = FRAME_READ_WRITE };

    frame_nodes_raise(&frame, values_number(values, "-min_srv", 1));
    return frame.flags;
}

bool
util_id_is_free(struct util *util, const struct values *values)
{
    const char *id = values_text(values, "-id");
    struct find_reply reply;
    struct writer template;
    struct call call;
    bool free = false;

    if (id == NULL) {
        return true;
    }
    writer_init(&template, TEMPLATE_MAX);
    attribute_write(&template, CKA_ID, view_str(id));

    CK_RV rv = call_begin(util->client, &call);

    if (rv == CKR_OK) {
        const struct find_request request = { .template = writer_view(&template), .max = 1 };

        find_request_write(call.body, &request);
        rv = call_send(&call, OPERATION_FIND, UTIL_SESSION, FRAME_READ_WRITE);
    }
    if (rv == CKR_OK && !find_reply_read(call.reply, &reply)) {
        rv = CKR_DEVICE_ERROR;
    }
    if (rv != CKR_OK) {
        util_returned("Cfm3FindKey", rv);
    } else if (info_array_count(reply.found) > 0) {
        fprintf(stderr, "%s: -id %s: key %u has this id; give another\n", values->command->name,
                id, (unsigned)info_array_get(reply.found, 0).handle);
    } else {
        free = true;
    }
    call_end(&call);
    writer_clear(&template);
    return free;
}

const CK_ATTRIBUTE_TYPE *
util_usage(CK_OBJECT_CLASS class, CK_KEY_TYPE type)
{
    for (size_t i = 0; i < ARRAY_COUNT(usage_rows); i++) {
        if (usage_rows[i].class == class && usage_rows[i].type == type) {
            return usage_rows[i].usage;
        }
    }
    return usage_none;
}

/* The next number of the list "3,5"; false at its end, or where it is none. */
static bool
user_next(const char **users, uint32_t *ret_user)
{
    char *end = NULL;
    const unsigned long user = strtoul(*users, &end, 10);

    if (**users < '0' || **users > '9' || user > UINT32_MAX || (*end != ',' && *end != '\0')) {
        return false;
    }
    *users = *end == ',' ? end + 1 : end;
    *ret_user = (uint32_t)user;
    return true;
}

static void
key_drop(struct util *util, const struct values *values, uint32_t handle)
{
    if (util_destroy(util, handle) != CKR_OK) {
        fprintf(stderr, "%s: key %u is there and not shared with all of -u\n",
                values->command->name, (unsigned)handle);
    }
}

CK_RV
util_share(struct util *util, const struct values *values, CK_RV rv, uint32_t handle)
{
    const char *users = values_text(values, "-u");
    struct key_share_request request = { .object = handle, .share = true };

    if (rv != CKR_OK || users == NULL) {
        return rv;
    }
    while (rv == CKR_OK && *users != '\0') {
        struct call call;

        if (!user_next(&users, &request.user)) {
            rv = CKR_ARGUMENTS_BAD;
            break;
        }
        rv = call_begin(util->client, &call);
        if (rv == CKR_OK) {
            key_share_request_write(call.body, &request);
            rv = call_send(&call, OPERATION_KEY_SHARE, UTIL_SESSION, FRAME_READ_WRITE);
        }
        call_end(&call);
    }
    if (rv != CKR_OK) {
        key_drop(util, values, handle);
    }
    return rv;
}

/* Both halves, or neither is left. */
static CK_RV
pair_share(struct util *util, const struct values *values, uint32_t public_handle,
           uint32_t private_handle)
{
    CK_RV rv = util_share(util, values, CKR_OK, public_handle);

    if (rv != CKR_OK) {
        key_drop(util, values, private_handle);
    } else if ((rv = util_share(util, values, CKR_OK, private_handle)) != CKR_OK) {
        key_drop(util, values, public_handle);
    }
    return rv;
}

void
util_made(const struct values *values)
{
    /* A node is who it says because the owner signed its certificate; the daemon speaks with no
     * other. */
    if (values_given(values, "-attest")) {
        printf("\n\tAttestation Check : [PASS]\n");
    }
}

static CK_RV
key_generate(struct util *util, const struct values *values, CK_MECHANISM_TYPE type,
             const struct writer *template, uint32_t *ret_handle)
{
    const struct generate_key_request request = {
        .mechanism = { .type = (uint32_t)type, .shape = PARAMS_none },
        .handle = util_handle_next(util, values),
        .template = writer_view(template),
    };
    struct generate_key_reply reply;
    struct call call;
    CK_RV rv;

    if (!writer_ok(template)) {
        return CKR_HOST_MEMORY;
    }
    if ((rv = call_begin(util->client, &call)) == CKR_OK) {
        generate_key_request_write(call.body, &request);
        rv = call_send(&call, OPERATION_GENERATE_KEY, UTIL_SESSION, util_flags(values));
    }
    if (rv == CKR_OK &&
        (!generate_key_reply_read(call.reply, &reply) || info_array_count(reply.made) != 1)) {
        rv = CKR_DEVICE_ERROR;
    }
    if (rv == CKR_OK) {
        *ret_handle = info_array_get(reply.made, 0).handle;
    }
    call_end(&call);
    return rv;
}

static CK_RV
pair_generate(struct util *util, const struct values *values, CK_MECHANISM_TYPE type,
              const struct writer *public_template, const struct writer *private_template,
              uint32_t *ret_public, uint32_t *ret_private)
{
    const uint32_t public_handle = util_handle_next(util, values);
    const struct generate_pair_request request = {
        .mechanism = { .type = (uint32_t)type, .shape = PARAMS_none },
        .public_handle = public_handle,
        .private_handle = util_handle_next(util, values),
        .public_template = writer_view(public_template),
        .private_template = writer_view(private_template),
    };
    struct generate_pair_reply reply;
    struct call call;
    CK_RV rv;

    if (!writer_ok(public_template) || !writer_ok(private_template)) {
        return CKR_HOST_MEMORY;
    }
    if ((rv = call_begin(util->client, &call)) == CKR_OK) {
        generate_pair_request_write(call.body, &request);
        rv = call_send(&call, OPERATION_GENERATE_PAIR, UTIL_SESSION, util_flags(values));
    }
    if (rv == CKR_OK &&
        (!generate_pair_reply_read(call.reply, &reply) || info_array_count(reply.made) != 2)) {
        rv = CKR_DEVICE_ERROR;
    }
    if (rv == CKR_OK) {
        *ret_public = info_array_get(reply.made, 0).handle;
        *ret_private = info_array_get(reply.made, 1).handle;
    }
    call_end(&call);
    return rv;
}

static const struct sym_row *
sym_row(uint32_t type)
{
    for (size_t i = 0; i < ARRAY_COUNT(sym_rows); i++) {
        if (sym_rows[i].type == type) {
            return &sym_rows[i];
        }
    }
    return NULL;
}

enum status
util_gen_sym_key(void *tool, const struct values *values)
{
    struct util *util = tool;
    const struct sym_row *row = sym_row(values_number(values, "-t", 0));
    const uint32_t size = values_number(values, "-s", 0);
    struct writer template;
    uint32_t handle = 0;
    CK_RV rv;

    if (row == NULL) {
        fputs("genSymKey: -t is 16, 18, 21 or 31\n", stderr);
        return STATUS_MISUSED;
    }
    if (!util_id_is_free(util, values)) {
        return STATUS_REFUSED;
    }
    writer_init(&template, TEMPLATE_MAX);
    util_common_write(&template, values, row->usage);
    util_secret_write(&template, util, values);
    if (row->size == 0) {
        attribute_write_ulong(&template, CKA_VALUE_LEN, size);
    }
    rv = row->size == 0 || row->size == size
             ? key_generate(util, values, row->mechanism, &template, &handle)
             : CKR_KEY_SIZE_RANGE;
    writer_clear(&template);
    rv = util_share(util, values, rv, handle);

    enum status status = util_returned("Cfm3GenerateSymmetricKey", rv);

    if (rv == CKR_OK) {
        util_made(values);
        printf("\n\tSymmetric Key Created.  Key Handle: %u\n", (unsigned)handle);
    }
    util_cluster(util, rv);
    return status;
}

/* Makes the pair of both templates, and says so. */
static enum status
pair_make(struct util *util, const struct values *values, CK_MECHANISM_TYPE type,
          const struct writer *public_template, const struct writer *private_template)
{
    uint32_t public_handle = 0;
    uint32_t private_handle = 0;
    CK_RV rv = pair_generate(util, values, type, public_template, private_template,
                             &public_handle, &private_handle);

    rv = rv == CKR_OK ? pair_share(util, values, public_handle, private_handle) : rv;

    enum status status = util_returned("Cfm3GenerateKeyPair", rv);

    if (rv == CKR_OK) {
        util_made(values);
        printf("\n\tCfm3GenerateKeyPair:    public key handle: %u    private key handle: %u\n",
               (unsigned)public_handle, (unsigned)private_handle);
    }
    util_cluster(util, rv);
    return status;
}

enum status
util_gen_rsa_pair(void *tool, const struct values *values)
{
    struct util *util = tool;
    const uint32_t exponent = values_number(values, "-e", 0);
    const uint8_t big[] = { (uint8_t)(exponent >> 24), (uint8_t)(exponent >> 16),
                            (uint8_t)(exponent >> 8), (uint8_t)exponent };
    const size_t zeros = big[0] != 0 ? 0 : 1; /* 65537 and more has three bytes at least */
    struct writer public_template;
    struct writer private_template;

    if (exponent % 2 == 0) {
        fputs("genRSAKeyPair: -e is an odd number from 65537 on\n", stderr);
        return STATUS_MISUSED;
    }
    if (!util_id_is_free(util, values)) {
        return STATUS_REFUSED;
    }
    writer_init(&public_template, TEMPLATE_MAX);
    writer_init(&private_template, TEMPLATE_MAX);
    util_common_write(&public_template, values, usage_rsa_public);
    attribute_write_ulong(&public_template, CKA_MODULUS_BITS, values_number(values, "-m", 0));
    attribute_write(&public_template, CKA_PUBLIC_EXPONENT,
                    view_of(big + zeros, sizeof big - zeros));
    util_common_write(&private_template, values, usage_rsa_private);
    util_secret_write(&private_template, util, values);

    enum status status =
        pair_make(util, values, CKM_RSA_PKCS_KEY_PAIR_GEN, &public_template, &private_template);

    writer_clear(&public_template);
    writer_clear(&private_template);
    return status;
}

enum status
util_gen_ecc_pair(void *tool, const struct values *values)
{
    struct util *util = tool;
    const struct curve_row *curve = curve_by_tool_id(values_number(values, "-i", 0));
    struct writer public_template;
    struct writer private_template;

    if (curve == NULL) {
        /* A curve of the original's that this HSM does not have. */
        enum status refused = util_returned("Cfm3GenerateKeyPair", CKR_CURVE_NOT_SUPPORTED);

        util_cluster(util, CKR_CURVE_NOT_SUPPORTED);
        return refused;
    }
    if (!util_id_is_free(util, values)) {
        return STATUS_REFUSED;
    }
    writer_init(&public_template, TEMPLATE_MAX);
    writer_init(&private_template, TEMPLATE_MAX);
    util_common_write(&public_template, values, usage_ec_public);
    attribute_write(&public_template, CKA_EC_PARAMS, view_of(curve->oid, curve->oid_len));
    util_common_write(&private_template, values, usage_ec_private);
    util_secret_write(&private_template, util, values);

    enum status status =
        pair_make(util, values, CKM_EC_KEY_PAIR_GEN, &public_template, &private_template);

    writer_clear(&public_template);
    writer_clear(&private_template);
    return status;
}

/* DSA keys and keys from passwords are in the original's list; this HSM has neither. */
enum status
util_gen_dsa_pair(void *tool, const struct values *values)
{
    struct util *util = tool;
    enum status status = util_returned("Cfm3GenerateKeyPair:", CKR_MECHANISM_INVALID);

    UNUSED(values);
    util_cluster(util, CKR_MECHANISM_INVALID);
    return status;
}

enum status
util_gen_pbe_key(void *tool, const struct values *values)
{
    struct util *util = tool;
    enum status status = util_returned("Cfm3GeneratePBEKey", CKR_MECHANISM_INVALID);

    UNUSED(values);
    util_cluster(util, CKR_MECHANISM_INVALID);
    return status;
}
