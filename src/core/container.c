/* SPDX-License-Identifier: Apache-2.0
 *
 * Containers and their records, in memory and sealed.
 */
#include "core/container.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLAIN_LEN (1u + 2u * TOKEN_HASH_LEN + 4u)
#define FLAG_NOW 1u
#define FLAG_NEXT 2u

struct token_name
token_name(const uint8_t container[CONTAINER_ID_LEN], uint32_t handle)
{
    struct token_name name = { .handle = handle };
    char id[2 * CONTAINER_ID_LEN + 1];

    memcpy(name.container, container, CONTAINER_ID_LEN);
    hex_encode(view_of(container, CONTAINER_ID_LEN), id);
    snprintf(name.text, sizeof name.text, "c/%s/%08x", id, (unsigned)handle);
    return name;
}

view
token_name_view(const struct token_name *name)
{
    return view_of(name->text, TOKEN_NAME_LEN);
}

bool
token_name_parse(view key, struct token_name *ret_name)
{
    char id[2 * CONTAINER_ID_LEN + 1] = { 0 };
    char number[9] = { 0 };
    uint8_t container[CONTAINER_ID_LEN], handle[4];
    size_t id_len, handle_len;
    struct token_name name;

    if (key.len != TOKEN_NAME_LEN) {
        return false;
    }
    memcpy(id, key.data + 2, sizeof id - 1);
    memcpy(number, key.data + TOKEN_NAME_LEN - 8, 8);
    if (!hex_decode(id, container, sizeof container, &id_len) || id_len != sizeof container ||
        !hex_decode(number, handle, sizeof handle, &handle_len) || handle_len != sizeof handle) {
        return false;
    }
    name = token_name(container, (uint32_t)handle[0] << 24 | (uint32_t)handle[1] << 16 |
                                     (uint32_t)handle[2] << 8 | handle[3]);
    if (!view_equal(token_name_view(&name), key) || !handle_is_certificate(name.handle)) {
        return false;
    }
    *ret_name = name;
    return true;
}

CK_RV
token_record_seal(const struct sealer *sealer, const struct token_name *name,
                  const struct token_record *record, struct writer *out)
{
    uint8_t plain[PLAIN_LEN];

    plain[0] = (uint8_t)((record->has_now ? FLAG_NOW : 0) | (record->has_next ? FLAG_NEXT : 0));
    memcpy(plain + 1, record->now, TOKEN_HASH_LEN);
    memcpy(plain + 1 + TOKEN_HASH_LEN, record->next, TOKEN_HASH_LEN);
    store_u32(plain + 1 + 2 * TOKEN_HASH_LEN, record->since);
    return record_seal(sealer, token_name_view(name), 0, record->version,
                       view_of(plain, sizeof plain), out);
}

static void
container_free(struct container *container)
{
    if (container == NULL) {
        return;
    }
    for (uint32_t i = 0; container->records != NULL && i < NUMBERS_COUNT; i++) {
        free(container->records[i]);
    }
    free(container->records);
    numbers_clear(&container->numbers);
    free(container);
}

void
containers_clear(struct containers *containers)
{
    for (size_t i = 0; i < containers->count; i++) {
        container_free(containers->all[i]);
    }
    containers->count = 0;
}

struct container *
container_find(struct containers *containers, view id, bool make)
{
    struct container *container;

    for (size_t i = 0; i < containers->count; i++) {
        if (view_equal(view_of(containers->all[i]->id, CONTAINER_ID_LEN), id)) {
            return containers->all[i];
        }
    }
    if (!make || containers->count == CONTAINERS_MAX || id.len != CONTAINER_ID_LEN) {
        return NULL;
    }
    container = calloc(1, sizeof *container);
    if (container == NULL) {
        return NULL;
    }
    memcpy(container->id, id.data, CONTAINER_ID_LEN);
    container->records = calloc(NUMBERS_COUNT, sizeof(struct token_record *));
    if (!numbers_init(&container->numbers) || container->records == NULL) {
        container_free(container);
        return NULL;
    }
    containers->all[containers->count++] = container;
    return container;
}

struct token_record *
container_record(const struct container *container, uint32_t handle)
{
    return handle_is_certificate(handle) ? container->records[handle - HANDLE_CERTIFICATE_FIRST]
                                         : NULL;
}

bool
container_put(struct container *container, uint32_t handle, const struct token_record *record)
{
    struct token_record **at = &container->records[handle - HANDLE_CERTIFICATE_FIRST];

    if (*at == NULL && (*at = calloc(1, sizeof **at)) == NULL) {
        return false;
    }
    **at = *record;
    return true;
}

void
container_drop(struct container *container, uint32_t handle)
{
    struct token_record **at = &container->records[handle - HANDLE_CERTIFICATE_FIRST];

    free(*at);
    *at = NULL;
}

CK_RV
containers_load(struct containers *containers, const struct sealer *sealer,
                const struct token_name *name, view value, uint64_t revision)
{
    struct token_record record = { .revision = revision };
    struct container *container;
    struct writer plain;
    CK_RV rv;

    writer_init(&plain, PLAIN_LEN);
    rv = record_open(sealer, token_name_view(name), 0, value, &record.version, &plain);
    if (rv != CKR_OK || plain.len != PLAIN_LEN) {
        writer_clear(&plain);
        return rv != CKR_OK ? rv : CKR_GENERAL_ERROR;
    }
    record.has_now = (plain.data[0] & FLAG_NOW) != 0;
    record.has_next = (plain.data[0] & FLAG_NEXT) != 0;
    memcpy(record.now, plain.data + 1, TOKEN_HASH_LEN);
    memcpy(record.next, plain.data + 1 + TOKEN_HASH_LEN, TOKEN_HASH_LEN);
    record.since = load_u32(plain.data + 1 + 2 * TOKEN_HASH_LEN);
    writer_clear(&plain);
    container = container_find(containers, view_of(name->container, CONTAINER_ID_LEN), true);
    if (container == NULL || !container_put(container, name->handle, &record)) {
        return CKR_HOST_MEMORY;
    }
    numbers_load(&container->numbers, name->handle,
                 record.has_now || record.has_next ? 0 : record.since == 0 ? 1 : record.since);
    return CKR_OK;
}
