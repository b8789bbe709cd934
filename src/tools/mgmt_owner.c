/* SPDX-License-Identifier: Apache-2.0
 *
 * azcloudhsm_mgmt_util: ownership of a server. The owner signs its request elsewhere, with
 * openssl, so that PO.key never comes near it.
 */
#include "tools/mgmt.h"

#include "crypto/cert.h"
#include "tools/code.h"
#include "tools/file.h"

#include <string.h>

/* What the owner compares with the server's log before he signs. */
static void
fingerprint_print(view request)
{
    uint8_t print[CERT_FINGERPRINT_LEN];
    char text[2 * CERT_FINGERPRINT_LEN + 1];

    if (cert_fingerprint(request, print) == CKR_OK) {
        hex_encode(view_of(print, sizeof print), text);
        printf("SHA-256 of the server's public key: %s\n", text);
    }
}

static enum status
one_failed(const char *command, CK_RV rv)
{
    printf("%s failed: %s\n", command, code_of(rv)->text);
    return STATUS_REFUSED;
}

enum status
mgmt_get_cert_req(void *tool, const struct values *values)
{
    struct mgmt *mgmt = tool;
    struct cert_request_reply reply;
    struct writer body;
    view bytes;
    CK_RV rv;

    writer_init(&body, MGMT_BODY_MAX);
    rv = mgmt_call(mgmt->scope, OPERATION_CERT_REQUEST, &body, &bytes);
    writer_clear(&body);
    if (rv == CKR_OK && !cert_request_reply_read(bytes, &reply)) {
        rv = CKR_DEVICE_ERROR;
    }
    if (rv != CKR_OK) {
        return one_failed("getCertReq", rv);
    }
    if (!file_write_shared(values_text(values, "file"), reply.request)) {
        return STATUS_REFUSED;
    }
    puts("getCertReq success");
    fingerprint_print(reply.request);
    return STATUS_DONE;
}

enum status
mgmt_get_cert(void *tool, const struct values *values)
{
    struct mgmt *mgmt = tool;
    const struct cert_get_request request = { .type = values_number(values, "type", 0) };
    struct cert_get_reply reply;
    struct writer body;
    view bytes;
    CK_RV rv;

    writer_init(&body, MGMT_BODY_MAX);
    cert_get_request_write(&body, &request);
    rv = mgmt_call(mgmt->scope, OPERATION_CERT_GET, &body, &bytes);
    writer_clear(&body);
    if (rv == CKR_OK && !cert_get_reply_read(bytes, &reply)) {
        rv = CKR_DEVICE_ERROR;
    }
    if (rv != CKR_OK) {
        return one_failed("getCert", rv);
    }
    if (!file_write_shared(values_text(values, "file"), reply.certificate)) {
        return STATUS_REFUSED;
    }
    puts("getCert success");
    return STATUS_DONE;
}

/* The server has its owner now: from here on only to one whom PO.crt vouches for. */
static enum status
owner_came(struct mgmt *mgmt)
{
    struct writer none;
    view reply;

    writer_init(&none, 16);
    if (mgmt_call(mgmt->scope, OPERATION_LOGOUT, &none, &reply) == CKR_OK) {
        printf("logoutHSM success on server %u(%s)\n", mgmt->scope->number,
               mgmt->scope->settings->hostname);
    }
    writer_clear(&none);
    if (!mgmt_trust(mgmt)) {
        return STATUS_REFUSED;
    }
    return mgmt_connect_anew(mgmt, mgmt->scope) ? STATUS_DONE : STATUS_REFUSED;
}

enum status
mgmt_store_cert(void *tool, const struct values *values)
{
    struct mgmt *mgmt = tool;
    struct mgmt_server *server = mgmt->scope;
    const uint32_t type = values_number(values, "type", 0);
    const bool unowned = caller_is_unowned(server->caller);
    struct writer pem, body;
    view bytes;
    CK_RV rv;

    writer_init(&pem, CERT_PEM_MAX);
    if (!mgmt_file_read(values_text(values, "file"), CERT_PEM_MAX, &pem)) {
        writer_clear(&pem);
        return STATUS_MISUSED;
    }

    const struct cert_store_request request = { .type = type, .certificate = writer_view(&pem) };

    writer_init(&body, MGMT_BODY_MAX);
    cert_store_request_write(&body, &request);
    rv = mgmt_call(server, OPERATION_CERT_STORE, &body, &bytes);
    writer_clear(&body);
    writer_clear(&pem);
    if (rv != CKR_OK) {
        return one_failed("storeCert", rv);
    }
    puts("storeCert success");
    return unowned && type == CERT_NODE ? owner_came(mgmt) : STATUS_DONE;
}
