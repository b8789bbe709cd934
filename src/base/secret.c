/* SPDX-License-Identifier: Apache-2.0
 *
 * A secret is one allocation from the heap for its record and one of whole pages for its
 * bytes, so that MADV_DONTDUMP and mlock never touch a neighbour. Many secrets are small
 * and short-lived; pages in use are therefore kept in a short free list, wiped.
 */
#include "base/secret.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE_CACHE_COUNT 64
#define PAGE_SIZE_USED 4096u

struct secret {
    uint8_t *data;
    size_t len;
    size_t mapped;
};

static pthread_mutex_t page_lock = PTHREAD_MUTEX_INITIALIZER;
static void *page_cache[PAGE_CACHE_COUNT]; /* under page_lock */
static size_t page_count;                  /* under page_lock */

void
wipe(void *memory, size_t len)
{
    if (len > 0) {
        explicit_bzero(memory, len);
    }
}

static size_t
page_round(size_t len)
{
    size_t page = PAGE_SIZE_USED;

    return len == 0 ? page : (len + page - 1) / page * page;
}

static void *
pages_get(size_t mapped)
{
    void *pages = NULL;

    if (mapped == PAGE_SIZE_USED) {
        pthread_mutex_lock(&page_lock);
        if (page_count > 0) {
            pages = page_cache[--page_count];
        }
        pthread_mutex_unlock(&page_lock);
    }
    if (pages != NULL) {
        return pages;
    }
    pages = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED) {
        return NULL;
    }
    /* Both are best effort: the limits of the host decide, and a secret works without. */
    (void)madvise(pages, mapped, MADV_DONTDUMP);
    (void)mlock(pages, mapped);
    return pages;
}

static void
pages_put(void *pages, size_t mapped)
{
    bool kept = false;

    if (mapped == PAGE_SIZE_USED) {
        pthread_mutex_lock(&page_lock);
        if (page_count < PAGE_CACHE_COUNT) {
            page_cache[page_count++] = pages;
            kept = true;
        }
        pthread_mutex_unlock(&page_lock);
    }
    if (!kept) {
        munmap(pages, mapped);
    }
}

struct secret *
secret_new(size_t len)
{
    if (len > SIZE_MAX - PAGE_SIZE_USED) {
        return NULL;
    }

    struct secret *secret = malloc(sizeof *secret);

    if (secret == NULL) {
        return NULL;
    }
    secret->len = len;
    secret->mapped = page_round(len);
    secret->data = pages_get(secret->mapped);
    if (secret->data == NULL) {
        free(secret);
        return NULL;
    }
    return secret;
}

struct secret *
secret_dup(view bytes)
{
    struct secret *secret = secret_new(bytes.len);

    if (secret != NULL && bytes.len > 0) {
        memcpy(secret->data, bytes.data, bytes.len);
    }
    return secret;
}

void
secret_free(struct secret *secret)
{
    if (secret == NULL) {
        return;
    }
    wipe(secret->data, secret->len);
    pages_put(secret->data, secret->mapped);
    free(secret);
}

view
secret_view(const struct secret *secret)
{
    return secret == NULL ? VIEW_EMPTY : view_of(secret->data, secret->len);
}

uint8_t *
secret_data(struct secret *secret)
{
    return secret->data;
}

void
secret_shorten(struct secret *secret, size_t len)
{
    if (len < secret->len) {
        wipe(secret->data + len, secret->len - len);
        secret->len = len;
    }
}
