/* SPDX-License-Identifier: Apache-2.0
 *
 * azcloudhsm_util: the key tool for crypto users, over the daemon of this host. Its commands
 * are rows of util_commands; its output follows the original's lines.
 */
#ifndef TOOLS_UTIL_H
#define TOOLS_UTIL_H

#include "api/appcfg.h"
#include "api/call.h"
#include "tools/command.h"

#include <jansson.h>

struct util {
    struct client *client;
    struct appcfg config;
    bool aws; /* the lines in their older form */
    FILE *json; /* where listings go as JSON, NULL: people read; what else is told is on stderr */
    enum policy policy;
    uint32_t session_objects; /* made so far */
    uint32_t role;            /* of who is logged in */
    char user[64];            /* "" while nobody is */
};

extern const struct command_table util_commands;

/* Session of the tool's requests: its session keys end with it. */
#define UTIL_SESSION 1u
#define UTIL_TEMPLATE_MAX 8192u

/* ---- lines (util_commands.c) ---- */

/* `<tab>NAME returned: 0x00 : HSM Return: SUCCESS`. DONE for CKR_OK, else REFUSED. */
enum status util_returned(const char *name, CK_RV rv);
/* The block that tells each node's answer. */
void util_cluster(const struct util *util, CK_RV rv);
/* Takes the listing over and prints it as one line. */
void util_json(const struct util *util, json_t *listing);
/* Text for JSON: bytes that are no UTF-8 in hexadecimal, after "0x". */
json_t *util_json_text(view text);

/* ---- requests (util_call.c) ---- */

/* Appends the attributes, each with its status, to the list. */
MUST_USE CK_RV util_get(struct util *util, uint32_t handle, const CK_ATTRIBUTE_TYPE *types,
                        size_t count, struct writer *ret_list);
MUST_USE CK_RV util_set(struct util *util, uint32_t handle, view changes);
MUST_USE CK_RV util_destroy(struct util *util, uint32_t handle);
/* flags of those that make something: util_flags(), or FRAME_READ_WRITE. */
MUST_USE CK_RV util_create(struct util *util, uint16_t flags, uint32_t wanted, view template,
                           uint32_t *ret_handle);
/* iv may be NULL where the mechanism makes none. */
MUST_USE CK_RV util_wrap(struct util *util, const struct mechanism *mechanism, uint32_t wrapping,
                         uint32_t key, struct writer *iv, struct writer *ret_blob);
MUST_USE CK_RV util_unwrap(struct util *util, uint16_t flags, const struct mechanism *mechanism,
                           uint32_t unwrapping, view blob, uint32_t wanted, view template,
                           uint32_t *ret_handle);
MUST_USE CK_RV util_encrypt(struct util *util, const struct mechanism *mechanism, uint32_t key,
                            view data, struct writer *ret_data);
MUST_USE CK_RV util_decrypt(struct util *util, const struct mechanism *mechanism, uint32_t key,
                            view data, struct writer *ret_data);
MUST_USE CK_RV util_mask(struct util *util, uint32_t key, struct writer *ret_blob);
/* token: as a token key, whatever was masked. */
MUST_USE CK_RV util_unmask(struct util *util, uint16_t flags, view blob, uint32_t wanted,
                           bool token, uint32_t *ret_handle);
/* Of data of whatever length. */
MUST_USE CK_RV util_sign(struct util *util, const struct mechanism *mechanism, uint32_t key,
                         view data, struct writer *ret_signature);
MUST_USE CK_RV util_verify(struct util *util, const struct mechanism *mechanism, uint32_t key,
                           view data, view signature);

/* ---- new keys (util_generate.c) ---- */

/* What every object gets from the options of its command, and the usage, which 0 ends. */
void util_common_write(struct writer *w, const struct values *values,
                       const CK_ATTRIBUTE_TYPE *usage);
/* What private and secret keys get beside. */
void util_secret_write(struct writer *w, const struct util *util, const struct values *values);
/* Session objects are numbered by who makes them, token objects (0) by the HSM. */
uint32_t util_handle_next(struct util *util, const struct values *values);
/* Of a request that makes what the command is to make: -min_srv is in them. */
uint16_t util_flags(const struct values *values);
/* False, with a line on stderr, when a key has the id already or the HSM cannot be asked. */
bool util_id_is_free(struct util *util, const struct values *values);
/* What may be done with a key of that class and type, by default. */
const CK_ATTRIBUTE_TYPE *util_usage(CK_OBJECT_CLASS class, CK_KEY_TYPE type);
/* Shares a new key with the users of -u; when that fails the key goes again. rv is how making it
 * went. */
MUST_USE CK_RV util_share(struct util *util, const struct values *values, CK_RV rv,
                          uint32_t handle);
/* What the options ask for once the key is there: the line of -attest. */
void util_made(const struct values *values);

/* ---- wrapping keys (util_kek.c) ---- */

/* The mechanism that keys come and go by; -m 4. */
extern const struct mechanism util_kek_mechanism;
/*
 * May the key of -w carry keys in and out? Not found, no such key, or, in the newer generation,
 * not what a user KEK has to be, which is told on stdout.
 */
MUST_USE CK_RV util_kek_check(struct util *util, uint32_t handle);
/* By the HSM, or here where -wk names a file with the wrapping key's value. */
MUST_USE CK_RV util_kek_wrap(struct util *util, const struct values *values, view plain,
                             struct writer *ret_blob);
MUST_USE CK_RV util_kek_unwrap(struct util *util, const struct values *values, view blob,
                               struct writer *ret_plain);

/* ---- commands ---- */

enum status util_login(void *tool, const struct values *values);
enum status util_login_status(void *tool, const struct values *values);
enum status util_logout(void *tool, const struct values *values);
enum status util_list_users(void *tool, const struct values *values);
enum status util_hsm_info(void *tool, const struct values *values);
enum status util_partition_info(void *tool, const struct values *values);
enum status util_gen_sym_key(void *tool, const struct values *values);
enum status util_gen_rsa_pair(void *tool, const struct values *values);
enum status util_gen_ecc_pair(void *tool, const struct values *values);
enum status util_gen_dsa_pair(void *tool, const struct values *values);
enum status util_gen_pbe_key(void *tool, const struct values *values);
enum status util_find_key(void *tool, const struct values *values);
enum status util_find_single_key(void *tool, const struct values *values);
enum status util_key_info(void *tool, const struct values *values);
enum status util_delete_key(void *tool, const struct values *values);
enum status util_list_certificates(void *tool, const struct values *values);
enum status util_get_attribute(void *tool, const struct values *values);
enum status util_set_attribute(void *tool, const struct values *values);
enum status util_list_attributes(void *tool, const struct values *values);
enum status util_list_curves(void *tool, const struct values *values);
enum status util_wrap_key(void *tool, const struct values *values);
enum status util_unwrap_key(void *tool, const struct values *values);
enum status util_aes_wrap_unwrap(void *tool, const struct values *values);
enum status util_import_symmetric(void *tool, const struct values *values);
enum status util_export_symmetric(void *tool, const struct values *values);
enum status util_import_private(void *tool, const struct values *values);
enum status util_export_private(void *tool, const struct values *values);
enum status util_import_public(void *tool, const struct values *values);
enum status util_export_public(void *tool, const struct values *values);
enum status util_sign_file(void *tool, const struct values *values);
enum status util_verify_file(void *tool, const struct values *values);
enum status util_fake_key(void *tool, const struct values *values);
enum status util_check_fake(void *tool, const struct values *values);
enum status util_extract_masked(void *tool, const struct values *values);
enum status util_insert_masked(void *tool, const struct values *values);
enum status util_get_cert(void *tool, const struct values *values);
enum status util_error_text(void *tool, const struct values *values);

#endif
