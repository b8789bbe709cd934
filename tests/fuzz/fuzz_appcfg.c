/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as azcloudhsm_application.cfg. What is taken keeps its promises: texts end, the
 * numbers are in their ranges, and the same text gives the same result again.
 */
#include "api/appcfg.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static FILE *quiet;
    struct appcfg first;
    struct appcfg second;

    if (quiet == NULL && (quiet = freopen("/dev/null", "w", stderr)) == NULL) {
        abort();
    }
    memset(&first, 0, sizeof first);
    memset(&second, 0, sizeof second);

    bool taken = appcfg_parse("fuzz", view_of(data, size), &first);

    if (taken != appcfg_parse("fuzz", view_of(data, size), &second)) {
        abort();
    }
    if (taken && (memchr(first.socket_path, '\0', sizeof first.socket_path) == NULL ||
                  first.socket_path[0] == '\0' || strlen(first.socket_path) > 107 ||
                  strcmp(first.socket_path, second.socket_path) != 0 || first.port < 1 ||
                  first.port > 65535 || first.daemon_id > 65535 ||
                  first.user_kek != second.user_kek)) {
        abort();
    }
    return 0;
}
