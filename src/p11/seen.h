/* SPDX-License-Identifier: Apache-2.0
 *
 * Attributes that the HSM has told this process, so that asking again takes no trip. What is kept
 * of an object counts as long as its stamp on the change page is the same and nobody has logged
 * out since; values that are secret of any kind of object are not kept. Any thread may call.
 */
#ifndef P11_SEEN_H
#define P11_SEEN_H

#include "rules/attribute.h"

struct seen;

MUST_USE struct seen *seen_new(void);
void seen_free(struct seen *seen);

/* Of which object, and by what is shown whether it is still so. */
struct seen_key {
    uint32_t handle;
    uint64_t stamp; /* page_stamp() as it was before the request, or is now */
    uint64_t epoch; /* of the library */
};

/*
 * Fills in all attributes of an application's template, which may lie anywhere, as template_give()
 * does. False when one of them is not known: then nothing was touched.
 */
MUST_USE bool seen_give(struct seen *seen, const struct seen_key *key, uint8_t *template,
                        size_t count, CK_RV *ret_rv);

/* Keeps the answers of a valid list, beside those that are still so. Without memory it does not. */
void seen_keep(struct seen *seen, const struct seen_key *key, view answers);

#endif
