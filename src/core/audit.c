/* SPDX-License-Identifier: Apache-2.0
 *
 * The record's bytes: its fields one after the other, the context's tag, two texts. Texts are
 * checked on both ways, so no name can forge a line or leave a JSON string.
 */
#include "core/audit.h"

#include "crypto/algo.h"
#include "wire/role.h"
#include "rules/mechanism.h"
#include "wire/message.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define LINE_MAX_LEN 1024u
#define HEAD_DOMAIN VIEW_TEXT("azcloudhsm audit head 1")
#define SIGNATURE_LEN 64u

static bool
text_plain(view text, size_t max)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < 0x20 || text.data[i] > 0x7e || text.data[i] == '"' ||
            text.data[i] == '\\') {
            return false;
        }
    }
    return text.len <= max;
}

static void
text_write(struct writer *w, view text, size_t max)
{
    write_bytes(w, text_plain(text, max) ? text : VIEW_TEXT("?"));
}

void
audit_record_write(struct writer *w, const struct audit_record *record)
{
#define FIELD(type, form, name) write_##form(w, record->name);
    AUDIT_FIELDS(FIELD)
#undef FIELD
    write_raw(w, view_of(record->context, AUDIT_TAG_LEN));
    text_write(w, record->from, AUDIT_FROM_MAX);
    text_write(w, record->detail, AUDIT_DETAIL_MAX);
}

bool
audit_record_read(view bytes, struct audit_record *ret_record)
{
    struct reader r = reader_of(bytes);
    struct audit_record record;
    view context;

#define FIELD(type, form, name)            \
    if (!read_##form(&r, &record.name)) {  \
        return false;                      \
    }
    AUDIT_FIELDS(FIELD)
#undef FIELD
    if (!read_raw(&r, AUDIT_TAG_LEN, &context) ||
        !read_bytes(&r, AUDIT_FROM_MAX, &record.from) ||
        !read_bytes(&r, AUDIT_DETAIL_MAX, &record.detail) || !reader_done(&r) ||
        !text_plain(record.from, AUDIT_FROM_MAX) ||
        !text_plain(record.detail, AUDIT_DETAIL_MAX)) {
        return false;
    }
    memcpy(record.context, context.data, AUDIT_TAG_LEN);
    *ret_record = record;
    return true;
}

/* ---- for people and programs ---- */

/* Names of numbers; a number without one is shown itself, in room. */
struct names {
    char time[40];
    char operation[16];
    char mechanism[24];
    char context[2 * AUDIT_TAG_LEN + 1];
    char event[40];
    const char *operation_name;
    const char *mechanism_name;
};

static void
time_text(uint64_t ms, char *out, size_t size)
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm parts;
    size_t len;

    if (gmtime_r(&seconds, &parts) == NULL || parts.tm_year > 8099 ||
        (len = strftime(out, size, "%Y-%m-%dT%H:%M:%S", &parts)) == 0) {
        snprintf(out, size, "%" PRIu64, ms);
        return;
    }
    snprintf(out + len, size - len, ".%03uZ", (unsigned)(ms % 1000));
}

/* NULL: there is no other name than ours. */
static const char *
event_named(uint16_t operation)
{
    switch (operation) {
#define EVENT(operation, name)   \
    case OPERATION_##operation: \
        return name;
#include "core/events.def"
#undef EVENT
    default:
        return NULL;
    }
}

static void
names_look(const struct audit_record *record, struct names *names)
{
    const struct operation_row *operation = operation_row(record->operation);
    const struct mechanism_row *mechanism = mechanism_row((CK_MECHANISM_TYPE)record->mechanism);

    time_text(record->time, names->time, sizeof names->time);
    hex_encode(view_of(record->context, AUDIT_TAG_LEN), names->context);
    snprintf(names->operation, sizeof names->operation, "%u", (unsigned)record->operation);
    snprintf(names->mechanism, sizeof names->mechanism, "0x%" PRIx64, record->mechanism);
    names->operation_name = operation == NULL ? names->operation : operation->name;
    if (event_named(record->operation) != NULL) {
        snprintf(names->event, sizeof names->event, "%s", event_named(record->operation));
    } else {
        snprintf(names->event, sizeof names->event, "CN_%.30s", names->operation_name);
    }
    names->mechanism_name = mechanism == NULL ? names->mechanism : mechanism->name;
    if (record->mechanism == AUDIT_NO_MECHANISM) {
        names->mechanism_name = "-";
    }
}

static void PRINTF(2, 3)
    line_add(struct writer *out, const char *format, ...)
{
    char line[LINE_MAX_LEN];
    va_list arguments;
    int len;

    va_start(arguments, format);
    len = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    write_raw(out, view_of(line, len < 0 ? 0 : size_min((size_t)len, sizeof line - 1)));
}

void
audit_record_text(const struct audit_record *record, struct writer *out)
{
    audit_line_text(record, NULL, out);
}

void
audit_line_text(const struct audit_record *record, const struct audit_place *place,
                struct writer *out)
{
    struct names names;

    names_look(record, &names);
    line_add(out, "%s %s user=%" PRIu32 " role=%s", names.time, names.operation_name, record->user,
             record->role == ROLE_NONE ? "-" : role_name(record->role));
    if (record->object != 0) {
        line_add(out, " object=%" PRIu32, record->object);
    }
    if (record->mechanism != AUDIT_NO_MECHANISM) {
        line_add(out, " mechanism=%s", names.mechanism_name);
    }
    line_add(out, " code=%s from=%.*s connection=%" PRIu64 " context=%s", code_name(record->code),
             (int)record->from.len, (const char *)record->from.data, record->connection,
             names.context);
    if (place != NULL) {
        line_add(out, " event=%s node=%.*s sequence=%" PRIu64, names.event, (int)place->node.len,
                 (const char *)place->node.data, place->sequence);
    }
    if (record->revision != 0) {
        line_add(out, " revision=%" PRIu64, record->revision);
    }
    if (record->detail.len > 0) {
        line_add(out, " %.*s", (int)record->detail.len, (const char *)record->detail.data);
    }
}

void
audit_record_json(const struct audit_record *record, struct writer *out)
{
    audit_line_json(record, NULL, out);
}

void
audit_line_json(const struct audit_record *record, const struct audit_place *place,
                struct writer *out)
{
    struct names names;

    names_look(record, &names);
    line_add(out, "{");
    if (place != NULL) {
        line_add(out, "\"node\":\"%.*s\",\"sequence\":%" PRIu64 ",\"event\":\"%s\",",
                 (int)place->node.len, (const char *)place->node.data, place->sequence,
                 names.event);
    }
    line_add(out,
             "\"time\":\"%s\",\"operation\":\"%s\",\"user\":%" PRIu32 ",\"role\":\"%s\","
             "\"object\":%" PRIu32 ",\"mechanism\":\"%s\",\"code\":\"%s\",\"from\":\"%.*s\","
             "\"connection\":%" PRIu64 ",\"context\":\"%s\",\"revision\":%" PRIu64
             ",\"detail\":\"%.*s\"}",
             names.time, names.operation_name, record->user,
             record->role == ROLE_NONE ? "-" : role_name(record->role), record->object,
             names.mechanism_name, code_name(record->code), (int)record->from.len,
             (const char *)record->from.data, record->connection, names.context,
             record->revision, (int)record->detail.len, (const char *)record->detail.data);
}

/* ---- heads ---- */

static void
head_fields(struct writer *w, const struct audit_head *head)
{
    write_u64(w, head->time);
    chain_write(w, &head->trail);
    chain_write(w, &head->journal);
}

/* What is signed: the head's fields, behind a text that keeps them from meaning anything else. */
static bool
head_text(const struct audit_head *head, uint8_t *room, size_t size, view *ret_text)
{
    struct writer w;

    writer_init_fixed(&w, room, size);
    write_bytes(&w, HEAD_DOMAIN);
    head_fields(&w, head);
    *ret_text = writer_view(&w);
    return writer_ok(&w);
}

bool
audit_head_write(struct writer *w, const struct audit_head *head,
                 const uint8_t seed[AUDIT_KEY_LEN])
{
    uint8_t room[256], signature[SIGNATURE_LEN];
    view text;

    if (!head_text(head, room, sizeof room, &text) || !algo_ed25519_sign(seed, text, signature)) {
        return false;
    }
    head_fields(w, head);
    write_raw(w, view_of(signature, sizeof signature));
    return writer_ok(w);
}

bool
audit_head_read(view bytes, const uint8_t public_key[AUDIT_KEY_LEN], struct audit_head *ret_head)
{
    struct reader r = reader_of(bytes);
    struct audit_head head;
    uint8_t room[256];
    view text, signature;

    if (!read_u64(&r, &head.time) || !chain_read(&r, &head.trail) ||
        !chain_read(&r, &head.journal) || !read_raw(&r, SIGNATURE_LEN, &signature) ||
        !reader_done(&r) || !head_text(&head, room, sizeof room, &text) ||
        !algo_ed25519_verify(public_key, text, signature.data)) {
        return false;
    }
    *ret_head = head;
    return true;
}
