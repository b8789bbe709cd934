/* SPDX-License-Identifier: Apache-2.0
 *
 * azcloudhsm_dev: ownership of the node, the officer, and the first crypto user; all as people do
 * it, over the management port: the node's request is signed by the owner, the certificates are
 * stored, and the factory's officer gets a password of his own.
 */
#include "tools/dev.h"

#include "core/hsm.h"
#include "net/caller.h"
#include "tools/code.h"

#include <stdio.h>

#define CERT_ROOM 16384u

/* A connection to the management port, and the request that is being made. */
struct talk {
    struct tls_context *tls;
    struct caller *caller;
    struct writer body;
    view reply;
};

static bool
talk_begin(const struct dev *dev, bool unowned, struct talk *talk)
{
    char anchor[DEV_PATH_MAX];
    char certificate[DEV_PATH_MAX];
    char private_key[DEV_PATH_MAX];
    char error[512];

    *talk = (struct talk){ 0 };
    writer_init(&talk->body, CERT_ROOM);
    if (!dev_path(dev, "PO.crt", anchor) || !dev_path(dev, "client.crt", certificate) ||
        !dev_path(dev, "client.key", private_key)) {
        return false;
    }

    const struct tls_files files = { .anchor = anchor,
                                     .certificate = certificate,
                                     .private_key = private_key,
                                     .unowned = unowned };

    if ((talk->tls = tls_client_new(&files)) == NULL) {
        return false;
    }
    talk->caller =
        caller_open("127.0.0.1", dev->nodes[0].manage_port, talk->tls, DEV_WAIT_MS, error, sizeof error);
    if (talk->caller == NULL) {
        fprintf(stderr, "%s\n", error);
    }
    return talk->caller != NULL;
}

static void
talk_end(struct talk *talk)
{
    caller_close(talk->caller);
    tls_context_free(talk->tls);
    writer_clear(&talk->body);
}

/* Sends what was written to the body. */
static CK_RV
talk_send(struct talk *talk, enum operation operation)
{
    CK_RV rv = writer_ok(&talk->body) ? caller_call(talk->caller, operation,
                                                    writer_view(&talk->body), &talk->reply)
                                      : CKR_HOST_MEMORY;

    writer_truncate(&talk->body, 0);
    return rv;
}

static CK_RV
login(struct talk *talk, enum role role, view password)
{
    const struct login_request request = { role, VIEW_TEXT(DEV_OFFICER), password };

    login_request_write(&talk->body, &request);
    return talk_send(talk, OPERATION_LOGIN);
}

static CK_RV
password_set(struct talk *talk)
{
    const struct user_password_request request = { ROLE_PRECO, VIEW_TEXT(DEV_OFFICER),
                                                   VIEW_TEXT(DEV_OFFICER_PASSWORD) };

    user_password_request_write(&talk->body, &request);
    return talk_send(talk, OPERATION_USER_PASSWORD);
}

static CK_RV
user_create(struct talk *talk)
{
    const struct user_create_request request = { ROLE_CU, VIEW_TEXT(DEV_USER),
                                                 VIEW_TEXT(DEV_USER_PASSWORD) };

    user_create_request_write(&talk->body, &request);
    return talk_send(talk, OPERATION_USER_CREATE);
}

static CK_RV
cert_store(struct talk *talk, const struct dev *dev, const char *file, uint32_t type)
{
    char pem[CERT_ROOM];

    if (!dev_read(dev, file, pem, sizeof pem)) {
        return CKR_HOST_MEMORY;
    }

    const struct cert_store_request request = { type, view_str(pem) };

    cert_store_request_write(&talk->body, &request);
    return talk_send(talk, OPERATION_CERT_STORE);
}

/* The node's request, signed by the owner; POAC.crt is in D then. */
static CK_RV
request_sign(struct talk *talk, const struct dev *dev)
{
    struct cert_request_reply reply;
    CK_RV rv = talk_send(talk, OPERATION_CERT_REQUEST);

    if (rv == CKR_OK && (!cert_request_reply_read(talk->reply, &reply) ||
                         !dev_sign_node(dev, reply.request))) {
        rv = CKR_DEVICE_ERROR;
    }
    return rv;
}

bool
dev_own(const struct dev *dev)
{
    struct talk talk;
    CK_RV rv = CKR_DEVICE_ERROR;

    if (talk_begin(dev, true, &talk) && (rv = request_sign(&talk, dev)) == CKR_OK &&
        (rv = login(&talk, ROLE_PRECO, VIEW_TEXT(HSM_FACTORY_PASSWORD))) == CKR_OK &&
        (rv = cert_store(&talk, dev, "PO.crt", CERT_OWNER)) == CKR_OK) {
        rv = cert_store(&talk, dev, "POAC.crt", CERT_NODE);
    }
    talk_end(&talk);
    if (rv != CKR_OK) {
        fprintf(stderr, "the node takes no owner: %s\n", code_of(rv)->text);
        return false;
    }
    rv = CKR_DEVICE_ERROR;
    if (talk_begin(dev, false, &talk) &&
        (rv = login(&talk, ROLE_PRECO, VIEW_TEXT(HSM_FACTORY_PASSWORD))) == CKR_OK) {
        rv = password_set(&talk);
    }
    talk_end(&talk);
    if (rv != CKR_OK) {
        fprintf(stderr, "officer %s could not be made: %s\n", DEV_OFFICER, code_of(rv)->text);
    }
    return rv == CKR_OK;
}

bool
dev_create_user(const struct dev *dev)
{
    struct talk talk;
    CK_RV rv = CKR_DEVICE_ERROR;

    if (talk_begin(dev, false, &talk) &&
        (rv = login(&talk, ROLE_CO, VIEW_TEXT(DEV_OFFICER_PASSWORD))) == CKR_OK) {
        rv = user_create(&talk);
    }
    talk_end(&talk);
    if (rv != CKR_OK) {
        fprintf(stderr, "user %s could not be created: %s\n", DEV_USER, code_of(rv)->text);
    }
    return rv == CKR_OK;
}
