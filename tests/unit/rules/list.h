/* SPDX-License-Identifier: Apache-2.0
 *
 * Attribute lists written down as they are meant:
 *
 *     LIST(ULONG(CLASS, CKO_SECRET_KEY), BOOL(SENSITIVE, true), BYTES(LABEL, "one"))
 *
 * A list lives until eight more were made.
 */
#ifndef TESTS_UNIT_RULES_LIST_H
#define TESTS_UNIT_RULES_LIST_H

#include "rules/attribute.h"

#define LIST_SIZE 4096u

enum item_form { ITEM_BOOL, ITEM_ULONG, ITEM_BYTES };

struct item {
    CK_ATTRIBUTE_TYPE type;
    enum item_form form;
    uint64_t number;
    view bytes;
};

#define BOOL(name, value) ((struct item){ CKA_##name, ITEM_BOOL, value, VIEW_EMPTY })
#define ULONG(name, value) ((struct item){ CKA_##name, ITEM_ULONG, value, VIEW_EMPTY })
#define BYTES(name, literal) ((struct item){ CKA_##name, ITEM_BYTES, 0, VIEW_TEXT(literal) })
#define VIEW(type, value) ((struct item){ type, ITEM_BYTES, 0, value })
#define LIST(...)                             \
    list_of((const struct item[]){ __VA_ARGS__ }, \
            sizeof((const struct item[]){ __VA_ARGS__ }) / sizeof(struct item))

static inline view
list_of(const struct item *items, size_t count)
{
    static _Thread_local uint8_t memory[8][LIST_SIZE];
    static _Thread_local size_t next;
    struct writer w;

    writer_init_fixed(&w, memory[next++ % 8], LIST_SIZE);
    for (size_t i = 0; i < count; i++) {
        switch (items[i].form) {
        case ITEM_BOOL:
            attribute_write_bool(&w, items[i].type, items[i].number != 0);
            break;
        case ITEM_ULONG:
            attribute_write_ulong(&w, items[i].type, items[i].number);
            break;
        case ITEM_BYTES:
            attribute_write(&w, items[i].type, items[i].bytes);
            break;
        }
    }
    return writer_view(&w);
}

#endif
