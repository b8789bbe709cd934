/* SPDX-License-Identifier: Apache-2.0
 *
 * azcloudhsm_dev: a throwaway HSM for a laptop or CI. A folder D holds all there is of it:
 *
 *     PO.key PO.crt POAC.crt         the owner, and the node's certificate, which he signed
 *     client_ca.key client_ca.crt    who signs clients
 *     client.key client.crt          the daemon's and the management tool's certificate
 *     node0/ node1/ ...              each node's state, its configuration
 *     etcd/                          of several nodes: their store, as azcloudhsm_etcd makes it
 *     node_count                     how many there are
 *     azcloudhsm_*.cfg               what the daemon, the tools and applications read
 *     client.pid client.log          the daemon's
 *     certstorage.*                  where certificates are kept, when not in the HSM; then also
 *     certificates/ or azurite/      what is kept
 *     made                           written last: the folder is whole
 */
#ifndef TOOLS_DEV_H
#define TOOLS_DEV_H

#include "base/bytes.h"
#include "rules/rules.h"

#include <stdarg.h>
#include <sys/types.h>

#define DEV_PATH_MAX 512u
#define DEV_TEXT_MAX 4096u
#define DEV_WAIT_MS 10000
#define DEV_READY_MS 120000 /* a million objects on a busy machine */
#define DEV_STOP_MS 5000
#define DEV_NODES_MAX 8u
#define DEV_STORAGE_URL_MAX (DEV_PATH_MAX + 64u)

#define DEV_OFFICER "admin"
#define DEV_OFFICER_PASSWORD "adminpassword"
#define DEV_USER "cu1"
#define DEV_USER_PASSWORD "user1234"

struct dev_node {
    unsigned client_port; /* 0: any that is free */
    unsigned manage_port;
};

struct dev {
    char dir[DEV_PATH_MAX]; /* absolute */
    char socket_path[DEV_PATH_MAX];
    const char *policy;
    const char *switches; /* "" for none */
    const char *certstore; /* where certificates are kept from now on; NULL: as before */
    bool detach; /* what is started outlives this program */
    unsigned node_count; /* 0: as D has it */
    struct dev_node nodes[DEV_NODES_MAX];
};

enum dev_program { DEV_SERVER, DEV_DAEMON };

/* dev_folder.c. Failures print a line on stderr. */
/* D is given, or $AZCLOUDHSM_DEV_DIR, or the usual place; with make it is made where it is not. */
MUST_USE bool dev_folder_choose(struct dev *dev, const char *given, bool make);
/* D is given, made where it is not; or with NULL a temporary one, which the caller removes. */
MUST_USE bool dev_folder_new(struct dev *dev, const char *given, bool *ret_temporary);

/* dev_up.c: all programs of D. Failures print a line on stderr. */
/* Sets how many nodes D has, or will have, into node_count; false: not as many as were asked
 * for. */
MUST_USE bool dev_count_nodes(struct dev *dev);
/* Starts what is not running, makes what is not there; blocks until all of it answers. */
MUST_USE bool dev_up(struct dev *dev);
/* Stops all; false when something goes on. */
bool dev_down(struct dev *dev);
/* Does all of it run? */
bool dev_is_up(const struct dev *dev);
/* A line on standard output for each program. */
void dev_print(struct dev *dev);
/* What ran before an attempt: that stays. */
struct dev_before {
    bool daemon, etcd;
    bool servers[DEV_NODES_MAX];
};
void dev_before_look(const struct dev *dev, struct dev_before *ret_before);
/* Stops what did not run then. */
void dev_before_restore(const struct dev *dev, const struct dev_before *before);

/* dev_cert.c: makes the owner's and client's keys with their certificates in D. */
MUST_USE bool dev_certificates(const struct dev *dev);
/* Key and certificate of a node of that serial, as files of its state. */
MUST_USE bool dev_certify_node(const struct dev *dev, unsigned node, const char *serial);
/* The owner's answer to the node's request: POAC.crt in D. */
MUST_USE bool dev_sign_node(const struct dev *dev, view request);
/* certstorage.crt and .key, of a server on 127.0.0.1 that signs for itself. */
MUST_USE bool dev_storage_certificate(const struct dev *dev);

/* dev_files.c. Failures print a line on stderr. */
/* "D/name" into path, which has DEV_PATH_MAX bytes. */
MUST_USE bool dev_path(const struct dev *dev, const char *name, char *path);
/* Replaces a file whole, or leaves it as it was. */
MUST_USE bool dev_write(const struct dev *dev, const char *name, const char *format, ...)
    PRINTF(3, 4);
/* A small text file; false when it is not there. Prints nothing. */
MUST_USE bool dev_read(const struct dev *dev, const char *name, char *text, size_t size);
bool dev_exists(const struct dev *dev, const char *name);
/* "node<number>/name" of D. */
void dev_node_file(unsigned node, const char *name, char ret_name[64]);
/* The node's configuration, on its ports. */
MUST_USE bool dev_write_server(const struct dev *dev, unsigned node);
/* Everything that the daemon, the tools and applications read. Chooses the socket's path. */
MUST_USE bool dev_write_clients(struct dev *dev);
/* The ports that the running node has. */
MUST_USE bool dev_read_ports(struct dev *dev, unsigned node);
/* The daemon's socket, as dev_write_clients() chose it. */
MUST_USE bool dev_read_socket(struct dev *dev);
/* Removes the socket's folder when it is one of its own. */
void dev_remove_socket(struct dev *dev);
/* Removes D with all in it. */
void dev_remove(const struct dev *dev);

/* dev_process.c */
/* Of a program of which there is one for each node, node says which; else it is 0. */
/* The pid of D's server or daemon, 0 when it is not running. */
pid_t dev_running(const struct dev *dev, enum dev_program program, unsigned node);
/* The pid in that file of D, 0 unless it is a process with that argument. */
pid_t dev_process(const struct dev *dev, const char *pid_file, const char *argument);
/* A program that is installed beside this one; path has DEV_PATH_MAX bytes. False with a line on
 * stderr. */
MUST_USE bool dev_program_path(const char *name, char *path);
/* Starts a program with its log in D; the pid, or -1 with a line on stderr. */
pid_t dev_spawn(const struct dev *dev, const char *log, char **arguments);
/* The end of that log on stderr. */
void dev_log_show(const struct dev *dev, const char *log);
/* SIGTERM, then SIGKILL for a process with that argument; false with a line on stderr. */
bool dev_end(pid_t pid, const char *argument, const char *what);
/* The PKCS #11 module; path has DEV_PATH_MAX bytes. False with a line on stderr. */
MUST_USE bool dev_module_path(char *path);
/* Starts `azcloudhsm_server CFG --initialize`; the pid, or -1. */
pid_t dev_initialize(const struct dev *dev);
/* Waits for it; false when it failed (its own words are on stderr). */
MUST_USE bool dev_initialized(const struct dev *dev, pid_t pid);
/* Starts server or daemon with its log in D; false with a line on stderr. */
MUST_USE bool dev_start(const struct dev *dev, enum dev_program program, unsigned node);
/* Waits until it answers; false with a line on stderr when it ended or took too long. */
MUST_USE bool dev_wait(struct dev *dev, enum dev_program program, unsigned node);
/* SIGTERM, then SIGKILL; true when it is gone. */
bool dev_stop(const struct dev *dev, enum dev_program program, unsigned node);
/* Runs a program to its end, its words in the log; they are shown when it fails. */
MUST_USE bool dev_run(const struct dev *dev, const char *log, char **arguments);
/* Runs the command in D's environment; its exit status, 128+n for a signal. */
int dev_command(const struct dev *dev, char **command);
/* From now on signals that end this program are kept until someone looks. */
void dev_hold_signals(void);
bool dev_interrupted(void);

/* dev_etcd.c: as many ports of loopback as nobody has; all are held until all are found. Who
 * connects is given other ones, so none of these is taken while what listens there is down. */
#define DEV_PORTS_MAX (2u * DEV_NODES_MAX)
MUST_USE bool dev_ports_choose(unsigned *ports, size_t count);

/* The store of several nodes; of one node all of it does nothing. */
/* What it takes is on this machine; false with a line on stderr. */
MUST_USE bool dev_etcd_found(const struct dev *dev);
/* Makes members, and starts them. */
MUST_USE bool dev_etcd_make(const struct dev *dev);
/* Waits until they work, and lets nodes in. */
MUST_USE bool dev_etcd_protect(const struct dev *dev);
/* Starts those that are not running. */
MUST_USE bool dev_etcd_start(const struct dev *dev);
bool dev_etcd_stop(const struct dev *dev);
/* A line for each; false when one is not running. */
bool dev_etcd_print(const struct dev *dev, bool quiet);
/* For a node's configuration, with the member first that is nearest to it. */
MUST_USE bool dev_etcd_lines(const struct dev *dev, unsigned node, char *lines, size_t size);
/* A further node's state: the master key of node 0, and an identity of its own. */
MUST_USE bool dev_join(const struct dev *dev, unsigned node);

/* dev_storage.c: where certificates are kept. */
/* Is it a name of a kind: hsm, folder or azurite? */
MUST_USE bool dev_storage_parse(const char *name);
/* One of the folders in $PATH has it; path has DEV_PATH_MAX bytes. */
MUST_USE bool dev_in_path(const char *name, char *path);
/* Before the daemon starts: what is to be there is there. A daemon that runs with another kind is
 * stopped. */
MUST_USE bool dev_storage_begin(const struct dev *dev);
/* When the daemon answers: the pair that signs is there. */
MUST_USE bool dev_storage_end(const struct dev *dev);
bool dev_storage_stop(const struct dev *dev);
/* For azcloudhsm_application.cfg. */
MUST_USE bool dev_storage_lines(const struct dev *dev, char *lines, size_t size);
/* Does what keeps certificates run, where that is a program? */
bool dev_storage_runs(const struct dev *dev);
/* A line of the status, where there is something to tell. */
void dev_storage_print(const struct dev *dev);

/* dev_owner.c, all over the management port, as people do it: takes ownership of the node and makes
 * DEV_OFFICER; creates DEV_USER. */
MUST_USE bool dev_own(const struct dev *dev);
MUST_USE bool dev_create_user(const struct dev *dev);

#endif
