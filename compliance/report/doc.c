/* SPDX-License-Identifier: Apache-2.0
 *
 * Documents as text and as HTML.
 */
#include "report/doc.h"

#include <stdarg.h>
#include <string.h>

#define WIDTH 98
#define NAMES 28        /* width of the names of rows, in text */

static const char style[] =
    ":root{color-scheme:light dark;--ink:#1b1f24;--soft:#57606a;--line:#d0d7de;--paper:#fff;"
    "--card:#f6f8fa;--mark:#0b57d0}"
    "@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#9da7b1;--line:#30363d;"
    "--paper:#0d1117;--card:#161b22;--mark:#7aa7ff}}"
    "*{box-sizing:border-box}"
    "body{margin:0 auto;padding:2rem 1.2rem 4rem;max-width:60rem;background:var(--paper);"
    "color:var(--ink);font:1rem/1.55 system-ui,sans-serif}"
    "h1{font-size:1.7rem;line-height:1.25}"
    "h2{margin-top:2.6rem;border-bottom:1px solid var(--line);padding-bottom:.3rem;font-size:1.3rem}"
    "h3{margin-top:1.8rem;font-size:1.05rem}"
    "ul{padding-left:1.2rem}"
    "dl{display:grid;grid-template-columns:fit-content(15rem) 1fr;margin:1rem 0;border:1px solid var(--line);"
    "border-radius:6px;background:var(--card);overflow:hidden}"
    "dt,dd{margin:0;padding:.4rem .8rem;border-top:1px solid var(--line);overflow-wrap:anywhere}"
    "dt{color:var(--soft);font-weight:600;overflow-wrap:normal}dl>:nth-child(-n+2){border-top:0}"
    "@media(max-width:40rem){body{padding:1.2rem .9rem 3rem}h1{font-size:1.4rem}"
    "dl{grid-template-columns:fit-content(9rem) 1fr;font-size:.92rem}dt,dd{padding:.35rem .6rem}}"
    "@media print{body{max-width:none;padding:0;font-size:10pt}dl{break-inside:avoid}"
    "h2,h3{break-after:avoid}}";

/* Long names may be broken behind a low line. */
static void
escaped(FILE *file, const char *text)
{
    for (; *text != '\0'; text++) {
        switch (*text) {
        case '<':
            fputs("&lt;", file);
            break;
        case '>':
            fputs("&gt;", file);
            break;
        case '&':
            fputs("&amp;", file);
            break;
        case '"':
            fputs("&quot;", file);
            break;
        case '_':
            fputs("_<wbr>", file);
            break;
        default:
            fputc(*text, file);
            break;
        }
    }
}

/* Words with line breaks before WIDTH; further lines begin with so many blanks. */
static void
wrapped(FILE *file, const char *text, size_t indent, size_t column)
{
    while (*text != '\0') {
        size_t len = strcspn(text, " ");

        if (column + len > WIDTH && column > indent) {
            fprintf(file, "\n%*s", (int)indent, "");
            column = indent;
        }
        fwrite(text, 1, len, file);
        column += len;
        text += len;
        if (*text == ' ') {
            text++;
            if (*text != '\0' && column + 1 + strcspn(text, " ") <= WIDTH) {
                fputc(' ', file);
                column++;
            } else if (*text != '\0') {
                fprintf(file, "\n%*s", (int)indent, "");
                column = indent;
            }
        }
    }
    fputc('\n', file);
}

void
doc_begin(struct doc *doc, const char *title)
{
    if (doc->html) {
        fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
              "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>",
              doc->file);
        escaped(doc->file, title);
        fprintf(doc->file, "</title>\n<style>%s</style>\n</head>\n<body>\n<h1>", style);
        escaped(doc->file, title);
        fputs("</h1>\n", doc->file);
    } else {
        fprintf(doc->file, "%s\n", title);
        for (size_t i = 0; i < strlen(title); i++) {
            fputc('=', doc->file);
        }
        fputc('\n', doc->file);
    }
}

void
doc_end(struct doc *doc)
{
    if (doc->html) {
        fputs("</body>\n</html>\n", doc->file);
    }
}

void
doc_heading(struct doc *doc, int level, const char *text)
{
    if (doc->html) {
        fprintf(doc->file, "<h%d>", level);
        escaped(doc->file, text);
        fprintf(doc->file, "</h%d>\n", level);
        return;
    }
    fprintf(doc->file, "\n%s\n", text);
    for (size_t i = 0; i < strlen(text) && level == 2; i++) {
        fputc('-', doc->file);
    }
    fputs(level == 2 ? "\n\n" : "\n", doc->file);
}

void
doc_text(struct doc *doc, const char *format, ...)
{
    char text[2048];
    va_list list;

    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    if (doc->html) {
        fputs("<p>", doc->file);
        escaped(doc->file, text);
        fputs("</p>\n", doc->file);
    } else {
        wrapped(doc->file, text, 0, 0);
        fputc('\n', doc->file);
    }
}

void
doc_item(struct doc *doc, const char *format, ...)
{
    char text[1024];
    va_list list;

    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    if (doc->html) {
        fputs("<ul><li>", doc->file);
        escaped(doc->file, text);
        fputs("</li></ul>\n", doc->file);
    } else {
        fputs("- ", doc->file);
        wrapped(doc->file, text, 2, 2);
    }
}

void
doc_card(struct doc *doc)
{
    fputs(doc->html ? "<dl>\n" : "\n", doc->file);
}

void
doc_row(struct doc *doc, const char *name, const char *format, ...)
{
    char text[2048];
    va_list list;

    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    if (doc->html) {
        fputs("<dt>", doc->file);
        escaped(doc->file, name);
        fputs("</dt><dd>", doc->file);
        escaped(doc->file, text);
        fputs("</dd>\n", doc->file);
    } else {
        fprintf(doc->file, "%-*s", NAMES, name);
        wrapped(doc->file, text, NAMES, NAMES);
    }
}

void
doc_card_end(struct doc *doc)
{
    if (doc->html) {
        fputs("</dl>\n", doc->file);
    }
}
