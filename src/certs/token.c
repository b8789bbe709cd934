/* SPDX-License-Identifier: Apache-2.0
 *
 * One table says which attributes a token has and in which form. JSON itself is jansson's.
 */
#include "certs/token.h"

#include "base/base64.h"

#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum form { FORM_number, FORM_flag, FORM_text, FORM_base64, FORM_day };

#define ATTRIBUTE(name, form) { CKA_##name, "CKA_" #name, FORM_##form }
/* clang-format off */
static const struct {
    CK_ATTRIBUTE_TYPE type;
    const char *name;
    enum form form;
} rows[] = {
    ATTRIBUTE( CLASS,                      number ),
    ATTRIBUTE( TOKEN,                      flag   ),
    ATTRIBUTE( PRIVATE,                    flag   ),
    ATTRIBUTE( MODIFIABLE,                 flag   ),
    ATTRIBUTE( LABEL,                      text   ),
    ATTRIBUTE( COPYABLE,                   flag   ),
    ATTRIBUTE( DESTROYABLE,                flag   ),
    ATTRIBUTE( CERTIFICATE_TYPE,           number ),
    ATTRIBUTE( TRUSTED,                    flag   ),
    ATTRIBUTE( CERTIFICATE_CATEGORY,       number ),
    ATTRIBUTE( CHECK_VALUE,                base64 ),
    ATTRIBUTE( START_DATE,                 day    ),
    ATTRIBUTE( END_DATE,                   day    ),
    ATTRIBUTE( PUBLIC_KEY_INFO,            base64 ),
    ATTRIBUTE( SUBJECT,                    base64 ),
    ATTRIBUTE( ID,                         base64 ),
    ATTRIBUTE( ISSUER,                     base64 ),
    ATTRIBUTE( SERIAL_NUMBER,              base64 ),
    ATTRIBUTE( VALUE,                      base64 ),
    ATTRIBUTE( URL,                        text   ),
    ATTRIBUTE( HASH_OF_SUBJECT_PUBLIC_KEY, base64 ),
    ATTRIBUTE( HASH_OF_ISSUER_PUBLIC_KEY,  base64 ),
    ATTRIBUTE( JAVA_MIDP_SECURITY_DOMAIN,  number ),
    ATTRIBUTE( NAME_HASH_ALGORITHM,        number ),
};
/* clang-format on */
#undef ATTRIBUTE

#define DATE_LEN 8u
#define ALGORITHM "RS512"

/* ---- writing ---- */

static json_t *
text_of(view value)
{
    return json_stringn(value.len == 0 ? "" : (const char *)value.data, value.len);
}

static json_t *
base64_of(view value)
{
    struct writer text;
    json_t *json = NULL;

    writer_init(&text, TOKEN_MAX);
    base64_write(&text, BASE64_PLAIN, value);
    if (writer_ok(&text)) {
        json = text_of(writer_view(&text));
    }
    writer_clear(&text);
    return json;
}

static json_t *
number_of(view attributes, CK_ATTRIBUTE_TYPE type)
{
    uint64_t number = 0;

    if (attributes_ulong(attributes, type, &number) && number > INT64_MAX) {
        return NULL;
    }
    return json_integer((json_int_t)number);
}

static json_t *
flag_of(view attributes, CK_ATTRIBUTE_TYPE type)
{
    bool value = false;

    (void)attributes_bool(attributes, type, &value);
    return json_boolean(value);
}

static json_t *
value_of(view attributes, size_t row)
{
    view value = VIEW_EMPTY;

    (void)attributes_find(attributes, rows[row].type, &value);
    switch (rows[row].form) {
    case FORM_number:
        return number_of(attributes, rows[row].type);
    case FORM_flag:
        return flag_of(attributes, rows[row].type);
    case FORM_text:
        return text_of(value);
    default:
        return base64_of(value);
    }
}

/* The document as text; the caller frees it. */
static char *
document_of(json_t *json)
{
    char *text = json == NULL ? NULL : json_dumps(json, JSON_COMPACT | JSON_ESCAPE_SLASH);

    json_decref(json);
    return text;
}

static bool
part_write(char *text, struct writer *out)
{
    bool made = text != NULL;

    if (made) {
        base64_write(out, BASE64_URL, view_str(text));
    }
    free(text);
    return made;
}

const char *
token_input(view kid, view attributes, struct writer *out)
{
    json_t *values = json_object();
    char *data;
    bool made;

    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        /* The name stands in the message only when this fails: jansson frees what it refuses. */
        if (json_object_set_new(values, rows[i].name, value_of(attributes, i)) != 0) {
            json_decref(values);
            return "a label or URL that is no UTF-8 text, or a number beyond 63 bits";
        }
    }
    data = document_of(json_pack("{s:o}", "attributes", values));
    made = data != NULL &&
           part_write(document_of(json_pack("{s:s, s:s%, s:s}", "alg", ALGORITHM, "kid",
                                            (const char *)kid.data, kid.len, "typ", "JWS")),
                      out);
    write_u8(out, '.');
    made = made && part_write(document_of(json_pack("{s:s}", "data", data)), out);
    free(data);
    return made && writer_ok(out) ? NULL : "it is too long";
}

void
token_close(struct writer *token, view signature)
{
    write_u8(token, '.');
    base64_write(token, BASE64_URL, signature);
}

/* ---- reading ---- */

static json_t *
document_read(view text)
{
    return json_loadb((const char *)text.data, text.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL,
                      NULL);
}

static json_t *
part_read(view part)
{
    struct writer text;
    json_t *json = NULL;

    writer_init(&text, TOKEN_MAX);
    if (base64_read(part, BASE64_URL, &text) && writer_ok(&text)) {
        json = document_read(writer_view(&text));
    }
    writer_clear(&text);
    return json;
}

static view
view_of_json(const json_t *json)
{
    return view_of(json_string_value(json), json_string_length(json));
}

static const char *
header_check(const json_t *header, view kid)
{
    const json_t *algorithm = json_object_get(header, "alg");
    const json_t *name = json_object_get(header, "kid");

    if (!json_is_object(header)) {
        return "its header is no JSON object";
    }
    if (!json_is_string(algorithm) ||
        !view_equal(view_of_json(algorithm), VIEW_TEXT(ALGORITHM))) {
        return "its algorithm is not RS512";
    }
    if (json_object_get(header, "crit") != NULL) {
        return "its header has `crit`";
    }
    if (!json_is_string(name) || !view_equal(view_of_json(name), kid)) {
        return "it is signed for another key (kid)";
    }
    return NULL;
}

/* A date is eight digits in base64; plain digits are understood, too. */
static bool
day_read(view text, struct writer *out)
{
    if (base64_read(text, BASE64_PLAIN, out) && (out->len == 0 || out->len == DATE_LEN)) {
        return true;
    }
    writer_truncate(out, 0);
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }
    }
    write_raw(out, text);
    return text.len == DATE_LEN;
}

static bool
value_read(const json_t *json, size_t row, struct writer *out)
{
    CK_ATTRIBUTE_TYPE type = rows[row].type;
    struct writer value;
    bool taken;

    switch (rows[row].form) {
    case FORM_number:
        if (!json_is_integer(json) || json_integer_value(json) < 0) {
            return false;
        }
        attribute_write_ulong(out, type, (uint64_t)json_integer_value(json));
        return true;
    case FORM_flag:
        if (!json_is_boolean(json)) {
            return false;
        }
        attribute_write_bool(out, type, json_is_true(json));
        return true;
    case FORM_text:
        if (!json_is_string(json)) {
            return false;
        }
        attribute_write(out, type, view_of_json(json));
        return true;
    default:
        break;
    }
    if (!json_is_string(json)) {
        return false;
    }
    writer_init(&value, ATTRIBUTES_BYTES_MAX);
    taken = rows[row].form == FORM_day ? day_read(view_of_json(json), &value)
                                       : base64_read(view_of_json(json), BASE64_PLAIN, &value);
    taken = taken && writer_ok(&value);
    if (taken) {
        attribute_write(out, type, writer_view(&value));
    }
    writer_clear(&value);
    return taken;
}

static const char *
attributes_read(const json_t *values, struct writer *out)
{
    uint64_t class, type;
    view there;

    if (!json_is_object(values)) {
        return "it holds no attributes";
    }
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        const json_t *json = json_object_get(values, rows[i].name);

        if (json != NULL && !value_read(json, i, out)) {
            return "an attribute has a value of another form";
        }
    }
    if (!writer_ok(out)) {
        return "its attributes are too long";
    }
    if (!attributes_ulong(writer_view(out), CKA_CLASS, &class) || class != CKO_CERTIFICATE ||
        !attributes_ulong(writer_view(out), CKA_CERTIFICATE_TYPE, &type) || type != CKC_X_509 ||
        !attributes_find(writer_view(out), CKA_SUBJECT, &there) ||
        !attributes_find(writer_view(out), CKA_VALUE, &there)) {
        return "it holds no X.509 certificate";
    }
    return NULL;
}

static const char *
payload_read(view part, struct writer *out)
{
    json_t *payload = part_read(part);
    const json_t *data = json_object_get(payload, "data");
    json_t *inner = json_is_string(data) ? document_read(view_of_json(data)) : NULL;
    const char *fault = "its payload is not the JSON of a certificate";

    if (inner != NULL) {
        fault = attributes_read(json_object_get(inner, "attributes"), out);
    }
    json_decref(inner);
    json_decref(payload);
    return fault;
}

/* The three parts; a new line at the end of a file does no harm. */
static bool
parts_find(view text, view parts[3])
{
    size_t part = 0, start = 0;

    while (text.len > 0 && (text.data[text.len - 1] == '\n' || text.data[text.len - 1] == '\r')) {
        text.len--;
    }
    for (size_t i = 0; i <= text.len; i++) {
        if (i < text.len && text.data[i] != '.') {
            continue;
        }
        if (part == 3 || i == start) {
            return false;
        }
        parts[part++] = view_slice(text, start, i - start);
        start = i + 1;
    }
    return part == 3;
}

const char *
token_read(view text, view kid, struct token *ret_token)
{
    struct token token;
    view parts[3];
    json_t *header;
    const char *fault;

    if (text.len > TOKEN_MAX || !parts_find(text, parts)) {
        return "it is no JWS of three parts";
    }
    header = part_read(parts[0]);
    fault = header_check(header, kid);
    json_decref(header);
    if (fault != NULL) {
        return fault;
    }
    token.input = view_of(parts[0].data, parts[0].len + 1 + parts[1].len);
    writer_init(&token.signature, TOKEN_SIGNATURE_MAX);
    writer_init(&token.attributes, ATTRIBUTES_BYTES_MAX);
    if (!base64_read(parts[2], BASE64_URL, &token.signature) || !writer_ok(&token.signature)) {
        fault = "its signature is no base64url, or too long";
    } else {
        fault = payload_read(parts[1], &token.attributes);
    }
    if (fault != NULL) {
        token_clear(&token);
        return fault;
    }
    *ret_token = token;
    return NULL;
}

void
token_clear(struct token *token)
{
    writer_clear(&token->signature);
    writer_clear(&token->attributes);
}
