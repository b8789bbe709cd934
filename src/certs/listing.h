/* SPDX-License-Identifier: Apache-2.0
 *
 * The XML in which Azure Blob Storage lists a container's blobs, a page at a time.
 */
#ifndef CERTS_LISTING_H
#define CERTS_LISTING_H

#include "certs/blob.h"

#define LISTING_MAX (16u * 1024u * 1024u) /* bytes of a page; 5,000 blobs take about 5 MiB */
#define LISTING_MARKER_MAX 1024u

/*
 * Visits the certificates of a page; other blobs are passed over. ret_marker is where the next page
 * begins, "" after the last. False: it is no such page, or visit said stop.
 */
MUST_USE bool listing_read(view xml, blob_visit *visit, void *arg,
                           char ret_marker[LISTING_MARKER_MAX]);

#endif
