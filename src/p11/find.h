/* SPDX-License-Identifier: Apache-2.0
 *
 * Searches: C_FindObjectsInit makes the one trip, and hands out what it brought.
 */
#ifndef P11_FIND_H
#define P11_FIND_H

struct search;

/* Wipes and releases; NULL is fine. */
void search_free(struct search *search);

#endif
