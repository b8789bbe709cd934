/* SPDX-License-Identifier: Apache-2.0 */
#include "server/audit_report.h"

#include "base/log.h"
#include "core/hsm.h"
#include "core/journal.h"
#include "core/trail.h"
#include "store/audit_files.h"
#include "server/entropy.h"
#include "server/folder.h"
#include "server/partition.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_LEN_MAX 2048u

struct report {
    const struct audit_report_plan *plan;
    struct folder *folder;
    bool running;        /* a node has the store */
    struct sealer sealer;
    int trail;           /* the folder of the trail */
    bool broken;

    struct chain chain;  /* as far as the files were walked */
    struct chain before; /* behind the last entry that was visited */
    bool begun;
    uint8_t key[AUDIT_KEY_LEN];
    uint64_t records;
    const char *file;
    char node[TRAIL_NODE_MAX + 1];

    struct audit_head *heads;
    size_t head_count;
    size_t head_size;

    struct chain journal;
    size_t head_next; /* whose journal was not reached yet */
};

static void
finding(struct report *report, const char *text)
{
    report->broken = true;
    fprintf(stderr, "broken: %s\n", text);
}

static void
record_print(const struct report *report, const struct audit_record *record, uint64_t sequence)
{
    const struct audit_place place = { view_str(report->node), sequence };
    uint8_t room[LINE_LEN_MAX];
    struct writer line;

    writer_init_fixed(&line, room, sizeof room);
    if (report->plan->json) {
        audit_line_json(record, &place, &line);
    } else {
        audit_line_text(record, &place, &line);
    }
    printf("%.*s\n", (int)line.len, (const char *)line.data);
}

/* ---- the trail ---- */

static bool
begin_visit(struct report *report, view body)
{
    struct trail_begin begin;
    char text[200];

    if (!trail_begin_read(body, &begin)) {
        return false; /* trail_entry_read() has read it before */
    }
    if (report->begun && !chain_equal(&begin.before, &report->before)) {
        snprintf(text, sizeof text, "%s does not follow: %" PRIu64 " entries are missing or changed "
                 "before entry %" PRIu64, report->file,
                 begin.before.count - report->before.count, begin.before.count + 1);
        finding(report, text);
    }
    memcpy(report->sealer.store_id, begin.store_id, sizeof begin.store_id);
    if (!audit_public_key(&report->sealer, report->key)) {
        return false;
    }
    if (memcmp(report->key, begin.key, sizeof begin.key) != 0) {
        snprintf(text, sizeof text, "%s is of another partition, or signed by another key",
                 report->file);
        finding(report, text);
    }
    if (!report->begun && begin.before.count > 0) {
        fprintf(stderr, "begins at entry %" PRIu64 ": older files are not here\n",
                begin.before.count + 1);
    }
    snprintf(report->node, sizeof report->node, "%.*s", (int)begin.node.len,
             (const char *)begin.node.data);
    report->begun = true;
    return true;
}

static bool
head_keep(struct report *report, const struct audit_head *head)
{
    if (report->head_count == report->head_size) {
        size_t size = report->head_size * 2 + 64;
        struct audit_head *more = reallocarray(report->heads, size, sizeof *more);

        if (more == NULL) {
            return false;
        }
        report->heads = more;
        report->head_size = size;
    }
    report->heads[report->head_count++] = *head;
    return true;
}

static bool
head_visit(struct report *report, const struct audit_entry *entry)
{
    struct audit_head head;
    char text[120];

    if (!audit_head_read(entry->body, report->key, &head) ||
        !chain_equal(&head.trail, &report->before)) {
        snprintf(text, sizeof text, "entry %" PRIu64 " in %s: a head that is not signed for this",
                 entry->number, report->file);
        finding(report, text);
        return true;
    }
    return head_keep(report, &head);
}

static bool
trail_visit(void *arg, const struct audit_entry *entry)
{
    struct report *report = arg;
    struct audit_record record;
    char text[120];
    bool going = true;

    switch (entry->kind) {
    case TRAIL_BEGIN:
        going = begin_visit(report, entry->body);
        break;
    case TRAIL_HEAD:
        going = head_visit(report, entry);
        break;
    case TRAIL_RECORD:
        report->records++;
        if (!audit_record_read(entry->body, &record)) {
            snprintf(text, sizeof text, "entry %" PRIu64 " in %s is no record", entry->number,
                     report->file);
            finding(report, text);
        } else if (!report->plan->journal && !report->plan->quiet) {
            record_print(report, &record, entry->number);
        }
        break;
    }
    report->before = report->chain;
    return going;
}

static bool
trail_report(struct report *report)
{
    struct audit_file *files;
    size_t count;
    bool read = true;
    char text[160];

    if (!audit_files_list(report->trail, &files, &count)) {
        return false;
    }
    for (size_t i = 0; read && i < count; i++) {
        size_t left = 0;

        report->file = files[i].name;
        read = audit_file_walk(report->trail, &files[i], &report->chain, trail_visit, report,
                               &left);
        /* The file that a node writes may end in the middle of an entry, for a moment. */
        if (read && left > 0 && !(report->running && i + 1 == count)) {
            snprintf(text, sizeof text, "%s: entry %" PRIu64 " was changed, or not written whole "
                     "(%zu bytes from there on)", files[i].name, report->chain.count + 1, left);
            finding(report, text);
        }
        report->before = report->chain;
    }
    if (read) {
        fprintf(stderr, "trail: %" PRIu64 " records, %zu signed heads, %zu files\n",
                report->records, report->head_count, count);
    }
    free(files);
    return read;
}

/* ---- the journal ---- */

/* Heads that saw the journal end here. */
static void
heads_reach(struct report *report)
{
    char text[120];

    while (report->head_next < report->head_count &&
           report->heads[report->head_next].journal.count <= report->journal.count) {
        const struct chain *seen = &report->heads[report->head_next++].journal;

        if (seen->count == report->journal.count && !chain_equal(seen, &report->journal)) {
            snprintf(text, sizeof text, "the journal up to its record %" PRIu64
                     " is not what was signed", seen->count);
            finding(report, text);
        }
    }
}

/* The oldest were let go by the node itself. */
static bool
journal_first(struct report *report, view key, view value)
{
    if (journal_first_open(&report->sealer, key, value, &report->journal) != CKR_OK) {
        finding(report, "the record that tells where the journal begins");
        return false;
    }
    fprintf(stderr, "the journal begins at record %" PRIu64 ": older ones were let go\n",
            report->journal.count + 1);
    return true;
}

static bool
journal_visit(void *arg, view key, view value, uint64_t revision)
{
    struct report *report = arg;
    struct audit_record record;
    struct chain expected = report->journal;
    struct chain end;
    struct writer entry;
    char node[JOURNAL_NODE_MAX + 1];
    char text[120];
    bool good;

    if (journal_first_parse(key, node)) {
        return (report->node[0] != '\0' && strcmp(node, report->node) != 0) ||
               journal_first(report, key, value);
    }
    if (!journal_name_parse(key, node)) {
        return true;
    }
    if (report->node[0] == '\0') {
        memcpy(report->node, node, sizeof node); /* there is no trail that says it */
    }
    if (strcmp(node, report->node) != 0) {
        return true; /* what other nodes did is theirs to report */
    }
    writer_init(&entry, CHAIN_RECORD_MAX);
    good = journal_open(&report->sealer, key, value, &end, &entry) == CKR_OK &&
           chain_add(&expected, writer_view(&entry)) && chain_equal(&expected, &end) &&
           audit_record_read(writer_view(&entry), &record);
    if (good) {
        record.revision = revision;
        if (report->plan->journal && !report->plan->quiet) {
            record_print(report, &record, end.count);
        }
        report->journal = end;
        heads_reach(report);
    } else {
        snprintf(text, sizeof text, "the journal's record %" PRIu64, report->journal.count + 1);
        finding(report, text);
    }
    writer_clear(&entry);
    return good;
}

/* Opened, it would be made. */
static bool
store_is_there(const struct report *report, const struct settings_store *settings)
{
    char path[FOLDER_PATH_MAX];
    struct stat st;

    if (settings->etcd) {
        return true;
    }
    folder_path(report->folder, PARTITION_STORE_NAME, path);
    if (stat(path, &st) != 0) {
        log_err("%s: %s", path, strerror(errno));
        return false;
    }
    return true;
}

static bool
journal_report(struct report *report, const struct settings_store *settings)
{
    char text[120];
    struct store *store;
    bool read;

    if (report->running) {
        fprintf(stderr, "journal: not read: a node runs on the store\n");
        return true;
    }
    store = store_is_there(report, settings)
                ? partition_store(report->folder, settings, report->sealer.entropy, false)
                : NULL;
    if (store == NULL) {
        return false;
    }
    store->id(store, report->sealer.store_id);
    read = store->load_all(store, journal_visit, report) || report->broken;
    store->close(store);
    if (report->head_next < report->head_count && !report->broken) {
        snprintf(text, sizeof text, "the journal ends at record %" PRIu64 ", but %" PRIu64
                 " were signed: an old copy was put back", report->journal.count,
                 report->heads[report->head_count - 1].journal.count);
        finding(report, text);
    }
    if (read) {
        fprintf(stderr, "journal: %" PRIu64 " records\n", report->journal.count);
    }
    return read;
}

static bool
report_open(struct report *report, const char *state)
{
    char path[FOLDER_PATH_MAX];

    report->folder = folder_look(state, &report->running);
    if (report->folder == NULL || !folder_become_owner(report->folder) ||
        !folder_key_read(report->folder, PARTITION_KEY_NAME, HSM_MASTER_KEY_LEN,
                         &report->sealer.key)) {
        return false;
    }
    if (report->sealer.key == NULL) {
        log_err("there is no partition");
        return false;
    }
    folder_path(report->folder, PARTITION_AUDIT_NAME, path);
    report->trail = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (report->trail < 0) {
        log_err("%s: there is no audit trail", path);
        return false;
    }
    return true;
}

int
audit_report(const struct server_settings *settings, const struct audit_report_plan *plan)
{
    struct report report = { .plan = plan, .trail = -1, .sealer = { .entropy = entropy_host() } };
    bool read = report_open(&report, settings->state) && trail_report(&report) &&
                journal_report(&report, &settings->store);

    if (read) {
        fprintf(stderr, report.broken ? "the audit is BROKEN\n" : "the audit is whole\n");
    }
    if (report.trail >= 0) {
        close(report.trail);
    }
    free(report.heads);
    secret_free(report.sealer.key);
    folder_close(report.folder);
    if (!read) {
        return 2;
    }
    return report.broken ? 1 : 0;
}
