/* SPDX-License-Identifier: Apache-2.0
 *
 * Taking ownership: the request for a certificate, and the two certificates that answer it, in
 * their order. What is refused here would leave a node that nobody can reach.
 */
#include "core/state.h"

#include "crypto/cert.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_BYTES_MAX 4096u

enum { OWNER, NODE }; /* places in owner.certs */

void
owner_init(struct owner *owner)
{
    owner->certs[OWNER].type = CERT_OWNER;
    owner->certs[NODE].type = CERT_NODE;
    atomic_init(&owner->missing, false);
    atomic_init(&owner->version, 1);
}

void
owner_clear(struct owner *owner)
{
    secret_free(owner->key);
    owner->key = NULL;
    for (size_t i = 0; i < OWNER_CERTS; i++) {
        free(owner->certs[i].pem);
        owner->certs[i].pem = NULL;
    }
}

/* ---- records ---- */

bool
owner_node_valid(const char *node)
{
    const size_t len = strlen(node);

    return len > 0 && len <= 16 &&
           strspn(node, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") == len;
}

struct owner_name
owner_name(const char *node, uint32_t number)
{
    struct owner_name name;

    name.len = (size_t)snprintf(name.text, sizeof name.text, "n/%.16s/%08" PRIx32, node, number);
    return name;
}

view
owner_name_view(const struct owner_name *name)
{
    return view_of(name->text, name->len);
}

bool
owner_name_is(view key)
{
    char node[17] = "";
    struct owner_name name;

    if (key.len < 4 + 8 || key.len > OWNER_NAME_MAX) {
        return false;
    }
    memcpy(node, key.data + 2, key.len - 3 - 8);
    if (!owner_node_valid(node)) {
        return false;
    }
    name = owner_name(node, OWNER_KEY_NUMBER);
    if (view_equal(owner_name_view(&name), key)) {
        return true;
    }
    name = owner_name(node, CERT_NODE);
    return view_equal(owner_name_view(&name), key);
}

CK_RV
owner_key_record(const struct sealer *sealer, const struct owner_name *name, struct writer *out)
{
    struct writer key;
    CK_RV rv;

    writer_init(&key, KEY_BYTES_MAX);
    rv = cert_key_new(&key);
    if (rv == CKR_OK) {
        rv = record_seal(sealer, owner_name_view(name), 0, 1, writer_view(&key), out);
    }
    writer_clear(&key);
    return rv;
}

static CK_RV
load_key(struct owner *owner, const struct sealer *sealer, view name, view record)
{
    struct writer key;
    uint64_t version;
    CK_RV rv;

    writer_init(&key, KEY_BYTES_MAX);
    rv = record_open(sealer, name, 0, record, &version, &key);
    if (rv == CKR_OK) {
        owner->key = secret_dup(writer_view(&key));
        rv = owner->key == NULL ? CKR_HOST_MEMORY : CKR_OK;
    }
    writer_clear(&key);
    return rv;
}

static struct owner_cert *
owner_cert(struct owner *owner, uint32_t type)
{
    for (size_t i = 0; i < OWNER_CERTS; i++) {
        if (owner->certs[i].type == type) {
            return &owner->certs[i];
        }
    }
    return NULL;
}

static char *
text_of(view pem)
{
    char *text = memchr(pem.data, '\0', pem.len) != NULL ? NULL : malloc(pem.len + 1);

    if (text != NULL) {
        memcpy(text, pem.data, pem.len);
        text[pem.len] = '\0';
    }
    return text;
}

static CK_RV
load_cert(struct owner_cert *cert, const struct sealer *sealer, view name, view record,
          uint64_t revision)
{
    struct writer pem;
    uint64_t version;
    char *text;
    CK_RV rv;

    if (cert->pem != NULL && cert->revision >= revision) {
        return CKR_OK;
    }
    writer_init(&pem, CERT_PEM_MAX);
    rv = record_open(sealer, name, 0, record, &version, &pem);
    if (rv == CKR_OK) {
        text = text_of(writer_view(&pem));
        rv = text == NULL ? CKR_HOST_MEMORY : CKR_OK;
        if (rv == CKR_OK) {
            free(cert->pem);
            cert->pem = text;
            cert->version = version;
            cert->revision = revision;
        }
    }
    writer_clear(&pem);
    return rv;
}

CK_RV
owner_load(struct owner *owner, const struct sealer *sealer, const char *node, view key,
           view record, uint64_t revision)
{
    struct owner_name name = owner_name(node, OWNER_KEY_NUMBER);

    if (view_equal(owner_name_view(&name), key)) {
        return load_key(owner, sealer, key, record);
    }
    name = owner_name(node, CERT_NODE);
    return view_equal(owner_name_view(&name), key)
               ? load_cert(&owner->certs[NODE], sealer, key, record, revision)
               : CKR_OK;
}

CK_RV
owner_load_cert(struct owner *owner, const struct sealer *sealer, uint32_t type, view record,
                uint64_t revision)
{
    struct record_name name = record_name('c', type);

    atomic_fetch_add(&owner->version, 1);
    return type == CERT_OWNER ? load_cert(&owner->certs[OWNER], sealer, record_name_view(&name),
                                          record, revision)
                              : CKR_GENERAL_ERROR;
}

uint64_t
owner_revision(const struct owner *owner)
{
    return owner->certs[OWNER].pem == NULL ? 0 : owner->certs[OWNER].revision;
}

bool
owner_loaded(struct owner *owner)
{
    atomic_store(&owner->missing, owner->key != NULL && owner->certs[NODE].pem == NULL);
    return owner->certs[NODE].pem == NULL ||
           (owner->key != NULL && owner->certs[OWNER].pem != NULL);
}

/* ---- what the edge needs ---- */

void
hsm_identity_name(const struct hsm *hsm, char *ret_name, size_t size)
{
    snprintf(ret_name, size, "HSM:%s:PARTN:1,for %s mode", hsm->node,
             hsm->rules.policy == POLICY_FIPS ? "FIPS" : "non-FIPS");
}

uint64_t
hsm_identity_version(struct hsm *hsm)
{
    return atomic_load(&hsm->owner.version);
}

void
hsm_identity_clear(struct hsm_identity *identity)
{
    secret_free(identity->private_key);
    free(identity->certificate);
    free(identity->owner);
    *identity = (struct hsm_identity){ 0 };
}

/* The certificate of a node without an owner. */
static char *
self_signed(struct hsm *hsm)
{
    char name[CERT_NAME_MAX + 1];
    struct writer pem;
    char *text = NULL;

    hsm_identity_name(hsm, name, sizeof name);
    writer_init(&pem, CERT_PEM_MAX);
    if (cert_self(secret_view(hsm->owner.key), name,
                  hsm->ports.clock->wall(hsm->ports.clock), &pem) == CKR_OK) {
        text = text_of(writer_view(&pem));
    }
    writer_clear(&pem);
    return text;
}

bool
hsm_identity_get(struct hsm *hsm, struct hsm_identity *ret_identity)
{
    struct hsm_identity identity = { .version = hsm_identity_version(hsm) };
    const struct owner *owner = &hsm->owner;
    bool got;

    if (owner->key == NULL) { /* it never changes */
        return false;
    }
    pthread_rwlock_rdlock(&hsm->lock);
    identity.owned = owner->certs[NODE].pem != NULL;
    identity.private_key = secret_dup(secret_view(owner->key));
    identity.certificate =
        identity.owned ? strdup(owner->certs[NODE].pem) : self_signed(hsm);
    identity.owner = identity.owned ? strdup(owner->certs[OWNER].pem) : NULL;
    pthread_rwlock_unlock(&hsm->lock);
    got = identity.private_key != NULL && identity.certificate != NULL &&
          (!identity.owned || identity.owner != NULL);
    if (got) {
        *ret_identity = identity;
    } else {
        hsm_identity_clear(&identity);
    }
    return got;
}

/* ---- requests ---- */

CK_RV
handle_CERT_REQUEST(struct request *r)
{
    struct hsm *hsm = r->hsm;
    struct cert_request_request m;
    char name[CERT_NAME_MAX + 1];
    struct writer pem;
    CK_RV rv;

    if (!cert_request_request_read(r->body, &m)) {
        return CODE_BAD_FRAME;
    }
    if (hsm->owner.key == NULL) {
        return CODE_OWNED; /* by hand: its key is a file, and none of ours */
    }
    hsm_identity_name(hsm, name, sizeof name);
    writer_init(&pem, CERT_PEM_MAX);
    rv = cert_request(secret_view(hsm->owner.key), name, &pem);
    if (rv == CKR_OK) {
        const struct cert_request_reply answer = { .request = writer_view(&pem) };

        cert_request_reply_write(r->reply, &answer);
    }
    writer_clear(&pem);
    return rv;
}

CK_RV
handle_CERT_GET(struct request *r)
{
    struct hsm *hsm = r->hsm;
    struct cert_get_request m;
    struct owner_cert *cert;
    CK_RV rv = CODE_CERT_NONE;

    if (!cert_get_request_read(r->body, &m)) {
        return CODE_BAD_FRAME;
    }
    pthread_rwlock_rdlock(&hsm->lock);
    cert = owner_cert(&hsm->owner, m.type);
    if (cert != NULL && cert->pem != NULL) {
        const struct cert_get_reply answer = { .certificate = view_str(cert->pem) };

        cert_get_reply_write(r->reply, &answer);
        rv = CKR_OK;
    }
    pthread_rwlock_unlock(&hsm->lock);
    return rv;
}

/* Who may store which one, and when. Under the lock for changes. */
static CK_RV
store_permitted(const struct request *r, uint32_t type)
{
    const struct owner *owner = &r->hsm->owner;

    if (owner->key == NULL) {
        return CODE_OWNED;
    }
    if (owner->certs[NODE].pem == NULL) {
        if (r->who.role != ROLE_PRECO) {
            return CKR_USER_NOT_LOGGED_IN;
        }
        return type == CERT_OWNER || owner->certs[OWNER].pem != NULL ? CKR_OK
                                                                      : CODE_CERT_ORDER;
    }
    if (type == CERT_OWNER) {
        return CODE_OWNED;
    }
    /* A new certificate of the same owner, before the old one expires. */
    return r->who.role == ROLE_CO ? CKR_OK : CKR_USER_NOT_LOGGED_IN;
}

static CK_RV
cert_check(struct hsm *hsm, const struct cert_store_request *m)
{
    uint64_t now = hsm->ports.clock->wall(hsm->ports.clock);
    char name[CERT_NAME_MAX + 1];

    if (m->type == CERT_OWNER) {
        return cert_check_owner(m->certificate, now);
    }
    hsm_identity_name(hsm, name, sizeof name);
    return cert_check_node(view_str(hsm->owner.certs[OWNER].pem), m->certificate,
                           secret_view(hsm->owner.key), name, now);
}

/* Seals and stores; pem is the caller's still when it fails. Under the lock for changes. */
static CK_RV
cert_keep(struct request *r, struct owner_cert *cert, char *pem)
{
    struct hsm *hsm = r->hsm;
    const struct owner_name own = owner_name(hsm->node, cert->type);
    const struct record_name shared = record_name('c', cert->type);
    const view name = cert->type == CERT_NODE ? owner_name_view(&own) : record_name_view(&shared);
    struct writer record;
    uint64_t revision = 0;
    CK_RV rv;

    writer_init(&record, CERT_PEM_MAX + RECORD_OVERHEAD);
    rv = record_seal(&hsm->sealer, name, 0, cert->version + 1, view_str(pem),
                     &record);
    if (rv == CKR_OK) {
        const struct store_compare compare = { name, cert->revision };
        const struct store_change change = { name, writer_view(&record), false };

        rv = request_commit(r, &compare, 1, &change, 1, &revision);
    }
    writer_clear(&record);
    if (rv != CKR_OK) {
        return rv;
    }
    pthread_rwlock_wrlock(&hsm->lock);
    free(cert->pem);
    cert->pem = pem;
    cert->version++;
    cert->revision = revision;
    pthread_rwlock_unlock(&hsm->lock);
    if (cert->type == CERT_NODE) {
        atomic_store(&hsm->owner.missing, false);
    }
    atomic_fetch_add(&hsm->owner.version, 1);
    return CKR_OK;
}

CK_RV
handle_CERT_STORE(struct request *r)
{
    struct hsm *hsm = r->hsm;
    struct cert_store_request m;
    struct owner_cert *cert;
    char *pem = NULL;
    CK_RV rv;

    if (!cert_store_request_read(r->body, &m)) {
        return CODE_BAD_FRAME;
    }
    note_detail(r, "type=%u", (unsigned)m.type);
    cert = owner_cert(&hsm->owner, m.type);
    if (cert == NULL) {
        return CODE_CERT_NONE;
    }
    if (!request_may(r, PLACE_STORE)) {
        return CODE_LATER;
    }
    if ((rv = hsm_change_begin(hsm)) != CKR_OK) {
        return rv;
    }
    if ((rv = store_permitted(r, m.type)) == CKR_OK && (rv = cert_check(hsm, &m)) == CKR_OK) {
        pem = text_of(m.certificate);
        rv = pem == NULL ? CODE_CERT_BAD : cert_keep(r, cert, pem);
    }
    hsm_change_end(hsm);
    if (rv != CKR_OK) {
        free(pem);
    }
    return rv;
}
