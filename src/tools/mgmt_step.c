/* SPDX-License-Identifier: Apache-2.0
 *
 * azcloudhsm_mgmt_util: the same request to every server, with a line for each and a question
 * after a failure; and what commands share: files, JSON.
 */
#include "tools/mgmt.h"

#include "tools/code.h"
#include "tools/console.h"

#include <errno.h>
#include <string.h>

/* Shown before what a node keeps for itself until all of them were told. */
static const char caution[] =
    "\n*************************CAUTION********************************\n"
    "This is a CRITICAL operation, should be done on all nodes in the\n"
    "cluster. The server does NOT synchronize these changes\n"
    "automatically with the nodes on which this operation is not\n"
    "executed or failed, please ensure this operation is executed on\n"
    "all nodes in the cluster.\n"
    "****************************************************************\n\n";

bool
mgmt_confirmed(void)
{
    fputs(caution, stdout);
    return console_confirm("Do you want to continue(y/n)?");
}

void
mgmt_failed(const char *command, const char *act, const struct mgmt_server *server, CK_RV rv)
{
    printf("%s failed: %s\n%s on server %u(%s) failed\n", command, code_of(rv)->text, act,
           server->number, server->settings->hostname);
}

/* 'R', 'I', or what ends it: 'A' and 'B'. */
static char
failure_ask(enum mgmt_ask ask)
{
    switch (ask) {
    case ASK_ABORT:
        putchar('\n');
        return console_choice("Retry/Ignore/Abort?(R/I/A):", "RIA", 'A');
    case ASK_ROLL_BACK:
        putchar('\n');
        return console_choice("Retry/rollBack/Ignore?(R/B/I):", "RBI", 'B');
    default:
        return 'I';
    }
}

/* Does it change records that nodes may share? Logins are each node's own, and so is what is in its
 * memory alone. */
static bool
changes_records(enum operation operation)
{
    const struct operation_row *row = operation_row((uint16_t)operation);

    return row != NULL && row->repeat == REPEAT_once && operation != OPERATION_LOGIN &&
           operation != OPERATION_LOGIN_SIGNED && operation != OPERATION_LOGOUT &&
           operation != OPERATION_QUORUM_TOKEN && operation != OPERATION_QUORUM_APPROVE &&
           operation != OPERATION_QUORUM_DELETE && operation != OPERATION_OFFICER_UNLOCK;
}

/* Who has carried it out already, and shares its records with this one; NULL: nobody. */
static const struct mgmt_server *
step_done_by(const struct mgmt_step *step, struct mgmt_server *const *done, size_t count,
             const struct mgmt_server *server)
{
    if (!changes_records(step->operation) || server->caller == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        if (done[i]->caller != NULL &&
            view_equal(caller_store(done[i]->caller), caller_store(server->caller))) {
            return done[i];
        }
    }
    return NULL;
}

/* Has it seen what the other one did? */
static CK_RV
step_confirm(const struct mgmt_step *step, struct mgmt_server *server,
             const struct mgmt_server *by)
{
    struct writer none;
    view reply;
    CK_RV rv;

    caller_see(server->caller, caller_revision(by->caller));
    writer_init(&none, 16);
    rv = mgmt_call(server, OPERATION_TOKEN, &none, &reply);
    writer_clear(&none);
    if (rv == CKR_OK && !step->quiet) {
        printf("%s success on server %u(%s)\n", step->command, server->number,
               server->settings->hostname);
    }
    return rv;
}

static CK_RV
step_once(const struct mgmt_step *step, struct mgmt_server *server, const struct writer *body)
{
    view reply;
    CK_RV rv = mgmt_call(server, step->operation, body, &reply);

    if (rv != CKR_OK) {
        return rv;
    }
    if (!step->quiet) {
        printf("%s success on server %u(%s)\n", step->command, server->number,
               server->settings->hostname);
    }
    return step->show == NULL || step->show(step->arg, server, reply) ? CKR_OK : CKR_DEVICE_ERROR;
}

enum status
mgmt_everywhere(struct mgmt *mgmt, const struct mgmt_step *step, const struct writer *body)
{
    struct mgmt_server *done[SETTINGS_SERVERS_MAX];
    struct mgmt_server *acted[SETTINGS_SERVERS_MAX]; /* of those, who have not just looked */
    size_t done_count = 0;
    size_t acted_count = 0;
    enum status status = STATUS_DONE;
    struct mgmt_server *server = mgmt_next(mgmt, NULL);

    while (server != NULL) {
        const struct mgmt_server *by = step_done_by(step, done, done_count, server);
        const struct writer *said = step->bodies == NULL
                                        ? body
                                        : &step->bodies[server - mgmt->servers];
        CK_RV rv = by != NULL ? step_confirm(step, server, by) : step_once(step, server, said);

        if (rv == CKR_OK) {
            done[done_count++] = server;
            if (by == NULL) {
                acted[acted_count++] = server;
            }
        } else {
            mgmt_failed(step->command, step->act, server, rv);

            char answer = failure_ask(step->ask);

            if (answer == 'R' && (server->caller != NULL || mgmt_connect_anew(mgmt, server))) {
                continue;
            }
            status = STATUS_REFUSED;
            for (size_t i = 0; answer == 'B' && step->undo != NULL && i < acted_count; i++) {
                step->undo(step->arg, acted[i]);
            }
            if (answer == 'A' || answer == 'B') {
                break;
            }
        }
        server = mgmt_next(mgmt, server);
    }
    return status;
}

enum status
mgmt_change(struct mgmt *mgmt, const struct mgmt_step *step, struct writer *body)
{
    enum status status = STATUS_REFUSED;

    if (mgmt_confirmed()) {
        if (step->saying != NULL) {
            puts(step->saying);
        }
        status = mgmt_everywhere(mgmt, step, body);
    }
    writer_clear(body);
    return status;
}

bool
mgmt_file_read(const char *path, size_t max, struct writer *out)
{
    FILE *file = fopen(path, "re");
    uint8_t piece[4096];
    size_t len = 0;
    size_t got;

    if (file == NULL) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return false;
    }
    while ((got = fread(piece, 1, sizeof piece, file)) > 0 && len + got <= max) {
        write_raw(out, view_of(piece, got));
        len += got;
    }

    bool whole = ferror(file) == 0 && got == 0;

    fclose(file);
    wipe(piece, sizeof piece);
    if (!whole) {
        fprintf(stderr, "%s: cannot be read, or has more than %zu bytes\n", path, max);
    }
    return whole && writer_ok(out);
}

json_t *
mgmt_json_server(const struct mgmt_server *server)
{
    return json_pack("{s:i,s:s}", "server", (int)server->number, "hostname",
                     server->settings->hostname);
}

enum status
mgmt_json_print(json_t *servers, enum status status)
{
    json_t *all = json_pack("{s:o}", "servers", servers);
    int printed = all == NULL ? -1 : json_dumpf(all, stdout, JSON_COMPACT);

    putchar('\n');
    json_decref(all);
    return printed == 0 ? status : STATUS_REFUSED;
}
