/* SPDX-License-Identifier: Apache-2.0
 *
 * Goes the ways that the planner found, on keys whose values the suite knows: one succeeds when the
 * bytes at its end are those of the key under attack.
 */
#include "attack/attack.h"
#include "model/planner.h"
#include "ref/lines.h"

#include <string.h>

static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;

/* The intruder's own keys. */
static const uint8_t own_x[16] = "a key of Mallory";
static const uint8_t own_y[32] = "another key of Mallory, and long";

struct walk {
    struct attack *attack;
    CK_MECHANISM_TYPE wraps, crypts, seal;
    enum move target; /* how the key under attack was made */
    CK_OBJECT_HANDLE handle[THING_COUNT];
    uint8_t bytes[THING_COUNT][512];
    size_t len[THING_COUNT];
};

/* ---- templates ---- */

static const CK_ATTRIBUTE_TYPE can_types[CANS] = { CKA_WRAP, CKA_UNWRAP, CKA_ENCRYPT, CKA_DECRYPT,
                                                   CKA_SIGN };

/* What a secret key can do, said in full; SIGN alone is left to its default. */
static void
put_roles(struct template *t, unsigned roles, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        attack_put(t, can_types[i], roles >> i & 1 ? &yes : &no, sizeof yes);
    }
}

static void
put_secret(struct template *t, unsigned roles, CK_BBOOL *sensitive)
{
    t->class = CKO_SECRET_KEY;
    t->type = CKK_AES;
    attack_put(t, CKA_CLASS, &t->class, sizeof t->class);
    attack_put(t, CKA_KEY_TYPE, &t->type, sizeof t->type);
    attack_put(t, CKA_TOKEN, &no, sizeof no);
    put_roles(t, roles, 4);
    attack_put(t, CKA_SENSITIVE, sensitive, sizeof *sensitive);
    attack_put(t, CKA_EXTRACTABLE, &yes, sizeof yes);
}

static CK_OBJECT_HANDLE
make_target(struct walk *w, enum move how)
{
    struct template t;
    bool derives = how == MOVE_md;

    if (!template_key(&t, derives ? KEY_GEN64 : KEY_AES16, HALF_PRIVATE, !derives)) {
        return CK_INVALID_HANDLE;
    }
    w->target = how;
    attack_put(&t, CKA_SENSITIVE, how == MOVE_mn ? &no : &yes, sizeof yes);
    attack_put(&t, CKA_EXTRACTABLE, how == MOVE_mn || derives ? &no : &yes, sizeof yes);
    if (how == MOVE_mq) {
        attack_put(&t, CKA_WRAP_WITH_TRUSTED, &yes, sizeof yes);
    }
    if (derives) {
        attack_put(&t, CKA_DERIVE, &yes, sizeof yes);
    }
    return attack_make(w->attack, t.attr, t.count);
}

static CK_OBJECT_HANDLE
generate(struct walk *w, unsigned roles)
{
    struct template t = { .count = 0 };
    CK_MECHANISM mech = { CKM_AES_KEY_GEN, NULL, 0 };
    CK_OBJECT_HANDLE key = CK_INVALID_HANDLE;
    CK_ULONG len = 32;

    put_secret(&t, roles, &yes);
    attack_put(&t, CKA_VALUE_LEN, &len, sizeof len);
    return attack_remember(
               w->attack,
               call_generate(w->attack->module, w->attack->session, &mech, t.attr, t.count, &key),
               key) == CKR_OK
               ? key
               : CK_INVALID_HANDLE;
}

static CK_OBJECT_HANDLE
create(struct walk *w, enum thing thing, unsigned roles)
{
    struct template t = { .count = 0 };

    if (thing == THING_X || thing == THING_Y) {
        put_secret(&t, roles, &no);
        template_put(&t, CKA_VALUE, thing == THING_X ? own_x : own_y,
                     thing == THING_X ? sizeof own_x : sizeof own_y);
    } else if (thing == THING_RS) {
        (void)template_key(&t, KEY_RSA2048, HALF_PRIVATE, false);
        attack_put(&t, CKA_UNWRAP, roles & CAN_UNWRAP ? &yes : &no, sizeof yes);
        attack_put(&t, CKA_DECRYPT, roles & CAN_DECRYPT ? &yes : &no, sizeof yes);
        attack_put(&t, CKA_SIGN, roles & CAN_SIGN ? &yes : &no, sizeof yes);
    } else {
        (void)template_key(&t, KEY_RSA2048, HALF_PUBLIC, false);
        attack_put(&t, CKA_WRAP, roles & CAN_WRAP ? &yes : &no, sizeof yes);
    }
    return attack_make(w->attack, t.attr, t.count);
}

/* ---- moves ---- */

static bool
is_pair(enum thing thing)
{
    return thing == THING_P || thing == THING_RP || thing == THING_RS;
}

static CK_ATTRIBUTE_TYPE
first_role(unsigned roles)
{
    size_t i = 0;

    while (i < CANS - 1 && !(roles >> i & 1)) {
        i++;
    }
    return can_types[i];
}

/* What protects the target goes: its sensitivity, or that it cannot be extracted. */
static CK_ATTRIBUTE
opening(const struct walk *w)
{
    return w->target == MOVE_mn ? (CK_ATTRIBUTE){ CKA_EXTRACTABLE, &yes, sizeof yes }
                                : (CK_ATTRIBUTE){ CKA_SENSITIVE, &no, sizeof no };
}

static bool
set(struct walk *w, const struct move_row *row, CK_BBOOL *value, CK_ATTRIBUTE_TYPE type)
{
    CK_ATTRIBUTE attr = { type, value, sizeof *value };

    return call_set(w->attack->module, w->attack->session, w->handle[row->by], &attr, 1) == CKR_OK;
}

static bool
lay_open(struct walk *w, const struct move_row *row)
{
    CK_ATTRIBUTE attr = opening(w);

    w->handle[row->gives] = w->handle[row->by];
    return call_set(w->attack->module, w->attack->session, w->handle[row->by], &attr, 1) == CKR_OK;
}

static bool
copy(struct walk *w, const struct move_row *row)
{
    struct template t = { .count = 0 };
    CK_OBJECT_HANDLE *key = &w->handle[row->gives];

    if (row->gives == THING_OPEN) {
        t.attr[t.count++] = opening(w);
    } else {
        put_roles(&t, row->roles, 4);
    }
    return attack_remember(w->attack,
                           call_copy(w->attack->module, w->attack->session, w->handle[row->by],
                                     t.attr, t.count, key),
                           *key) == CKR_OK;
}

static bool
unwrap(struct walk *w, const struct move_row *row)
{
    struct template t = { .count = 0 };
    CK_OBJECT_HANDLE *key = &w->handle[row->gives];
    bool open = row->gives == THING_OPEN || row->gives == THING_AOPEN;

    put_secret(&t, row->roles, open ? &no : &yes);
    return attack_remember(w->attack,
                           call_unwrap(w->attack->module, w->attack->session,
                                       attack_mechanism(is_pair(row->by) ? w->seal : w->wraps),
                                       w->handle[row->by], w->bytes[row->what], w->len[row->what],
                                       t.attr, t.count, key),
                           *key) == CKR_OK;
}

static bool
wrap(struct walk *w, const struct move_row *row)
{
    uint8_t blob[2048];
    size_t len;

    if (attack_wrap(w->attack, is_pair(row->by) ? w->seal : w->wraps, w->handle[row->by],
                    w->handle[row->what], blob, &len) != CKR_OK ||
        len > sizeof w->bytes[0]) {
        return false;
    }
    memcpy(w->bytes[row->gives], blob, len);
    w->len[row->gives] = len;
    return true;
}

/* C_Encrypt of the intruder's key, so that C_UnwrapKey takes it. */
static bool
encrypt(struct walk *w, const struct move_row *row)
{
    uint8_t in[64], out[2048];
    size_t len = sizeof own_x, out_len;

    memcpy(in, own_x, sizeof own_x);
    if (w->wraps == CKM_AES_CBC_PAD && w->crypts == CKM_AES_CBC) {
        memset(in + len, 16, 16);
        len += 16;
    }
    if (attack_crypt(w->attack, FN_C_EncryptInit, w->crypts, w->handle[row->by], in, len, out,
                     &out_len) != CKR_OK ||
        out_len > sizeof w->bytes[0]) {
        return false;
    }
    memcpy(w->bytes[row->gives], out, out_len);
    w->len[row->gives] = out_len;
    return true;
}

static bool
forge(struct walk *w, const struct move_row *row)
{
    size_t *len = &w->len[row->gives];

    return is_pair(row->by) ? ref_seal(w->seal == CKM_RSA_PKCS_OAEP, own_x, sizeof own_x,
                                       w->bytes[row->gives], len)
                            : ref_line_seal(w->wraps, own_y, sizeof own_y, own_x, sizeof own_x,
                                            w->bytes[row->gives], len);
}

static CK_RV
turn_block(void *context, const uint8_t in[16], uint8_t ret_out[16])
{
    struct walk *w = context;
    uint8_t out[2048];
    size_t len;
    CK_RV rv = attack_crypt(w->attack, FN_C_DecryptInit, CKM_AES_ECB, w->handle[THING_NONE], in, 16,
                            out, &len);

    memcpy(ret_out, out, 16);
    return rv == CKR_OK && len != 16 ? CKR_GENERAL_ERROR : rv;
}

/* C_Decrypt by the line's mechanism, and what is left to do at home. */
static bool
decrypt(struct walk *w, const struct move_row *row)
{
    const uint8_t *blob = w->bytes[row->what];
    uint8_t out[2048], *plain = w->bytes[row->gives];
    size_t len = w->len[row->what], out_len;
    CK_MECHANISM_TYPE mech = is_pair(row->by) ? w->seal : w->crypts;

    if (mech == CKM_AES_ECB && w->wraps == CKM_AES_KEY_WRAP) {
        w->handle[THING_NONE] = w->handle[row->by];
        return ref_unwrap_by(turn_block, w, blob, len, plain, &w->len[row->gives]);
    }
    if (w->wraps == CKM_AES_GCM && mech == CKM_AES_CTR) {
        len -= len > 16 ? 16 : 0; /* the tag */
    }
    if (attack_crypt(w->attack, FN_C_DecryptInit, mech, w->handle[row->by], blob, len, out,
                     &out_len) != CKR_OK ||
        out_len > sizeof w->bytes[0]) {
        return false;
    }
    if (w->wraps == CKM_AES_CBC_PAD && mech == CKM_AES_ECB) {
        for (size_t i = 0; i < out_len; i++) {
            out[i] ^= i < 16 ? ref_iv[i] : blob[i - 16];
        }
    }
    memcpy(plain, out, out_len);
    w->len[row->gives] = out_len;
    return true;
}

/* A signature without padding over a wrapped key is that key, with its padding before it. */
static bool
sign(struct walk *w, const struct move_row *row)
{
    size_t want = row->what == THING_A_R ? 32 : 16, len;
    uint8_t out[2048];

    if (attack_crypt(w->attack, FN_C_SignInit, CKM_RSA_X_509, w->handle[row->by],
                     w->bytes[row->what], w->len[row->what], out, &len) != CKR_OK ||
        len < want) {
        return false;
    }
    memcpy(w->bytes[row->gives], out + len - want, want);
    w->len[row->gives] = want;
    return true;
}

static bool
derive(struct walk *w, const struct move_row *row)
{
    uint8_t text[16] = { 0 };
    CK_KEY_DERIVATION_STRING_DATA data = { text, sizeof text };
    CK_ULONG bit = 0, value_len = 16;
    CK_MECHANISM_TYPE type = move_derives((enum move)(row - moves));
    CK_MECHANISM mech = { type, &data, sizeof data };
    struct template t = { .count = 0 };
    CK_OBJECT_HANDLE *key = &w->handle[row->gives];

    if (type == CKM_EXTRACT_KEY_FROM_KEY) {
        mech = (CK_MECHANISM){ type, &bit, sizeof bit };
    }
    t.class = CKO_SECRET_KEY;
    t.type = CKK_GENERIC_SECRET;
    template_put(&t, CKA_CLASS, &t.class, sizeof t.class);
    template_put(&t, CKA_KEY_TYPE, &t.type, sizeof t.type);
    template_put(&t, CKA_TOKEN, &no, sizeof no);
    template_put(&t, CKA_SENSITIVE, &no, sizeof no);
    template_put(&t, CKA_EXTRACTABLE, &yes, sizeof yes);
    template_put(&t, CKA_VALUE_LEN, &value_len, sizeof value_len);
    return attack_remember(w->attack,
                           call_derive(w->attack->module, w->attack->session, &mech,
                                       w->handle[row->by], t.attr, t.count, key),
                           *key) == CKR_OK;
}

static bool
read_value(struct walk *w, const struct move_row *row)
{
    CK_ULONG len = sizeof w->bytes[0];

    if (call_get(w->attack->module, w->attack->session, w->handle[row->by], CKA_VALUE,
                 w->bytes[row->gives], &len) != CKR_OK ||
        len > sizeof w->bytes[0]) {
        return false;
    }
    w->len[row->gives] = len;
    return true;
}

/* With a key that is known by now. */
static bool
unseal(struct walk *w, const struct move_row *row)
{
    const uint8_t *blob = w->bytes[row->what];
    uint8_t *plain = w->bytes[row->gives];
    size_t len = w->len[row->what], *plain_len = &w->len[row->gives];

    if (row->what == THING_T_P || row->what == THING_A_P) {
        return ref_unseal(w->seal == CKM_RSA_PKCS_OAEP, blob, len, plain, plain_len);
    }
    if (row->by == THING_A_BYTES) {
        return ref_line_open(w->wraps, w->bytes[THING_A_BYTES], 32, blob, len, plain, plain_len);
    }
    return ref_line_open(w->wraps, own_x, sizeof own_x, blob, len, plain, plain_len);
}

static bool
make(struct walk *w, enum move move)
{
    const struct move_row *row = &moves[move];
    CK_OBJECT_HANDLE *gives = &w->handle[row->gives];

    switch (row->act) {
    case ACT_TARGET:
        *gives = make_target(w, move);
        return *gives != CK_INVALID_HANDLE;
    case ACT_GENERATE:
        *gives = generate(w, row->roles);
        return *gives != CK_INVALID_HANDLE;
    case ACT_CREATE:
        *gives = create(w, row->gives, row->roles);
        return *gives != CK_INVALID_HANDLE;
    case ACT_SET:
        return set(w, row, &yes, first_role(row->roles));
    case ACT_LOSE_W:
    case ACT_LOSE_E:
        return set(w, row, &no, row->act == ACT_LOSE_W ? CKA_WRAP : CKA_ENCRYPT) &&
               set(w, row, &yes, first_role(row->roles));
    case ACT_LAY_OPEN:
        return lay_open(w, row);
    case ACT_COPY:
        return copy(w, row);
    case ACT_WRAP:
        return wrap(w, row);
    case ACT_ENCRYPT:
        return encrypt(w, row);
    case ACT_FORGE:
        return forge(w, row);
    case ACT_UNWRAP:
        return unwrap(w, row);
    case ACT_DECRYPT:
        return decrypt(w, row);
    case ACT_SIGN:
        return sign(w, row);
    case ACT_DERIVE:
        return derive(w, row);
    case ACT_READ:
        return read_value(w, row);
    default:
        return unseal(w, row);
    }
}

/* Whether the bytes are those of the target; of a base for others 16 of them, xored with zeros or not. */
static bool
is_found(const struct walk *w)
{
    uint8_t value[64];
    size_t len, want;

    if (!ref_secret(w->target == MOVE_md ? KEY_GEN64 : KEY_AES16, value, &len)) {
        return false;
    }
    want = len < 16 ? len : 16;
    return w->len[THING_T_BYTES] >= want && memcmp(w->bytes[THING_T_BYTES], value, want) == 0;
}

enum ending
attack_go(struct attack *attack, const struct test *test, size_t *ret_step)
{
    struct walk w = { .attack = attack, .target = MOVE_mt };
    enum value line = step_value(&test->step[0], ROLE_LINE);
    enum value seal = step_value(&test->step[0], ROLE_SEAL);

    if (line != V_LINE_NONE) {
        w.wraps = lines[line - V_LINE_NONE - 1].wraps;
        w.crypts = lines[line - V_LINE_NONE - 1].crypts;
    }
    if (seal != V_SEAL_NONE) {
        w.seal = seals[seal - V_SEAL_NONE - 1];
    }
    for (size_t i = 1; i < test->count; i++) {
        enum move move = (enum move)(step_value(&test->step[i], ROLE_MOVE) - V_MOVE_NONE - 1);

        *ret_step = i;
        trace_note("%s", moves[move].meaning);
        if (!make(&w, move)) {
            /* An operation may be left behind. */
            attack->runner->dirty = moves[move].act == ACT_DECRYPT || moves[move].act == ACT_SIGN ||
                                    moves[move].act == ACT_ENCRYPT;
            return moves[move].act == ACT_TARGET ? ENDING_UNTRIED : ENDING_STOPPED;
        }
    }
    return is_found(&w) ? ENDING_SUCCEEDED : ENDING_STOPPED;
}
