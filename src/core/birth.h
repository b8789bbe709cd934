/* SPDX-License-Identifier: Apache-2.0
 *
 * The record of what a partition was born with (struct hsm_birth), and the guard over its store.
 */
#ifndef CORE_BIRTH_H
#define CORE_BIRTH_H

#include "core/state.h"

#define PARTITION_NAME VIEW_TEXT("partition")
#define PARTITION_BYTES_MAX 2048u

/* Fills in rules, label and serial. False: the record does not open, or is of a later release. */
MUST_USE bool partition_read(struct hsm *hsm, view record);
/* The record of these, as its version-th. */
MUST_USE CK_RV partition_write(const struct sealer *sealer, const struct hsm_birth *birth,
                               uint64_t version, struct writer *out);
/* Gives the engine the key of its hash over all records, where it keeps one. False: they are not
 * whole (logged). */
MUST_USE bool partition_guard(struct store *store, const struct sealer *sealer);

#endif
