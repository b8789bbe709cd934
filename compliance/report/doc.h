/* SPDX-License-Identifier: Apache-2.0
 *
 * A document of headings, paragraphs and cards, as text or as one page of HTML without scripts.
 */
#ifndef COMPLIANCE_DOC_H
#define COMPLIANCE_DOC_H

#include <stdbool.h>
#include <stdio.h>

struct doc {
    FILE *file;
    bool html;
};

void doc_begin(struct doc *doc, const char *title);
void doc_end(struct doc *doc);

/* Level 2 or 3; the title is level 1. */
void doc_heading(struct doc *doc, int level, const char *text);
void doc_text(struct doc *doc, const char *format, ...) __attribute__((format(printf, 2, 3)));
void doc_item(struct doc *doc, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A card is rows of a name and what there is to say. */
void doc_card(struct doc *doc);
void doc_row(struct doc *doc, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void doc_card_end(struct doc *doc);

#endif /* COMPLIANCE_DOC_H */
