/* SPDX-License-Identifier: Apache-2.0
 *
 * Where tokens are kept: a container of blobs, one for each certificate, called
 * pkcs11_certificate_<handle>. All calls block, at most until blob_until(); any thread may
 * call. A tag stands for one content of one blob (an ETag).
 */
#ifndef CERTS_BLOB_H
#define CERTS_BLOB_H

#include "base/bytes.h"

#include <stdatomic.h>

#define BLOB_TAG_MAX 128u
#define BLOB_PREFIX "pkcs11_certificate_"

enum blob_result {
    BLOB_OK,
    BLOB_SAME,     /* it is still the one with that tag */
    BLOB_NONE,     /* there is no such blob */
    BLOB_CONFLICT, /* it is there already, or is not the one with that tag */
    BLOB_FAILED,   /* nothing was changed; logged */
    BLOB_UNKNOWN   /* nobody knows whether it was changed; logged */
};

struct blob_container;

/* Return false to stop. */
typedef bool blob_visit(void *arg, uint32_t handle, const char *tag);

struct blob_ops {
    /* tag "": whatever it is. Appends to out. */
    enum blob_result (*get)(struct blob_container *container, uint32_t handle, const char *tag,
                            struct writer *out, char ret_tag[BLOB_TAG_MAX]);
    /* tag "": there must be none yet. */
    enum blob_result (*put)(struct blob_container *container, uint32_t handle, const char *tag,
                            view text, char ret_tag[BLOB_TAG_MAX]);
    enum blob_result (*remove)(struct blob_container *container, uint32_t handle, const char *tag);
    /* Every certificate's blob, in no order. */
    enum blob_result (*list)(struct blob_container *container, blob_visit *visit, void *arg);
    void (*close)(struct blob_container *container);
};

struct blob_container {
    const struct blob_ops *ops;
    _Atomic bool stopping; /* calls end soon */
};

/* What a configuration says about a container. Texts are borrowed. */
struct blob_settings {
    const char *url;      /* file:///folder or https://host/container, perhaps with ?signature */
    const char *secret;   /* the account's key in base64, or "" */
    const char *identity; /* of a managed identity, or "" */
    const char *ca_file;  /* who signs the server's certificate; "" for the system's */
    const char *metadata; /* where managed identities are asked for; "" for the usual place */
    uint32_t uid;         /* for whom: a folder has to be this user's */
};

/* What this thread asks of containers ends then (CLOCK_MONOTONIC, milliseconds); never, to begin
 * with. */
void blob_until(uint64_t end_ms);
uint64_t blob_end(void);

/* NULL when the settings name no container that can be: logged. */
MUST_USE struct blob_container *blob_open(const struct blob_settings *settings);
void blob_close(struct blob_container *container);

/* "pkcs11_certificate_4293918720" to its handle; false for any other name. */
MUST_USE bool blob_name_parse(const char *name, uint32_t *ret_handle);
#define BLOB_NAME_MAX 40u
void blob_name(uint32_t handle, char ret_name[BLOB_NAME_MAX]);

/* The kinds of containers. */
struct blob_container *folder_open(const struct blob_settings *settings);
struct blob_container *azure_open(const struct blob_settings *settings);
/* Makes the container of Azure's kind that the settings name, unless it is there. False: logged. */
MUST_USE bool azure_make(const struct blob_settings *settings);

#endif
