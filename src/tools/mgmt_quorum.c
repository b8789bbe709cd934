/* SPDX-License-Identifier: Apache-2.0
 *
 * azcloudhsm_mgmt_util: the quorum. A token file holds one token of each server; approvers sign
 * the whole file, once.
 */
#include "tools/mgmt.h"

#include "core/quorum.h"
#include "tools/approval.h"
#include "tools/code.h"
#include "tools/file.h"
#include "wire/role.h"

#include <string.h>

#define SIGNATURE_MAX 2048u
#define LIST_NUMBERS 14u /* of one token in quorum_list_reply */

static const char *
service_name(uint32_t service)
{
    return service == SERVICE_USERS ? "USER_MGMT" : "MISC_CO";
}

/* ---- keys ---- */

static enum status
key_register(struct mgmt *mgmt, const struct values *values, const char *command)
{
    struct writer proof, signature, key, body;
    enum status status = STATUS_MISUSED;

    writer_init(&proof, QUORUM_PROOF_MAX);
    writer_init(&signature, SIGNATURE_MAX);
    writer_init(&key, MGMT_BODY_MAX / 4);
    writer_init(&body, MGMT_BODY_MAX);
    if (mgmt_file_read(values_text(values, "token"), QUORUM_PROOF_MAX, &proof) &&
        mgmt_file_read(values_text(values, "signature"), SIGNATURE_MAX, &signature) &&
        mgmt_file_read(values_text(values, "key"), MGMT_BODY_MAX / 4, &key)) {
        const struct quorum_key_request request = {
            .role = values_number(values, "type", ROLE_NONE),
            .name = view_str(values_text(values, "user")),
            .proof = writer_view(&proof),
            .signature = writer_view(&signature),
            .key = writer_view(&key),
        };
        const struct mgmt_step step = { .command = command,
                                        .act = "registering the key",
                                        .operation = OPERATION_QUORUM_KEY,
                                        .ask = ASK_ABORT };

        quorum_key_request_write(&body, &request);
        status = mgmt_change(mgmt, &step, &body);
    }
    writer_clear(&proof);
    writer_clear(&signature);
    writer_clear(&key);
    writer_clear(&body);
    return status;
}

enum status
mgmt_quorum_key(void *tool, const struct values *values)
{
    return key_register(tool, values, "registerQuorumPubKey");
}

enum status
mgmt_mofn_key(void *tool, const struct values *values)
{
    return key_register(tool, values, "registerMofnPubKey");
}

/* ---- M and times ---- */

enum status
mgmt_set_m(void *tool, const struct values *values)
{
    const struct quorum_set_request request = { values_number(values, "service", 0),
                                                values_number(values, "m", 0) };
    char saying[64];
    const struct mgmt_step step = { .command = "setMValue",
                                    .act = "setting M value",
                                    .operation = OPERATION_QUORUM_SET,
                                    .ask = ASK_ABORT,
                                    .saying = saying };
    struct writer body;

    snprintf(saying, sizeof saying, "Setting M Value(%u) for %u", (unsigned)request.needed,
             (unsigned)request.service);
    writer_init(&body, MGMT_BODY_MAX);
    quorum_set_request_write(&body, &request);
    return mgmt_change(tool, &step, &body);
}

enum status
mgmt_set_token_time(void *tool, const struct values *values)
{
    const struct quorum_time_request request = { values_number(values, "seconds", 0) };
    const struct mgmt_step step = { .command = "setTokenTimeout",
                                    .act = "setting the token timeout",
                                    .operation = OPERATION_QUORUM_TIME,
                                    .ask = ASK_ABORT };
    struct writer body;

    writer_init(&body, MGMT_BODY_MAX);
    quorum_time_request_write(&body, &request);
    return mgmt_change(tool, &step, &body);
}

/* Where a listing goes: lines, or a JSON array. */
struct listing {
    uint32_t service;
    json_t *list; /* NULL: lines */
};

static bool
m_show(void *arg, struct mgmt_server *server, view bytes)
{
    const struct listing *listing = arg;
    struct quorum_get_reply reply;

    if (!quorum_get_reply_read(bytes, &reply)) {
        return false;
    }

    uint32_t m = listing->service == SERVICE_USERS ? reply.needed_users : reply.needed_misc;

    if (listing->list != NULL) {
        json_t *entry = mgmt_json_server(server);

        json_object_set_new(entry, "service", json_integer(listing->service));
        json_object_set_new(entry, "m_value", json_integer(m));
        json_array_append_new(listing->list, entry);
    } else {
        printf("MValue of service %u[%s] on server %u : [%u]\n", (unsigned)listing->service,
               service_name(listing->service), server->number, (unsigned)m);
    }
    return true;
}

static bool
time_show(void *arg, struct mgmt_server *server, view bytes)
{
    const struct listing *listing = arg;
    struct quorum_get_reply reply;

    if (!quorum_get_reply_read(bytes, &reply)) {
        return false;
    }
    if (listing->list != NULL) {
        json_t *entry = mgmt_json_server(server);

        json_object_set_new(entry, "token_timeout", json_integer(reply.seconds));
        json_array_append_new(listing->list, entry);
    } else {
        printf("Token timeout on server %u : [%u] seconds\n", server->number,
               (unsigned)reply.seconds);
    }
    return true;
}

static enum status
quorum_show(struct mgmt *mgmt, const struct values *values, struct mgmt_step step,
            enum operation operation, uint32_t service)
{
    struct listing listing = { service, values_given(values, "--json") ? json_array() : NULL };
    struct writer body;
    enum status status;

    step.operation = operation;
    step.arg = &listing;
    writer_init(&body, 16);
    status = mgmt_everywhere(mgmt, &step, &body);
    writer_clear(&body);
    return listing.list != NULL ? mgmt_json_print(listing.list, status) : status;
}

enum status
mgmt_get_m(void *tool, const struct values *values)
{
    const struct mgmt_step step = {
        .command = "getMValue", .act = "getting M value", .show = m_show, .quiet = true
    };

    return quorum_show(tool, values, step, OPERATION_QUORUM_GET,
                       values_number(values, "service", 0));
}

enum status
mgmt_get_token_time(void *tool, const struct values *values)
{
    const struct mgmt_step step = { .command = "getTokenTimeout",
                                    .act = "getting the token timeout",
                                    .show = time_show,
                                    .quiet = true };

    return quorum_show(tool, values, step, OPERATION_QUORUM_GET, 0);
}

/* ---- tokens ---- */

static bool
token_show(void *arg, struct mgmt_server *server, view bytes)
{
    struct writer *file = arg;
    struct quorum_token_reply reply;
    struct quorum_token_text token;

    if (!quorum_token_reply_read(bytes, &reply) || !quorum_token_read(reply.token, &token)) {
        return false;
    }
    printf("Token:\nId:%u\nService:%u\nNode:%u\nKey Handle:0\nUser:%u\n", (unsigned)token.id,
           (unsigned)token.service, server->number, (unsigned)token.user);
    write_raw(file, reply.token);
    return true;
}

enum status
mgmt_get_token(void *tool, const struct values *values)
{
    const struct quorum_token_request request = { values_number(values, "service", 0),
                                                  view_str(values_text(values, "user")) };
    struct writer body, file;
    enum status status;

    writer_init(&body, MGMT_BODY_MAX);
    writer_init(&file, QUORUM_NODES_MAX * QUORUM_TOKEN_LEN);
    quorum_token_request_write(&body, &request);

    const struct mgmt_step step = { .command = "getToken",
                                    .act = "getting a token",
                                    .operation = OPERATION_QUORUM_TOKEN,
                                    .ask = ASK_ABORT,
                                    .show = token_show,
                                    .arg = &file };

    status = mgmt_everywhere(tool, &step, &body);
    if (status == STATUS_DONE &&
        !file_write_shared(values_text(values, "file"), writer_view(&file))) {
        status = STATUS_REFUSED;
    }
    writer_clear(&body);
    writer_clear(&file);
    return status;
}

static bool
approve_show(void *arg, struct mgmt_server *server, view bytes)
{
    const struct approver *approver = arg;
    struct quorum_approve_reply reply;

    if (!quorum_approve_reply_read(bytes, &reply)) {
        return false;
    }
    printf("approved by %s on server %u(%s): token %u has %u of %u approvals\n", approver->name,
           server->number, server->settings->hostname, (unsigned)reply.id,
           (unsigned)reply.approvals, (unsigned)reply.needed);
    return true;
}

static enum status
approve_one(struct mgmt *mgmt, view tokens, struct approver *approver)
{
    const struct mgmt_step step = { .command = "approveToken",
                                    .act = "approving the token",
                                    .operation = OPERATION_QUORUM_APPROVE,
                                    .show = approve_show,
                                    .arg = approver };
    struct writer signature, body;
    enum status status = STATUS_MISUSED;

    writer_init(&signature, SIGNATURE_MAX);
    writer_init(&body, MGMT_BODY_MAX);
    if (mgmt_file_read(approver->file, SIGNATURE_MAX, &signature)) {
        const struct quorum_approve_request request = { tokens, approver->role,
                                                        view_str(approver->name),
                                                        writer_view(&signature) };

        quorum_approve_request_write(&body, &request);
        status = mgmt_everywhere(mgmt, &step, &body);
    }
    writer_clear(&signature);
    writer_clear(&body);
    return status;
}

enum status
mgmt_approve_token(void *tool, const struct values *values)
{
    const char *path = values_text(values, "file");
    struct approval approval;
    struct writer text, tokens;
    unsigned line = 0;
    const char *error = NULL;
    enum status status = STATUS_MISUSED;

    writer_init(&text, APPROVAL_FILE_MAX);
    writer_init(&tokens, QUORUM_NODES_MAX * QUORUM_TOKEN_LEN);
    if (mgmt_file_read(path, APPROVAL_FILE_MAX, &text)) {
        if (!approval_parse(writer_view(&text), &approval, &line, &error)) {
            fprintf(stderr, "%s:%u: %s\n", path, line, error);
        } else if (mgmt_file_read(approval.token, QUORUM_NODES_MAX * QUORUM_TOKEN_LEN, &tokens)) {
            status = STATUS_DONE;
            for (size_t i = 0; i < approval.count && status == STATUS_DONE; i++) {
                status = approve_one(tool, writer_view(&tokens), &approval.approvers[i]);
            }
        }
    }
    writer_clear(&text);
    writer_clear(&tokens);
    return status;
}

static json_t *
token_json(struct number_array numbers, size_t at, const char *service)
{
    json_t *approvers = json_array();

    for (size_t k = 0; k < number_array_get(numbers, at + 5) && k < QUORUM_MAX; k++) {
        json_array_append_new(approvers, json_integer(number_array_get(numbers, at + 6 + k)));
    }
    return json_pack("{s:I,s:s,s:I,s:I,s:I,s:o}", "id",
                     (json_int_t)number_array_get(numbers, at), "service", service, "user",
                     (json_int_t)number_array_get(numbers, at + 2), "seconds_left",
                     (json_int_t)number_array_get(numbers, at + 3), "required",
                     (json_int_t)number_array_get(numbers, at + 4), "approvers", approvers);
}

static void
token_print(struct number_array numbers, size_t at)
{
    printf("Token - %u\nId:%u\nService:%u\nNode:0\nKey Handle:0\nUser:%u\n"
           "Token Validity: %u sec\nRequired num of approvers : %u\n"
           "Current num of approvals : %u\n",
           (unsigned)(at / LIST_NUMBERS), (unsigned)number_array_get(numbers, at),
           (unsigned)number_array_get(numbers, at + 1),
           (unsigned)number_array_get(numbers, at + 2),
           (unsigned)number_array_get(numbers, at + 3),
           (unsigned)number_array_get(numbers, at + 4),
           (unsigned)number_array_get(numbers, at + 5));
    for (size_t k = 0; k < number_array_get(numbers, at + 5) && k < QUORUM_MAX; k++) {
        printf("Approver-%zu: %u\n", k, (unsigned)number_array_get(numbers, at + 6 + k));
    }
    putchar('\n');
}

static bool
tokens_show(void *arg, struct mgmt_server *server, view bytes)
{
    const struct listing *listing = arg;
    struct quorum_list_reply reply;
    json_t *tokens = json_array();

    if (!quorum_list_reply_read(bytes, &reply) ||
        number_array_count(reply.tokens) % LIST_NUMBERS != 0) {
        json_decref(tokens);
        return false;
    }

    size_t count = number_array_count(reply.tokens);

    if (listing->list == NULL) {
        printf("=====================\n    Server %u(%s)\n=====================\n"
               "-------- Token - list --------\n", server->number, server->settings->hostname);
    }
    for (size_t at = 0; at < count; at += LIST_NUMBERS) {
        if (listing->list == NULL) {
            token_print(reply.tokens, at);
        }
        json_array_append_new(
            tokens, token_json(reply.tokens, at,
                               service_name(number_array_get(reply.tokens, at + 1))));
    }
    if (listing->list == NULL) {
        printf("Num of tokens = %zu\n\nlistTokens success\n", count / LIST_NUMBERS);
        json_decref(tokens);
    } else {
        json_t *entry = mgmt_json_server(server);

        json_object_set_new(entry, "tokens", tokens);
        json_array_append_new(listing->list, entry);
    }
    return true;
}

enum status
mgmt_list_tokens(void *tool, const struct values *values)
{
    const struct mgmt_step step = { .command = "listTokens",
                                    .act = "listing tokens",
                                    .show = tokens_show,
                                    .quiet = true };

    return quorum_show(tool, values, step, OPERATION_QUORUM_LIST, 0);
}

enum status
mgmt_delete_token(void *tool, const struct values *values)
{
    const struct quorum_delete_request request = { values_number(values, "id", 0) };
    const struct mgmt_step step = { .command = "delToken",
                                    .act = "deleting the token",
                                    .operation = OPERATION_QUORUM_DELETE };
    struct writer body;
    enum status status;

    writer_init(&body, MGMT_BODY_MAX);
    quorum_delete_request_write(&body, &request);
    status = mgmt_everywhere(tool, &step, &body);
    writer_clear(&body);
    return status;
}
