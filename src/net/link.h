/* SPDX-License-Identifier: Apache-2.0
 *
 * Links: framed connections on a loop, plain (Unix socket) or TLS. Everything that is ready
 * is read at once and handed out frame by frame; what is written is gathered and leaves in
 * one write when the loop has handled the round's events.
 */
#ifndef NET_LINK_H
#define NET_LINK_H

#include "net/loop.h"
#include "net/tls.h"
#include "wire/frame.h"

struct link;

struct link_events {
    /* The connection is ready for frames (TLS: handshake done and the peer verified). */
    void (*up)(void *arg, struct link *link);
    /* One frame. body is borrowed for the call and wiped after it. */
    void (*frame)(void *arg, struct link *link, const struct frame *frame, view body);
    /* The end: peer closed, error, or a frame that does not read. Called once, never after
     * link_free(). The link must be freed (here or later); reason is for the log. */
    void (*down)(void *arg, struct link *link, const char *reason);
};

/*
 * Takes over a connected (or connecting) non-blocking socket. tls NULL: plain. server: which
 * side of the handshake. NULL when memory is short (the socket is closed then). A handshake
 * that takes more than 5 s ends the link.
 */
struct link *link_new(struct loop *loop, int fd, struct tls_context *tls, bool server,
                      const struct link_events *events, void *arg);
/* Sends nothing more, closes; a TLS link says close_notify first. Safe inside events. */
void link_free(struct link *link);

#define LINK_NAME_SIZE 64u

/*
 * A link that is up may go on in another loop, maybe on another thread. Packed it is freed, and
 * nothing was read or written yet, as in .up(); unpacked it comes up once more. Whoever has the
 * pack unpacks or frees it.
 */
struct link_pack {
    int fd;
    void *ssl; /* the TLS library's */
    struct tls_context *tls;
    char name[LINK_NAME_SIZE]; /* where the other end was, which may be gone by now; empty: not known */
};
void link_pack(struct link *link, struct link_pack *ret_pack);
/* NULL when memory is short; the pack is used up in any case. */
struct link *link_unpack(struct loop *loop, struct link_pack *pack,
                         const struct link_events *events, void *arg);
void link_pack_free(struct link_pack *pack);
/* Where its other end is; false: that is over. */
struct sockaddr_storage;
MUST_USE bool link_pack_address(const struct link_pack *pack, struct sockaddr_storage *ret_address);

/* The output buffer: append whole frames, then call link_flush(). */
struct writer *link_output(struct link *link);
/* On a Unix socket: these descriptors, which must stay open until then, go with the next bytes; or
 * the bytes go without them, where our user has more on their way than he may. */
#define LINK_PASS_MAX 2u
void link_pass(struct link *link, const int *fds, size_t count);
/* Sends what was appended when the round's events are done. */
void link_flush(struct link *link);
/* Bytes that wait to be sent. */
size_t link_backlog(const struct link *link);

/* Frames with a larger body end the link. */
void link_body_max(struct link *link, size_t max);
/* While so many bytes wait to be sent, nothing is read: who asks has to fetch the answers. */
void link_output_high(struct link *link, size_t high);

/* Stops and continues reading (flow control). */
void link_pause(struct link *link);
void link_resume(struct link *link);

/* The peer's uid and pid on a Unix socket; false elsewhere. */
bool link_peer(const struct link *link, uint32_t *ret_uid, uint32_t *ret_pid);
/* The certificate whose key the peer has proved to have, PEM, appended to out; nothing when it
 * showed none. Once the link is up. */
void link_certificate(const struct link *link, struct writer *out);
/* That its last packet came in on; -1: not known. */
int link_processor(const struct link *link);
/* "10.0.2.4:2225" or "unix"; valid with the link. */
const char *link_name(const struct link *link);

/* A listening socket on "host:port" ("[::1]:2224" too) or a Unix path; calls accepted(arg,
 * fd) for each connection, non-blocking. NULL with a line in the log. mode: of a Unix path. */
struct listener;
struct listener *listener_new(struct loop *loop, const char *address,
                              void (*accepted)(void *arg, int fd), void *arg);
struct listener *listener_unix_new(struct loop *loop, const char *path, unsigned mode,
                                   void (*accepted)(void *arg, int fd), void *arg);
/* Hosts that are known there have a share of the handshakes to themselves. They
 * outlive the listener. */
struct hosts;
void listener_hosts(struct listener *listener, struct hosts *hosts);
/* The port that a ":0" address was given. */
unsigned listener_port(const struct listener *listener);
void listener_free(struct listener *listener);

/* Begins to connect to host and port (first address that getaddrinfo gives; numeric names
 * need no resolver); -1 with a line in the log. */
int link_connect(const char *host, unsigned port);

#endif
