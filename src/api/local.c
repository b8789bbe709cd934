/* SPDX-License-Identifier: Apache-2.0 */
#include "api/local.h"

#include <stdatomic.h>

/* Handles of session objects. Above are certificates, some of which may be such, too. */
#define SESSION_FIRST 0x80000000u
#define SESSION_LAST 0xffefffffu

/*
 * The first fields of a request: m a mechanism, h a handle of an object that is there, n one of an
 * object that is to be made, N several of those, b bytes. What may be about any object is marked *,
 * what makes a node remember +.
 */
static const struct {
    enum operation operation;
    const char *fields;
} rows[] = {
    { OPERATION_AUTHENTICATE, "+" },
    { OPERATION_FIND, "*" },
    { OPERATION_OBJECT_CREATE, "n" },
    { OPERATION_OBJECT_COPY, "hn" },
    { OPERATION_OBJECT_DESTROY, "h" },
    { OPERATION_OBJECT_GET, "h" },
    { OPERATION_OBJECT_SET, "h" },
    { OPERATION_OBJECT_SIZE, "h" },
    { OPERATION_OBJECT_MASK, "h" },
    { OPERATION_OBJECT_UNMASK, "bn" },
    { OPERATION_GENERATE_KEY, "mn" },
    { OPERATION_GENERATE_PAIR, "mnn" },
    { OPERATION_DERIVE, "*mhN" }, /* parameters may name keys, too */
    { OPERATION_WRAP, "mhh" },
    { OPERATION_UNWRAP, "mhbn" },
    { OPERATION_ENCRYPT, "mh" },
    { OPERATION_DECRYPT, "mh" },
    { OPERATION_SIGN, "mh" },
    { OPERATION_VERIFY, "mh" },
    { OPERATION_SIGN_RECOVER, "mh" },
    { OPERATION_VERIFY_RECOVER, "mh" },
    { OPERATION_START, "fmh" },
    { OPERATION_KEY_DETAILS, "h" },
    { OPERATION_KEY_SHARE, "h" },
};

static bool
skip_mechanism(struct reader *r)
{
    uint32_t type;
    uint8_t shape;
    view parameter;

    return read_u32(r, &type) && read_u8(r, &shape) && read_bytes(r, UINT32_MAX, &parameter);
}

static bool
is_own(uint32_t handle, bool some)
{
    return handle >= SESSION_FIRST && (handle <= SESSION_LAST || some);
}

/* One field. False: the body does not read on. */
static bool
field_look(char form, enum interface interface, bool some, struct reader *r, bool *is_local)
{
    uint32_t handle, ignored;
    view bytes;

    switch (form) {
    case 'm':
        return skip_mechanism(r);
    case 'b':
        return read_bytes(r, UINT32_MAX, &bytes);
    case 'f':
        return read_u32(r, &ignored);
    case 'N':
        if (!read_bytes(r, UINT32_MAX, &bytes)) {
            return false;
        }
        for (size_t at = 0; at + 4 <= bytes.len; at += 4) {
            *is_local = *is_local || is_own(load_u32(bytes.data + at), some);
        }
        return true;
    default:
        if (!read_u32(r, &handle)) {
            return false;
        }
        /* Tools leave the number of a session object to the HSM. */
        *is_local = *is_local || is_own(handle, some) ||
                    (form == 'n' && handle == 0 && interface != INTERFACE_P11);
        return true;
    }
}

bool
request_is_local(enum interface interface, enum operation operation, view body,
                 _Atomic bool *some)
{
    struct reader r = reader_of(body);
    const char *fields = "";
    const bool before = atomic_load(some);
    bool is_local = false;

    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        if (rows[i].operation == operation) {
            fields = rows[i].fields;
        }
    }
    if (*fields == '+') {
        is_local = true;
    } else if (*fields == '*') {
        is_local = before;
        fields++;
    }
    for (; *fields != '\0' && *fields != '+'; fields++) {
        if (!field_look(*fields, interface, before, &r, &is_local)) {
            break;
        }
    }
    if (is_local) {
        atomic_store(some, true);
    }
    return is_local;
}
