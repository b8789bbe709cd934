/* SPDX-License-Identifier: Apache-2.0
 *
 * azcloudhsm_application.cfg: KEY=VALUE lines. Looked for in $AZCLOUDHSM_APPLICATION_CFG, the
 * current directory, the folder of the running program, ~/.config/azurecloudhsm,
 * /etc/azurecloudhsm and /opt/azurecloudhsm/bin, in that order; the first that is there
 * counts. Where none is: the line `azcloudhsm_application.cfg is not present` on stderr,
 * and the defaults.
 */
#ifndef API_APPCFG_H
#define API_APPCFG_H

#include "base/bytes.h"

/* Where certificates are kept; url "": in the HSM. */
struct appcfg_storage {
    char url[2048];     /* CERTSTORAGE_URL */
    char key_id[256];   /* CERTSTORAGE_SIGNING_KEYID */
    char identity[256]; /* UAMI_CLIENT_ID */
    char secret[256];   /* CERTSTORAGE_ACCOUNT_KEY (ours) */
    bool adopt;         /* CERTSTORAGE_TRUST_EXISTING (ours) */
};

struct appcfg {
    char file[512];          /* what was read, "" when none */
    unsigned daemon_id;      /* DAEMON_ID, 1 */
    bool tcp;                /* SOCKET_TYPE=TCP */
    unsigned port;           /* PORT, 1111 */
    char socket_path[256];   /* SOCKET_PATH (ours), else /run/azurecloudhsm/daemon-<id>.sock */
    bool wrap_with_trusted;  /* DEFAULT_WRAP_WITH_TRUSTED, true */
    struct appcfg_storage storage;
    uint32_t user_kek;       /* USER_KEK_HANDLE, 0 when none */
};

/*
 * Reads the file. For a program that runs with more rights than its user has (setuid), only
 * the places that are no choice of the user's count. False, with a line on stderr that names
 * file, line and key, when a value is wrong; unknown keys are passed over. say_missing: print
 * the `not present` line.
 */
MUST_USE bool appcfg_read(bool say_missing, struct appcfg *ret_config);
/* The parser alone: the defaults, then the values of the text of a file that messages name
 * `name`. For tests and the fuzzer. */
MUST_USE bool appcfg_parse(const char *name, view text, struct appcfg *ret_config);

#endif
