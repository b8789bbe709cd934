/* SPDX-License-Identifier: Apache-2.0
 *
 * Frames: what travels between library, daemon and node. A fixed header, then a body that
 * messages.def describes. The daemon routes on the header alone.
 *
 *    offset  size  field
 *         0     4  length of the body, at most FRAME_BODY_MAX
 *         4     2  operation (messages.def)
 *         6     2  flags
 *         8    16  context: zero between library and daemon (the connection is the context);
 *                  the daemon's name for it between daemon and node
 *        24     8  request number within the context, counted from 1
 *        32     4  session number, 0 when none
 *        36     4  in a reply: the return code; in a request: see frame_settled()
 *        40     8  store revision: the highest the sender has seen
 *
 * A reply repeats operation, context and request number. Its body is empty when the code is
 * not CKR_OK, but for CKR_BUFFER_TOO_SMALL, where it is one u32: the length needed.
 */
#ifndef WIRE_FRAME_H
#define WIRE_FRAME_H

#include "base/bytes.h"

#define FRAME_HEADER_LEN 48u
#define FRAME_BODY_MAX (256u * 1024u)
#define FRAME_MAX (FRAME_HEADER_LEN + FRAME_BODY_MAX)
#define FRAME_DATA_MAX (64u * 1024u) /* of caller's data in one request or reply */
#define FRAME_CONTEXT_LEN 16u
#define FRAME_VERSION 2u /* the release of these sources */

enum frame_flag {
    FRAME_REPLY = 1 << 0,
    FRAME_READ_WRITE = 1 << 1, /* the session is read-write */
    FRAME_LOCAL = 1 << 2,      /* a request about what one node alone has of its context */
    FRAME_NODES = 31 << 8,     /* five bits, see frame_nodes() */
    FRAME_FLAGS_ALL = FRAME_REPLY | FRAME_READ_WRITE | FRAME_LOCAL | FRAME_NODES
};

#define FRAME_NODES_MAX 31u
#define FRAME_NODES_SINCE 2u /* the release that knows FRAME_NODES */

struct frame {
    uint32_t body_len;
    uint16_t operation;
    uint16_t flags;
    uint8_t context[FRAME_CONTEXT_LEN];
    uint64_t request;
    uint32_t session;
    uint32_t code;
    uint64_t revision;
};

/*
 * The release of this program. Nodes, daemons and libraries are renewed one after the other, so
 * each works with those of the release before and of the one after; docs/protocol.md has the rules.
 * FRAME_VERSION but in a few programs of the tests, which are linked with a neighbouring release.
 */
extern const uint32_t frame_version;

/* Does a peer of that release work with this program? */
static inline bool
frame_version_fits(uint32_t version)
{
    return version <= frame_version ? frame_version - version <= 1 : version - frame_version <= 1;
}

/* Codes between node, daemon and library that no application sees. */
#define CODE_UNKNOWN_CONTEXT 0xfffffff1u /* nothing happened: attach, then repeat */
#define CODE_BAD_FRAME 0xfffffff2u       /* the body does not read as its message */
#define CODE_LAGGING 0xfffffff6u /* nothing happened: the node is behind, or cut off; ask another */
#define CODE_RELEASE 0xfffffff7u /* of ATTACH: the releases are too far from each other */
/* Codes of management that PKCS #11 has no word for. */
#define CODE_USER_EXISTS 0xfffffff3u
#define CODE_USER_UNKNOWN 0xfffffff4u
#define CODE_USER_OWNS_KEYS 0xfffffff5u
#define CODE_USER_SHARED 0xfffffff8u /* nobody can act as him, and keys are shared with him */
#define CODE_BAD_BACKUP 0xfffffffau /* truncated, altered, of another owner, or the wrong key */
#define CODE_NOT_FRESH 0xfffffffbu  /* a restore would replace keys or users */
/* Of clusters: 0xffffffc0 to 0xffffffcf. */
#define CODE_NODE_ALONE 0xffffffc0u   /* this node shares its records with nobody */
#define CODE_NODE_EXISTS 0xffffffc1u  /* its serial is on the list, or was */
#define CODE_NODE_UNKNOWN 0xffffffc2u /* not on the list, or no more */
#define CODE_NODE_KEY 0xffffffc3u     /* listed with another key */
#define CODE_NODE_MANY 0xffffffc4u    /* the list is full */
#define CODE_NODE_LAST 0xffffffc5u    /* nobody else has the master key */
#define CODE_JOIN_STATE 0xffffffc6u   /* no JOIN came before, or it was used, or too long ago */
/* Of ownership and quorum: 0xffffffd0 to 0xffffffef. */
#define CODE_QUORUM 0xffffffd0u      /* an approved token is missing */
#define CODE_QUORUM_SIZE 0xffffffd1u /* fewer officers have keys than M */
#define CODE_TOKEN_BAD 0xffffffd2u   /* no token file, or none of this node's */
#define CODE_TOKEN_EXPIRED 0xffffffd3u
#define CODE_TOKEN_USER 0xffffffd4u  /* drawn by another login */
#define CODE_TOKEN_UNKNOWN 0xffffffd5u
#define CODE_TOKEN_APPROVER 0xffffffd6u /* no such officer, or he has no key */
#define CODE_TOKEN_TWICE 0xffffffd7u
#define CODE_CHALLENGE_BAD 0xffffffd8u
#define CODE_SECOND_FACTOR 0xffffffd9u /* a password alone does not log this user in */
#define CODE_UNOWNED 0xffffffe0u     /* the node has no owner yet */
#define CODE_OWNED 0xffffffe1u       /* it has one, who stays */
#define CODE_CERT_BAD 0xffffffe2u
#define CODE_CERT_OWNER 0xffffffe3u
#define CODE_CERT_CHAIN 0xffffffe4u
#define CODE_CERT_KEY 0xffffffe5u
#define CODE_CERT_TIME 0xffffffe6u
#define CODE_CERT_ORDER 0xffffffe7u  /* PO.crt comes first */
#define CODE_CERT_NONE 0xffffffe8u   /* there is no certificate of that type */

/* "CODE_QUORUM"; the others as return_name() has them. A new code gets a row in wire/codes.def. */
const char *code_name(uint32_t code);

/*
 * All `once` requests of the context that are numbered below this are over: whoever sent them
 * has the reply, or no longer waits for it. A request tells it as its own number less one that
 * was not over, plus one; 0 tells nothing, and then it is 0.
 */
uint64_t frame_settled(const struct frame *request);

/* What a request makes in the store counts when so many nodes have it: at least 1, the one that is
 * asked. */
unsigned frame_nodes(const struct frame *request);
/* At least that many, at most FRAME_NODES_MAX. */
void frame_nodes_raise(struct frame *request, unsigned nodes);

/* Writes the 48 bytes of a header. */
void frame_encode(const struct frame *frame, uint8_t header[FRAME_HEADER_LEN]);
/* False when the length is over the cap or a flag is unknown. */
MUST_USE bool frame_decode(const uint8_t header[FRAME_HEADER_LEN], struct frame *ret_frame);

/*
 * Building a frame in a writer: begin leaves room for the header, the body is written after
 * it, end fills the header in. start is what begin returned. end gives false when the body
 * failed or is over the cap; the writer is then as it was at begin, good for another frame
 * (one that had failed before begin stays failed).
 */
size_t frame_begin(struct writer *w);
MUST_USE bool frame_end(struct writer *w, size_t start, struct frame *frame);

/* A whole reply: header of the request turned round, with a code and a body as it stands. */
void frame_reply(struct writer *w, const struct frame *request, uint32_t code, uint64_t revision,
                 view body);

#endif
