/* print.h - Arrow streams as tables, CSV and NDJSON. The caller releases the stream. May call:
 * libc, value.h. */
#ifndef LOCHAN_CLI_PRINT_H
#define LOCHAN_CLI_PRINT_H

#include "cli/cli.h"
#include "cli/text.h"
#include "cli/value.h"

/* A stream being read row by row. */
typedef struct lochan_cli_reader {
    struct ArrowArrayStream *stream;
    lochan_cli_type *type; /* of a row: a struct */
    struct ArrowArray batch;
    int64_t row; /* in the batch; -1 before the first */
} lochan_cli_reader;

lochan_status lochan_cli__open_reader(struct ArrowArrayStream *stream, lochan_cli_reader *out,
                                      lochan_error *err);
/* Moves to the next row; *more = false at the end. */
lochan_status lochan_cli__next_row(lochan_cli_reader *reader, bool *more, lochan_error *err);
void lochan_cli__close_reader(lochan_cli_reader *reader);
/* Index of a column, -1 if there is none. */
int lochan_cli__find_column(const lochan_cli_reader *reader, const char *name);
bool lochan_cli__cell_is_null(const lochan_cli_reader *reader, size_t column);
void lochan_cli__add_cell(lochan_cli_text *t, const lochan_cli_reader *reader, size_t column,
                          lochan_cli_style style);

/* How people read a column. */
typedef enum lochan_cli_how {
    LOCHAN_CLI_AS_IT_IS,
    LOCHAN_CLI_AS_COUNT,   /* 221,702 */
    LOCHAN_CLI_AS_BYTES,   /* 1.9 MB */
    LOCHAN_CLI_AS_SECONDS, /* a timestamp without fractions, a number of seconds */
    LOCHAN_CLI_IF_ANY = 16 /* added to one of these: the column is left out of a table in which it
                              holds nothing but nulls, zeros and empty texts */
} lochan_cli_how;

typedef struct lochan_cli_column {
    const char *name; /* in the stream; a column that is not there is left out */
    const char *title;
    int how; /* a lochan_cli_how, perhaps with LOCHAN_CLI_IF_ANY */
} lochan_cli_column;

/* columns: ended by a name NULL; NULL = all as they are. At most `limit` rows (-1 = all); *rows =
 * printed, *more = there were others (may be NULL). */
lochan_status lochan_cli__print_table(struct ArrowArrayStream *stream,
                                      const lochan_cli_column *columns, int64_t limit,
                                      lochan_cli_out *out, int64_t *rows, bool *more,
                                      lochan_error *err);
/* RFC 4180 with a header line, lines ended by \n. Null is nothing, an empty text is "". */
lochan_status lochan_cli__print_csv(struct ArrowArrayStream *stream, lochan_cli_out *out,
                                    int64_t *rows, lochan_error *err);
/* One object a line. */
lochan_status lochan_cli__print_ndjson(struct ArrowArrayStream *stream, lochan_cli_out *out,
                                       int64_t *rows, lochan_error *err);
/* A list for the user: NDJSON with --json, else a table, or `nothing` on stderr if it is empty.
 * Releases the stream. */
lochan_status lochan_cli__print_list(lochan_cli *cli, struct ArrowArrayStream *stream,
                                     const lochan_cli_column *columns, const char *nothing);

/* cmd_status.c: the argument [SOURCE[/DATASET]] and --source of lists; NULL means all. Opens the
 * lake for reading. */
typedef struct lochan_cli_filter {
    lochan_cli_name name;
    const char *source;
    const char *dataset;
} lochan_cli_filter;
lochan_status lochan_cli__open_filtered(lochan_cli *cli, lochan_cli_use use, lochan_cli_filter *f);

/* The named columns of every row joined by `between`; free each and the array. NULL after an error.
 */
char **lochan_cli__read_texts(struct ArrowArrayStream *stream, const char *const *columns,
                              size_t n_columns, char between, size_t *n);

/* One JSON object on stdout. */
typedef struct lochan_cli_object {
    lochan_cli_text text;
} lochan_cli_object;
void lochan_cli__put_text(lochan_cli_object *o, const char *key,
                          const char *value); /* NULL: null */
void lochan_cli__put_int(lochan_cli_object *o, const char *key, int64_t value);
void lochan_cli__put_double(lochan_cli_object *o, const char *key, double value);
void lochan_cli__put_bool(lochan_cli_object *o, const char *key, bool value);
/* Closes the object, prints and frees it. */
lochan_status lochan_cli__print_object(lochan_cli_object *o, lochan_error *err);
/* Prints a text to stdout and frees it. */
lochan_status lochan_cli__print_text(lochan_cli_text *t, lochan_error *err);

/* cmd_scan.c: rows of a scan, as --format, --output, --overwrite, --chart and --json ask for them.
 */
typedef struct lochan_cli_rows {
    int format;
    const char *output; /* NULL = standard output */
    bool look;          /* a terminal that gets the first rows only */
    int64_t limit;
} lochan_cli_rows;
/* Before the stream is made: *limit < 0 becomes that of a look, if it is one. */
lochan_status lochan_cli__choose_rows(lochan_cli *cli, int64_t *limit, lochan_cli_rows *out);
/* Releases the stream. */
lochan_status lochan_cli__give_rows(lochan_cli *cli, struct ArrowArrayStream *stream,
                                    const lochan_cli_rows *how);

#endif
