/* SPDX-License-Identifier: Apache-2.0
 *
 * Files of second factors, to and from JSON.
 */
#include "tools/factor_file.h"

#include "base/base64.h"

#include <jansson.h>
#include <string.h>

#define BASE64_MAX 1024u /* above that of the longest signature */

/* As a JSON string, for json_pack()'s `o`; NULL when there is no memory. */
static json_t *
base64_json(view bytes)
{
    struct writer text;
    json_t *json = NULL;

    writer_init(&text, BASE64_MAX);
    base64_write(&text, BASE64_PLAIN, bytes);
    if (writer_ok(&text)) {
        json = text.len == 0 ? json_string("")
                             : json_stringn((const char *)text.data, text.len);
    }
    writer_clear(&text);
    return json;
}

static int
text_take(const char *buffer, size_t size, void *arg)
{
    struct writer *out = arg;

    write_raw(out, view_of(buffer, size));
    return writer_ok(out) ? 0 : -1;
}

bool
factor_file_write(const struct factor_file *file, struct writer *out)
{
    json_t *data = json_array();
    json_t *all;
    bool wrote;

    for (size_t i = 0; i < file->count; i++) {
        const struct factor_entry *entry = &file->entries[i];

        json_array_append_new(
            data, json_pack("{s:s,s:o,s:o}", "HsmId", entry->node, "Digest",
                            base64_json(view_of(entry->digest, sizeof entry->digest)), "Signature",
                            base64_json(view_of(entry->signature, entry->signature_len))));
    }
    all = json_pack("{s:s,s:s,s:o}", "Version", "1.0", "PublicKey", file->key, "Data", data);
    wrote = all != NULL && json_array_size(data) == file->count &&
            json_dump_callback(all, text_take, out, JSON_INDENT(4)) == 0;
    write_raw(out, VIEW_TEXT("\n"));
    json_decref(all);
    return wrote && writer_ok(out);
}

/* What the text of that name stands for; empty, or missing: no bytes. */
static bool
bytes_take(const json_t *object, const char *name, size_t max, uint8_t *bytes, size_t *ret_len)
{
    const json_t *json = json_object_get(object, name);
    struct writer w;
    bool good;

    if (json == NULL || json_is_null(json)) {
        *ret_len = 0;
        return true;
    }
    if (!json_is_string(json)) {
        return false;
    }
    writer_init_fixed(&w, bytes, max);
    good = base64_read(view_of(json_string_value(json), json_string_length(json)), BASE64_PLAIN,
                       &w) &&
           writer_ok(&w);
    *ret_len = w.len;
    return good;
}

/* A text of at most max letters; missing: "". */
static bool
text_copy(const json_t *object, const char *name, size_t max, char *text)
{
    const json_t *json = json_object_get(object, name);

    text[0] = '\0';
    if (json == NULL || json_is_null(json)) {
        return true;
    }
    if (!json_is_string(json) || json_string_length(json) > max) {
        return false;
    }
    memcpy(text, json_string_value(json), json_string_length(json) + 1);
    return true;
}

/* NULL, or what is wrong. */
static const char *
entry_take(const json_t *json, struct factor_file *file)
{
    struct factor_entry *entry = &file->entries[file->count];
    size_t len = 0;

    if (file->count == FACTOR_ENTRIES_MAX) {
        return "Data has too many entries";
    }
    if (!json_is_object(json) || !text_copy(json, "HsmId", FACTOR_NODE_MAX, entry->node) ||
        !bytes_take(json, "Digest", sizeof entry->digest, entry->digest, &len) ||
        len != sizeof entry->digest) {
        return "an entry of Data has no HsmId and Digest";
    }
    if (!bytes_take(json, "Signature", sizeof entry->signature, entry->signature,
                    &entry->signature_len)) {
        return "a Signature is not in base64, on one line, or too long";
    }
    file->count++;
    return NULL;
}

static const char *
file_take(const json_t *json, struct factor_file *file)
{
    const json_t *data = json_object_get(json, "Data");
    const json_t *version = json_object_get(json, "Version");
    const char *error = NULL;

    if (!json_is_string(version) || strcmp(json_string_value(version), "1.0") != 0) {
        return "its Version is not 1.0";
    }
    if (!text_copy(json, "PublicKey", FACTOR_PEM_MAX, file->key)) {
        return "its PublicKey is no text, or too long";
    }
    if (!json_is_array(data) || json_array_size(data) == 0) {
        return "it has no Data";
    }
    for (size_t i = 0; i < json_array_size(data) && error == NULL; i++) {
        error = entry_take(json_array_get(data, i), file);
    }
    return error;
}

bool
factor_file_parse(view text, struct factor_file *ret_file, const char **ret_error)
{
    json_t *json = text.len == 0 || text.len > FACTOR_FILE_MAX
                       ? NULL
                       : json_loadb((const char *)text.data, text.len, JSON_REJECT_DUPLICATES,
                                    NULL);

    memset(ret_file, 0, sizeof *ret_file);
    *ret_error = json_is_object(json) ? file_take(json, ret_file) : "it is no JSON object";
    json_decref(json);
    return *ret_error == NULL;
}

view
factor_file_signature(const struct factor_file *file, view digest)
{
    for (size_t i = 0; i < file->count; i++) {
        const struct factor_entry *entry = &file->entries[i];

        if (view_equal(view_of(entry->digest, sizeof entry->digest), digest)) {
            return view_of(entry->signature, entry->signature_len);
        }
    }
    return VIEW_EMPTY;
}
