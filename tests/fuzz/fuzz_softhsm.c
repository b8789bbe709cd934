/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as files of a SoftHSM2 token: as its token.object by an even first byte, as an object by
 * an odd one, with a key of zeros. What reads is a list in our form, the same each time; what does
 * not leaves nothing behind.
 */
#include "fuzz/fuzz.h"

#include "tools/softhsm.h"

static void
token_holds(view file)
{
    view label = VIEW_EMPTY;
    struct secret *key = softhsm_key(file, VIEW_TEXT("4321"));

    HOLDS(key == NULL || secret_view(key).len == 32);
    if (softhsm_label(file, &label)) {
        HOLDS(label.len == 0 || (label.data >= file.data && label.data + label.len <= file.data + file.len));
    }
    secret_free(key);
}

static void
object_holds(view file)
{
    static const uint8_t zeros[32];
    struct softhsm_left first_left, second_left;
    struct writer first, second;
    enum softhsm_result result;

    writer_init(&first, ATTRIBUTES_BYTES_MAX);
    writer_init(&second, ATTRIBUTES_BYTES_MAX);
    result = softhsm_object(file, view_of(zeros, sizeof zeros), &first, &first_left);
    HOLDS(result == softhsm_object(file, view_of(zeros, sizeof zeros), &second, &second_left));
    HOLDS(view_equal(writer_view(&first), writer_view(&second)));
    HOLDS(result == SOFTHSM_READ || first.len == 0);
    if (result == SOFTHSM_READ) {
        HOLDS(attributes_valid(writer_view(&first)) && first_left.count == second_left.count);
    }
    writer_clear(&first);
    writer_clear(&second);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    if (data[0] % 2 == 0) {
        token_holds(view_of(data + 1, size - 1));
    } else {
        object_holds(view_of(data + 1, size - 1));
    }
    return 0;
}
