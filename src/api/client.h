/* SPDX-License-Identifier: Apache-2.0
 *
 * The client's end: one context (an initialised process) and its pool of connections to the
 * daemon on this host. Needs libc alone, starts no thread, and every wait has a limit. Any
 * number of threads may call at once; each call has a connection of its own while it runs.
 * Both the PKCS#11 library and libazcloudhsm_api_socket.so stand on this.
 */
#ifndef API_CLIENT_H
#define API_CLIENT_H

#include "wire/message.h"
#include "wire/page.h"

struct client;
struct appcfg_storage;

struct client_options {
    enum interface interface;
    /* Path of the daemon's socket; NULL: from the application's configuration. */
    const char *socket_path;
    /* With a socket's path: where certificates are kept; NULL: in the HSM. */
    const struct appcfg_storage *storage;
    /* The line for stderr when the daemon cannot be reached; NULL: `Failed to connect socket`. */
    const char *unreachable_text;
};

/*
 * Draws the context's secret and connects once. CKR_GENERAL_ERROR when the daemon cannot be
 * reached, with the line `Failed to connect socket` on stderr (for EACCES a line of its
 * own); CKR_HOST_MEMORY. Keeps the options' text by copy.
 */
MUST_USE CK_RV client_open(const struct client_options *options, struct client **ret_client);
/* Ends the context at the daemon. Other threads must be out of their calls. */
void client_close(struct client *client);
/* Closes the descriptors and frees the memory, and says nothing to the daemon. Other threads
 * must be out of their calls. */
void client_abandon(struct client *client);
/* In a child of fork: closes this process's copies of the descriptors; the context is still the
 * parent's. Memory stays where it is: another thread of the parent may have been about to put
 * one buffer in the place of another. May be called twice. */
void client_disown(struct client *client);

/* The highest revision of the store that a reply has shown; it goes into every frame. */
uint64_t client_revision(const struct client *client);

/* The daemon's change page, or one that is never valid; good as long as the client. A daemon that
 * was restarted gives another one. */
const struct page *client_page(const struct client *client);
/* The clock of the page's time: CLOCK_MONOTONIC in milliseconds. */
uint64_t client_clock(void);

#endif
