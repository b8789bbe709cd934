/* SPDX-License-Identifier: Apache-2.0
 *
 * azcloudhsm_mgmt_util: -2fa. What the servers have drawn goes into a file, for a person to sign
 * with a key that this tool never sees, and comes back with the signatures.
 */
#include "tools/mgmt.h"

#include "tools/console.h"
#include "tools/factor_file.h"
#include "tools/file.h"

#include <stdlib.h>
#include <string.h>

#define BODY_MAX 8192u

_Static_assert(FACTOR_ENTRIES_MAX >= SETTINGS_SERVERS_MAX, "one for each server");

/* What they have drawn: an entry of the file for each server, at its place. */
struct drawn {
    bool has[SETTINGS_SERVERS_MAX];
    uint8_t digests[SETTINGS_SERVERS_MAX][FACTOR_DIGEST_LEN];
};

static CK_RV
challenge_draw(struct mgmt_server *server, const struct factor_challenge_request *request,
               struct factor_entry *entry)
{
    struct factor_challenge_reply reply;
    struct writer body;
    view bytes;
    CK_RV rv;

    writer_init(&body, BODY_MAX);
    factor_challenge_request_write(&body, request);
    rv = mgmt_call(server, OPERATION_FACTOR_CHALLENGE, &body, &bytes);
    writer_clear(&body);
    if (rv != CKR_OK) {
        return rv;
    }
    if (!factor_challenge_reply_read(bytes, &reply) ||
        reply.digest.len != sizeof entry->digest || reply.node.len > FACTOR_NODE_MAX) {
        return CKR_DEVICE_ERROR;
    }
    memcpy(entry->node, reply.node.data, reply.node.len);
    memcpy(entry->digest, reply.digest.data, reply.digest.len);
    return CKR_OK;
}

static bool
challenges_draw(struct mgmt *mgmt, const struct values *values, const struct mgmt_step *step,
                struct factor_file *file, struct drawn *drawn)
{
    const struct factor_challenge_request request = {
        step->operation == OPERATION_LOGIN_SIGNED ? CHALLENGE_LOGIN : CHALLENGE_KEY,
        values_number(values, "type", ROLE_NONE),
        view_str(values_text(values, "user")),
    };

    for (struct mgmt_server *server = NULL; (server = mgmt_next(mgmt, server)) != NULL;) {
        struct factor_entry *entry = &file->entries[file->count];
        CK_RV rv = challenge_draw(server, &request, entry);

        if (rv != CKR_OK) {
            mgmt_failed(step->command, "drawing a challenge", server, rv);
            return false;
        }
        file->count++;
        drawn->has[server - mgmt->servers] = true;
        memcpy(drawn->digests[server - mgmt->servers], entry->digest, sizeof entry->digest);
    }
    return true;
}

/* Written for the person who signs. */
static bool
file_give(const char *path, const struct factor_file *file)
{
    struct writer text;
    bool gave;

    writer_init(&text, FACTOR_FILE_MAX);
    gave = factor_file_write(file, &text) && file_write_shared(path, writer_view(&text));
    writer_clear(&text);
    if (gave) {
        printf("Authentication data written to: \"%s\"\n"
               "Sign each Digest, a SHA-256 in base64, with the RSA key of the second factor:\n"
               "    openssl pkeyutl -sign -inkey KEY -pkeyopt digest:sha256\n"
               "Put the signatures into the file, in base64; where the key is new, its public\n"
               "half, too, as PEM. An empty line takes the same file.\n",
               path);
    }
    return gave;
}

/* As it comes back. */
static bool
file_take(const char *path, struct factor_file *file)
{
    char *line = console_line("Enter filename: ");
    const char *said = line != NULL && line[0] != '\0' ? line : path;
    const char *error = NULL;
    struct writer text;
    bool took = false;

    writer_init(&text, FACTOR_FILE_MAX);
    if (line != NULL && mgmt_file_read(said, FACTOR_FILE_MAX, &text)) {
        took = factor_file_parse(writer_view(&text), file, &error);
        if (!took) {
            fprintf(stderr, "%s: %s\n", said, error);
        }
    }
    writer_clear(&text);
    console_line_free(line);
    return took;
}

static void
body_write(struct writer *body, const struct values *values, const struct secret *password,
           enum operation operation, view key, view signature)
{
    const uint32_t role = values_number(values, "type", ROLE_NONE);
    const view name = view_str(values_text(values, "user"));
    const view word = secret_view(password);

    if (operation == OPERATION_LOGIN_SIGNED) {
        const struct login_signed_request m = { role, name, word, signature };

        login_signed_request_write(body, &m);
    } else if (operation == OPERATION_USER_CREATE_SIGNED) {
        const struct user_create_signed_request m = { role, name, word, key, signature };

        user_create_signed_request_write(body, &m);
    } else {
        const struct user_password_signed_request m = { role, name, word, key, signature };

        user_password_signed_request_write(body, &m);
    }
}

/* Each server's request, with its signature. False: one is missing, and nothing is to be sent. */
static bool
bodies_write(struct mgmt *mgmt, const struct values *values, const struct secret *password,
             enum operation operation, const struct factor_file *file, const struct drawn *drawn,
             struct writer *bodies)
{
    for (struct mgmt_server *server = NULL; (server = mgmt_next(mgmt, server)) != NULL;) {
        const size_t i = (size_t)(server - mgmt->servers);
        view signature = !drawn->has[i] ? VIEW_EMPTY
                                        : factor_file_signature(file, view_of(drawn->digests[i],
                                                                              FACTOR_DIGEST_LEN));

        if (signature.len == 0) {
            fprintf(stderr, "the file has no signature of what server %u(%s) has drawn\n",
                    server->number, server->settings->hostname);
            return false;
        }
        body_write(&bodies[i], values, password, operation, view_str(file->key), signature);
    }
    return true;
}

enum status
mgmt_signed(struct mgmt *mgmt, const struct values *values, const struct secret *password,
            struct mgmt_step step)
{
    const char *path = values_text(values, "-2fa");
    struct factor_file *file = calloc(1, sizeof *file);
    struct drawn drawn = { .has = { false } };
    struct writer bodies[SETTINGS_SERVERS_MAX];
    enum status status = STATUS_REFUSED;

    for (size_t i = 0; i < SETTINGS_SERVERS_MAX; i++) {
        writer_init(&bodies[i], BODY_MAX);
    }
    if (file != NULL && challenges_draw(mgmt, values, &step, file, &drawn) &&
        file_give(path, file) && file_take(path, file) &&
        bodies_write(mgmt, values, password, step.operation, file, &drawn, bodies)) {
        step.bodies = bodies;
        status = mgmt_everywhere(mgmt, &step, NULL);
    }
    for (size_t i = 0; i < SETTINGS_SERVERS_MAX; i++) {
        writer_clear(&bodies[i]);
    }
    free(file);
    return status;
}
