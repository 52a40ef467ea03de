/* terminal.h - what the terminal is like, how wide text is on it, and numbers for people.
 * Invariants: text is taken as UTF-8 whatever the locale. May call: libc.
 */
#ifndef LOCHAN_CLI_TERMINAL_H
#define LOCHAN_CLI_TERMINAL_H

#include "cli/text.h"

#include <stdint.h>

/* A terminal that understands cursor movements (not TERM=dumb). fd is 1 or 2. */
bool lochan_cli__is_terminal(int fd);
/* Columns of the terminal, 80 if unknown. */
int lochan_cli__columns(int fd);

/* Decodes one character; its bytes, 0 if they are no UTF-8. */
size_t lochan_cli__utf8(const char *s, size_t n, uint32_t *code);
/* Cells on the screen. */
int lochan_cli__width(const char *s, size_t n);
/* Bytes of s that fill at most `cells` cells. */
size_t lochan_cli__fit(const char *s, size_t n, int cells);

/* "221,702"; "1.9 MB" (powers of 1,000); "0.42 s", "2 min 5 s", "1 h 3 min". */
void lochan_cli__add_count(lochan_cli_text *t, int64_t n);
void lochan_cli__add_bytes(lochan_cli_text *t, int64_t bytes);
void lochan_cli__add_seconds(lochan_cli_text *t, double seconds);

/* Seconds since some moment. */
double lochan_cli__now(void);

#endif
