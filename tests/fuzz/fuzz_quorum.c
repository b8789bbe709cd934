/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a file of tokens, an approval file or a file of a second factor, by the first one. A
 * token that reads is
 * written with the same bytes, and is found in a file at its place; an approval file keeps its
 * promises: texts end, roles and numbers are in their ranges.
 */
#include "fuzz/fuzz.h"

#include "core/quorum.h"
#include "tools/approval.h"
#include "tools/factor_file.h"

#include <string.h>

#define ENDS(text) (memchr((text), '\0', sizeof(text)) != NULL)

static void
token_holds(view bytes)
{
    struct quorum_token_text token;
    struct writer w;
    view found;

    if (quorum_token_read(bytes, &token)) {
        HOLDS(bytes.len == QUORUM_TOKEN_LEN && ENDS(token.serial));
        writer_init(&w, QUORUM_TOKEN_LEN);
        quorum_token_write(&w, &token);
        HOLDS(writer_ok(&w) && view_equal(writer_view(&w), bytes));
        writer_clear(&w);
        HOLDS(quorum_file_find(bytes, token.serial, &found) && view_equal(found, bytes));
    }
    if (quorum_file_find(bytes, "0123456789abcdef", &found)) {
        HOLDS(found.len == QUORUM_TOKEN_LEN && quorum_token_read(found, &token));
        HOLDS((size_t)(found.data - bytes.data) % QUORUM_TOKEN_LEN == 0);
        HOLDS(strcmp(token.serial, "0123456789abcdef") == 0);
    }
}

static void
approval_holds(view bytes)
{
    struct approval approval;
    unsigned line = 0;
    const char *error = NULL;

    if (!approval_parse(bytes, &approval, &line, &error)) {
        HOLDS(error != NULL && line <= bytes.len + 1);
        return;
    }
    HOLDS(approval.count > 0 && approval.count <= APPROVERS_MAX);
    HOLDS(ENDS(approval.token) && approval.token[0] != '\0');
    for (size_t i = 0; i < approval.count; i++) {
        const struct approver *approver = &approval.approvers[i];

        HOLDS(approver->role == 1 || approver->role == 2);
        HOLDS(ENDS(approver->name) && approver->name[0] != '\0');
        HOLDS(ENDS(approver->file) && approver->file[0] != '\0');
    }
}

/* What reads is the same after it was written and read again. */
static void
factor_holds(view bytes)
{
    static struct factor_file file, again;
    const char *error = NULL;
    struct writer text;

    if (!factor_file_parse(bytes, &file, &error)) {
        HOLDS(error != NULL);
        return;
    }
    HOLDS(file.count > 0 && file.count <= FACTOR_ENTRIES_MAX && ENDS(file.key));
    writer_init(&text, 4 * FACTOR_FILE_MAX);
    HOLDS(factor_file_write(&file, &text));
    if (text.len <= FACTOR_FILE_MAX) {
        HOLDS(factor_file_parse(writer_view(&text), &again, &error));
        HOLDS(memcmp(&file, &again, sizeof file) == 0);
    }
    writer_clear(&text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 0) {
        view bytes = view_of(data + 1, size - 1);

        if (data[0] == '{') {
            factor_holds(view_of(data, size));
        } else if ((data[0] & 1) == 0) {
            token_holds(bytes);
        } else {
            approval_holds(bytes);
        }
    }
    return 0;
}
