/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cluster.h"

#include "base/log.h"
#include "crypto/cert.h"
#include "net/caller.h"
#include "server/clock.h"
#include "server/entropy.h"
#include "server/identity.h"
#include "server/process.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool
own_print(struct hsm *hsm, const struct server_settings *settings,
          uint8_t ret_print[CERT_FINGERPRINT_LEN])
{
    struct hsm_identity identity = { .version = 0 };
    bool made;

    if (!hsm_identity_get(hsm, &identity)) {
        identity.certificate = identity_certificate(settings);
    }
    made = identity.certificate != NULL &&
           cert_fingerprint(view_str(identity.certificate), ret_print) == CKR_OK;
    hsm_identity_clear(&identity);
    return made;
}

/* What the settings say, else where it listens, else what this host is called. */
static void
own_address(const struct server_settings *settings, char *ret_host, size_t size)
{
    const char *listen = settings->listen[0];
    const char *colon = strrchr(listen, ':');
    size_t len = colon == NULL ? strlen(listen) : (size_t)(colon - listen);

    if (settings->address[0] != '\0') {
        snprintf(ret_host, size, "%s", settings->address);
        return;
    }
    if (len > 2 && listen[0] == '[' && listen[len - 1] == ']') {
        listen++;
        len -= 2;
    }
    snprintf(ret_host, size, "%.*s", (int)len, listen);
    if ((ret_host[0] == '\0' || strcmp(ret_host, "0.0.0.0") == 0 || strcmp(ret_host, "::") == 0 ||
         strcmp(ret_host, "*") == 0) &&
        gethostname(ret_host, size) != 0) {
        snprintf(ret_host, size, "localhost");
    }
    ret_host[size - 1] = '\0';
}

bool
cluster_enter(struct hsm *hsm, const struct server_settings *settings, unsigned client_port,
              unsigned manage_port)
{
    char host[HSM_HOSTNAME_MAX + 1];
    struct hsm_place_of_node place = { .hostname = host,
                                       .client_port = (uint16_t)client_port,
                                       .manage_port = (uint16_t)manage_port };
    CK_RV rv;

    own_address(settings, host, sizeof host);
    rv = own_print(hsm, settings, place.print) ? hsm_enter(hsm, &place) : CKR_DEVICE_ERROR;
    if (rv == CODE_NODE_UNKNOWN) {
        log_err("this node was removed from the cluster; to come back it needs another serial");
    } else if (rv == CODE_NODE_MANY) {
        log_err("the cluster has as many nodes as it can");
    } else if (rv != CKR_OK) {
        log_err("this node does not enter the cluster: %s", return_name(rv));
    }
    return rv == CKR_OK;
}

/* ---- the master key from a member ---- */

#define JOIN_CALL_MS 10000u
#define JOIN_PAUSE_S 2
#define JOIN_BODY_MAX 65536u

/* What a member refuses for, in words; NULL: anything else. */
static const char *
refusal_text(CK_RV rv)
{
    switch (rv) {
    case CODE_NODE_UNKNOWN:
        return "this node is not on the list of nodes (addNode)";
    case CODE_NODE_KEY:
        return "this node is on the list with another key";
    case CODE_NODE_ALONE:
        return "the member shares its records with nobody";
    case CODE_CERT_NONE:
        return "no certificate was shown";
    case CODE_CERT_CHAIN:
        return "the certificate was not signed by PO.crt";
    case CODE_CERT_TIME:
        return "the certificate is expired, or not valid yet";
    case CODE_CERT_KEY:
        return "the certificate is not for a name HSM:<serial>:PARTN:<n>";
    case CKR_SIGNATURE_INVALID:
        return "the signature is wrong";
    case CODE_JOIN_STATE:
        return "it took too long";
    default:
        return NULL;
    }
}

/* Worth asking again: an officer may add the node, a member may come back. */
static bool
refusal_may_pass(CK_RV rv)
{
    return rv == CODE_NODE_UNKNOWN || rv == CKR_DEVICE_ERROR || rv == CODE_JOIN_STATE ||
           rv == CODE_UNOWNED || rv == CKR_DEVICE_MEMORY || rv == CODE_LAGGING ||
           rv == CODE_UNKNOWN_CONTEXT;
}

static CK_RV
talk(struct caller *caller, struct joiner *joiner, const struct hsm_identity *own,
     struct secret **ret_master)
{
    const struct join_identity identity = { view_str(own->certificate),
                                            secret_view(own->private_key),
                                            view_str(own->owner) };
    struct clock *clock = clock_host();
    struct writer body;
    view reply;
    CK_RV rv;

    writer_init(&body, JOIN_BODY_MAX);
    if ((rv = join_begin(joiner, &identity, entropy_host(), clock->wall(clock), &body)) ==
            CKR_OK &&
        (rv = caller_call(caller, OPERATION_JOIN, writer_view(&body), &reply)) == CKR_OK) {
        writer_reset(&body);
        rv = join_go_on(joiner, reply, clock->wall(clock), &body);
    }
    if (rv == CKR_OK && (rv = caller_call(caller, OPERATION_JOIN_KEY, writer_view(&body),
                                          &reply)) == CKR_OK) {
        rv = join_end(joiner, reply, ret_master);
    }
    writer_clear(&body);
    return rv;
}

/* HOST:PORT; the port for management where there is none. */
static unsigned
address_split(const char *address, char *ret_host, size_t size)
{
    const char *colon = strrchr(address, ':');
    size_t len = colon == NULL ? strlen(address) : (size_t)(colon - address);

    if (len > 2 && address[0] == '[' && address[len - 1] == ']') {
        address++;
        len -= 2;
    }
    snprintf(ret_host, size, "%.*s", (int)len, address);
    return colon == NULL ? 2225 : (unsigned)strtoul(colon + 1, NULL, 10);
}

struct joining {
    const struct server_settings *settings;
    struct hsm_identity own;
    struct tls_context *tls;
    CK_RV said[8]; /* of each member: it is logged when it is something else */
};

static void
refusal_log(struct joining *j, size_t at, CK_RV rv, const char *error)
{
    const char *text = error != NULL ? error : refusal_text(rv);

    if (j->said[at] != rv) {
        log_wrn("join: %s: %s", j->settings->join[at], text == NULL ? return_name(rv) : text);
        j->said[at] = rv;
    }
}

static CK_RV
join_one(struct joining *j, size_t at, struct secret **ret_master, uint8_t ret_store_id[16])
{
    struct joiner joiner;
    char host[128], error[256];
    unsigned port = address_split(j->settings->join[at], host, sizeof host);
    struct caller *caller = caller_open(host, port, j->tls, JOIN_CALL_MS, error, sizeof error);
    CK_RV rv;

    if (caller == NULL) {
        refusal_log(j, at, CKR_DEVICE_ERROR, error);
        return CKR_DEVICE_ERROR;
    }
    rv = talk(caller, &joiner, &j->own, ret_master);
    memcpy(ret_store_id, joiner.talk.store_id, sizeof joiner.talk.store_id);
    join_clear(&joiner);
    caller_close(caller);
    if (rv == CKR_OK) {
        log_inf("join: %s gave the master key", j->settings->join[at]);
    } else {
        refusal_log(j, at, rv, NULL);
    }
    return rv;
}

static bool
join_any(struct joining *j, struct secret **ret_master, uint8_t ret_store_id[16])
{
    for (;;) {
        for (size_t i = 0; i < j->settings->join_count; i++) {
            CK_RV rv = join_one(j, i, ret_master, ret_store_id);

            if (rv == CKR_OK) {
                return true;
            }
            if (!refusal_may_pass(rv)) {
                return false;
            }
        }
        if (process_pause(JOIN_PAUSE_S, "the master key")) {
            return false;
        }
    }
}

bool
cluster_join(const struct server_settings *settings, struct secret **ret_master,
             uint8_t ret_store_id[16])
{
    struct joining joining = { .settings = settings };
    const struct tls_files files = { .anchor = settings->owner_certificate,
                                     .certificate = settings->certificate,
                                     .private_key = settings->private_key };
    bool joined;

    if (!identity_read(settings, &joining.own)) {
        return false;
    }
    joining.tls = tls_client_new(&files);
    joined = joining.tls != NULL && join_any(&joining, ret_master, ret_store_id);
    tls_context_free(joining.tls);
    hsm_identity_clear(&joining.own);
    return joined;
}
