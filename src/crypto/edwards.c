/* SPDX-License-Identifier: Apache-2.0
 *
 * Public numbers only: nothing here takes the same time for all of them.
 */
#include "crypto/edwards.h"

#include "crypto/library.h"

#include <openssl/bn.h>
#include <string.h>

#define POINT_MAX 57u

/* a x^2 + y^2 = 1 + d x^2 y^2 over the integers modulo p. */
struct edwards_curve {
    const char *name;
    const char *p;
    int a;
    const char *d;
};

static const struct edwards_curve curves[] = {
    { "ED25519", "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffed", -1,
      "52036cee2b6ffe738cc740797779e89800700a4d4141d8ab75eb4dca135978a3" },
    { "ED448",
      "fffffffffffffffffffffffffffffffffffffffffffffffffffffffe"
      "ffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
      1, "-98a9" },
};

/* What the questions work with. */
struct numbers {
    BN_CTX *ctx;
    BIGNUM *p, *d, *y, *yy, *u, *v;
};

static bool
numbers_init(struct numbers *n, const struct edwards_curve *curve)
{
    n->ctx = BN_CTX_new();
    if (n->ctx == NULL) {
        return false;
    }
    BN_CTX_start(n->ctx);
    n->p = BN_CTX_get(n->ctx);
    n->d = BN_CTX_get(n->ctx);
    n->y = BN_CTX_get(n->ctx);
    n->yy = BN_CTX_get(n->ctx);
    n->u = BN_CTX_get(n->ctx);
    n->v = BN_CTX_get(n->ctx);
    return n->v != NULL && BN_hex2bn(&n->p, curve->p) > 0 && BN_hex2bn(&n->d, curve->d) > 0;
}

static void
numbers_clear(struct numbers *n)
{
    if (n->ctx != NULL) {
        BN_CTX_end(n->ctx);
        BN_CTX_free(n->ctx);
    }
}

/* From the equation: x^2 = u / v, with u = 1 - y^2 and v = a - d y^2. */
static bool
fraction_compute(struct numbers *n, int a)
{
    return BN_mod_sqr(n->yy, n->y, n->p, n->ctx) == 1 &&
           BN_mod_sub(n->u, BN_value_one(), n->yy, n->p, n->ctx) == 1 &&
           BN_mod_mul(n->v, n->d, n->yy, n->p, n->ctx) == 1 && BN_set_word(n->d, 1) == 1 &&
           (BN_set_negative(n->d, a < 0), true) &&
           BN_mod_sub(n->v, n->d, n->v, n->p, n->ctx) == 1;
}

/*
 * Of order 1 or 2: y^2 = 1, so u = 0. Of order 4: y = 0, for the double is (0, -1). Of order 8
 * (the cofactor of Ed25519): the double has y = 0, for which y^2 = a x^2, so v y^2 = a u.
 */
static bool
is_of_small_order(struct numbers *n, int a, bool *ret_small)
{
    BIGNUM *left = n->u, *right = n->d;

    if (BN_is_zero(n->u) || BN_is_zero(n->yy)) {
        *ret_small = true;
        return true;
    }
    if (BN_mod_mul(right, n->v, n->yy, n->p, n->ctx) != 1 ||
        (a < 0 && BN_mod_sub(right, n->p, right, n->p, n->ctx) != 1)) {
        return false;
    }
    *ret_small = BN_cmp(left, right) == 0;
    return true;
}

/* Is u / v a square? Just when u v is. */
static bool
is_square(struct numbers *n, bool *ret_square)
{
    int symbol;

    if (BN_mod_mul(n->d, n->u, n->v, n->p, n->ctx) != 1) {
        return false;
    }
    symbol = BN_kronecker(n->d, n->p, n->ctx);
    *ret_square = symbol == 1;
    return symbol != -2;
}

static CK_RV
point_check(const struct edwards_curve *curve, view bytes)
{
    uint8_t y[POINT_MAX];
    struct numbers n;
    bool good, small = true, square = false;
    CK_RV rv = CKR_OK;

    memcpy(y, bytes.data, bytes.len);
    y[bytes.len - 1] &= 0x7f; /* the sign of x; where x is 0 the order is small anyway */
    if (!numbers_init(&n, curve) || BN_lebin2bn(y, (int)bytes.len, n.y) == NULL) {
        rv = library_failed("read a point");
        goto out;
    }
    good = BN_cmp(n.y, n.p) < 0;
    if (good && (!fraction_compute(&n, curve->a) || !is_of_small_order(&n, curve->a, &small) ||
                 !is_square(&n, &square))) {
        rv = library_failed("check a point");
        goto out;
    }
    rv = good && !small && square ? CKR_OK : CKR_ATTRIBUTE_VALUE_INVALID;
out:
    numbers_clear(&n);
    return rv;
}

CK_RV
edwards_point_check(const struct curve_row *curve, view bytes)
{
    for (size_t i = 0; i < ARRAY_COUNT(curves); i++) {
        if (strcmp(curves[i].name, curve->name) == 0) {
            return bytes.len == curve_len(curve) ? point_check(&curves[i], bytes)
                                                 : CKR_ATTRIBUTE_VALUE_INVALID;
        }
    }
    return CKR_OK;
}
