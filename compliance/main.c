/* SPDX-License-Identifier: Apache-2.0
 *
 * p11comply: how far a PKCS #11 module keeps to the standard.
 */
#include "exec/faults.h"
#include "exec/minimise.h"
#include "exec/trace.h"
#include "report/report.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "usage: p11comply --module LIBRARY --pin PIN [OPTION...]\n"
    "       p11comply --selfcheck\n"
    "\n"
    "  --pin PIN           the user's; or --pin-file FILE, whose first line it is. More lines\n"
    "                      are PINs of other users: each worker takes one\n"
    "  --so-pin PIN        the security officer's; or --so-pin-file FILE\n"
    "  --slot NUMBER       the first with a token, if it is not said\n"
    "  --areas A,B         of SESS DIG ENC DEC SIG VER RECOV DUAL FIND OBJ RAND ACC\n"
    "                      ATTR KEYM MSG IFACE ROB KAT CONC SEC FAULT; all\n"
    "  --level LEVEL       quick, default, full or deep\n"
    "  --jobs COUNT        worker processes; two for each processor. 1 if the module allows\n"
    "                      one process alone\n"
    "  --only TEXT         tests whose id begins so; with $ at its end, the test of that id\n"
    "  --enough COUNT      stops when so many tests have failed, or were blocked\n"
    "  --patience SECONDS  how long a test may take; 20\n"
    "  --list              prints the ids of the tests and runs none\n"
    "  --run ID            runs one test and tells of each call\n"
    "  --minimise ID       prints the shortest test that fails as this one does\n"
    "  --trace ID          prints a C program that makes the calls of a test\n"
    "  --faults A,B        brings faults about, for area FAULT: memory connection daemon=PID,\n"
    "                      and kill, which ends that daemon after all other tests\n"
    "  --profile FILE      deviations that the module declares\n"
    "  --report FILE       writes the report there, as its ending .txt, .json or .html\n"
    "                      says; may be given again\n"
    "  --baseline FILE     compares with an older report.json\n"
    "  --times             tells on standard error where the time went\n"
    "\n"
    "The exit status is 0 when the module deviates nowhere, 1 when it does, 2 after an error.\n";

struct options {
    struct target target;
    uint32_t areas;
    enum depth depth;
    unsigned faults;
    long daemon;
    size_t jobs, enough;
    unsigned patience;
    bool list, selfcheck, times;
    const char *run, *trace, *minimise, *only, *baseline, *report[4];
    size_t report_count;
    struct profile *profile;
};

static char pin[256], so_pin[256], pins[PINS_MAX][256];
static struct profile profile;

static bool
read_line(const char *path, char *ret_line, size_t size)
{
    FILE *file = fopen(path, "r");
    bool good = file != NULL && fgets(ret_line, (int)size, file) != NULL;

    if (file != NULL) {
        fclose(file);
    }
    if (!good) {
        fprintf(stderr, "p11comply: %s cannot be read\n", path);
        return false;
    }
    ret_line[strcspn(ret_line, "\r\n")] = '\0';
    return true;
}

/* The first line, and further ones for further workers. */
static bool
read_pins(const char *path, struct target *target)
{
    FILE *file;

    if (!read_line(path, pin, sizeof pin) || (file = fopen(path, "r")) == NULL) {
        return false;
    }
    target->pin = pin;
    target->pin_count = 0;
    while (target->pin_count < PINS_MAX &&
           fgets(pins[target->pin_count], (int)sizeof pins[0], file) != NULL) {
        char *line = pins[target->pin_count];

        line[strcspn(line, "\r\n")] = '\0';
        if (line[0] != '\0') {
            target->pins[target->pin_count++] = line;
        }
    }
    fclose(file);
    return true;
}

static bool
parse_areas(const char *text, uint32_t *ret_areas)
{
    *ret_areas = 0;
    while (*text != '\0') {
        size_t len = strcspn(text, ",");
        bool found = false;

        for (int a = 0; a < AREA_COUNT; a++) {
            if (strlen(areas[a].tag) == len && strncasecmp(areas[a].tag, text, len) == 0) {
                *ret_areas |= UINT32_C(1) << a;
                found = true;
            }
        }
        if (!found) {
            fprintf(stderr, "p11comply: no area %.*s\n", (int)len, text);
            return false;
        }
        text += len + (text[len] == ',');
    }
    return true;
}

static bool
parse_faults(const char *text, struct options *o)
{
    while (*text != '\0') {
        size_t len = strcspn(text, ",");

        if (len == 6 && strncmp(text, "memory", len) == 0) {
            o->faults |= FAULT_MEMORY;
        } else if (len == 10 && strncmp(text, "connection", len) == 0) {
            o->faults |= FAULT_CONNECTION;
        } else if (len > 7 && strncmp(text, "daemon=", 7) == 0) {
            o->faults |= FAULT_DAEMON;
            o->daemon = strtol(text + 7, NULL, 10);
        } else if (len == 4 && strncmp(text, "kill", len) == 0) {
            o->faults |= FAULT_KILL;
        } else {
            fprintf(stderr, "p11comply: no fault %.*s\n", (int)len, text);
            return false;
        }
        text += len + (text[len] == ',');
    }
    if ((o->faults & (FAULT_DAEMON | FAULT_KILL)) && o->daemon <= 1) {
        fprintf(stderr, "p11comply: which daemon? daemon=PID\n");
        return false;
    }
    return true;
}

static bool
parse_level(const char *text, enum depth *ret_depth)
{
    static const char *const names[] = { "quick", "default", "full", "deep" };

    for (size_t i = 0; i < COUNT(names); i++) {
        if (strcmp(names[i], text) == 0) {
            *ret_depth = (enum depth)i;
            return true;
        }
    }
    fprintf(stderr, "p11comply: no level %s\n", text);
    return false;
}

static bool
parse(int argc, char **argv, struct options *o)
{
    static const struct option table[] = {
        { "module", 1, NULL, 'm' },      { "pin", 1, NULL, 'p' },
        { "pin-file", 1, NULL, 'P' },    { "so-pin", 1, NULL, 's' },
        { "so-pin-file", 1, NULL, 'S' }, { "slot", 1, NULL, 't' },
        { "areas", 1, NULL, 'a' },       { "level", 1, NULL, 'l' },
        { "jobs", 1, NULL, 'j' },        { "list", 0, NULL, 'L' },
        { "only", 1, NULL, 'y' },        { "baseline", 1, NULL, 'b' },
        { "patience", 1, NULL, 'w' },    { "run", 1, NULL, 'r' },
        { "trace", 1, NULL, 'T' },       { "minimise", 1, NULL, 'z' },
        { "report", 1, NULL, 'o' },      { "profile", 1, NULL, 'f' },
        { "enough", 1, NULL, 'e' },      { "selfcheck", 0, NULL, 'c' },
        { "faults", 1, NULL, 'F' },      { "times", 0, NULL, 'x' },
        { NULL, 0, NULL, 0 },
    };
    bool good = true;
    int c;

    while (good && (c = getopt_long(argc, argv, "", table, NULL)) != -1) {
        switch (c) {
        case 'm':
            o->target.module = optarg;
            break;
        case 'p':
            snprintf(pin, sizeof pin, "%s", optarg);
            o->target.pin = pin;
            break;
        case 'P':
            good = read_pins(optarg, &o->target);
            break;
        case 's':
            snprintf(so_pin, sizeof so_pin, "%s", optarg);
            o->target.so_pin = so_pin;
            break;
        case 'S':
            good = read_line(optarg, so_pin, sizeof so_pin);
            o->target.so_pin = so_pin;
            break;
        case 't':
            o->target.has_slot = true;
            o->target.slot = strtoul(optarg, NULL, 0);
            break;
        case 'a':
            good = parse_areas(optarg, &o->areas);
            break;
        case 'l':
            good = parse_level(optarg, &o->depth);
            break;
        case 'j':
            o->jobs = strtoul(optarg, NULL, 10);
            break;
        case 'e':
            o->enough = strtoul(optarg, NULL, 10);
            break;
        case 'F':
            good = parse_faults(optarg, o);
            break;
        case 'L':
            o->list = true;
            break;
        case 'w':
            o->patience = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 'x':
            o->times = true;
            break;
        case 'b':
            o->baseline = optarg;
            break;
        case 'y':
            o->only = optarg;
            break;
        case 'r':
            o->run = optarg;
            break;
        case 'z':
            o->minimise = optarg;
            break;
        case 'T':
            o->trace = optarg;
            break;
        case 'o':
            good = o->report_count < COUNT(o->report);
            o->report[o->report_count++ % COUNT(o->report)] = optarg;
            break;
        case 'f':
            good = profile_read(&profile, optarg);
            o->profile = &profile;
            break;
        case 'c':
            o->selfcheck = true;
            break;
        default:
            good = false;
            break;
        }
    }
    return good && optind == argc && (o->selfcheck || (o->target.module && o->target.pin)) &&
           o->jobs > 0;
}

struct fill {
    const struct target *target;
    struct sheet *sheet;
};

static void
try_functions(void *context)
{
    struct fill *fill = context;

    sheet_try(fill->target, fill->sheet);
}

static void
fill_sheet(void *context)
{
    struct fill *fill = context;

    sheet_fill(fill->target, fill->sheet);
}

struct single {
    const struct options *options;
    const struct sheet *sheet;
    struct test *test;          /* shared: minimising changes it */
    struct result *result;
};

static void
run_single(void *context)
{
    struct single *single = context;
    struct module module;
    struct runner runner;
    const struct target *target = &single->options->target;

    if (!module_open(&module, target->module)) {
        return;
    }
    if (single->options->trace != NULL) {
        trace_to(stdout);
    }
    if (runner_init(&runner, &module, &single->sheet->world, single->sheet->slot, target->pin,
                    target->so_pin)) {
        if (single->options->minimise != NULL) {
            minimise(&runner, single->test, single->result);
        } else {
            runner_run(&runner, single->test, single->result);
        }
        trace_to(NULL);
        runner_clear(&runner);
    }
}

static int
run_one(const struct options *options, const struct sheet *sheet)
{
    const char *id = options->run != NULL        ? options->run
                     : options->minimise != NULL ? options->minimise
                                                 : options->trace;
    struct single single = { options, sheet, shared_new(sizeof(struct test)),
                             shared_new(sizeof(struct result)) };
    const struct result *r = single.result;
    char text[64];
    bool alive;

    if (single.result == NULL || single.test == NULL ||
        !test_parse(&sheet->world, id, single.test)) {
        fprintf(stderr, "p11comply: %s is no id of a test\n", id);
        return 2;
    }
    if (options->trace != NULL) {
        trace_begin(stdout, id);
    }
    alive = apart(run_single, &single, 180);
    if (options->trace != NULL) {
        trace_end(stdout);
        return 0;
    }
    if (options->minimise != NULL) {
        char shortest[ID_MAX];

        test_print(single.test, shortest);
        puts(shortest);
    }
    for (size_t i = 0; i <= r->step && i < single.test->count; i++) {
        step_print(&single.test->step[i], text, sizeof text);
        printf("%-20s %s\n", text,
               single.test->step[i].fn == FN_MOVE
                   ? values[step_value(&single.test->step[i], ROLE_MOVE)].meaning
                   : functions[single.test->step[i].fn].name);
    }
    if (!alive) {
        printf("the process died in the last of these calls\n");
        return 1;
    }
    printf("%s: %s%s%s", verdict_names[r->verdict], code_name(r->seen), r->detail ? ", " : "",
           detail_texts[r->detail]);
    if (cond_row((enum cond)r->cond) != NULL) {
        char rule[256];
        struct issue issue = { .fn = r->fn, .cond = r->cond, .verdict = r->verdict };

        issue_rule(&issue, rule);
        printf(", rule: %s", rule);
    }
    if (r->verdict >= VERDICT_CODE && r->verdict < VERDICT_STATE) {
        printf(" Right would be %s.", code_name(r->want));
    }
    putchar('\n');
    return r->verdict >= VERDICT_CODE;
}

static bool
write_reports(const struct options *options, const struct report *report)
{
    bool good = true;

    for (size_t i = 0; i < options->report_count; i++) {
        FILE *file = fopen(options->report[i], "w");

        if (file == NULL) {
            fprintf(stderr, "p11comply: %s cannot be written\n", options->report[i]);
            good = false;
            continue;
        }
        const char *end = strrchr(options->report[i], '.');

        if (end != NULL && strcmp(end, ".json") == 0) {
            report_json(report, file);
        } else {
            report_write(report, file, end != NULL && strcmp(end, ".html") == 0);
        }
        good = fclose(file) == 0 && good;
    }
    return good;
}

static int
run_suite(const struct options *options, const struct sheet *sheet)
{
    struct suite suite;
    struct report report;
    struct pool pool = {
        .target = &options->target,
        .sheet = sheet,
        .suite = &suite,
        /* One daemon that stands still is one for all workers. */
        .jobs = options->faults & (FAULT_DAEMON | FAULT_KILL) ? 1 : options->jobs,
        .patience = options->patience,
        .enough = options->enough,
        .progress = isatty(2),
    };
    int status = 2;

    if (!suite_make(&suite, &sheet->world, options->areas, options->depth)) {
        return 2;
    }
    if (options->only != NULL) {
        suite_keep(&suite, options->only);
    }
    if (options->list) {
        for (size_t i = 0; i < suite.count; i++) {
            char id[ID_MAX];

            test_print(&suite.test[i], id);
            puts(id);
        }
        suite_clear(&suite);
        return 0;
    }
    pool.result = shared_new((suite.count + 1) * sizeof *pool.result);
    if (pool.result != NULL && pool_run(&pool) && report_make(&report, &pool, options->profile)) {
        report_write(&report, stdout, false);
        status = report.deviations > 0 || report.of_verdict[VERDICT_NONE] > 0 ||
                 (options->profile != NULL &&
                  profile_claim(options->profile, &sheet->world, 0) < FN_COUNT);
        if (!write_reports(options, &report) ||
            (options->baseline != NULL && !report_compare(&report, options->baseline, stdout))) {
            status = 2;
        }
        report_clear(&report);
        if (options->times) {
            times_write(&pool, stderr);
        }
    }
    suite_clear(&suite);
    return status;
}

/* They wait more than they work where a token is another process, or another machine. */
static size_t
usual_jobs(void)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);

    return processors < 1 ? 2 : processors > 4 ? 8 : 2 * (size_t)processors;
}

int
main(int argc, char **argv)
{
    struct options options = {
        .areas = UINT32_MAX, .depth = DEPTH_DEFAULT, .jobs = usual_jobs(), .patience = 20
    };
    struct fill fill = { &options.target, shared_new(sizeof(struct sheet)) };

    sockets_begin();
    if (!parse(argc, argv, &options)) {
        fputs(usage, stderr);
        return 2;
    }
    if (options.selfcheck) {
        size_t complaints = model_selfcheck();

        printf("%zu complaints\n", complaints);
        return complaints > 0;
    }
    while (fill.sheet != NULL && fill.sheet->tried < FN_COUNT) {
        int before = fill.sheet->tried;

        if (!apart(try_functions, &fill, options.patience) && fill.sheet->tried == before) {
            break;                      /* it did not get as far as the first function */
        }
    }
    if (fill.sheet == NULL || !apart(fill_sheet, &fill, 180) || !fill.sheet->good) {
        fprintf(stderr, "p11comply: %s\n",
                fill.sheet != NULL && fill.sheet->problem[0] != '\0' ? fill.sheet->problem
                                                                     : "the module died at once");
        return 2;
    }
    fill.sheet->world.faults = options.faults;
    fill.sheet->world.daemon = options.daemon;
    if (options.profile != NULL) {
        profile_limit(options.profile, &fill.sheet->world);
    }
    if (options.run != NULL || options.trace != NULL || options.minimise != NULL) {
        return run_one(&options, fill.sheet);
    }
    return run_suite(&options, fill.sheet);
}
