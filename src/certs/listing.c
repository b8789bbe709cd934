/* SPDX-License-Identifier: Apache-2.0
 *
 * Not all of XML: the elements that are looked for hold text alone, which may be escaped, and are
 * found by their tags.
 */
#include "certs/listing.h"

#include <string.h>

/* Where text begins in v; v.len when it is not there. */
static size_t
find(view v, const char *text)
{
    const uint8_t *at = v.len == 0 ? NULL : memmem(v.data, v.len, text, strlen(text));

    return at == NULL ? v.len : (size_t)(at - v.data);
}

/* What stands between the tags, and v goes on after it. */
static bool
element_next(view *v, const char *open, const char *close, view *ret_inside)
{
    size_t begin = find(*v, open);
    view rest = view_slice(*v, begin + strlen(open), v->len);
    size_t end = find(rest, close);

    if (begin == v->len || end == rest.len) {
        return false;
    }
    *ret_inside = view_of(rest.data, end);
    *v = view_slice(rest, end + strlen(close), rest.len);
    return true;
}

/* Text without its escapes, of letters that are seen. */
static bool
text_take(view text, char *out, size_t size)
{
    static const struct {
        const char *name;
        char letter;
    } escapes[] = { { "&amp;", '&' }, { "&lt;", '<' }, { "&gt;", '>' }, { "&quot;", '"' },
                    { "&apos;", '\'' } };
    size_t used = 0;

    for (size_t i = 0; i < text.len;) {
        char letter = (char)text.data[i];
        size_t step = 1;

        for (size_t k = 0; letter == '&' && k < ARRAY_COUNT(escapes); k++) {
            if (view_equal(view_slice(text, i, strlen(escapes[k].name)),
                           view_str(escapes[k].name))) {
                letter = escapes[k].letter;
                step = strlen(escapes[k].name);
                break;
            }
        }
        if (letter < ' ' || letter == 0x7f || used + 1 >= size || (letter == '&' && step == 1)) {
            return false;
        }
        out[used++] = letter;
        i += step;
    }
    out[used] = '\0';
    return true;
}

static bool
blob_read(view blob, blob_visit *visit, void *arg)
{
    char name[256], tag[BLOB_TAG_MAX], bare[BLOB_TAG_MAX];
    view rest = blob, inside;
    uint32_t handle;
    size_t len = 0;

    if (!element_next(&rest, "<Name>", "</Name>", &inside)) {
        return false;
    }
    if (!text_take(inside, name, sizeof name) || !blob_name_parse(name, &handle)) {
        return true; /* no certificate */
    }
    rest = blob;
    if (!element_next(&rest, "<Etag>", "</Etag>", &inside) || !text_take(inside, tag, sizeof tag)) {
        tag[0] = '\0'; /* it is asked for then */
    }
    for (size_t i = 0; tag[i] != '\0'; i++) {
        if (tag[i] != '"') {
            bare[len++] = tag[i];
        }
    }
    bare[len] = '\0';
    return visit(arg, handle, bare);
}

bool
listing_read(view xml, blob_visit *visit, void *arg, char ret_marker[LISTING_MARKER_MAX])
{
    char marker[LISTING_MARKER_MAX] = "";
    view rest = xml, inside;

    if (find(xml, "<EnumerationResults") == xml.len ||
        find(xml, "</EnumerationResults>") == xml.len) {
        return false;
    }
    while (element_next(&rest, "<Blob>", "</Blob>", &inside)) {
        if (!blob_read(inside, visit, arg)) {
            return false;
        }
    }
    if (element_next(&rest, "<NextMarker>", "</NextMarker>", &inside) &&
        !text_take(inside, marker, sizeof marker)) {
        return false;
    }
    memcpy(ret_marker, marker, sizeof marker);
    return true;
}
