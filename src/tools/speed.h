/* SPDX-License-Identifier: Apache-2.0
 *
 * Measuring: threads that ask the HSM for one thing as fast as it answers. What can be asked for
 * is a row.
 */
#ifndef TOOLS_SPEED_H
#define TOOLS_SPEED_H

#include "api/call.h"

#define SPEED_THREADS_MAX 64u
#define SPEED_DATA_MAX 16200u
#define SPEED_SESSION 1u /* of the requests: the keys end with it */

enum speed_kind { SPEED_CIPHER, SPEED_GCM, SPEED_SIGN, SPEED_RANDOM };

struct speed_row {
    const char *name; /* "AES_128" */
    char letter;      /* in the menu of the blocking variant */
    const char *help;
    enum speed_kind kind;
    CK_MECHANISM_TYPE generation; /* of its key */
    CK_MECHANISM_TYPE mechanism;
    uint32_t bits;     /* of the key; 0: the caller says (RSA) */
    uint32_t data_len; /* of what is signed; 0: the caller says */
    uint32_t block;    /* data is made whole blocks of it */
};

const struct speed_row *speed_rows(size_t *ret_count);
/* By name or letter, whatever their case; NULL when there is none. */
const struct speed_row *speed_row(const char *name);

struct speed {
    struct client *client;
    const struct speed_row *row;
    uint32_t bits;
    uint32_t data_len;
    unsigned threads;
    unsigned seconds;
    uint32_t next_handle;
    /* Called each second with what was done in it; may be NULL. */
    void (*tick)(uint64_t operations);
};

struct speed_result {
    uint64_t operations;
    double seconds;
    double latency_us; /* of one operation, on average */
};

/* Bytes of one operation: those asked for, as the row allows. */
uint32_t speed_data_len(const struct speed_row *row, uint32_t bits, uint32_t asked);

/* Makes a session key and measures. The first code that is not CKR_OK ends it. */
MUST_USE CK_RV speed_run(struct speed *speed, struct speed_result *ret_result);

#endif
