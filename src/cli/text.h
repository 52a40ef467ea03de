/* text.h - a growing text, and the file it is written to.
 * Invariants: `data` is always followed by a zero byte; running out of memory ends the process with
 * exit code 8 (a lake survives that at any point). May call: libc.
 */
#ifndef LOCHAN_CLI_TEXT_H
#define LOCHAN_CLI_TEXT_H

#include <lochan/error.h>
#include <stddef.h>
#include <stdio.h>

/* Never NULL. Free with free. */
void *lochan_cli__alloc(size_t count, size_t size);
void *lochan_cli__grow(void *p, size_t count, size_t size);
char *lochan_cli__dup(const char *s, size_t n);

typedef struct lochan_cli_text {
    char *data; /* NULL while nothing was added */
    size_t len;
    size_t cap;
} lochan_cli_text;

void lochan_cli__add(lochan_cli_text *t, const char *s, size_t n);
void lochan_cli__adds(lochan_cli_text *t, const char *s);
void lochan_cli__addc(lochan_cli_text *t, char c);
void lochan_cli__addf(lochan_cli_text *t, const char *fmt, ...) LOCHAN_PRINTF(2, 3);
/* A JSON string with its quotes; bytes that are no UTF-8 become U+FFFD. */
void lochan_cli__add_json(lochan_cli_text *t, const char *s, size_t n);
/* For a terminal or a log: control characters as \n, \t, \x1b; bytes that are no UTF-8 as \xff. */
void lochan_cli__add_visible(lochan_cli_text *t, const char *s, size_t n);
void lochan_cli__free(lochan_cli_text *t);

/* Where output goes. A reader that closed its pipe early is no error: what follows is dropped. */
typedef struct lochan_cli_out {
    FILE *file;
    const char *name; /* for messages */
    lochan_cli_text text;
    bool closed;
    int failed; /* errno of the first failed write */
} lochan_cli_out;

/* Writes what has gathered once it is worth a write. False: nobody reads any more or writing fails,
 * so stop. */
bool lochan_cli__drain(lochan_cli_out *out);
/* Writes all that has gathered and frees the text; the error of any write before too. */
lochan_status lochan_cli__finish(lochan_cli_out *out, lochan_error *err);

#endif
