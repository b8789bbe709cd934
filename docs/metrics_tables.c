/* SPDX-License-Identifier: Apache-2.0
 *
 * Prints docs/metrics.md from the rows of net/metrics.def. script/docs runs it; a test holds the
 * file in the tree to what it prints.
 */
#include "net/metrics.h"

#include <stdio.h>

static const char before[] =
    "# Metrics\n"
    "\n"
    "Server and daemon count what they do, and tell it to a Prometheus scraper of the same machine.\n"
    "Nothing is told about a key, a user or an application: only counts.\n"
    "\n"
    "| in | key | meaning | default |\n"
    "| --- | --- | --- | --- |\n"
    "| `azcloudhsm_server.cfg` | `metrics` | where the server answers, `\"127.0.0.1:9224\"` | nowhere |\n"
    "| `azcloudhsm_client.cfg`, section `client` | `metrics` | where the daemon answers, `\"127.0.0.1:9225\"` | nowhere |\n"
    "\n"
    "The address is this machine's own (127.x.x.x, `[::1]` or `localhost`); another one is refused, for who may\n"
    "ask is not asked. A scraper elsewhere goes through a proxy of yours that knows it. Port 0 is any free\n"
    "port: `server.ports` and `client.ports` in the state folder name it. A change of the setting takes a restart.\n"
    "\n"
    "`curl http://127.0.0.1:9224/metrics` shows the page. One request for each connection, `GET /metrics` alone,\n"
    "at most 4 KiB, 16 connections and 5 seconds; whatever else comes is answered 400, 404, 405 or 431.\n"
    "\n"
    "Counting takes no lock and no allocation; where `metrics` is not set, nothing is counted. Counters begin at 0\n"
    "when the program starts. A dashboard for Grafana is in\n"
    "[packaging/metrics](../packaging/metrics/opencloudhsm.json), and installed as `share/metrics/opencloudhsm.json`.\n"
    "\n"
    "| metric | kind | of | labels | what it is |\n"
    "| --- | --- | --- | --- | --- |\n";

static const char after[] =
    "\n"
    "A histogram has `_bucket` with the label `le` (20 us to 5 s), `_sum` in seconds and `_count`. Requests that one\n"
    "daemon carried twice, because a node died before it answered, count once at the daemon and at each node that\n"
    "saw them. Sessions are the library's own: a node knows applications, their logins, their session objects and their running\n"
    "operations, and that is what is told.\n";

int
main(void)
{
    static const char *const of[] = { "", "server", "daemon", "both" };

    fputs(before, stdout);
    for (enum metric i = 0; i < METRIC_COUNT; i++) {
        const struct metric_row *row = metric_row(i);

        printf("| `%s` | %s | %s | %s | %s |\n", row->name, metric_kind_name(row->kind),
               of[row->of], row->labels, row->help);
    }
    fputs(after, stdout);
    return fflush(stdout) == 0 ? 0 : 1;
}
