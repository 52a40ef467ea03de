/* reader.c - a stream row by row, and the printers that need no layout: CSV, NDJSON, single
 * objects. Invariant: the stream stays the caller's; the batch under the reader is released before
 * the next one is asked for. May call: libc, value.h, <lochan/arrow.h>.
 */
#include "cli/print.h"

#include <stdlib.h>
#include <string.h>

lochan_status lochan_cli__open_reader(struct ArrowArrayStream *stream, lochan_cli_reader *out,
                                      lochan_error *err) {
    *out = (lochan_cli_reader){.stream = stream, .row = -1};
    struct ArrowSchema schema = {0};
    lochan_status rc = lochan_stream_get_schema(stream, &schema, err);
    if (rc == LOCHAN_OK)
        rc = lochan_cli__read_type(&schema, &out->type, err);
    if (schema.release)
        schema.release(&schema);
    return rc;
}

void lochan_cli__close_reader(lochan_cli_reader *reader) {
    if (reader->batch.release)
        reader->batch.release(&reader->batch);
    lochan_cli__free_type(reader->type);
    *reader = (lochan_cli_reader){0};
}

lochan_status lochan_cli__next_row(lochan_cli_reader *reader, bool *more, lochan_error *err) {
    *more = false;
    reader->row++;
    while (!reader->batch.release || reader->row >= reader->batch.length) {
        if (reader->batch.release)
            reader->batch.release(&reader->batch);
        reader->row = 0;
        lochan_status rc = lochan_stream_get_next(reader->stream, &reader->batch, err);
        if (rc != LOCHAN_OK || !reader->batch.release)
            return rc;
    }
    *more = true;
    return LOCHAN_OK;
}

int lochan_cli__find_column(const lochan_cli_reader *reader, const char *name) {
    for (size_t i = 0; i < reader->type->n_children; i++) {
        if (strcmp(reader->type->children[i]->name, name) == 0)
            return (int)i;
    }
    return -1;
}

bool lochan_cli__cell_is_null(const lochan_cli_reader *reader, size_t column) {
    return lochan_cli__is_null(reader->type->children[column], reader->batch.children[column],
                               reader->row + reader->batch.offset);
}

void lochan_cli__add_cell(lochan_cli_text *t, const lochan_cli_reader *reader, size_t column,
                          lochan_cli_style style) {
    lochan_cli__add_value(t, reader->type->children[column], reader->batch.children[column],
                          reader->row + reader->batch.offset, style);
}

/* Quotes the text from `start` on if a reader of CSV would otherwise see more or less than it. */
static void quote_csv(lochan_cli_text *t, size_t start) {
    size_t n = t->len - start;
    if (n > 0 && t->data[start] != ' ' && t->data[t->len - 1] != ' ' &&
        strcspn(t->data + start, ",\"\r\n") == n)
        return;
    char *value = lochan_cli__dup(n ? t->data + start : "", n);
    t->len = start;
    lochan_cli__addc(t, '"');
    for (size_t i = 0; i < n; i++) {
        if (value[i] == '"')
            lochan_cli__addc(t, '"');
        lochan_cli__addc(t, value[i]);
    }
    lochan_cli__addc(t, '"');
    free(value);
}

static void add_csv_header(lochan_cli_text *t, const lochan_cli_type *type) {
    for (size_t i = 0; i < type->n_children; i++) {
        if (i > 0)
            lochan_cli__addc(t, ',');
        size_t start = t->len;
        lochan_cli__adds(t, type->children[i]->name);
        quote_csv(t, start);
    }
    lochan_cli__addc(t, '\n');
}

static void add_csv_row(lochan_cli_text *t, const lochan_cli_reader *reader) {
    for (size_t i = 0; i < reader->type->n_children; i++) {
        if (i > 0)
            lochan_cli__addc(t, ',');
        if (lochan_cli__cell_is_null(reader, i)) {
            /* A line without any byte would be no row. */
            if (reader->type->n_children == 1)
                lochan_cli__adds(t, "\"\"");
            continue;
        }
        size_t start = t->len;
        lochan_cli__add_cell(t, reader, i, LOCHAN_CLI_PLAIN);
        if (!lochan_cli__is_number(reader->type->children[i]))
            quote_csv(t, start);
    }
    lochan_cli__addc(t, '\n');
}

static void add_json_row(lochan_cli_text *t, const lochan_cli_reader *reader) {
    lochan_cli__addc(t, '{');
    for (size_t i = 0; i < reader->type->n_children; i++) {
        const char *name = reader->type->children[i]->name;
        if (i > 0)
            lochan_cli__addc(t, ',');
        lochan_cli__add_json(t, name, strlen(name));
        lochan_cli__addc(t, ':');
        lochan_cli__add_cell(t, reader, i, LOCHAN_CLI_JSON);
    }
    lochan_cli__adds(t, "}\n");
}

static lochan_status print_rows(struct ArrowArrayStream *stream, bool csv, lochan_cli_out *out,
                                int64_t *rows, lochan_error *err) {
    lochan_cli_reader reader;
    bool more = true;
    *rows = 0;
    lochan_status rc = lochan_cli__open_reader(stream, &reader, err);
    if (rc == LOCHAN_OK && csv)
        add_csv_header(&out->text, reader.type);
    while (rc == LOCHAN_OK && lochan_cli__drain(out)) {
        rc = lochan_cli__next_row(&reader, &more, err);
        if (rc != LOCHAN_OK || !more)
            break;
        if (csv)
            add_csv_row(&out->text, &reader);
        else
            add_json_row(&out->text, &reader);
        (*rows)++;
    }
    lochan_cli__close_reader(&reader);
    return rc;
}

lochan_status lochan_cli__print_csv(struct ArrowArrayStream *stream, lochan_cli_out *out,
                                    int64_t *rows, lochan_error *err) {
    return print_rows(stream, true, out, rows, err);
}

lochan_status lochan_cli__print_ndjson(struct ArrowArrayStream *stream, lochan_cli_out *out,
                                       int64_t *rows, lochan_error *err) {
    return print_rows(stream, false, out, rows, err);
}

lochan_status lochan_cli__print_list(lochan_cli *cli, struct ArrowArrayStream *stream,
                                     const lochan_cli_column *columns, const char *nothing) {
    lochan_cli_out out = {.file = stdout, .name = "standard output"};
    int64_t rows = 0;
    lochan_status rc =
        cli->json ? lochan_cli__print_ndjson(stream, &out, &rows, &cli->err)
                  : lochan_cli__print_table(stream, columns, -1, &out, &rows, NULL, &cli->err);
    if (rc == LOCHAN_OK && rows == 0) {
        out.text.len = 0; /* no header without rows */
        lochan_cli__note(cli, "%s", nothing);
    }
    lochan_error later;
    lochan_status written = lochan_cli__finish(&out, rc == LOCHAN_OK ? &cli->err : &later);
    if (stream->release)
        stream->release(stream);
    return rc == LOCHAN_OK ? written : rc;
}

char **lochan_cli__read_texts(struct ArrowArrayStream *stream, const char *const *columns,
                              size_t n_columns, char between, size_t *n) {
    lochan_cli_reader reader;
    lochan_error ignored;
    char **texts = NULL;
    bool more = true;
    *n = 0;
    lochan_status rc = lochan_cli__open_reader(stream, &reader, &ignored);
    while (rc == LOCHAN_OK) {
        rc = lochan_cli__next_row(&reader, &more, &ignored);
        if (rc != LOCHAN_OK || !more)
            break;
        lochan_cli_text t = {0};
        lochan_cli__add(&t, "", 0);
        for (size_t i = 0; i < n_columns; i++) {
            int column = lochan_cli__find_column(&reader, columns[i]);
            if (i > 0)
                lochan_cli__addc(&t, between);
            if (column >= 0)
                lochan_cli__add_cell(&t, &reader, (size_t)column, LOCHAN_CLI_PLAIN);
        }
        texts = lochan_cli__grow(texts, *n + 1, sizeof *texts);
        texts[(*n)++] = t.data;
    }
    lochan_cli__close_reader(&reader);
    return texts;
}

static void put_key(lochan_cli_object *o, const char *key) {
    lochan_cli__addf(&o->text, "%s\"%s\":", o->text.len ? "," : "{", key);
}

void lochan_cli__put_text(lochan_cli_object *o, const char *key, const char *value) {
    put_key(o, key);
    if (value)
        lochan_cli__add_json(&o->text, value, strlen(value));
    else
        lochan_cli__adds(&o->text, "null");
}

void lochan_cli__put_int(lochan_cli_object *o, const char *key, int64_t value) {
    put_key(o, key);
    lochan_cli__addf(&o->text, "%lld", (long long)value);
}

void lochan_cli__put_double(lochan_cli_object *o, const char *key, double value) {
    put_key(o, key);
    lochan_cli__addf(&o->text, "%.6g", value);
}

void lochan_cli__put_bool(lochan_cli_object *o, const char *key, bool value) {
    put_key(o, key);
    lochan_cli__adds(&o->text, value ? "true" : "false");
}

lochan_status lochan_cli__print_text(lochan_cli_text *t, lochan_error *err) {
    lochan_cli_out out = {.file = stdout, .name = "standard output", .text = *t};
    *t = (lochan_cli_text){0};
    return lochan_cli__finish(&out, err);
}

lochan_status lochan_cli__print_object(lochan_cli_object *o, lochan_error *err) {
    lochan_cli__adds(&o->text, o->text.len ? "}\n" : "{}\n");
    return lochan_cli__print_text(&o->text, err);
}
