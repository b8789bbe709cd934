/* SPDX-License-Identifier: Apache-2.0
 *
 * The clock algorithm: a hand goes round, passes over what was used since it came by last, and
 * takes what was not.
 */
#include "core/state.h"

#include <stdlib.h>

bool
keyed_init(struct keyed *keyed, size_t max)
{
    *keyed = (struct keyed){ .max = max, .handles = calloc(max, sizeof *keyed->handles) };
    pthread_mutex_init(&keyed->lock, NULL);
    return keyed->handles != NULL;
}

void
keyed_clear(struct keyed *keyed)
{
    free(keyed->handles);
    pthread_mutex_destroy(&keyed->lock);
}

uint32_t
keyed_enter(struct keyed *keyed, uint32_t handle, bool (*spared)(void *arg, uint32_t handle),
            void *arg)
{
    uint32_t victim = 0;

    pthread_mutex_lock(&keyed->lock);
    if (keyed->count < keyed->max) {
        keyed->handles[keyed->count++] = handle;
    } else {
        for (unsigned look = 0; look < KEYED_LOOKS && spared(arg, keyed->handles[keyed->hand]);
             look++) {
            keyed->hand = (keyed->hand + 1) % keyed->max;
        }
        victim = keyed->handles[keyed->hand];
        keyed->handles[keyed->hand] = handle;
        keyed->hand = (keyed->hand + 1) % keyed->max;
    }
    pthread_mutex_unlock(&keyed->lock);
    return victim == handle ? 0 : victim;
}

/* ---- objects ---- */

/* The object of that handle as it is in the table, with a reference; NULL: it has gone. */
static struct object *
token_object(struct hsm *hsm, uint32_t handle)
{
    struct object *object;

    pthread_rwlock_rdlock(&hsm->lock);
    object = table_find(&hsm->objects, handle);
    if (object != NULL) {
        object_ref(object);
    }
    pthread_rwlock_unlock(&hsm->lock);
    return object;
}

static bool
key_was_used(void *arg, uint32_t handle)
{
    struct object *object = token_object(arg, handle);
    bool used = object != NULL && atomic_exchange(&object->used, false);

    object_unref(object);
    return used;
}

/* When memory is short the key stays, and the next one to be parsed is more
 * than there should be. */
static void
key_forget(struct hsm *hsm, uint32_t handle)
{
    struct object *old = token_object(hsm, handle);
    struct object *without = old == NULL ? NULL : object_without_key(old);

    if (without != NULL) {
        pthread_rwlock_wrlock(&hsm->lock);
        if (table_find(&hsm->objects, handle) == old) {
            table_replace(&hsm->objects, without);
        }
        pthread_rwlock_unlock(&hsm->lock);
    }
    object_unref(without);
    object_unref(old);
}

CK_RV
request_key_of(struct request *request, struct object *object, const struct algo_key **ret_key)
{
    struct hsm *hsm = request->hsm;
    uint32_t victim = 0;
    bool parsed;
    CK_RV rv = object_key(object_sealer(hsm, object->handle), object, ret_key, &parsed);

    if (rv == CKR_OK && parsed && object_is_token(object)) {
        victim = keyed_enter(&hsm->keyed, object->handle, key_was_used, hsm);
    }
    if (victim != 0) {
        key_forget(hsm, victim);
    }
    return rv;
}
