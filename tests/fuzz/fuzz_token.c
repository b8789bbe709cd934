/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a token, and as its payload behind a good header. What is taken is a valid list, and
 * written again it reads as the same.
 */
#include "fuzz/fuzz.h"

#include "base/base64.h"
#include "certs/token.h"

#define KID VIEW_TEXT("key")

static void
token_holds(view text)
{
    struct token first, second;
    struct writer again;

    if (token_read(text, KID, &first) != NULL) {
        return;
    }
    HOLDS(attributes_valid(writer_view(&first.attributes)));
    HOLDS(first.input.data >= text.data && first.input.len < text.len);
    writer_init(&again, TOKEN_MAX);
    if (token_input(KID, writer_view(&first.attributes), &again) == NULL) {
        struct reader r = reader_of(writer_view(&first.attributes));
        struct attribute attribute;

        token_close(&again, VIEW_TEXT("s"));
        HOLDS(writer_ok(&again));
        HOLDS(token_read(writer_view(&again), KID, &second) == NULL);
        while (attributes_next(&r, &attribute)) {
            view value;

            HOLDS(attributes_find(writer_view(&second.attributes), attribute.type, &value));
            HOLDS(view_equal(value, attribute.value));
        }
        token_clear(&second);
    }
    writer_clear(&again);
    token_clear(&first);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct writer text;

    token_holds(view_of(data, size));
    writer_init(&text, TOKEN_MAX);
    base64_write(&text, BASE64_URL, VIEW_TEXT("{\"kid\":\"key\",\"alg\":\"RS512\"}"));
    write_u8(&text, '.');
    base64_write(&text, BASE64_URL, view_of(data, size));
    token_close(&text, VIEW_TEXT("signature"));
    if (writer_ok(&text)) {
        token_holds(writer_view(&text));
    }
    writer_clear(&text);
    return 0;
}
