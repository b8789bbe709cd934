/* SPDX-License-Identifier: Apache-2.0
 *
 * Messages. The first byte chooses one, the rest is its body: what reads is written with the
 * same bytes.
 */
#include "fuzz/fuzz.h"
#include "wire/message.h"

/* Reads a body and writes what was read; false when it does not read. */
#define MESSAGE(name)                                 \
    static bool name##_again(view body, struct writer *w) \
    {                                                 \
        struct name m;                                \
                                                      \
        if (!name##_read(body, &m)) {                 \
            return false;                             \
        }                                             \
        name##_write(w, &m);                          \
        return true;                                  \
    }
#define FIELD(form, name)
#define MESSAGE_END(name)
#include "wire/messages.def"
#undef MESSAGE

static bool (*const messages[])(view body, struct writer *w) = {
#define MESSAGE(name) name##_again,
#include "wire/messages.def"
#undef MESSAGE
};

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct writer w;

    if (size == 0 || data[0] >= ARRAY_COUNT(messages)) {
        return 0;
    }

    view body = view_of(data + 1, size - 1);

    writer_init(&w, FRAME_BODY_MAX);
    if (messages[data[0]](body, &w)) {
        HOLDS(writer_ok(&w) && view_equal(writer_view(&w), body));
    }
    writer_clear(&w);
    return 0;
}
