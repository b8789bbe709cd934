/* SPDX-License-Identifier: Apache-2.0
 *
 * The capability sheet: what the module has. Found out before any test, in a process of its own.
 */
#ifndef COMPLIANCE_SHEET_H
#define COMPLIANCE_SHEET_H

#include "exec/fixture.h"
#include "report/doc.h"

#define SHEET_MECHANISMS LISTED_MOST
#define PINS_MAX 16

struct sheet {
    bool good;
    int tried;                      /* functions that were tried */
    char problem[128];
    struct world world;
    CK_SLOT_ID slot;
    CK_INFO info;
    CK_TOKEN_INFO token;
    CK_VERSION interface;
    CK_ULONG mech_count;
    CK_MECHANISM_TYPE mech[SHEET_MECHANISMS];
    CK_FLAGS flags[SHEET_MECHANISMS];
};

struct target {
    const char *module;
    const char *pin, *so_pin;       /* so_pin may be NULL */
    const char *pins[PINS_MAX];     /* of several users, one for each worker; the first is pin */
    size_t pin_count;
    bool has_slot;
    CK_SLOT_ID slot;
};

/* Tries which functions there are, from sheet->tried on, which was 0 at first. Some module may not
 * survive it: then it is to be called again, until all were tried. */
void sheet_try(const struct target *target, struct sheet *sheet);

/* Fills the rest of ret_sheet, with good false and a problem when the module does not even begin to work. */
void sheet_fill(const struct target *target, struct sheet *ret_sheet);

/* As a chapter of a report. */
void sheet_write(struct doc *doc, const struct sheet *sheet);

#endif /* COMPLIANCE_SHEET_H */
