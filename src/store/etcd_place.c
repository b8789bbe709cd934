/* SPDX-License-Identifier: Apache-2.0 */
#include "store/etcd_place.h"

#include "base/clock.h"
#include "base/log.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

void
etcd_name_make(const struct etcd_place *place, const char *folder, view key,
               struct etcd_name *ret_name)
{
    ret_name->len = (size_t)snprintf(ret_name->text, sizeof ret_name->text, "%s%s", place->prefix,
                                     folder);
    if (key.len > 0) {
        memcpy(ret_name->text + ret_name->len, key.data, key.len);
        ret_name->len += key.len;
    }
}

view
etcd_name_view(const struct etcd_name *name)
{
    return view_of(name->text, name->len);
}

void
etcd_name_end(const struct etcd_name *name, struct etcd_name *ret_end)
{
    *ret_end = *name;
    ret_end->text[ret_end->len - 1]++;  /* it is a slash */
}

uint64_t
etcd_absolute(const struct etcd_place *place, uint64_t revision)
{
    return revision == 0 ? 0 : revision + place->base;
}

uint64_t
etcd_relative(const struct etcd_place *place, uint64_t revision)
{
    return revision <= place->base ? 0 : revision - place->base;
}

void
etcd_revision_seen(struct etcd_place *place, uint64_t revision)
{
    uint64_t before = atomic_load(&place->revision);

    while (before < revision &&
           !atomic_compare_exchange_weak(&place->revision, &before, revision)) {
    }
}

uint64_t
etcd_now(void)
{
    return clock_ms(CLOCK_MONOTONIC);
}

void
etcd_pause(void)
{
    static const struct timespec pause = { 0, 50 * 1000000 };

    nanosleep(&pause, NULL);
}

void
etcd_trouble(struct etcd_place *place, const struct grpc *grpc)
{
    if (!atomic_exchange(&place->trouble, true)) {
        log_err("store: etcd: %s", grpc_error(grpc));
    }
}

void
etcd_works(struct etcd_place *place)
{
    if (atomic_load(&place->trouble) && atomic_exchange(&place->trouble, false)) {
        log_inf("store: etcd answers again");
    }
}

void
etcd_refuse(struct etcd_place *place)
{
    if (!atomic_exchange(&place->refused, true)) {
        log_err("store: this is not the etcd that it was: its cluster or its revision went back; "
                "stop the node and restore a backup, or start it anew to accept what is there");
    }
}

bool
etcd_same(struct etcd_place *place, uint64_t cluster, uint64_t revision)
{
    if (cluster != place->cluster || revision < atomic_load(&place->answered)) {
        etcd_refuse(place);
    }
    if (!atomic_load(&place->refused)) {
        atomic_store(&place->answered, revision); /* its answers come one after another */
        return true;
    }
    return false;
}
