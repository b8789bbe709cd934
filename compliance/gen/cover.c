/* SPDX-License-Identifier: Apache-2.0
 *
 * In parameter order (Lei and Tai, 1998): all pairs of the first two dimensions, then one
 * dimension after the other. Each row gets the value that covers most of what is not covered yet;
 * what is left then goes where a row does not care, or into a row of its own.
 */
#include "gen/cover.h"

#include <stdbool.h>
#include <string.h>

#define ANY 0xff                /* a row does not care */

struct cover {
    const uint8_t *sizes;
    uint8_t (*rows)[COVER_DIMS];
    size_t count, dims;         /* rows, and the dimensions that they have so far */
    /* Pairs of the new dimension's values with those of an older one that no row has. */
    bool open[COVER_DIMS][COVER_VALUES][COVER_VALUES];
};

static bool
add_row(struct cover *c)
{
    if (c->count == COVER_ROWS) {
        return false;
    }
    memset(c->rows[c->count++], ANY, COVER_DIMS);
    return true;
}

static bool
begin(struct cover *c)
{
    for (uint8_t a = 0; a < c->sizes[0]; a++) {
        for (uint8_t b = 0; b < c->sizes[1]; b++) {
            if (!add_row(c)) {
                return false;
            }
            c->rows[c->count - 1][0] = a;
            c->rows[c->count - 1][1] = b;
        }
    }
    c->dims = 2;
    return true;
}

static size_t
gain(const struct cover *c, const uint8_t *row, uint8_t value)
{
    size_t gained = 0;

    for (size_t d = 0; d < c->dims; d++) {
        gained += row[d] != ANY && c->open[d][row[d]][value];
    }
    return gained;
}

static void
close_pairs(struct cover *c, const uint8_t *row)
{
    for (size_t d = 0; d < c->dims; d++) {
        if (row[d] != ANY && row[c->dims] != ANY) {
            c->open[d][row[d]][row[c->dims]] = false;
        }
    }
}

/* A value of the new dimension for every row. Where two gain as much they take turns. */
static void
grow_rows(struct cover *c)
{
    for (size_t i = 0; i < c->count; i++) {
        size_t best = 0;
        uint8_t chosen = ANY;

        for (uint8_t k = 0; k < c->sizes[c->dims]; k++) {
            uint8_t value = (uint8_t)((k + i) % c->sizes[c->dims]);
            size_t gained = gain(c, c->rows[i], value);

            if (gained > best) {
                best = gained;
                chosen = value;
            }
        }
        c->rows[i][c->dims] = chosen;
        close_pairs(c, c->rows[i]);
    }
}

/* A row that can still take a pair, or a new one. */
static uint8_t *
row_for(struct cover *c, size_t dim, uint8_t old, uint8_t value)
{
    for (size_t i = 0; i < c->count; i++) {
        uint8_t *row = c->rows[i];

        if ((row[dim] == old || row[dim] == ANY) &&
            (row[c->dims] == value || row[c->dims] == ANY)) {
            return row;
        }
    }
    return add_row(c) ? c->rows[c->count - 1] : NULL;
}

static bool
add_dimension(struct cover *c)
{
    memset(c->open, true, sizeof c->open);
    grow_rows(c);
    for (size_t d = 0; d < c->dims; d++) {
        for (uint8_t old = 0; old < c->sizes[d]; old++) {
            for (uint8_t value = 0; value < c->sizes[c->dims]; value++) {
                uint8_t *row;

                if (!c->open[d][old][value]) {
                    continue;
                }
                if ((row = row_for(c, d, old, value)) == NULL) {
                    return false;
                }
                row[d] = old;
                row[c->dims] = value;
                close_pairs(c, row);
            }
        }
    }
    c->dims++;
    return true;
}

size_t
cover_pairs(const uint8_t *sizes, size_t dims, uint8_t ret_rows[COVER_ROWS][COVER_DIMS])
{
    struct cover c = { .sizes = sizes, .rows = ret_rows };

    if (!begin(&c)) {
        return 0;
    }
    while (c.dims < dims) {
        if (!add_dimension(&c)) {
            return 0;
        }
    }
    for (size_t i = 0; i < c.count; i++) {
        for (size_t d = 0; d < dims; d++) {
            if (ret_rows[i][d] == ANY) {
                ret_rows[i][d] = (uint8_t)(i % sizes[d]);
            }
        }
    }
    return c.count;
}
