/* SPDX-License-Identifier: Apache-2.0
 *
 * Covering arrays: few rows in which every value of each dimension meets every value of each other.
 */
#ifndef COMPLIANCE_COVER_H
#define COMPLIANCE_COVER_H

#include <stddef.h>
#include <stdint.h>

#define COVER_DIMS 8
#define COVER_VALUES 16
#define COVER_ROWS 256

/*
 * Writes rows of `dims` values, each below its size, so that every pair of values of two dimensions
 * is in one of them; tells how many, 0 when there would be more than COVER_ROWS. The rows are the
 * same each time. There are 2 to COVER_DIMS dimensions of 1 to COVER_VALUES values.
 */
size_t cover_pairs(const uint8_t *sizes, size_t dims, uint8_t ret_rows[COVER_ROWS][COVER_DIMS]);

#endif /* COMPLIANCE_COVER_H */
