/* SPDX-License-Identifier: Apache-2.0
 *
 * azcloudhsm_mgmt_util: checking an audit trail away from its node, without the master key: the
 * chain over all files, and the heads with the public key that stands in them. Whether that is the
 * node's key, a reader knows who has kept it.
 */
#include "tools/mgmt.h"

#include "store/audit_files.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_LEN_MAX 2048u

struct verify {
    const char *key_given; /* NULL: none */
    FILE *out;             /* NULL: records are not wanted */
    const char *file;
    struct chain chain;
    struct chain before;   /* behind the entry that was seen last */
    bool begun;
    char node[TRAIL_NODE_MAX + 1];
    uint8_t key[AUDIT_KEY_LEN];
    uint64_t records;
    uint64_t heads;
    char broken[300]; /* the first thing that is */
};

static bool
verify_broken(struct verify *v, uint64_t number, const char *why)
{
    snprintf(v->broken, sizeof v->broken, "entry %" PRIu64 " in %.60s: %s", number, v->file, why);
    return false;
}

static bool
verify_begin(struct verify *v, const struct audit_entry *entry)
{
    char text[2 * AUDIT_KEY_LEN + 1];
    struct trail_begin begin;

    if (!trail_begin_read(entry->body, &begin)) {
        return verify_broken(v, entry->number, "it does not read");
    }
    if (v->begun && !chain_equal(&begin.before, &v->before)) {
        return verify_broken(v, entry->number, "entries before it are missing or were changed");
    }
    if (v->begun && memcmp(v->key, begin.key, sizeof v->key) != 0) {
        return verify_broken(v, entry->number, "it is signed by another key than the files before");
    }
    hex_encode(view_of(begin.key, sizeof begin.key), text);
    if (v->key_given != NULL && strcmp(v->key_given, text) != 0) {
        return verify_broken(v, entry->number, "it is signed by another key than was given");
    }
    memcpy(v->key, begin.key, sizeof v->key);
    snprintf(v->node, sizeof v->node, "%.*s", (int)begin.node.len, (const char *)begin.node.data);
    v->begun = true;
    return true;
}

static bool
verify_record(struct verify *v, const struct audit_entry *entry)
{
    const struct audit_place place = { view_str(v->node), entry->number };
    struct audit_record record;
    uint8_t room[LINE_LEN_MAX];
    struct writer line;

    if (!audit_record_read(entry->body, &record)) {
        return verify_broken(v, entry->number, "it is no record");
    }
    v->records++;
    if (v->out != NULL) {
        writer_init_fixed(&line, room, sizeof room);
        audit_line_json(&record, &place, &line);
        fprintf(v->out, "%.*s\n", (int)line.len, (const char *)line.data);
    }
    return true;
}

static bool
verify_visit(void *arg, const struct audit_entry *entry)
{
    struct verify *v = arg;
    struct audit_head head;
    bool good = true;

    switch (entry->kind) {
    case TRAIL_BEGIN:
        good = verify_begin(v, entry);
        break;
    case TRAIL_RECORD:
        good = verify_record(v, entry);
        break;
    case TRAIL_HEAD:
        v->heads++;
        if (!audit_head_read(entry->body, v->key, &head) || !chain_equal(&head.trail, &v->before)) {
            good = verify_broken(v, entry->number, "a head that is not signed for what is before it");
        }
        break;
    }
    v->before = v->chain;
    return good;
}

/* Up to the first thing that is broken. False, said why, when a file does not read. */
static bool
verify_files(struct verify *v, int folder, const struct audit_file *files, size_t count)
{
    for (size_t i = 0; i < count && v->broken[0] == '\0'; i++) {
        size_t left = 0;

        v->file = files[i].name;
        if (!audit_file_walk(folder, &files[i], &v->chain, verify_visit, v, &left)) {
            return false;
        }
        if (left > 0 && v->broken[0] == '\0') {
            (void)verify_broken(v, v->chain.count + 1, "it was changed, or not written whole");
        }
    }
    return true;
}

static enum status
verify_report(const struct verify *v, size_t files)
{
    char text[2 * AUDIT_KEY_LEN + 1];

    hex_encode(view_of(v->key, sizeof v->key), text);
    printf("Node %s, heads signed by %s\n"
           "%" PRIu64 " records, %" PRIu64 " signed heads, %zu files\n",
           v->node, text, v->records, v->heads, files);
    if (v->broken[0] != '\0') {
        printf("verifyAudit failed: the first broken record is %s\n", v->broken);
        return STATUS_REFUSED;
    }
    puts("verifyAudit success");
    return STATUS_DONE;
}

enum status
mgmt_verify_audit(void *tool, const struct values *values)
{
    const char *path = values_text(values, "folder");
    const char *out = values_text(values, "-out");
    struct verify v = { .key_given = values_text(values, "-key") };
    struct audit_file *files = NULL;
    enum status status = STATUS_REFUSED;
    size_t count = 0;
    int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    UNUSED(tool);
    if (folder < 0) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return STATUS_REFUSED;
    }
    if (!audit_files_list(folder, &files, &count)) {
        goto out;
    }
    if (count == 0) {
        fprintf(stderr, "%s: there are no files of an audit trail\n", path);
        goto out;
    }
    if (out != NULL && (v.out = fopen(out, "we")) == NULL) {
        fprintf(stderr, "%s: %s\n", out, strerror(errno));
        goto out;
    }
    if (verify_files(&v, folder, files, count)) {
        status = verify_report(&v, count);
    }
    if (v.out != NULL) {
        const bool lost = ferror(v.out) != 0; /* which its end may not tell of */

        if (fclose(v.out) != 0 || lost) {
            fprintf(stderr, "%s: not all records were written\n", out);
            status = STATUS_REFUSED;
        }
    }
out:
    free(files);
    close(folder);
    return status;
}
