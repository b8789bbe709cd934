/* SPDX-License-Identifier: Apache-2.0
 *
 * Contexts at nodes. A node hears of a context by ATTACH when it is first asked in its name, and
 * again when the context's login has changed since: the ticket gives it the login. After a logout
 * every node but the one that did it has to forget the context.
 */
#include "daemon/daemon.h"

#include <string.h>

bool
attachment_is_wanted(const struct node_link *link, const struct context *context)
{
    const struct attachment *at = &context->attachments[link->node->index];

    return at->state == ATTACHMENT_NONE || at->logins != context->logins;
}

/* Its number. */
static uint32_t
detach_write(struct node_link *link, const struct context *context)
{
    struct frame frame = { .operation = OPERATION_DETACH,
                           .session = daemon_number(link->node->daemon) };
    uint8_t header[FRAME_HEADER_LEN];

    memcpy(frame.context, context->id, sizeof frame.context);
    frame_encode(&frame, header);
    write_raw(link_output(link->link), view_of(header, sizeof header));
    return frame.session;
}

void
node_attach(struct node_link *link, struct context *context)
{
    const struct attach_request m = {
        .version = frame_version,
        .interface = (uint8_t)context->interface,
        .uid = context->owner->uid,
        .pid = context->pid,
        .ticket = secret_view(context->ticket),
    };
    struct attachment *at = &context->attachments[link->node->index];
    struct writer *out = link_output(link->link);
    /* A node that is behind may not know the ticket's user yet. */
    struct frame frame = { .operation = OPERATION_ATTACH,
                           .session = daemon_number(link->node->daemon),
                           .revision = context->revision };
    size_t start;

    if (at->stale && !copies_may_return(context, link->node)) {
        (void)detach_write(link, context);
        at->stale = false;
    }
    start = frame_begin(out);
    memcpy(frame.context, context->id, sizeof frame.context);
    attach_request_write(out, &m);
    if (frame_end(out, start, &frame)) {
        at->state = ATTACHMENT_ASKED;
        at->link = link;
        at->number = frame.session;
        at->logins = context->logins;
        at->in = false;
    }
}

void
node_detach(struct daemon *daemon, struct context *context)
{
    for (size_t i = 0; i < daemon->node_count; i++) {
        struct attachment *at = &context->attachments[i];
        struct node_link *link = node_best_link(&daemon->nodes[i], context);

        if ((at->state != ATTACHMENT_NONE || at->stale) && link != NULL) {
            (void)detach_write(link, context);
            link_flush(link->link);
        }
        *at = (struct attachment){ .state = ATTACHMENT_NONE };
    }
}

void
attachment_answer(struct daemon *daemon, struct node_link *link, const struct frame *frame,
                  view body)
{
    struct context *context = context_by_id(daemon, frame->context);
    struct attach_reply attached;
    struct attachment *at;
    bool was_known;

    if (context == NULL) {
        return;
    }
    at = &context->attachments[link->node->index];
    if (frame->operation == OPERATION_DETACH) {
        if (at->left == frame->session) {
            route_left(daemon, context, link->node);
        }
        return;
    }
    /* What answers an earlier question says nothing about the login of now. */
    if (at->state != ATTACHMENT_ASKED || at->link != link || at->number != frame->session) {
        return;
    }
    at->state = ATTACHMENT_NONE;
    if (frame->code != CKR_OK || !attach_reply_read(body, &attached)) {
        return;
    }
    at->state = ATTACHMENT_DONE;
    was_known = link->node->release != 0;
    link->node->release = attached.version;
    if (attached.role != 0) {
        context->role = (uint8_t)attached.role;
        at->in = true;
    }
    if (!was_known) {
        route_context(daemon, context); /* what waits for that */
    }
}

void
attachments_link_down(struct daemon *daemon, const struct node_link *link)
{
    for (struct context *context = daemon->contexts; context != NULL; context = context->next) {
        struct attachment *at = &context->attachments[link->node->index];

        /* The node may have heard it: it is asked again, and told when the context has to go. */
        if (at->link == link && at->state == ATTACHMENT_ASKED) {
            at->state = ATTACHMENT_DONE;
            at->logins = 0;
        }
    }
}

void
attachments_login(struct context *context, const struct node *node, bool in)
{
    struct attachment *at = &context->attachments[node->index];

    context->logins++;
    at->logins = context->logins;
    at->in = in;
}

uint32_t
attachments_leave(struct daemon *daemon, struct context *context, const struct node *node)
{
    uint32_t leaving = 0;

    for (size_t i = 0; i < daemon->node_count; i++) {
        struct attachment *at = &context->attachments[i];
        struct node_link *link = node_best_link(&daemon->nodes[i], context);

        if (&daemon->nodes[i] == node || at->state == ATTACHMENT_NONE) {
            continue;
        }
        /* Who cannot be told now is told before he is asked again; the number of the login is
         * in the store. */
        *at = (struct attachment){ .state = ATTACHMENT_NONE, .stale = link == NULL };
        if (link != NULL) {
            at->left = detach_write(link, context);
            link_flush(link->link);
            leaving |= UINT32_C(1) << i;
        }
    }
    return leaving;
}

void
attachments_move(struct context *context)
{
    struct attachment *at;

    if (context->home == 0) {
        return;
    }
    at = &context->attachments[context->home - 1];
    *at = (struct attachment){ .state = ATTACHMENT_NONE,
                               .stale = at->stale || at->state != ATTACHMENT_NONE };
    copies_doubt(context, context->home);
    context->home = 0;
}

bool
attachment_is_worse(const struct daemon *daemon, const struct context *context,
                    const struct node *node)
{
    if (context->ticket == NULL || context->attachments[node->index].in) {
        return false;
    }
    for (size_t i = 0; i < daemon->node_count; i++) {
        const struct attachment *at = &context->attachments[i];

        if (at->state == ATTACHMENT_DONE && at->in && at->logins == context->logins &&
            node_is_reached(&daemon->nodes[i])) {
            return true;
        }
    }
    return false;
}
