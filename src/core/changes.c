/* SPDX-License-Identifier: Apache-2.0
 *
 * A ring under a lock: changes are as rare as writes of the store, and readers come four times
 * a second.
 */
#include "core/changes.h"

#include "wire/message.h"

bool
changes_init(struct changes *changes)
{
    changes->sequence = 0;
    return pthread_mutex_init(&changes->lock, NULL) == 0;
}

void
changes_clear(struct changes *changes)
{
    pthread_mutex_destroy(&changes->lock);
}

void
changes_add(struct changes *changes, uint32_t handle)
{
    pthread_mutex_lock(&changes->lock);
    changes->sequence++;
    changes->handles[changes->sequence % CHANGES_KEPT] = handle;
    pthread_mutex_unlock(&changes->lock);
}

uint64_t
changes_since(struct changes *changes, uint64_t boot, uint64_t since, struct writer *out,
              bool *ret_all)
{
    uint64_t sequence;

    pthread_mutex_lock(&changes->lock);
    sequence = changes->sequence;
    *ret_all = boot != changes->boot || since > sequence || sequence - since > CHANGES_KEPT;
    for (uint64_t i = since + 1; !*ret_all && i <= sequence; i++) {
        uint32_t handle = changes->handles[i % CHANGES_KEPT];

        *ret_all = handle == CHANGE_OF_ALL;
        number_write(out, handle);
    }
    pthread_mutex_unlock(&changes->lock);
    return sequence;
}
