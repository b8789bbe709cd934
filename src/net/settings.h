/* SPDX-License-Identifier: Apache-2.0
 *
 * The JSON configuration files: azcloudhsm_resource.cfg, azcloudhsm_client.cfg,
 * azcloudhsm_mgmt_util.cfg and azcloudhsm_server.cfg. Unknown keys are passed over with a
 * log line; a wrong type is refused with file, line and field.
 */
#ifndef NET_SETTINGS_H
#define NET_SETTINGS_H

#include "base/log.h"

#define SETTINGS_SERVERS_MAX 32

struct settings_server {
    char name[64];
    char hostname[256];
    unsigned client_port; /* 2224 */
    unsigned manage_port; /* 2225 */
    bool enable;
};

/* What the daemon and mgmt_util need, from any of the three client-side files. */
struct client_settings {
    struct settings_server servers[SETTINGS_SERVERS_MAX];
    size_t server_count;
    char anchor[512];       /* PO.crt: e2e_owner_crt_path / owner_cert_path, else ../cert/PO.crt
                               beside the file, else /opt/azurecloudhsm/cert/PO.crt */
    char certificate[512];  /* own certificate and key, "" when none */
    char private_key[512];
    unsigned daemon_id;     /* 1 */
    char socket_path[256];  /* socket_path (ours), "" for the default of the daemon id */
    unsigned socket_mode;   /* ours, 0 for the default of DESIGN section 3 */
    char state[512];        /* ours: where client.pid and cluster.info go, "" for none */
    enum log_level log_level;
    char metrics[128];     /* ours: a loopback address HOST:PORT, "" for none */
    char certstorage_ca[512];       /* ours: who signs the certificate of the storage's server */
    char certstorage_metadata[256]; /* ours: where managed identities are asked for */
    unsigned reconnect_interval_ms; /* reconnect_interval is in seconds, 3 */
    unsigned minimum_nodes; /* create_object_minimum_nodes, 1 */
};

/* Where a node keeps its records. */
struct settings_store {
    bool etcd;               /* false: SQLite, a file of the state folder; the rest is empty */
    char endpoints[2048];    /* with a comma between them */
    char prefix[129];        /* ends in a slash */
    char ca[512];            /* these three: relative to state */
    char certificate[512];
    char private_key[512];
};

struct server_settings {
    char listen[8][128];
    size_t listen_count;
    char listen_management[8][128];
    size_t listen_management_count;
    char state[512];
    struct settings_store store;
    char join[8][128];       /* management addresses of members, who are asked for the master key */
    size_t join_count;
    char address[256];       /* host name at which clients and other nodes reach it; "": of listen */
    char certificate[512]; /* these four: relative to state */
    char private_key[512];
    char owner_certificate[512];
    char client_ca[512];
    bool require_client_certificate;
    char metrics[128];     /* a loopback address HOST:PORT, "" for none */
    enum log_level log_level;
    unsigned loops; /* 0: one per core */
    unsigned ticket_life; /* seconds */
    unsigned stale_limit; /* seconds for which keys are used without the store being heard */
    char audit_syslog[256];      /* a datagram socket such as /dev/log that gets each record; "": none */
    unsigned audit_limit;        /* MiB of the audit trail; 0: no limit */
    unsigned journal_limit;      /* records of the journal; 0: no limit */
    char backup_owners[16][512]; /* certificates, relative to state; none: owner_certificate */
    size_t backup_owner_count;
    unsigned backup_needed; /* how many of them open a backup */
};

/* False, with one line on the log that names file, line and field. Relative paths in the
 * file are taken from the file's folder (server: from state). */
MUST_USE bool client_settings_read(const char *path, struct client_settings *ret_settings);
MUST_USE bool server_settings_read(const char *path, struct server_settings *ret_settings);

#endif
