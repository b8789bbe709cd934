/* SPDX-License-Identifier: Apache-2.0
 *
 * The list of members: its records, the requests of officers, and how a node enters itself.
 */
#include "core/state.h"

#include "base/log.h"

#include <stdio.h>
#include <string.h>

#define RECORD_MAX 1024u
#define TRIES 16

/* ---- records ---- */

struct record_name
member_name(uint32_t number)
{
    return record_name('h', number);
}

CK_RV
member_record(const struct sealer *sealer, const struct member *member, struct writer *out)
{
    struct record_name name = member_name(member->number);
    struct writer plain;
    CK_RV rv = CKR_HOST_MEMORY;

    writer_init(&plain, RECORD_MAX);
    write_u8(&plain, (uint8_t)member->state);
    write_bytes(&plain, view_str(member->serial));
    write_raw(&plain, view_of(member->print, sizeof member->print));
    write_bytes(&plain, view_str(member->hostname));
    write_u16(&plain, member->client_port);
    write_u16(&plain, member->manage_port);
    write_u32(&plain, member->release);
    if (member->fenced != 0) { /* else the form that nodes of before read, too */
        write_u32(&plain, member->fenced);
    }
    if (writer_ok(&plain)) {
        rv = record_seal(sealer, record_name_view(&name), 0, member->version, writer_view(&plain),
                         out);
    }
    writer_clear(&plain);
    return rv;
}

static bool
member_read(view plain, struct member *member)
{
    struct reader r = reader_of(plain);
    uint8_t state;
    view serial, print, hostname;

    if (!read_u8(&r, &state) || state < MEMBER_LISTED || state > MEMBER_REMOVED ||
        !read_bytes(&r, sizeof member->serial - 1, &serial) ||
        !read_raw(&r, sizeof member->print, &print) ||
        !read_bytes(&r, sizeof member->hostname - 1, &hostname) ||
        !read_u16(&r, &member->client_port) || !read_u16(&r, &member->manage_port) ||
        !read_u32(&r, &member->release) ||
        (r.left > 0 && !read_u32(&r, &member->fenced)) || !reader_done(&r)) {
        return false;
    }
    member->state = (enum member_state)state;
    memcpy(member->serial, serial.data, serial.len);
    memcpy(member->print, print.data, print.len);
    memcpy(member->hostname, hostname.data, hostname.len);
    return owner_node_valid(member->serial);
}

CK_RV
member_from_record(const struct sealer *sealer, uint32_t number, view record, uint64_t revision,
                   struct member *ret_member)
{
    struct record_name name = member_name(number);
    struct member member = { .number = number, .revision = revision };
    struct writer plain;
    CK_RV rv;

    writer_init(&plain, RECORD_MAX);
    rv = record_open(sealer, record_name_view(&name), 0, record, &member.version, &plain);
    if (rv == CKR_OK && (number == 0 || number > MEMBERS_MAX ||
                         !member_read(writer_view(&plain), &member))) {
        rv = CKR_GENERAL_ERROR;
    }
    if (rv == CKR_OK) {
        *ret_member = member;
    }
    writer_clear(&plain);
    return rv;
}

/* ---- the table ---- */

bool
members_put(struct members *members, const struct member *member)
{
    size_t at = 0;

    while (at < members->count && members->members[at].number < member->number) {
        at++;
    }
    if (at == members->count || members->members[at].number != member->number) {
        if (members->count == MEMBERS_MAX) {
            return false;
        }
        memmove(members->members + at + 1, members->members + at,
                (members->count - at) * sizeof *member);
        members->count++;
    } else if (members->members[at].revision > member->revision) {
        return true; /* another node was faster, and was heard */
    }
    members->members[at] = *member;
    return true;
}

/* NULL: there is none, or it was removed. */
static struct member *
members_find(struct members *members, uint32_t number)
{
    for (size_t i = 0; i < members->count; i++) {
        if (members->members[i].number == number) {
            return members->members[i].state == MEMBER_REMOVED ? NULL : &members->members[i];
        }
    }
    return NULL;
}

struct member *
members_by_serial(struct members *members, view serial)
{
    for (size_t i = 0; i < members->count; i++) {
        if (view_equal(view_str(members->members[i].serial), serial)) {
            return &members->members[i];
        }
    }
    return NULL;
}

/* ---- what others have written ---- */

static CK_RV
member_get(struct hsm *hsm, uint32_t number)
{
    struct record_name name = member_name(number);
    struct store *store = hsm->ports.store;
    struct writer record;
    struct member member;
    uint64_t revision = 0;
    CK_RV rv = CKR_DEVICE_ERROR;

    writer_init(&record, RECORD_MAX + RECORD_OVERHEAD);
    if (store->get(store, record_name_view(&name), &revision, &record)) {
        rv = revision == 0 ? CKR_OBJECT_HANDLE_INVALID
                           : member_from_record(&hsm->sealer, number, writer_view(&record),
                                                revision, &member);
    }
    writer_clear(&record);
    if (rv == CKR_OK) {
        pthread_rwlock_wrlock(&hsm->lock);
        rv = members_put(&hsm->members, &member) ? CKR_OK : CKR_DEVICE_MEMORY;
        pthread_rwlock_unlock(&hsm->lock);
        fence_told(hsm, &member);
    }
    return rv;
}

void
hsm_refresh_members(struct hsm *hsm)
{
    if (hsm->ports.node == NULL) {
        return;
    }
    for (uint32_t number = 1; number <= MEMBERS_MAX; number++) {
        if (member_get(hsm, number) != CKR_OK) {
            return; /* numbers are given without a gap */
        }
    }
}

bool
hsm_is_removed(struct hsm *hsm)
{
    const struct member *self;
    bool removed;

    pthread_rwlock_rdlock(&hsm->lock);
    self = members_by_serial(&hsm->members, view_str(hsm->node));
    removed = self != NULL && self->state == MEMBER_REMOVED;
    pthread_rwlock_unlock(&hsm->lock);
    return removed;
}

bool
hsm_is_alone(struct hsm *hsm)
{
    bool alone = true;

    if (hsm->ports.node == NULL) {
        return true;
    }
    hsm_refresh_members(hsm);
    pthread_rwlock_rdlock(&hsm->lock);
    for (size_t i = 0; i < hsm->members.count; i++) {
        alone = alone && (hsm->members.members[i].state != MEMBER_IN ||
                          strcmp(hsm->members.members[i].serial, hsm->node) == 0);
    }
    pthread_rwlock_unlock(&hsm->lock);
    return alone;
}

/* ---- a node that enters itself ---- */

static bool
is_so(const struct member *member, const struct member *wanted)
{
    return member->state == wanted->state && strcmp(member->hostname, wanted->hostname) == 0 &&
           memcmp(member->print, wanted->print, sizeof member->print) == 0 &&
           member->client_port == wanted->client_port &&
           member->manage_port == wanted->manage_port && member->release == wanted->release;
}

/* No request: nobody is logged in, and the node speaks of itself. */
static void
entry_audit(struct hsm *hsm, const struct member *member, struct writer *w)
{
    char detail[AUDIT_DETAIL_MAX + 1];
    char print[2 * MEMBER_PRINT_LEN + 1];
    struct audit_record record = { .time = hsm->ports.clock->wall(hsm->ports.clock),
                                   .mechanism = AUDIT_NO_MECHANISM,
                                   .operation = OPERATION_NODE_ADD };

    hex_encode(view_of(member->print, sizeof member->print), print);
    snprintf(detail, sizeof detail, "id=%u serial=%s key=%s itself", (unsigned)member->number,
             member->serial, print);
    record.detail = view_str(detail);
    audit_record_write(w, &record);
}

static CK_RV
entry_commit(struct hsm *hsm, struct member *member)
{
    struct record_name name = member_name(member->number);
    struct audit *audit = hsm->ports.audit;
    uint8_t room[CHAIN_RECORD_MAX];
    struct writer record, journal;
    CK_RV rv;

    writer_init(&record, RECORD_MAX + RECORD_OVERHEAD);
    writer_init_fixed(&journal, room, sizeof room);
    entry_audit(hsm, member, &journal);
    rv = member_record(&hsm->sealer, member, &record);
    if (rv == CKR_OK && !audit->reserve(audit)) {
        rv = CKR_FUNCTION_FAILED;
    } else if (rv == CKR_OK) {
        const struct record_name release = release_name();
        const struct store_compare compares[] = {
            { record_name_view(&name), member->revision },
            { record_name_view(&release), release_revision(hsm) },
        };
        const struct store_change change = { record_name_view(&name), writer_view(&record),
                                             false };
        const struct store_txn txn = { compares, ARRAY_COUNT(compares), &change, 1,
                                       writer_view(&journal) };

        rv = hsm_commit(hsm, &txn, &member->revision);
        if (rv == CKR_OK) {
            audit->append(audit, writer_view(&journal));
        } else {
            audit->release(audit);
        }
    }
    writer_clear(&record);
    return rv;
}

static struct member
member_at(struct hsm *hsm, const struct hsm_place_of_node *place)
{
    struct member member = { .state = MEMBER_IN,
                             .client_port = place->client_port,
                             .manage_port = place->manage_port,
                             .release = release_own(hsm) };

    snprintf(member.serial, sizeof member.serial, "%s", hsm->node);
    snprintf(member.hostname, sizeof member.hostname, "%s", place->hostname);
    memcpy(member.print, place->print, sizeof member.print);
    return member;
}

/* There is no list to be written; it is told of all the same. */
static CK_RV
enter_alone(struct hsm *hsm, const struct hsm_place_of_node *place)
{
    struct member alone = member_at(hsm, place);

    alone.number = 1;
    pthread_rwlock_wrlock(&hsm->lock);
    hsm->alone = alone;
    pthread_rwlock_unlock(&hsm->lock);
    return CKR_OK;
}

/* Once, with the list as it is known. */
static CK_RV
entry_try(struct hsm *hsm, const struct hsm_place_of_node *place)
{
    struct member wanted = member_at(hsm, place);
    const struct member *member;
    uint32_t last = 0;
    bool done, removed;
    CK_RV rv;

    pthread_rwlock_rdlock(&hsm->lock);
    member = members_by_serial(&hsm->members, view_str(hsm->node));
    if (hsm->members.count > 0) {
        last = hsm->members.members[hsm->members.count - 1].number;
    }
    wanted.number = member == NULL ? last + 1 : member->number;
    wanted.version = member == NULL ? 1 : member->version + 1;
    wanted.revision = member == NULL ? 0 : member->revision;
    wanted.fenced = member == NULL ? 0 : member->fenced;
    done = member != NULL && is_so(member, &wanted);
    removed = member != NULL && member->state == MEMBER_REMOVED; /* heard of just now */
    pthread_rwlock_unlock(&hsm->lock);
    if (removed) {
        return CODE_NODE_UNKNOWN;
    }
    if (done) {
        fence_begin(hsm); /* it may be what an earlier try wrote, whose end was not known */
        return CKR_OK;
    }
    if (wanted.number > MEMBERS_MAX) {
        return CODE_NODE_MANY;
    }
    fence_lift(hsm);
    rv = entry_commit(hsm, &wanted);
    if (rv == CKR_OK) {
        pthread_rwlock_wrlock(&hsm->lock);
        done = members_put(&hsm->members, &wanted);
        pthread_rwlock_unlock(&hsm->lock);
    }
    fence_begin(hsm);
    if (rv == CKR_OK) {
        log_inf("this is node %u of the cluster, serial %s, at %s", (unsigned)wanted.number,
                wanted.serial, wanted.hostname);
    }
    return rv;
}

CK_RV
hsm_enter(struct hsm *hsm, const struct hsm_place_of_node *place)
{
    CK_RV rv = CKR_OK;

    if (hsm->ports.node == NULL) {
        return enter_alone(hsm, place);
    }
    for (int i = 0; i < TRIES; i++) {
        hsm_refresh_members(hsm);
        if (hsm_is_removed(hsm)) {
            return CODE_NODE_UNKNOWN;
        }
        if ((rv = release_look(hsm)) != CKR_OK) {
            return rv;
        }
        if ((rv = hsm_change_begin(hsm)) != CKR_OK) {
            return rv;
        }
        rv = entry_try(hsm, place);
        hsm_change_end(hsm);
        if (rv != CKR_DEVICE_ERROR && rv != CODE_CONFLICT) {
            break; /* else another may have taken the number */
        }
    }
    if (rv == CKR_OK) {
        release_raise(hsm);
    }
    return rv;
}

/* ---- requests ---- */

static void
member_tell(const struct member *member, struct writer *nodes)
{
    const struct node_info info = {
        .id = member->number,
        .present = member->state == MEMBER_IN && member->hostname[0] != '\0',
        .serial = view_str(member->serial),
        .print = view_of(member->print, sizeof member->print),
        .hostname = view_str(member->hostname),
        .client_port = member->client_port,
        .manage_port = member->manage_port,
    };

    node_info_write(nodes, &info);
}

CK_RV
handle_NODES(struct request *r)
{
    struct hsm *hsm = r->hsm;
    struct nodes_request m;
    struct nodes_reply answer = { .self = 0 };
    struct writer nodes;
    CK_RV rv;

    if (!nodes_request_read(r->body, &m)) {
        return CODE_BAD_FRAME;
    }
    writer_init(&nodes, FRAME_BODY_MAX / 2);
    pthread_rwlock_rdlock(&hsm->lock);
    if (hsm->alone.number != 0) {
        member_tell(&hsm->alone, &nodes);
    }
    for (size_t i = 0; hsm->ports.node != NULL && i < hsm->members.count; i++) {
        const struct member *member = &hsm->members.members[i];

        if (strcmp(member->serial, hsm->node) == 0) {
            answer.self = member->number;
        }
        if (member->state != MEMBER_REMOVED) {
            member_tell(member, &nodes);
        }
        if (member->revision > answer.revision) {
            answer.revision = member->revision;
        }
    }
    pthread_rwlock_unlock(&hsm->lock);
    answer.nodes.bytes = writer_view(&nodes);
    rv = writer_ok(&nodes) ? CKR_OK : CKR_DEVICE_MEMORY;
    if (rv == CKR_OK) {
        nodes_reply_write(r->reply, &answer);
    }
    writer_clear(&nodes);
    return rv;
}

CK_RV
member_keep(struct request *r, struct member *member, const struct store_compare *also)
{
    struct hsm *hsm = r->hsm;
    struct record_name name = member_name(member->number);
    char print[2 * MEMBER_PRINT_LEN + 1];
    struct writer record;
    bool put;
    CK_RV rv;

    hex_encode(view_of(member->print, sizeof member->print), print);
    note_detail(r, "id=%u serial=%s key=%s", (unsigned)member->number, member->serial, print);
    writer_init(&record, RECORD_MAX + RECORD_OVERHEAD);
    rv = member_record(&hsm->sealer, member, &record);
    if (rv == CKR_OK) {
        const struct store_compare compares[] = {
            { record_name_view(&name), member->revision },
            also != NULL ? *also : (struct store_compare){ VIEW_EMPTY, 0 },
        };
        const struct store_change change = { record_name_view(&name), writer_view(&record),
                                             false };

        rv = request_commit(r, compares, also != NULL ? 2 : 1, &change, 1, &member->revision);
    }
    writer_clear(&record);
    if (rv == CKR_OK) {
        pthread_rwlock_wrlock(&hsm->lock);
        put = members_put(&hsm->members, member);
        pthread_rwlock_unlock(&hsm->lock);
        rv = put ? CKR_OK : CKR_DEVICE_MEMORY;
    }
    return rv;
}

/* The number of one more; 0: there are too many. */
static uint32_t
next_number(struct hsm *hsm)
{
    const struct members *members = &hsm->members;
    size_t live = 0;
    uint32_t next;

    pthread_rwlock_rdlock(&hsm->lock);
    for (size_t i = 0; i < members->count; i++) {
        live += members->members[i].state != MEMBER_REMOVED;
    }
    next = members->count < MEMBERS_MAX && live < MEMBERS_LIVE_MAX
               ? (uint32_t)members->count + 1
               : 0;
    pthread_rwlock_unlock(&hsm->lock);
    return next;
}

/* Serial and key of a node that is not on the list, and never was. */
static CK_RV
fresh_check(struct hsm *hsm, view serial, view print, struct member *ret_member)
{
    struct member member = { .state = MEMBER_LISTED, .version = 1 };
    bool there;

    if (hsm->ports.node == NULL) {
        return CODE_NODE_ALONE;
    }
    if (serial.len >= sizeof member.serial || print.len != sizeof member.print) {
        return CKR_ARGUMENTS_BAD;
    }
    memcpy(member.serial, serial.data, serial.len);
    memcpy(member.print, print.data, print.len);
    if (!owner_node_valid(member.serial)) {
        return CKR_ARGUMENTS_BAD;
    }
    pthread_rwlock_rdlock(&hsm->lock);
    there = members_by_serial(&hsm->members, serial) != NULL;
    pthread_rwlock_unlock(&hsm->lock);
    if (there) {
        return CODE_NODE_EXISTS;
    }
    *ret_member = member;
    return CKR_OK;
}

CK_RV
handle_NODE_ADD(struct request *r)
{
    struct hsm *hsm = r->hsm;
    struct node_add_request m;
    struct node_add_reply answer;
    struct member member;
    CK_RV rv;

    if (!node_add_request_read(r->body, &m)) {
        return CODE_BAD_FRAME;
    }
    if (!request_may(r, PLACE_STORE)) {
        return CODE_LATER;
    }
    hsm_refresh_members(hsm);
    if ((rv = hsm_change_begin(hsm)) != CKR_OK) {
        return rv;
    }
    rv = fresh_check(hsm, m.serial, m.print, &member);
    if (rv == CKR_OK) {
        member.number = next_number(hsm);
        rv = member.number == 0 ? CODE_NODE_MANY : CKR_OK;
    }
    if (rv == CKR_OK) {
        answer.id = member.number;
        node_add_reply_write(r->reply, &answer);
        rv = member_keep(r, &member, NULL);
    }
    hsm_change_end(hsm);
    return rv;
}

/* Another one that has the master key; NULL: there is none. */
static const struct member *
other_in(const struct members *members, const struct member *member)
{
    const struct member *other = NULL;

    for (size_t i = 0; i < members->count && other == NULL; i++) {
        if (members->members[i].state == MEMBER_IN && &members->members[i] != member) {
            other = &members->members[i];
        }
    }
    return other;
}

/* The last one that has the master key stays: *ret_stays is another, number 0 where none has to. */
static CK_RV
removed_make(struct hsm *hsm, uint32_t number, struct member *ret_member,
             struct member *ret_stays)
{
    const struct member *found, *other;
    CK_RV rv = CODE_NODE_UNKNOWN;

    pthread_rwlock_rdlock(&hsm->lock);
    found = members_find(&hsm->members, number);
    if (found != NULL) {
        other = other_in(&hsm->members, found);
        rv = found->state == MEMBER_IN && other == NULL ? CODE_NODE_LAST : CKR_OK;
        if (found->state == MEMBER_IN && other != NULL) {
            *ret_stays = *other;
        }
        *ret_member = *found;
        ret_member->state = MEMBER_REMOVED;
        ret_member->version++;
    }
    pthread_rwlock_unlock(&hsm->lock);
    return rv;
}

CK_RV
handle_NODE_REMOVE(struct request *r)
{
    struct hsm *hsm = r->hsm;
    struct node_remove_request m;
    struct member member, stays = { .number = 0 };
    CK_RV rv;

    if (!node_remove_request_read(r->body, &m)) {
        return CODE_BAD_FRAME;
    }
    if (!request_may(r, PLACE_STORE)) {
        return CODE_LATER;
    }
    hsm_refresh_members(hsm);
    if ((rv = hsm_change_begin(hsm)) != CKR_OK) {
        return rv;
    }
    rv = hsm->ports.node == NULL ? CODE_NODE_ALONE : removed_make(hsm, m.id, &member, &stays);
    if (rv == CKR_OK) {
        struct record_name name = member_name(stays.number);
        const struct store_compare compare = { record_name_view(&name), stays.revision };

        rv = member_keep(r, &member, stays.number == 0 ? NULL : &compare);
    }
    hsm_change_end(hsm);
    return rv;
}
