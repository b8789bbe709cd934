/* SPDX-License-Identifier: Apache-2.0
 *
 * Copies of session objects, which the context's home gives sealed (docs/protocol.md). They are
 * kept by handle. When the home has gone, or may have forgotten the context, they are handed to
 * the home that is now, and what is about them waits for its answer: until the node that gave them
 * is known to be over there, that is LAGGING.
 */
#include "daemon/copies_file.h"

#include "base/log.h"

#include <stdlib.h>
#include <string.h>

#define UID_COPIES_BYTES_MAX (64u * 1024u * 1024u)
#define ROUND_BYTES (128u * 1024u)                 /* handed in by one frame */
#define AGAIN_MS 100u
#define LOOK_MS 1000u      /* the first time; twice as long each further time */
#define LOOK_MAX_MS 30000u

struct kept_copy {
    uint32_t handle;
    uint32_t session;
    uint64_t version;
    uint8_t *sealed;
    size_t len;
};

/* ---- what is kept ---- */

/* The place of a handle, or where it would be. */
static size_t
copy_place(const struct copies *copies, uint32_t handle)
{
    size_t low = 0, high = copies->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (copies->list[middle].handle < handle) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static void
copy_bytes_add(struct context *context, size_t len)
{
    context->copies.bytes += len;
    context->owner->copies_bytes += len;
}

static void
copy_bytes_take(struct context *context, size_t len)
{
    context->copies.bytes -= len;
    context->owner->copies_bytes -= len;
}

static void
copy_drop(struct context *context, size_t place)
{
    struct copies *copies = &context->copies;

    copy_bytes_take(context, copies->list[place].len);
    free(copies->list[place].sealed);
    copies->count--;
    memmove(&copies->list[place], &copies->list[place + 1],
            (copies->count - place) * sizeof *copies->list);
}

static void
copy_forget(struct context *context, uint32_t handle)
{
    const size_t place = copy_place(&context->copies, handle);

    if (place < context->copies.count && context->copies.list[place].handle == handle) {
        copy_drop(context, place);
    }
}

static bool
copies_have_room(struct copies *copies)
{
    if (copies->count == copies->size) {
        size_t size = copies->size == 0 ? 8 : copies->size * 2;
        struct kept_copy *list =
            copies->size >= COPIES_MAX ? NULL : reallocarray(copies->list, size, sizeof *list);

        if (list == NULL) {
            return false;
        }
        copies->list = list;
        copies->size = size;
    }
    return true;
}

/* In place of one that is not newer. What does not fit is not kept, and then nothing is of that
 * object: one of an older version is good for nothing. */
static void
copy_take(struct context *context, const struct copy_info *info)
{
    struct copies *copies = &context->copies;
    size_t place = copy_place(copies, info->handle);
    uint8_t *sealed;

    if (place < copies->count && copies->list[place].handle == info->handle) {
        if (copies->list[place].version > info->version) {
            return;
        }
        copy_drop(context, place);
    }
    if (copies->bytes + info->sealed.len > COPIES_BYTES_MAX ||
        context->owner->copies_bytes + info->sealed.len > UID_COPIES_BYTES_MAX ||
        info->sealed.len == 0 || !copies_have_room(copies) ||
        (sealed = malloc(info->sealed.len)) == NULL) {
        return;
    }
    memcpy(sealed, info->sealed.data, info->sealed.len);
    memmove(&copies->list[place + 1], &copies->list[place],
            (copies->count - place) * sizeof *copies->list);
    copies->list[place] = (struct kept_copy){ info->handle, info->session, info->version, sealed,
                                              info->sealed.len };
    copies->count++;
    copy_bytes_add(context, info->sealed.len);
}

void
copies_clear(struct context *context)
{
    struct copies *copies = &context->copies;

    while (copies->count > 0) {
        copy_drop(context, copies->count - 1);
    }
    free(copies->list);
    *copies = (struct copies){ .asked = NULL };
}

void
copies_end(struct daemon *daemon, struct context *context)
{
    copies_file_remove(daemon, context);
    copies_clear(context);
}

static void
session_forget(struct context *context, uint32_t session)
{
    struct copies *copies = &context->copies;

    for (size_t i = copies->count; i > 0; i--) {
        if (session == 0 || copies->list[i - 1].session == session) {
            copy_drop(context, i - 1);
        }
    }
}

void
copies_apply(struct context *context, const struct copies_line *line)
{
    switch (line->kind) {
    case COPIES_LINE_COPY:
        copy_take(context, &line->copy);
        break;
    case COPIES_LINE_GONE:
        copy_forget(context, line->number);
        break;
    case COPIES_LINE_CLOSED:
        session_forget(context, line->number);
        break;
    case COPIES_LINE_HOME:
        break;
    }
}

void
copies_write(const struct context *context, struct writer *out)
{
    const struct copies *copies = &context->copies;

    for (size_t i = 0; i < copies->count; i++) {
        const struct kept_copy *kept = &copies->list[i];
        const struct copies_line line = {
            .kind = COPIES_LINE_COPY,
            .copy = { kept->handle, kept->session, kept->version,
                      view_of(kept->sealed, kept->len) },
        };

        copies_line_write(out, &line);
    }
}

void
copies_close_session(struct daemon *daemon, struct context *context, uint32_t session)
{
    const struct copies_line line = { .kind = COPIES_LINE_CLOSED, .number = session };
    const size_t count = context->copies.count;
    uint8_t room[COPIES_LINE_OVERHEAD];
    struct writer out;

    copies_apply(context, &line);
    if (context->copies.count != count) {
        writer_init_fixed(&out, room, sizeof room);
        copies_line_write(&out, &line);
        copies_file_note(daemon, context, writer_view(&out));
    }
}

/* ---- words to a node ---- */

/* Frames are answered one after the other; nothing of one that did not fit is left behind. */
static void
copies_send(struct node_link *link, struct context *context, const struct writer *list,
            uint32_t after)
{
    const struct copies_request m = { { writer_view(list) }, after };
    struct frame frame = { .operation = OPERATION_COPIES, .revision = context->revision };
    struct writer *out = link_output(link->link);
    size_t start;

    if (attachment_is_wanted(link, context)) {
        node_attach(link, context);
    }
    start = frame_begin(out);
    memcpy(frame.context, context->id, sizeof frame.context);
    copies_request_write(out, &m);
    if (frame_end(out, start, &frame)) {
        context->copies.asked = link;
        link_flush(link->link);
    }
}

/* The next of those that are handed in; none is left: the others are asked for. */
static void
copies_hand(struct node_link *link, struct context *context)
{
    struct copies *copies = &context->copies;
    size_t place = copies->cursor == 0 ? 0 : copy_place(copies, copies->cursor + 1);
    struct writer list;

    writer_init(&list, ROUND_BYTES + COPY_MAX + COPY_INFO_OVERHEAD);
    for (; place < copies->count && list.len < ROUND_BYTES; place++) {
        const struct kept_copy *kept = &copies->list[place];
        const struct copy_info info = { kept->handle, kept->session, kept->version,
                                        view_of(kept->sealed, kept->len) };

        copy_info_write(&list, &info);
        copies->cursor = kept->handle;
    }
    if (writer_ok(&list)) {
        copies_send(link, context, &list, UINT32_MAX);
    }
    writer_clear(&list);
}

/* Those above the cursor. Nobody waits for them. */
static void
copies_collect(struct node_link *link, struct context *context)
{
    struct writer none;

    writer_init(&none, 0);
    copies_send(link, context, &none, context->copies.cursor);
    writer_clear(&none);
}

static struct node_link *
home_link(struct daemon *daemon, struct context *context)
{
    struct node *node = context->home == 0 ? NULL : &daemon->nodes[context->home - 1];

    return node == NULL || !node_is_reached(node) ? NULL : node_best_link(node, context);
}

/* One that is asked for already may be of before: then it is asked for once more. */
static void
copies_renew_now(struct daemon *daemon, struct context *context)
{
    struct copies *copies = &context->copies;
    struct node_link *link = home_link(daemon, context);

    if (copies->renew && !copies->doubt && copies->asked == NULL && link != NULL) {
        copies->renew = false;
        copies->cursor = 0;
        copies_collect(link, context);
    }
}

void
copies_renew(struct daemon *daemon, struct context *context)
{
    if (context->copies.count > 0) {
        context->copies.renew = true;
        copies_renew_now(daemon, context);
    }
}

/* ---- when the home has gone ---- */

void
copies_doubt(struct context *context, unsigned left)
{
    struct copies *copies = &context->copies;

    copies->told = 0;
    copies->asked = NULL;
    copies->again_at = 0;
    copies->pause_ms = LOOK_MS;
    copies->look_at = daemon_now() + LOOK_MS;
    if (copies->count > 0) {
        copies->left = copies->doubt && copies->left != 0 ? copies->left : left;
        copies->doubt = true;
    }
}

void
copies_link_down(struct daemon *daemon, const struct node_link *link)
{
    for (struct context *context = daemon->contexts; context != NULL; context = context->next) {
        if (context->home == link->node->index + 1) {
            copies_doubt(context, 0);
        }
    }
}

bool
copies_may_return(const struct context *context, const struct node *node)
{
    return context->copies.doubt && context->copies.left == node->index + 1;
}

/* The node that has them is there again, and no other one has taken them over: it was not dead. */
static bool
copies_return(struct daemon *daemon, struct context *context)
{
    const unsigned left = context->copies.left;

    if (left == 0 || left == context->home || !node_is_reached(&daemon->nodes[left - 1])) {
        return false;
    }
    context->attachments[left - 1].stale = false;
    context->home = left;
    context->copies.left = 0;
    copies_doubt(context, 0);
    return true;
}

bool
copies_ready(struct daemon *daemon, struct context *context, struct node_link *link, bool local,
             uint64_t since)
{
    struct copies *copies = &context->copies;
    const uint64_t now = daemon_now();

    /* By how long it is waited for: an application may be idle for hours when its home goes. */
    if (copies->doubt && since != 0 && now - since > COPIES_MS) {
        log_wrn("pid %u: %zu session objects are lost: the node that has them is neither there "
                "nor over",
                context->pid, copies->count);
        copies_end(daemon, context);
    }
    if (!local || context->ticket == NULL) {
        return true;
    }
    if (!copies->doubt) {
        if (copies->told != link->node->index + 1 && copies->asked == NULL &&
            now >= copies->again_at) {
            copies->told = (unsigned)link->node->index + 1;
            copies->cursor = 0;
            copies_collect(link, context);
        }
        return true;
    }
    if (copies->asked == NULL && now >= copies->again_at && !copies_return(daemon, context)) {
        /* It may be another start of that node. */
        if (!attachment_is_wanted(link, context)) {
            node_attach(link, context);
        }
        copies->cursor = 0;
        copies_hand(link, context);
    }
    return false;
}

/* A login lives for as long as its ticket is renewed, and copies no longer than a ticket: so they
 * are handed in, and asked for anew, also while the process is busy with other things. */
void
copies_check(struct daemon *daemon, struct context *context)
{
    struct copies *copies = &context->copies;
    const uint64_t now = daemon_now();
    struct node_link *link;

    if ((!copies->doubt && !copies->renew) || copies->asked != NULL || context->ticket == NULL ||
        now < copies->look_at) {
        return;
    }
    copies->pause_ms = (unsigned)size_min(2 * size_max(copies->pause_ms, LOOK_MS), LOOK_MAX_MS);
    copies->look_at = now + copies->pause_ms;
    if (!copies->doubt) {
        copies_renew_now(daemon, context);
    } else if ((link = node_choose(daemon, context, TIE_home, 0)) != NULL) {
        (void)copies_ready(daemon, context, link, true, 0);
    }
}

/* ---- answers ---- */

/* Gives the highest handle of what came. */
static uint32_t
copies_take(struct daemon *daemon, struct context *context, const struct copies_reply *m)
{
    struct reader r = reader_of(m->copies.bytes);
    struct copies_line line = { .kind = COPIES_LINE_GONE };
    uint32_t last = 0;
    struct writer lines;

    writer_init(&lines, FRAME_BODY_MAX);
    for (size_t i = 0; i < number_array_count(m->gone); i++) {
        line.number = number_array_get(m->gone, i);
        copies_apply(context, &line);
        copies_line_write(&lines, &line);
    }
    line.kind = COPIES_LINE_COPY;
    while (copy_array_next(&r, &line.copy)) {
        copies_apply(context, &line);
        copies_line_write(&lines, &line);
        last = line.copy.handle;
    }
    if (lines.len > 0 && writer_ok(&lines)) {
        copies_file_note(daemon, context, writer_view(&lines));
    }
    writer_clear(&lines);
    return last;
}

static void
copies_refused(struct daemon *daemon, struct node_link *link, struct context *context,
               uint32_t code)
{
    struct copies *copies = &context->copies;
    struct attachment *at = &context->attachments[link->node->index];

    copies->again_at = daemon_now() + AGAIN_MS;
    if (code == CODE_UNKNOWN_CONTEXT) {
        if (at->state == ATTACHMENT_DONE) {
            at->state = ATTACHMENT_NONE;
        }
        copies_doubt(context, 0);
        copies->again_at = daemon_now() + AGAIN_MS;
    } else if (code == CKR_FUNCTION_NOT_SUPPORTED) {
        copies_end(daemon, context); /* an older one, which has nothing of the kind */
        copies->told = (unsigned)link->node->index + 1;
    } else if (!copies->doubt) {
        copies->told = 0;
        copies->renew = copies->count > 0;
    }
}

void
copies_answer(struct daemon *daemon, struct node_link *link, const struct frame *frame, view body)
{
    struct context *context = context_by_id(daemon, frame->context);
    struct copies_reply m = { .asked = true };
    struct copies *copies;
    uint32_t last;

    if (context == NULL || context->home != link->node->index + 1 ||
        (frame->code == CKR_OK && !copies_reply_read(body, &m))) {
        return;
    }
    copies = &context->copies;
    if (!m.asked) {
        (void)copies_take(daemon, context, &m);
        return;
    }
    if (copies->asked != link) {
        return; /* of before */
    }
    copies->asked = NULL;
    if (frame->code != CKR_OK) {
        copies_refused(daemon, link, context, frame->code);
        return;
    }
    last = copies_take(daemon, context, &m);
    if (copies->doubt) {
        if (copy_place(copies, copies->cursor + 1) < copies->count) {
            copies_hand(link, context);
            return;
        }
        copies->doubt = false;
        copies->left = 0;
        copies->told = (unsigned)link->node->index + 1;
        copies->cursor = 0;
        copies->renew = false;
        copies_collect(link, context); /* of which that node is the giver */
        route_context(daemon, context);
    } else if (m.more && last > copies->cursor) {
        copies->cursor = last;
        copies_collect(link, context);
    } else {
        copies_renew_now(daemon, context);
    }
}
