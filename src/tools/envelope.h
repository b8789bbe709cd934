/* SPDX-License-Identifier: Apache-2.0
 *
 * The file that wrapKey writes without -noheader: what the key is, then the standard's blob. The
 * description is not secret and not sealed; who can unwrap the blob could as well say another one.
 *
 *    4  "OCWK"
 *    4  version, 1
 *    4  length of the attributes, then the list
 *    4  length of the IV, then it
 *       the blob, up to the end
 */
#ifndef TOOLS_ENVELOPE_H
#define TOOLS_ENVELOPE_H

#include "rules/attribute.h"

struct envelope {
    view attributes; /* of envelope_types alone, each once */
    view iv;         /* 12 bytes that the HSM made, or none */
    view blob;
};

/* What is told of a key: class, type, label, id, what it may do. */
extern const CK_ATTRIBUTE_TYPE envelope_types[];
extern const size_t envelope_type_count;

void envelope_write(struct writer *w, const struct envelope *envelope);
/* Borrowed from the file. False when it is no such file. */
MUST_USE bool envelope_read(view file, struct envelope *ret_envelope);

#endif
