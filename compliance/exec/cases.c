/* SPDX-License-Identifier: Apache-2.0
 *
 * Scripts: calls whose arguments are words, made and traced one by one.
 */
#include "exec/cases.h"
#include "exec/trace.h"
#include "ref/ref.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define WORDS 12
#define EDGES 8
#define MANY 1000000
#define EDGE_MARK 64

/* As it is compiled: with all macros expanded. */
#define TEXT(...) #__VA_ARGS__

static const struct {
    const char *name;
    enum key key;
    enum half half;
} key_words[] = {
#define KEY_WORD(name, key, half) { #name, KEY_##key, HALF_##half },
#define MECHANISM(name, number, ...)
#define TEMPLATE(name, ...)
#include "exec/scripts.def"
};

static struct {
    const char *name;
    CK_MECHANISM mech;
    const char *text;
} mech_words[] = {
#define KEY_WORD(name, key, half)
#define MECHANISM(name, number, ...) { #name, { number, __VA_ARGS__ }, TEXT(number, __VA_ARGS__) },
#define TEMPLATE(name, ...)
#include "exec/scripts.def"
};

static struct {
    const char *name;
    CK_ATTRIBUTE *attrs;
    const char *text;
} template_words[] = {
#define KEY_WORD(name, key, half)
#define MECHANISM(name, number, ...)
#define TEMPLATE(name, ...) { #name, (CK_ATTRIBUTE[]){ __VA_ARGS__ }, TEXT(__VA_ARGS__) },
#include "exec/scripts.def"
};

/* Memory that ends where memory ends. */
struct edge {
    uint8_t *map, *start;
    size_t size, len;
};

struct script {
    struct case_run *run;
    struct edge edge[EDGES];
    size_t edge_count;
    CK_ULONG place[EDGES];
    size_t place_count, made;           /* the place of the object that was made last, and one more */
    CK_ATTRIBUTE *many;
};

bool
case_judge(struct case_run *r, CK_RV rv)
{
    if (r->row->rule == RULE_R_ALIVE) {
        r->result->seen = (uint32_t)rv;     /* that it returns is all */
        return true;
    }
    return result_judge(r->result, r->row->rule, rv);
}

void
case_wrong(struct case_run *r)
{
    r->result->verdict = VERDICT_OUTPUT;
    r->result->detail = DETAIL_CONTENT;
    r->result->class = (uint8_t)cond_row(r->row->rule)->class;
}

void
case_wrong_unless(struct case_run *r, bool right)
{
    if (!right) {
        case_wrong(r);
    }
}

static CK_RV
call_words(const struct module *module, size_t at, const CK_ULONG w[WORDS])
{
    typedef CK_RV (*words)(CK_ULONG, CK_ULONG, CK_ULONG, CK_ULONG, CK_ULONG, CK_ULONG, CK_ULONG,
                           CK_ULONG, CK_ULONG, CK_ULONG, CK_ULONG, CK_ULONG);
    void (*functions_of[LIST_NEW])(void);

    memcpy(functions_of, &module->list.C_Initialize, sizeof functions_of);
    return functions_of[at] == NULL ? CKR_FUNCTION_NOT_SUPPORTED
                                    : ((words)functions_of[at])(w[0], w[1], w[2], w[3], w[4], w[5],
                                                                w[6], w[7], w[8], w[9], w[10],
                                                                w[11]);
}

CK_RV
case_words(struct case_run *r, size_t at, CK_ULONG first, CK_ULONG second)
{
    CK_RV rv;

    trace("rv = words((void (*)(void))p11->%t, %s, %u);", list_names[at], first, second);
    rv = call_words(r->module, at, (CK_ULONG[WORDS]){ first, second });
    trace_seen(list_names[at], rv);
    return rv;
}

/* ---- words ---- */

static uint8_t *
edge_new(struct script *s, size_t len, bool odd)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t size = (len + EDGE_MARK + page) / page * page;
    struct edge *edge = &s->edge[s->edge_count];

    if (s->edge_count == EDGES) {
        return NULL;
    }
    edge->map = mmap(NULL, size + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (edge->map == MAP_FAILED || mprotect(edge->map + size, page, PROT_NONE) != 0) {
        return NULL;
    }
    edge->size = size + page;
    edge->len = len;
    edge->start = edge->map + size - len - (odd ? 1 : 0);
    memset(edge->map, 0xa5, size);
    for (size_t i = 0; i < len; i++) {
        edge->start[i] = ref_byte(i);
    }
    s->edge_count++;
    return edge->start;
}

static bool
edges_intact(const struct script *s)
{
    for (size_t i = 0; i < s->edge_count; i++) {
        for (const uint8_t *at = s->edge[i].map; at < s->edge[i].start; at++) {
            if (*at != 0xa5) {
                return false;
            }
        }
    }
    return true;
}

static bool
key_word(struct script *s, const char *name, CK_ULONG *ret_word)
{
    struct fixture *f = &s->run->runner->fixture;

    if (strcmp(name, "data") == 0) {
        *ret_word = fixture_data(f);
        return *ret_word != CK_INVALID_HANDLE;
    }
    for (size_t i = 0; i < COUNT(key_words); i++) {
        if (strcmp(key_words[i].name, name) == 0) {
            *ret_word = fixture_key(f, key_words[i].key, key_words[i].half, true);
        }
    }
    return *ret_word != CK_INVALID_HANDLE;
}

static CK_ATTRIBUTE *
many_attributes(struct script *s)
{
    static CK_BYTE text[1] = { 'x' };

    if (s->many == NULL) {
        s->many = malloc(MANY * sizeof *s->many);
    }
    for (size_t i = 0; s->many != NULL && i < MANY; i++) {
        s->many[i] = (CK_ATTRIBUTE){ CKA_LABEL, text, 1 };
    }
    return s->many;
}

/* A template that holds itself. */
static CK_ATTRIBUTE loop_attributes[2] = {
    { CKA_WRAP_TEMPLATE, loop_attributes, sizeof loop_attributes },
    { CKA_UNWRAP_TEMPLATE, loop_attributes, sizeof loop_attributes },
};

static bool
is_listed(const struct world *world, CK_MECHANISM_TYPE type)
{
    for (size_t i = 0; i < world->listed_count; i++) {
        if (world->listed[i] == type) {
            return true;
        }
    }
    return false;
}

/* The value of a word; false when the module lacks what it names. */
static bool
word_value(struct script *s, const char *word, CK_ULONG *ret_word)
{
    struct fixture *f = &s->run->runner->fixture;

    *ret_word = 0;
    switch (word[0]) {
    case 'S':
        *ret_word = f->session[0];
        return true;
    case 'Z':
        *ret_word = 0x7ead0bad;
        return true;
    case 'T':
        *ret_word = f->slot;
        return true;
    case 'B':
    case 'U':
        *ret_word = (CK_ULONG)(uintptr_t)edge_new(s, strtoul(word + 1, NULL, 0), word[0] == 'U');
        return *ret_word != 0;
    case 'L':
        if (s->place_count == EDGES) {
            return false;
        }
        s->place[s->place_count] = strtoul(word + 1, NULL, 0);
        *ret_word = (CK_ULONG)(uintptr_t)&s->place[s->place_count++];
        return true;
    case 'O':
        *ret_word = s->made > 0 ? s->place[s->made - 1] : 0;
        return s->made > 0;
    case 'K':
        return key_word(s, word + 1, ret_word);
    case 'M':
        for (size_t i = 0; i < COUNT(mech_words); i++) {
            if (strcmp(mech_words[i].name, word + 1) == 0 &&
                is_listed(s->run->world, mech_words[i].mech.mechanism)) {
                *ret_word = (CK_ULONG)(uintptr_t)&mech_words[i].mech;
            }
        }
        return *ret_word != 0;
    case 'A':
        if (strcmp(word + 1, "many") == 0) {
            *ret_word = (CK_ULONG)(uintptr_t)many_attributes(s);
        }
        if (strcmp(word + 1, "loop") == 0) {
            *ret_word = (CK_ULONG)(uintptr_t)loop_attributes;
        }
        for (size_t i = 0; i < COUNT(template_words); i++) {
            if (strcmp(template_words[i].name, word + 1) == 0) {
                *ret_word = (CK_ULONG)(uintptr_t)template_words[i].attrs;
            }
        }
        return *ret_word != 0;
    default:
        *ret_word = strtoul(word, NULL, 0);
        return true;
    }
}

/* The word as it stands in a trace; places are numbered as they come. */
static void
word_trace(const struct script *s, const char *word, CK_ULONG value)
{
    switch (word[0]) {
    case 'S':
        trace_piece("%s", value);
        break;
    case 'K':
        trace_piece("%o", value);
        break;
    case 'B':
    case 'U':
        trace_piece("(void *)mark(%u, %u)", strtoul(word + 1, NULL, 0), word[0] == 'U' ? 1UL : 0UL);
        break;
    case 'L':
        trace_piece("&place[%u]", (CK_ULONG)(s->place_count - 1));
        break;
    case 'O':
        trace_piece("place[%u]", (CK_ULONG)(s->made - 1));
        break;
    case 'M':
        for (size_t i = 0; i < COUNT(mech_words); i++) {
            if (strcmp(mech_words[i].name, word + 1) == 0) {
                trace_piece("&(CK_MECHANISM){ %t }", mech_words[i].text);
            }
        }
        break;
    case 'A':
        if (strcmp(word + 1, "many") == 0) {
            trace_piece("many()");
        }
        if (strcmp(word + 1, "loop") == 0) {
            trace_piece("loop()");
        }
        for (size_t i = 0; i < COUNT(template_words); i++) {
            if (strcmp(template_words[i].name, word + 1) == 0) {
                trace_piece("(CK_ATTRIBUTE[]){ %t }", template_words[i].text);
            }
        }
        break;
    default:
        trace_piece(value == 0 ? "0" : "%u", value);
        break;
    }
}

/* ---- calls ---- */

static size_t
list_find(const char *name)
{
    for (size_t i = 0; i < LIST_NEW; i++) {
        if (strcmp(list_names[i], name) == 0) {
            return i;
        }
    }
    return LIST_NEW;
}

static bool
makes_object(const char *name)
{
    static const char *const makers[] = { "C_CreateObject", "C_CopyObject", "C_GenerateKey",
                                          "C_UnwrapKey", "C_DeriveKey" };

    for (size_t i = 0; i < COUNT(makers); i++) {
        if (strcmp(makers[i], name) == 0) {
            return true;
        }
    }
    return false;
}

/* One call of a script. False when it cannot be made. */
static bool
make_call(struct script *s, const char *text, CK_RV *ret_rv)
{
    char line[256], *rest = line, *word;
    CK_ULONG words[WORDS] = { 0 };
    const char *texts[WORDS];
    size_t count = 0, at, before = s->place_count;

    if (strlen(text) >= sizeof line) {
        return false;
    }
    strcpy(line, text);
    word = strtok_r(rest, " ", &rest);
    at = word != NULL ? list_find(word) : LIST_NEW;
    if (at == LIST_NEW) {
        return false;
    }
    while ((word = strtok_r(NULL, " ", &rest)) != NULL && count < WORDS) {
        texts[count] = word;
        if (!word_value(s, word, &words[count])) {
            return false;
        }
        count++;
    }
    s->run->result->fn = (uint8_t)fn_find(list_names[at], strlen(list_names[at]));
    for (size_t i = before; i < s->place_count; i++) {
        trace("place[%u] = %u;", (CK_ULONG)i, s->place[i]);
    }
    trace_piece("    rv = p11->%t(", list_names[at]);
    s->place_count = before;
    for (size_t i = 0; i < count; i++) {
        s->place_count += texts[i][0] == 'L';
        trace_piece(i > 0 ? ", " : "");
        word_trace(s, texts[i], words[i]);
    }
    trace_piece(");\n");
    *ret_rv = call_words(s->run->module, at, words);
    trace_seen(list_names[at], *ret_rv);
    if (*ret_rv == CKR_OK && s->place_count > before && makes_object(list_names[at])) {
        s->made = s->place_count;
    }
    return true;
}

static void
run_script(struct case_run *r)
{
    struct script s = { .run = r };
    char line[256];
    const char *text = r->row->script;
    CK_RV rv = CKR_OK;

    for (;;) {
        size_t len = strcspn(text, ";");

        memcpy(line, text, len);
        line[len] = '\0';
        if (!make_call(&s, line, &rv)) {
            r->result->verdict = VERDICT_SKIPPED;
            break;
        }
        text += len;
        if (*text == '\0') {
            if (rv == CKR_FUNCTION_NOT_SUPPORTED) {
                r->result->verdict = VERDICT_SKIPPED;       /* the module does without */
            } else if (case_judge(r, rv) && !edges_intact(&s)) {
                r->result->verdict = VERDICT_CORRUPT;
                r->result->detail = DETAIL_BEFORE;
                r->result->class = CLASS_ROBUST;
            }
            break;
        }
        if (rv != CKR_OK) {
            r->result->verdict = VERDICT_BLOCKED;
            break;
        }
        text += 1 + strspn(text + 1, " ");
    }
    for (size_t i = 0; i < s.edge_count; i++) {
        munmap(s.edge[i].map, s.edge[i].size);
    }
    free(s.many);
}

static void (*const checks[CHECK_COUNT])(struct case_run *) = {
#define SCRIPT(area, tag, quick, fn, rule, text)
#define CHECK(area, tag, quick, fn, sweep, rule) [CHECK_##tag] = check_##tag,
#include "model/cases.def"
};

void
case_run(struct runner *runner, const struct test *test, struct result *ret_result)
{
    struct case_run r = { runner,
                          runner->fixture.module,
                          runner->world,
                          &cases[test->row],
                          test->arg,
                          ret_result };

    ret_result->fn = test->step[0].fn;
    ret_result->cond = (uint16_t)r.row->rule;
    if (r.row->check == CHECK_SCRIPT) {
        run_script(&r);
    } else {
        checks[r.row->check](&r);
    }
    if (ret_result->verdict == VERDICT_NONE) {
        ret_result->verdict = ret_result->advisory ? VERDICT_ADVISORY : VERDICT_PASS;
    } else if (ret_result->verdict != VERDICT_SKIPPED) {
        runner->dirty = true;
    }
}
