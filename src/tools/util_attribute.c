/* SPDX-License-Identifier: Apache-2.0
 *
 * azcloudhsm_util: attributes by the original's numbers and names, and the lists of attributes and
 * curves.
 */
#include "tools/util.h"

#include "tools/attribute_name.h"
#include "tools/console.h"
#include "tools/file.h"
#include "tools/host.h"

#include <string.h>

#define ATTRIBUTE_KCV 371u
#define ATTRIBUTE_MODULUS 288u
#define TEXT_MAX_LEN 262144u

/* ---- values as text ---- */

static void
bytes_show(view value, struct writer *out)
{
    char hex[3];

    write_raw(out, VIEW_TEXT("0x"));
    for (size_t i = 0; i < value.len; i++) {
        hex_encode(view_slice(value, i, 1), hex);
        write_raw(out, view_str(hex));
    }
}

static void
value_show(enum show show, view value, struct writer *out)
{
    char text[32];
    const uint64_t number = value.len == 8   ? load_u64(value.data)
                            : value.len == 1 ? value.data[0]
                                             : 0;

    switch (show) {
    case SHOW_TEXT:
        write_raw(out, value);
        return;
    case SHOW_BYTES:
        bytes_show(value, out);
        return;
    case SHOW_SHORT:
    case SHOW_NUMBER:
        snprintf(text, sizeof text, show == SHOW_SHORT ? "0x%02llx" : "0x%08llx",
                 (unsigned long long)number);
        write_raw(out, view_str(text));
        return;
    }
}

/* ---- what an object has ---- */

/* The value for a row; an EC key shows its point as modulus. */
static bool
value_find(const struct attribute_name *row, view list, uint8_t room[3], view *ret_value)
{
    struct reader r = reader_of(list);
    view info = VIEW_EMPTY;
    struct attribute attribute;

    while (attributes_next(&r, &attribute)) {
        if (attribute.status != ATTRIBUTE_PRESENT) {
            continue;
        }
        if (attribute.type == row->type && attribute.value.len > 0) {
            *ret_value = attribute.value;
            return true;
        }
        if (row->number == ATTRIBUTE_MODULUS && attribute.type == CKA_EC_POINT) {
            *ret_value = attribute.value;
            return true;
        }
        if (attribute.type == CKA_PUBLIC_KEY_INFO) {
            info = attribute.value;
        }
    }
    if (row->number == ATTRIBUTE_KCV && host_public_check(info, room)) {
        *ret_value = view_of(room, 3);
        return true;
    }
    /* A label or an id that is empty is there all the same. */
    r = reader_of(list);
    while (attributes_next(&r, &attribute)) {
        if (attribute.type == row->type && attribute.status == ATTRIBUTE_PRESENT) {
            *ret_value = VIEW_EMPTY;
            return row->show == SHOW_TEXT;
        }
    }
    return false;
}

static CK_RV
all_get(struct util *util, uint32_t handle, struct writer *list)
{
    CK_ATTRIBUTE_TYPE types[ATTRIBUTE_NAMES + 2];
    size_t count = 0;

    for (size_t i = 0; i < ATTRIBUTE_NAMES; i++) {
        if (attribute_names[i].number != ATTRIBUTE_ALL) {
            types[count++] = attribute_names[i].type;
        }
    }
    types[count++] = CKA_EC_POINT;
    types[count++] = CKA_PUBLIC_KEY_INFO;
    return util_get(util, handle, types, count, list);
}

/* Name and value on a line each, and the same as JSON. Returns how many;
 * *ret_size is their size. */
static size_t
attributes_show(uint32_t number, view list, struct writer *text, json_t *json, size_t *ret_size)
{
    size_t count = 0;

    *ret_size = 0;
    for (size_t i = 0; i < ATTRIBUTE_NAMES; i++) {
        const struct attribute_name *row = &attribute_names[i];
        uint8_t room[3];
        view value;
        size_t start;

        if ((number != ATTRIBUTE_ALL && row->number != number) || row->number == ATTRIBUTE_ALL ||
            !value_find(row, list, room, &value)) {
            continue;
        }
        write_raw(text, view_str(row->name));
        write_u8(text, '\n');
        start = text->len;
        value_show(row->show, value, text);
        if (writer_ok(text)) {
            json_object_set_new(json, row->name,
                                util_json_text(view_of(text->data + start, text->len - start)));
        }
        write_u8(text, '\n');
        *ret_size += value.len;
        count++;
    }
    return count;
}

enum status
util_get_attribute(void *tool, const struct values *values)
{
    struct util *util = tool;
    const uint32_t number = values_number(values, "-a", 0);
    const uint32_t handle = values_number(values, "-o", 0);
    const char *path = values_text(values, "-out");
    json_t *json = json_object();
    struct writer list;
    struct writer text;
    size_t size = 0;
    size_t count = 0;
    bool written = true;
    CK_RV rv;

    if (attribute_name(number) == NULL) {
        fputs("getAttribute: -a: listAttributes shows the numbers\n", stderr);
        json_decref(json);
        return STATUS_MISUSED;
    }
    writer_init(&list, ATTRIBUTES_BYTES_MAX);
    writer_init(&text, TEXT_MAX_LEN);
    rv = all_get(util, handle, &list);
    if (rv == CKR_OK) {
        count = attributes_show(number, writer_view(&list), &text, json, &size);
        rv = count == 0 ? CKR_ATTRIBUTE_TYPE_INVALID : writer_ok(&text) ? CKR_OK : CKR_HOST_MEMORY;
    }
    if (rv == CKR_OK) {
        printf(util->aws ? "\n\tgot all attributes of size %zu attr cnt %zu\n"
                         : "\n\tAttribute size: %zu, count: %zu\n",
               size, count);
        written = file_write(path, writer_view(&text));
        if (written) {
            printf(util->aws ? "\tAttributes dumped into %s file\n" : "\tWritten to: %s file\n",
                   path);
        }
        util_json(util, json_pack("{s:I, s:O}", "handle", (json_int_t)handle, "attributes", json));
    }

    enum status status = util_returned("Cfm3GetAttribute", rv);

    json_decref(json);
    writer_clear(&list);
    writer_clear(&text);
    return written ? status : STATUS_REFUSED;
}

/* ---- change ---- */

/* -v, or the answer to a question. False: said why. */
static bool
wanted_value(const struct values *values, const struct attribute_name *row, struct writer *changes)
{
    const char *given = values_text(values, "-v");
    const bool text = row->show == SHOW_TEXT;
    char *line = NULL;
    bool ok = true;

    if (given == NULL) {
        if (!text) {
            printf("\n\tThis attribute is defined as a boolean value.\n");
        }
        line = console_line(text ? "\t  Enter the attribute value: "
                                 : "\t  Enter the boolean attribute value (0 or 1):");
        given = line != NULL ? line : "";
    }
    if (text) {
        attribute_write(changes, row->type, view_str(given));
    } else if (strcmp(given, "0") == 0 || strcmp(given, "1") == 0) {
        attribute_write_bool(changes, row->type, given[0] == '1');
    } else {
        fputs("setAttribute: the value is 0 or 1\n", stderr);
        ok = false;
    }
    console_line_free(line);
    return ok;
}

/* A session key stays behind as a token key, which has a handle of its own; then it goes. What is
 * a token key already is one. */
static CK_RV
token_set(struct util *util, uint32_t handle, view changes, uint32_t *ret_handle)
{
    static const CK_ATTRIBUTE_TYPE type = CKA_TOKEN;
    struct writer list;
    struct writer blob;
    bool wanted = false;
    bool is = false;
    CK_RV rv;

    writer_init(&list, UTIL_TEMPLATE_MAX);
    writer_init(&blob, FRAME_DATA_MAX);
    rv = util_get(util, handle, &type, 1, &list);
    (void)attributes_bool(changes, CKA_TOKEN, &wanted);
    (void)attributes_bool(writer_view(&list), CKA_TOKEN, &is);
    if (rv == CKR_OK && is && !wanted) {
        rv = CKR_ATTRIBUTE_READ_ONLY;
    }
    if (rv == CKR_OK && wanted && !is &&
        (rv = util_mask(util, handle, &blob)) == CKR_OK &&
        (rv = util_unmask(util, FRAME_READ_WRITE, writer_view(&blob), 0, true, ret_handle)) ==
            CKR_OK) {
        rv = util_destroy(util, handle);
    }
    writer_clear(&list);
    writer_clear(&blob);
    return rv;
}

enum status
util_set_attribute(void *tool, const struct values *values)
{
    struct util *util = tool;
    const struct attribute_name *row = attribute_name(values_number(values, "-a", 0));
    const uint32_t handle = values_number(values, "-o", 0);
    uint32_t kept = handle;
    struct writer changes;
    CK_RV rv;

    if (row == NULL || row->number == ATTRIBUTE_ALL || row->show == SHOW_BYTES ||
        row->show == SHOW_NUMBER) {
        fputs("setAttribute: -a: 1, 3, 260 to 264, 266, 268, 370 or 528\n", stderr);
        return STATUS_MISUSED;
    }
    writer_init(&changes, UTIL_TEMPLATE_MAX);
    if (!wanted_value(values, row, &changes)) {
        writer_clear(&changes);
        return STATUS_MISUSED;
    }
    if (!writer_ok(&changes)) {
        rv = CKR_HOST_MEMORY;
    } else if (row->type == CKA_TOKEN) {
        rv = token_set(util, handle, writer_view(&changes), &kept);
    } else {
        rv = util_set(util, handle, writer_view(&changes));
    }
    writer_clear(&changes);

    enum status status = util_returned("Cfm3SetAttribute", rv);

    if (rv == CKR_OK && kept != handle) {
        printf("\n\tNew Key Handle: %u\n", (unsigned)kept);
    }
    util_cluster(util, rv);
    return status;
}

/* ---- lists ---- */

enum status
util_list_attributes(void *tool, const struct values *values)
{
    struct util *util = tool;
    json_t *json = json_array();

    UNUSED(values);
    printf("\n\tFollowing are the possible attribute values for getAttribute:\n\n");
    for (size_t i = 0; i < ATTRIBUTE_NAMES; i++) {
        printf("\t%-32s = %u\n", attribute_names[i].name, (unsigned)attribute_names[i].number);
        json_array_append_new(json, json_pack("{s:I, s:s}", "id", (json_int_t)attribute_names[i].number,
                                              "name", attribute_names[i].name));
    }
    util_json(util, json);
    return STATUS_DONE;
}

enum status
util_list_curves(void *tool, const struct values *values)
{
    struct util *util = tool;
    const struct rules rules = { .policy = util->policy, .interface = INTERFACE_API };
    json_t *json = json_array();
    size_t count;
    const struct curve_row *rows = curve_rows(&count);

    UNUSED(values);
    printf("\n\tCurve ids for genECCKeyPair -i:\n\n");
    for (unsigned id = 1; id <= 64; id++) {
        for (size_t i = 0; i < count; i++) {
            if (rows[i].tool_id != id ||
                (curve_functions(rules, &rows[i]) & CKF_GENERATE_KEY_PAIR) == 0) {
                continue;
            }
            printf("\t%-20s = %u\n", rows[i].name, id);
            json_array_append_new(json, json_pack("{s:I, s:s, s:I}", "id", (json_int_t)id, "name",
                                                  rows[i].name, "bits",
                                                  (json_int_t)rows[i].bits));
        }
    }
    util_json(util, json);
    return STATUS_DONE;
}
