/* SPDX-License-Identifier: Apache-2.0
 *
 * azcloudhsm_mgmt_util: the objects of a SoftHSM2 token, one after the other. Each has a line with
 * its new handle or why it has none; below it a line for each attribute that the partition's policy
 * has otherwise. Keys are opened here and go to the node as the templates of C_CreateObject, in the
 * connection that PO.crt vouches for.
 */
#include "tools/mgmt.h"

#include "rules/template.h"
#include "tools/code.h"
#include "tools/console.h"
#include "tools/file.h"
#include "tools/softhsm.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define SUFFIX ".object"
#define TOKEN_NAME "token.object"
#define SAID_MAX 8192u

struct import {
    struct mgmt_server *server;
    struct rules rules;
    const char *folder;
    struct secret *key;
    size_t done;
    size_t failed;
};

/* ---- one object's template ---- */

/* What only its making decided: it is made anew here. */
static bool
is_history(CK_ATTRIBUTE_TYPE type)
{
    static const CK_ATTRIBUTE_TYPE types[] = {
        CKA_LOCAL,        CKA_KEY_GEN_MECHANISM, CKA_ALWAYS_SENSITIVE, CKA_NEVER_EXTRACTABLE,
        CKA_MODULUS_BITS, CKA_VALUE_LEN,         CKA_UNIQUE_ID,        CKA_CHECK_VALUE,
    };

    for (size_t i = 0; i < ARRAY_COUNT(types); i++) {
        if (types[i] == type) {
            return true;
        }
    }
    return false;
}

static void PRINTF(2, 3)
say(struct writer *said, const char *format, ...)
{
    char line[256];
    va_list arguments;
    int len;

    va_start(arguments, format);
    len = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (len > 0 && said->len + sizeof line < SAID_MAX) {
        write_raw(said, view_of(line, size_min((size_t)len, sizeof line - 1)));
    }
}

static bool
is_true(view value)
{
    return value.len == 1 && value.data[0] != 0;
}

/* Takes one attribute over, as far as the policy takes it; what changes is said. */
static void
attribute_take(struct rules rules, enum object_kind kind, const struct attribute *attribute,
               struct writer *template, struct writer *said)
{
    const struct attribute_row *row = attribute_row(attribute->type);
    const struct use_row *use = use_row(kind, attribute->type);
    const char *policy = policy_name(rules.policy);
    enum attribute_only only = use == NULL ? ONLY_any : use_rule(rules, use)->only;

    if (is_history(attribute->type) || (attribute->value.len == 0 && row->form != FORM_BOOL)) {
        return;
    }
    if (use == NULL || use->create == NEED_forbidden) {
        if (row->form != FORM_BOOL || is_true(attribute->value)) {
            say(said, "\t%s is left out: such an object has none here\n", row->name);
        }
    } else if (attribute->type == CKA_TRUSTED && is_true(attribute->value)) {
        say(said, "\tCKA_TRUSTED is left out: an officer sets it (setAttribute HANDLE 134 1)\n");
    } else if (only != ONLY_any && (only == ONLY_true) != is_true(attribute->value)) {
        attribute_write_bool(template, attribute->type, only == ONLY_true);
        say(said, "\t%s is %s now: policy %s takes nothing else\n", row->name,
            only == ONLY_true ? "TRUE" : "FALSE", policy);
    } else {
        attribute_write(template, attribute->type, attribute->value);
    }
}

/* The template that makes it here. */
static CK_RV
template_make(const struct import *import, view list, struct writer *template,
              struct writer *said)
{
    struct reader r = reader_of(list);
    struct attribute attribute;
    enum object_kind kind;
    uint64_t class = 0;
    uint64_t type = 0;

    if (!attributes_ulong(list, CKA_CLASS, &class)) {
        return CKR_TEMPLATE_INCOMPLETE;
    }
    (void)(attributes_ulong(list, CKA_KEY_TYPE, &type) ||
           attributes_ulong(list, CKA_CERTIFICATE_TYPE, &type));
    if (!kind_of(class, type, &kind)) {
        return CKR_ATTRIBUTE_VALUE_INVALID;
    }
    while (attributes_next(&r, &attribute)) {
        attribute_take(import->rules, kind, &attribute, template, said);
    }
    if (!writer_ok(template)) {
        return CKR_HOST_MEMORY;
    }
    return template_check(import->rules, kind, ORIGIN_CREATE, false, writer_view(template));
}

/* ---- telling ---- */

/* A row: number and word. */
struct word {
    uint64_t number;
    const char *word;
};

static const char *
word_of(const struct word *words, size_t count, uint64_t number, const char *otherwise)
{
    for (size_t i = 0; i < count; i++) {
        if (words[i].number == number) {
            return words[i].word;
        }
    }
    return otherwise;
}

/* Bytes that no terminal should see are dots; what is longer is cut. */
static void
text_show(view bytes, char *out, size_t size)
{
    size_t len;

    for (len = 0; len < bytes.len && len < size - 1; len++) {
        out[len] = bytes.data[len] < ' ' || bytes.data[len] == 0x7f ? '.' : (char)bytes.data[len];
    }
    out[len] = '\0';
}

/* `private key RSA "label"` */
static void
object_describe(view list, char *out, size_t size)
{
    static const struct word classes[] = {
        { CKO_DATA, "data" },
        { CKO_CERTIFICATE, "certificate" },
        { CKO_PUBLIC_KEY, "public key" },
        { CKO_PRIVATE_KEY, "private key" },
        { CKO_SECRET_KEY, "secret key" },
        { CKO_DOMAIN_PARAMETERS, "domain parameters" },
    };
    static const struct word types[] = {
        { CKK_RSA, " RSA" },
        { CKK_DSA, " DSA" },
        { CKK_DH, " DH" },
        { CKK_EC, " EC" },
        { CKK_GENERIC_SECRET, " generic" },
        { CKK_DES, " DES" },
        { CKK_DES2, " DES2" },
        { CKK_DES3, " DES3" },
        { CKK_AES, " AES" },
        { CKK_GOSTR3410, " GOST" },
        { CKK_EC_EDWARDS, " Edwards" },
        { CKK_EC_MONTGOMERY, " Montgomery" },
    };
    uint64_t class = UINT64_MAX;
    uint64_t type = 0;
    view label = VIEW_EMPTY;
    char text[65];

    (void)attributes_ulong(list, CKA_CLASS, &class);
    (void)attributes_find(list, CKA_LABEL, &label);
    text_show(label, text, sizeof text);
    snprintf(out, size, "%s%s \"%s\"",
             word_of(classes, ARRAY_COUNT(classes), class, "object of an unknown class"),
             attributes_ulong(list, CKA_KEY_TYPE, &type)
                 ? word_of(types, ARRAY_COUNT(types), type, " of an unknown type")
                 : "",
             text);
}

static const char *
refusal_text(CK_RV rv)
{
    static const struct word words[] = {
        { CKR_ATTRIBUTE_VALUE_INVALID, "there are no such objects here, or a value is none" },
        { CKR_TEMPLATE_INCOMPLETE, "something that such an object needs is missing" },
        { CKR_TEMPLATE_INCONSISTENT, "the policy does not take it, or its parts do not belong together" },
        { CKR_CURVE_NOT_SUPPORTED, "there is no such curve here" },
        { CKR_DOMAIN_PARAMS_INVALID, "there is no such curve here" },
        { CKR_KEY_SIZE_RANGE, "the policy does not take a key of this size" },
        { CKR_USER_NOT_LOGGED_IN, "no crypto user is logged in" },
        { CKR_TOKEN_RESOURCE_EXCEEDED, "the partition is full" },
    };

    return word_of(words, ARRAY_COUNT(words), rv, code_of(rv)->text);
}

/* ---- objects ---- */

static CK_RV
object_send(struct import *import, view template, uint32_t *ret_handle)
{
    const struct object_create_request request = { .handle = 0, .template = template };
    struct object_create_reply reply;
    struct writer body;
    view bytes;
    CK_RV rv;

    writer_init(&body, FRAME_BODY_MAX);
    object_create_request_write(&body, &request);
    rv = mgmt_call(import->server, OPERATION_OBJECT_CREATE, &body, &bytes);
    writer_clear(&body);
    if (rv == CKR_OK && (!object_create_reply_read(bytes, &reply) ||
                         info_array_count(reply.made) != 1)) {
        rv = CKR_DEVICE_ERROR;
    }
    if (rv == CKR_OK) {
        *ret_handle = info_array_get(reply.made, 0).handle;
    }
    return rv;
}

/* False: the connection is gone, and nothing more can be done. */
static bool
object_import(struct import *import, const char *name, view list,
              const struct softhsm_left *left)
{
    char what[160];
    struct writer template;
    struct writer said;
    uint32_t handle = 0;
    CK_RV rv;

    writer_init(&template, ATTRIBUTES_BYTES_MAX);
    writer_init(&said, SAID_MAX);
    object_describe(list, what, sizeof what);
    for (size_t i = 0; i < size_min(left->count, SOFTHSM_LEFT_MAX); i++) {
        say(&said, "\tattribute 0x%" PRIx64 " is left out: there is none here\n", left->types[i]);
    }
    rv = template_make(import, list, &template, &said);
    if (rv == CKR_OK) {
        rv = object_send(import, writer_view(&template), &handle);
    }
    if (rv == CKR_OK) {
        import->done++;
        printf("%s: %s: key handle %u\n", name, what, (unsigned)handle);
        fwrite(said.data, 1, said.len, stdout);
    } else {
        import->failed++;
        printf("%s: %s: not imported: %s (%s)\n", name, what, refusal_text(rv), return_name(rv));
    }
    writer_clear(&template);
    writer_clear(&said);
    return rv == CKR_OK || import->server->caller != NULL;
}

/* The same. */
static bool
file_import(struct import *import, const char *name)
{
    char path[PATH_MAX];
    struct secret *file;
    struct softhsm_left left;
    struct writer list;
    enum softhsm_result result;
    bool goes_on = true;

    snprintf(path, sizeof path, "%s/%s", import->folder, name);
    file = file_read(path, SOFTHSM_FILE_MAX);
    if (file == NULL) {
        import->failed++;
        return true;
    }
    writer_init(&list, ATTRIBUTES_BYTES_MAX);
    result = softhsm_object(secret_view(file), secret_view(import->key), &list, &left);
    if (result == SOFTHSM_READ) {
        goes_on = object_import(import, name, writer_view(&list), &left);
    } else {
        import->failed++;
        printf("%s: not imported: %s\n", name,
               result == SOFTHSM_LOCKED ? "the token's key does not open it"
                                        : "it is damaged, or no object of SoftHSM2");
    }
    writer_clear(&list);
    secret_free(file);
    return goes_on;
}

/* ---- the token ---- */

static int
is_object(const struct dirent *entry)
{
    const size_t len = strlen(entry->d_name);

    return len > strlen(SUFFIX) && strcmp(entry->d_name + len - strlen(SUFFIX), SUFFIX) == 0 &&
           strcmp(entry->d_name, TOKEN_NAME) != 0;
}

/* Opens the token; the key is import's then. */
static bool
token_open(struct import *import, view pin)
{
    char path[PATH_MAX];
    char name[65];
    struct secret *file;
    view label = VIEW_EMPTY;
    bool good;

    snprintf(path, sizeof path, "%s/" TOKEN_NAME, import->folder);
    file = file_read(path, SOFTHSM_FILE_MAX);
    if (file == NULL) {
        fprintf(stderr, "importSoftHSM: FOLDER is the one with %s in it; tokens of the database "
                        "backend (sqlite3.db) are moved to files first\n",
                TOKEN_NAME);
        return false;
    }
    good = softhsm_label(secret_view(file), &label);
    text_show(label, name, sizeof name);
    if (!good) {
        fprintf(stderr, "%s: damaged, or not of SoftHSM2\n", path);
    } else if ((import->key = softhsm_key(secret_view(file), pin)) == NULL) {
        printf("importSoftHSM failed: the user PIN of token \"%s\" is another one, or none was set\n",
               name);
        good = false;
    } else {
        printf("Importing token \"%s\" to server %u(%s), policy %s\n", name, import->server->number,
               import->server->settings->hostname, policy_name(import->rules.policy));
    }
    secret_free(file);
    return good;
}

/* The rules of the server's partition. */
static CK_RV
rules_ask(struct import *import)
{
    struct token_reply token;
    struct writer body;
    view bytes;
    CK_RV rv;

    writer_init(&body, 16);
    rv = mgmt_call(import->server, OPERATION_TOKEN, &body, &bytes);
    writer_clear(&body);
    if (rv != CKR_OK) {
        return rv;
    }
    if (!token_reply_read(bytes, &token) || token.policy >= POLICY_COUNT) {
        return CKR_DEVICE_ERROR;
    }
    import->rules = (struct rules){ (enum policy)token.policy, INTERFACE_P11, 0 };
    (void)rules_switches_read(&import->rules, token.switches); /* it may know more than we do */
    return CKR_OK;
}

static enum status
folder_import(struct import *import, const char *from)
{
    struct dirent **entries = NULL;
    int count = scandir(import->folder, &entries, is_object, alphasort);
    bool goes_on = true;

    if (count < 0) {
        fprintf(stderr, "%s: %s\n", import->folder, strerror(errno));
        return STATUS_REFUSED;
    }
    for (int i = 0; i < count; i++) {
        if (goes_on && (from == NULL || strcmp(entries[i]->d_name, from) >= 0)) {
            goes_on = file_import(import, entries[i]->d_name);
            if (!goes_on) {
                printf("The connection is gone; whether this one was taken is not known. "
                       "To go on: importSoftHSM %s PIN --from %s\n",
                       import->folder, entries[i]->d_name);
            }
        }
        free(entries[i]);
    }
    free(entries);
    printf("importSoftHSM: %zu objects imported, %zu not\n", import->done, import->failed);
    return goes_on && import->failed == 0 ? STATUS_DONE : STATUS_REFUSED;
}

enum status
mgmt_import_softhsm(void *tool, const struct values *values)
{
    struct mgmt *mgmt = tool;
    struct import import = { .server = mgmt_next(mgmt, NULL),
                             .folder = values_text(values, "folder") };
    struct secret *pin;
    enum status status = STATUS_REFUSED;
    CK_RV rv;

    if (import.server == NULL) {
        return STATUS_REFUSED;
    }
    if (strstr(import.server->login, "(CU)") == NULL) {
        mgmt_failed("importSoftHSM", "importing", import.server, CKR_USER_NOT_LOGGED_IN);
        return STATUS_REFUSED;
    }
    pin = console_password(values_secret(values, "pin"), false);
    if (pin == NULL) {
        return STATUS_MISUSED;
    }
    rv = rules_ask(&import);
    if (rv != CKR_OK) {
        mgmt_failed("importSoftHSM", "importing", import.server, rv);
    } else if (token_open(&import, secret_view(pin))) {
        status = folder_import(&import, values_text(values, "--from"));
    }
    secret_free(pin);
    secret_free(import.key);
    return status;
}
