/* SPDX-License-Identifier: Apache-2.0
 *
 * Answers GET /metrics over HTTP on a loopback address, one request for each connection. What
 * asks may be anything on this machine: requests are small, few at a time and over in seconds.
 */
#ifndef NET_SCRAPE_H
#define NET_SCRAPE_H

#include "base/bytes.h"
#include "net/loop.h"

struct scrape;

/* Writes the page; on the loop's thread. */
typedef void scrape_page(void *arg, struct writer *w);

/* address: "127.0.0.1:9224", "[::1]:0". NULL with a line in the log. */
struct scrape *scrape_new(struct loop *loop, const char *address, scrape_page *page, void *arg);
void scrape_free(struct scrape *scrape);
/* The port that a ":0" address was given. */
unsigned scrape_port(const struct scrape *scrape);

/* Is the host of HOST:PORT this machine and none other: 127.x.x.x, ::1 or localhost? */
bool scrape_is_loopback(const char *address);

/*
 * What to answer to these bytes of a request: 0: more of them are to come; 200; or an error:
 * 400 (no HTTP/1), 404 (not /metrics), 405 (not GET), 431 (too large).
 */
#define SCRAPE_REQUEST_MAX 4096u
unsigned scrape_request_read(view bytes);

#endif
