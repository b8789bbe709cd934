/* SPDX-License-Identifier: Apache-2.0
 *
 * Attribute lists and the checks over templates. The first byte chooses policy, interface
 * and origin, the second the kind of object; the rest is a list. A list that is valid is
 * written with the same bytes; a template that passes is completed to a valid list of that
 * kind, which names nothing twice and holds the template's values.
 */
#include "fuzz/fuzz.h"
#include "rules/template.h"

static void
list_is_written_alike(view list)
{
    struct reader r = reader_of(list);
    struct attribute attribute;
    struct writer w;

    writer_init(&w, ATTRIBUTES_BYTES_MAX);
    while (attributes_next(&r, &attribute)) {
        if (attribute.status == ATTRIBUTE_PRESENT) {
            attribute_write(&w, attribute.type, attribute.value);
        } else {
            attribute_write_status(&w, attribute.type, (int)attribute.status);
        }
    }
    HOLDS(reader_done(&r));
    HOLDS(writer_ok(&w) && view_equal(writer_view(&w), list));
    writer_clear(&w);
}

static void
template_completes(struct rules rules, enum object_kind kind, enum origin origin, view template)
{
    struct attribute attribute;
    struct writer w;
    view found;

    writer_init(&w, 2 * ATTRIBUTES_BYTES_MAX);
    template_complete(rules, kind, origin, template, &w);
    HOLDS(writer_ok(&w));

    struct reader r = reader_of(writer_view(&w));

    while (attributes_next(&r, &attribute)) {
        HOLDS(use_row(kind, attribute.type) != NULL);
        HOLDS(!use_is_secret(kind, attribute.type));
        HOLDS(attributes_find(writer_view(&w), attribute.type, &found));
        HOLDS(found.data == attribute.value.data);
    }
    HOLDS(reader_done(&r));
    r = reader_of(template);
    while (attributes_next(&r, &attribute)) {
        HOLDS(attributes_find(writer_view(&w), attribute.type, &found) ?
                  view_equal(found, attribute.value) : use_is_secret(kind, attribute.type));
    }
    writer_clear(&w);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || data[1] >= KIND_COUNT) {
        return 0;
    }

    struct rules rules = { data[0] % POLICY_COUNT, data[0] / POLICY_COUNT % INTERFACE_COUNT,
                           0 };
    enum origin origin = data[0] / 8 % (ORIGIN_COPY + 1);
    enum object_kind kind = data[1];
    view list = view_of(data + 2, size - 2);

    if (!attributes_valid(list)) {
        return 0;
    }
    list_is_written_alike(list);
    (void)key_info_of(list, 1);

    CK_RV rv = template_check(rules, kind, origin, false, list);

    if (rv == CKR_OK) {
        /* An officer may do whatever a user may. */
        HOLDS(template_check(rules, kind, origin, true, list) == CKR_OK);
        HOLDS(template_matches(list, list));
        if (origin != ORIGIN_COPY) {
            template_completes(rules, kind, origin, list);
        }
    }
    if (template_check_change(rules, kind, false, false, list, list) == CKR_OK) {
        HOLDS(template_check_change(rules, kind, true, false, VIEW_EMPTY, list) == CKR_OK);
    }
    return 0;
}
