/* SPDX-License-Identifier: Apache-2.0
 *
 * Sharing a secret: a polynomial for each byte over GF(256), whose value at 0 is the byte.
 * Multiplication has no branch and no table that a secret would choose.
 */
#include "crypto/owner.h"

static uint8_t
field_times(uint8_t a, uint8_t b)
{
    uint8_t product = 0;

    for (unsigned i = 0; i < 8; i++) {
        uint8_t carry = (uint8_t)(a >> 7);

        product ^= (uint8_t)(a & (uint8_t)-(b & 1u));
        a = (uint8_t)((a << 1) ^ (0x1b & (uint8_t)-carry));
        b >>= 1;
    }
    return product;
}

/* a^254 is 1/a. */
static uint8_t
field_inverse(uint8_t a)
{
    uint8_t square = a;
    uint8_t result = 1;

    for (unsigned i = 0; i < 7; i++) {
        square = field_times(square, square);
        result = field_times(result, square);
    }
    return result;
}

void
shares_make(view secret, view random, unsigned needed, unsigned count, uint8_t *shares)
{
    for (unsigned s = 0; s < count; s++) {
        const uint8_t x = (uint8_t)(s + 1);
        uint8_t *share = shares + s * (secret.len + 1);

        share[0] = x;
        for (size_t i = 0; i < secret.len; i++) {
            uint8_t value = 0;

            /* Horner's rule, from the highest coefficient down to the secret's byte. */
            for (unsigned c = needed; c > 1; c--) {
                value = field_times(value, x) ^ random.data[(c - 2) * secret.len + i];
            }
            share[1 + i] = field_times(value, x) ^ secret.data[i];
        }
    }
}

/* The weight of share at in the value at 0: the product of x/(x - x_at) over the others. */
static uint8_t
share_weight(const view *shares, unsigned count, unsigned at)
{
    uint8_t weight = 1;

    for (unsigned i = 0; i < count; i++) {
        if (i != at) {
            uint8_t x = shares[i].data[0];

            weight = field_times(weight, field_times(x, field_inverse(x ^ shares[at].data[0])));
        }
    }
    return weight;
}

static bool
shares_differ(const view *shares, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (shares[i].len < 2 || shares[i].len != shares[0].len || shares[i].data[0] == 0) {
            return false;
        }
        for (unsigned k = 0; k < i; k++) {
            if (shares[k].data[0] == shares[i].data[0]) {
                return false;
            }
        }
    }
    return count > 0;
}

bool
shares_join(const view *shares, unsigned count, struct secret **ret_secret)
{
    struct secret *secret;

    if (!shares_differ(shares, count) || (secret = secret_new(shares[0].len - 1)) == NULL) {
        return false;
    }

    uint8_t *data = secret_data(secret);

    for (unsigned s = 0; s < count; s++) {
        const uint8_t weight = share_weight(shares, count, s);

        for (size_t i = 0; i + 1 < shares[s].len; i++) {
            data[i] ^= field_times(weight, shares[s].data[1 + i]);
        }
    }
    *ret_secret = secret;
    return true;
}
