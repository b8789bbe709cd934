/* SPDX-License-Identifier: Apache-2.0
 *
 * pkpspeed: how fast the HSM is through the daemon of this host. Asks what to measure as the
 * original does; with -c it asks nothing, for scripts. Exit status 0 done, 1 refused, 2 misused.
 */
#include "api/appcfg.h"
#include "tools/code.h"
#include "tools/command.h"
#include "tools/console.h"
#include "tools/speed.h"
#include "tools/version.h"
#include "wire/message.h"
#include "wire/role.h"

#include <stdlib.h>
#include <string.h>

#define MENU_THREADS_MAX 10u /* as the original asks */
#define SECONDS_MAX 86400u
#define DATA_DEFAULT 1024u
#define BITS_DEFAULT 2048u

struct tool {
    struct speed speed;
    struct appcfg config;
    bool fips;
};

/* What is measured, as far as it was said. */
struct wish {
    const struct speed_row *row;
    uint32_t threads;
    uint32_t data_len;
    uint32_t bits;
    uint32_t seconds;
};

static enum status
refused(const char *what, CK_RV rv)
{
    const struct code *code = code_of(rv);

    printf("\n\t%s returned: 0x%02x : %s: %s\n", what, code->shown, code->class, code->text);
    return STATUS_REFUSED;
}

static CK_RV
login(struct tool *tool, const char *name, view password)
{
    const struct login_request request = { ROLE_CU, view_str(name), password };
    struct login_reply reply;
    struct call call;
    CK_RV rv = call_begin(tool->speed.client, &call);

    if (rv == CKR_OK) {
        login_request_write(call.body, &request);
        rv = call_send(&call, OPERATION_LOGIN, 0, 0);
    }
    if (rv == CKR_OK && !login_reply_read(call.reply, &reply)) {
        rv = CKR_DEVICE_ERROR;
    }
    call_end(&call);
    return rv;
}

static CK_RV
policy_ask(struct tool *tool)
{
    struct token_reply token;
    struct call call;
    CK_RV rv = call_begin(tool->speed.client, &call);

    if (rv == CKR_OK) {
        rv = call_send(&call, OPERATION_TOKEN, 0, 0);
    }
    if (rv == CKR_OK && !token_reply_read(call.reply, &token)) {
        rv = CKR_DEVICE_ERROR;
    }
    if (rv == CKR_OK) {
        tool->fips = token.policy == POLICY_FIPS;
    }
    call_end(&call);
    return rv;
}

static bool
connect_daemon(struct tool *tool)
{
    struct client_options options = {
        .interface = INTERFACE_API,
        .unreachable_text =
            "Failed to connect socket, LIQUIDSECURITY: Daemon socket connection error",
    };

    if (!appcfg_read(true, &tool->config)) {
        return false;
    }
    wipe(&tool->config.storage, sizeof tool->config.storage); /* no need of it here */
    if (tool->config.tcp) {
        fprintf(stderr, "%s: SOCKET_TYPE=TCP is not offered here; use UNIXSOCKET\n",
                tool->config.file);
        return false;
    }
    options.socket_path = tool->config.socket_path;
    return client_open(&options, &tool->speed.client) == CKR_OK;
}

/* ---- what is printed ---- */

static void
ciphers_print(void)
{
    size_t count;
    const struct speed_row *rows = speed_rows(&count);

    printf("\n\tAvailable Ciphers:\n");
    for (size_t i = 0; i < count; i++) {
        printf("\t\t%c) %-8s (%s)\n", rows[i].letter, rows[i].name, rows[i].help);
    }
    printf("\t\tX) EXIT\n\tFor RSA, Exponent will be 65537\n");
}

static void
second_print(uint64_t operations)
{
    printf("OPERATIONS/second\t\t%llu/1\n", (unsigned long long)operations);
    fflush(stdout);
}

static void
result_json(const struct speed *speed, const struct speed_result *result)
{
    printf("{\"cipher\":\"%s\",\"bits\":%u,\"bytes\":%u,\"threads\":%u,\"seconds\":%.3f,"
           "\"operations\":%llu,\"per_second\":%.1f,\"latency_us\":%.1f}\n",
           speed->row->name, (unsigned)speed->bits, (unsigned)speed->data_len, speed->threads,
           result->seconds, (unsigned long long)result->operations,
           (double)result->operations / result->seconds, result->latency_us);
}

static void
result_print(const struct speed *speed, const struct speed_result *result)
{
    const double per_second = (double)result->operations / result->seconds;

    printf("\n%s: %llu operations in %.2f s, %.1f a second, %.1f us each\n", speed->row->name,
           (unsigned long long)result->operations, result->seconds, per_second,
           result->latency_us);
    if (speed->row->kind != SPEED_SIGN) {
        printf("%.2f MB/s\n", per_second * speed->data_len / 1e6);
    }
}

static enum status
measure(struct tool *tool, const struct wish *wish, bool json)
{
    struct speed *speed = &tool->speed;
    struct speed_result result;
    CK_RV rv;

    speed->row = wish->row;
    speed->bits = wish->row->bits != 0 ? wish->row->bits : wish->bits;
    speed->data_len = speed_data_len(wish->row, speed->bits, wish->data_len);
    speed->threads = wish->threads;
    speed->seconds = wish->seconds;
    speed->tick = json ? NULL : second_print;
    if (!json) {
        printf("Starting speed test using data length of %u bytes...\n"
               "[Test duration is %u seconds]\n\n",
               (unsigned)speed->data_len, speed->seconds);
        fflush(stdout);
    }
    if ((rv = speed_run(speed, &result)) != CKR_OK) {
        return refused(wish->row->name, rv);
    }
    (json ? result_json : result_print)(speed, &result);
    return fflush(stdout) == 0 ? STATUS_DONE : STATUS_REFUSED;
}

/* ---- asking ---- */

/* No more input, or X. */
static bool
is_exit(const char *line)
{
    return line == NULL || strcmp(line, "X") == 0 || strcmp(line, "x") == 0;
}

/* Asked again at a terminal; from a pipe a wrong number ends it. 0: enough. */
static uint32_t
ask_number(const char *prompt, uint32_t min, uint32_t max)
{
    for (;;) {
        char *line = console_line(prompt);
        char *end = line;
        unsigned long number = line == NULL ? 0 : strtoul(line, &end, 10);
        const bool good = line != NULL && end != line && *end == '\0' && line[0] != '-' &&
                          number >= min && number <= max;
        const bool leaves = is_exit(line);
        const bool again = console_is_terminal();

        console_line_free(line);
        if (good || leaves) {
            return good ? (uint32_t)number : 0;
        }
        fprintf(stderr, "a number from %u to %u is wanted\n", (unsigned)min, (unsigned)max);
        if (!again) {
            return 0;
        }
    }
}

/* NULL: no more input, or X. *ret_wrong: it was no cipher. */
static const struct speed_row *
ask_cipher(bool *ret_wrong)
{
    char *line = console_line("Enter the cipher: ");
    const bool leaves = is_exit(line);
    const struct speed_row *row = leaves ? NULL : speed_row(line);

    *ret_wrong = !leaves && row == NULL;
    if (*ret_wrong) {
        fprintf(stderr, "there is no cipher %s; take one of the list\n", line);
    }
    console_line_free(line);
    return row;
}

/* False: enough. */
static bool
wish_ask(struct wish *wish)
{
    bool wrong;

    wish->threads = ask_number("Enter the number of thread [1-10]: ", 1, MENU_THREADS_MAX);
    if (wish->threads == 0) {
        return false;
    }
    do {
        wish->row = ask_cipher(&wrong);
    } while (wrong && console_is_terminal());
    if (wish->row == NULL) {
        return false;
    }
    wish->bits = BITS_DEFAULT;
    wish->data_len = SPEED_DATA_MAX;
    if (wish->row->kind == SPEED_SIGN && wish->row->bits == 0) {
        wish->bits = ask_number("Enter modulus length [2048-4096]: ", 2048, 4096);
    } else if (wish->row->kind != SPEED_SIGN) {
        wish->data_len = ask_number("Enter data size [1-16200]: ", 1, SPEED_DATA_MAX);
    }
    if (wish->bits == 0 || wish->data_len == 0) {
        return false;
    }
    wish->seconds = ask_number("Enter time duration in Secs: ", 1, SECONDS_MAX);
    return wish->seconds != 0;
}

static enum status
interactive(struct tool *tool)
{
    enum status status = STATUS_DONE;
    struct wish wish;

    for (;;) {
        ciphers_print();
        if (!wish_ask(&wish)) {
            return status;
        }
        status = measure(tool, &wish, false);
    }
}

/* ---- from arguments ---- */

static enum status
wish_of(const struct values *values, struct wish *ret_wish)
{
    const char *name = values_text(values, "-c");

    *ret_wish = (struct wish){
        .row = name == NULL ? NULL : speed_row(name),
        .threads = values_number(values, "-t", 1),
        .data_len = values_number(values, "-d", DATA_DEFAULT),
        .bits = values_number(values, "-m", BITS_DEFAULT),
        .seconds = values_number(values, "-n", 5),
    };
    if (name != NULL && ret_wish->row == NULL) {
        fprintf(stderr, "pkpspeed: -c %s: no such cipher; pkpspeed without -c lists them\n", name);
        return STATUS_MISUSED;
    }
    if (name == NULL && values_given(values, "-j")) {
        fputs("pkpspeed: -j goes with -c\n", stderr);
        return STATUS_MISUSED;
    }
    return STATUS_DONE;
}

static enum status
pkpspeed(void *arg, const struct values *values)
{
    struct tool *tool = arg;
    const bool asked = values_given(values, "-hpswd");
    const bool json = values_given(values, "-j");
    struct secret *password;
    enum status status;
    struct wish wish;
    CK_RV rv;

    if ((status = wish_of(values, &wish)) != STATUS_DONE) {
        return status;
    }
    if (values_given(values, "-p") == asked) {
        fputs("pkpspeed: give the password with -p, or -hpswd to be asked for it\n", stderr);
        return STATUS_MISUSED;
    }
    password = console_password(asked ? VIEW_TEXT("-hpswd") : values_secret(values, "-p"), false);
    if (password == NULL) {
        return STATUS_MISUSED;
    }
    if (!connect_daemon(tool)) {
        secret_free(password);
        return STATUS_REFUSED;
    }
    rv = login(tool, values_text(values, "-s"), secret_view(password));
    secret_free(password);
    if (rv != CKR_OK) {
        return refused("Cfm3LoginHSM", rv);
    }
    if ((rv = policy_ask(tool)) != CKR_OK) {
        return refused("Cfm3GetPartitionInfo", rv);
    }
    if (!json) {
        printf("\n\tSDK Version: %s\n\tCurrent FIPS mode is: %08x\n", TOOLS_VERSION,
               tool->fips ? 2u : 0u);
    }
    return wish.row == NULL ? interactive(tool) : measure(tool, &wish, json);
}

/* clang-format off */
static const struct command command = {
    "pkpspeed", pkpspeed, 0,
    "measures operations a second; without -c it asks what to measure", {
        { "-s",     "USER",     ARGUMENT_TEXT,   NEED_ALWAYS, 0, 0,                  "crypto user" },
        { "-p",     "PASSWORD", ARGUMENT_SECRET, NEED_NOT,    0, 0,                  "of the user" },
        { "-hpswd", NULL,       ARGUMENT_FLAG,   NEED_NOT,    0, 0,                  "asks for the password" },
        { "-c",     "CIPHER",   ARGUMENT_TEXT,   NEED_NOT,    0, 0,                  "what is measured: AES_128, AES_256, AES_GCM, 3DES, RSA, RSA_CRT, EC_P256, EC_P384 or RANDOM" },
        { "-t",     "THREADS",  ARGUMENT_NUMBER, NEED_NOT,    1, SPEED_THREADS_MAX,  "1 unless told" },
        { "-d",     "BYTES",    ARGUMENT_NUMBER, NEED_NOT,    1, SPEED_DATA_MAX,     "of data, 1024 unless told; of signatures as many as fit" },
        { "-m",     "BITS",     ARGUMENT_NUMBER, NEED_NOT,    1024, 4096,            "modulus of RSA, 2048 unless told" },
        { "-n",     "SECONDS",  ARGUMENT_NUMBER, NEED_NOT,    1, SECONDS_MAX,        "5 unless told" },
        { "-j",     NULL,       ARGUMENT_FLAG,   NEED_NOT,    0, 0,                  "prints one line of JSON" },
    },
};
/* clang-format on */

int
main(int argc, char **argv)
{
    const struct command_table table = { &command, 1, false };
    struct tool tool = { .fips = false };
    struct values values = { 0 };
    enum status status = STATUS_MISUSED;
    size_t used = 0;

    console_begin();
    if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        command_help(&command, stdout);
        return STATUS_DONE;
    }
    argv[0] = (char *)(uintptr_t) "pkpspeed"; /* only read */
    if (command_parse(&table, argv, (size_t)argc, &used, &values)) {
        if (used < (size_t)argc) {
            fprintf(stderr, "pkpspeed: what is %s? `pkpspeed -h` lists the options\n", argv[used]);
        } else {
            status = command_run(&tool, &values);
        }
    }
    values_clear(&values);
    client_close(tool.speed.client);
    return fflush(stdout) != 0 ? STATUS_REFUSED : (int)status;
}
