/* run_env.h - a lake in a temporary folder, rows written as text, and what a scan gives as text,
 * for the tests of run/. A schema is written "tick:l agent:u p{a:l b:g}" (Arrow formats; "+" after
 * a format: not nullable), a row as its leaves from left to right, "-" for null.
 */
#ifndef TEST_RUN_RUN_ENV_H
#define TEST_RUN_RUN_ENV_H

#include "arrow/builder.h"
#include "arrow/view.h"
#include "run/own.h"
#include "support/cmocka_all.h"
#include "support/tmpdir.h"

#include <ctype.h>
#include <lochan/lochan.h>
#include <stdio.h>

#define HOLDINGS   "tick:l agent_id:u token_id:u quantity:l"
#define EXCHANGE   "tick:l venue_id:u token_id:u exchange_event_type:u additional_payload"
#define TRADE(...) "v t trade " __VA_ARGS__

typedef struct run_env {
    char *dir;
    char path[512];
    lochan_lake *lake;
    char *text; /* of the last scan */
    lochan_append_summary summary;
} run_env;

static inline void env_open(run_env *env) {
    lochan_error err;
    lochan_lake_options o = LOCHAN_LAKE_OPTIONS_INIT;
    o.threads = 1;
    assert_ok(lochan_lake_open(env->path, &o, &env->lake, &err));
}

static inline void env_close(run_env *env) {
    lochan_lake_close(env->lake);
    env->lake = NULL;
    lochan_append_summary_deinit(&env->summary);
    free(env->text);
    env->text = NULL;
}

static inline int env_setup(void **state) {
    lochan_error err;
    run_env *env = calloc(1, sizeof *env);
    env->dir = tmpdir_make("run");
    snprintf(env->path, sizeof env->path, "%s/lake", env->dir);
    assert_ok(lochan_lake_init(env->path, NULL, &err));
    env_open(env);
    *state = env;
    return 0;
}

static inline int env_teardown(void **state) {
    run_env *env = *state;
    env_close(env);
    tmpdir_remove(env->dir);
    free(env);
    return 0;
}

/* ---- rows from text ---- */

static inline int64_t count_fields(const char *p) {
    int64_t n = 0, depth = 0;
    bool in_word = false;
    for (; *p && depth >= 0; p++) {
        bool word = !isspace((unsigned char)*p) && *p != '{' && *p != '}';
        n += word && !in_word && depth == 0;
        in_word = word || (in_word && *p == '{');
        if (*p == '{')
            depth++;
        if (*p == '}') {
            depth--;
            in_word = false;
        }
    }
    return n;
}

static inline lochan_status parse_field(const char **p, struct ArrowSchema *out,
                                        lochan_error *err) {
    char name[64], format[16] = "";
    size_t n = 0;
    while (isspace((unsigned char)**p))
        (*p)++;
    while (**p && !isspace((unsigned char)**p) && **p != ':' && **p != '{' && **p != '}')
        name[n++] = *(*p)++;
    name[n] = 0;
    if (**p == '{') {
        lochan_type type = {.id = LOCHAN_TYPE_STRUCT};
        (*p)++;
        LOCHAN_TRY(lochan_schema__set_nested(out, name, &type, true, count_fields(*p), err));
        for (int64_t i = 0; i < out->n_children; i++)
            LOCHAN_TRY(parse_field(p, out->children[i], err));
        while (**p != '}')
            (*p)++;
        (*p)++;
        return LOCHAN_OK;
    }
    (*p)++;
    for (n = 0; **p && !isspace((unsigned char)**p) && **p != '}' && **p != '+';)
        format[n++] = *(*p)++;
    bool nullable = **p != '+';
    if (!nullable)
        (*p)++;
    lochan_type type;
    LOCHAN_TRY(lochan_type__parse(format, &type, err));
    return lochan_schema__set_field(out, name, &type, nullable, err);
}

static inline lochan_status parse_schema(const char *text, struct ArrowSchema *out,
                                         lochan_error *err) {
    LOCHAN_TRY(lochan_schema__init_struct(out, count_fields(text), err));
    for (int64_t i = 0; i < out->n_children; i++)
        LOCHAN_TRY(parse_field(&text, out->children[i], err));
    return LOCHAN_OK;
}

static inline lochan_status add_value(lochan_builder *b, const struct ArrowSchema *field,
                                      const char **p, lochan_error *err) {
    if (strcmp(field->format, "+s") == 0) {
        for (int64_t i = 0; i < field->n_children; i++)
            LOCHAN_TRY(add_value(lochan_builder__child(b, i), field->children[i], p, err));
        return lochan_builder__end_row(b, err);
    }
    char word[256];
    size_t n = 0;
    while (**p == ' ')
        (*p)++;
    while (**p && **p != ' ' && **p != '\n')
        word[n++] = *(*p)++;
    word[n] = 0;
    if (strcmp(word, "-") == 0)
        return lochan_builder__null(b, err);
    if (*field->format == 'u' || *field->format == 'U')
        return lochan_builder__bytes_value(b, word, n, err);
    if (*field->format == 'g')
        return lochan_builder__double(b, strtod(word, NULL), err);
    return lochan_builder__int64(b, strtoll(word, NULL, 10), err);
}

static inline lochan_status make_rows(const char *schema_text, const char *text,
                                      struct ArrowArrayStream *out, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    struct ArrowSchema schema = {0};
    struct ArrowArray rows = {0};
    lochan_builder *b = NULL;
    memset(out, 0, sizeof *out);
    LOCHAN_TRYG(parse_schema(schema_text, &schema, err));
    LOCHAN_TRYG(lochan_builder__create(&schema, &b, err));
    while (*text) {
        for (int64_t i = 0; i < schema.n_children; i++)
            LOCHAN_TRYG(add_value(lochan_builder__child(b, i), schema.children[i], &text, err));
        LOCHAN_TRYG(lochan_builder__end_row(b, err));
        while (*text == '\n' || *text == ' ')
            text++;
    }
    LOCHAN_TRYG(lochan_builder__finish(b, &rows, err));
    LOCHAN_TRYG(lochan_stream__of_batches(&schema, &rows, 1, out, err));
done:
    lochan_builder__free(b);
    lochan_schema__release(&schema);
    lochan_array__release(&rows);
    return rc;
}

/* ---- appending and reading ---- */

static inline lochan_status env_try_append(run_env *env, const char *run_id, const char *table,
                                           const char *schema, const char *rows,
                                           const lochan_append_options *options,
                                           lochan_error *err) {
    lochan_run *run = NULL;
    struct ArrowArrayStream stream;
    lochan_append_summary_deinit(&env->summary);
    LOCHAN_TRY(make_rows(schema, rows, &stream, err));
    lochan_status rc = lochan_run_open(env->lake, run_id, NULL, &run, err);
    if (rc == LOCHAN_OK)
        rc = lochan_run_append(run, table, &stream, options, &env->summary, err);
    else
        lochan_stream__release(&stream);
    lochan_run_close(run);
    return rc;
}

static inline void env_append(run_env *env, const char *run_id, const char *table,
                              const char *schema, const char *rows) {
    lochan_error err;
    assert_ok(env_try_append(env, run_id, table, schema, rows, NULL, &err));
}

/* The append is refused with SCHEMA, and the message says this. */
static inline void env_refused(run_env *env, const char *table, const char *schema,
                               const char *rows, const lochan_append_options *options,
                               const char *says) {
    lochan_error err;
    lochan_error_init(&err);
    lochan_status rc = env_try_append(env, "r", table, schema, rows, options, &err);
    if (rc != LOCHAN_ERR_SCHEMA || !strstr(err.message, says))
        fail_msg("%s: %s (expected: %s)", lochan_status_name(rc), err.message, says);
    assert_int_equal(env->summary.stage, LOCHAN_APPEND_CHECK);
}

static inline lochan_status drain_text(struct ArrowArrayStream *stream, char **out,
                                       lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    struct ArrowSchema schema = {0};
    struct ArrowArray batch = {0};
    lochan_buf buf;
    lochan_view view = {0};
    lochan_buf__init(&buf, 1 << 26);
    LOCHAN_TRYG(lochan_stream__schema(stream, &schema, err));
    for (;;) {
        LOCHAN_TRYG(lochan_stream__next(stream, &batch, err));
        if (!batch.release)
            break;
        LOCHAN_TRYG(lochan_array__check(&schema, &batch, err));
        for (int64_t i = 0; i < batch.length; i++) {
            for (int64_t c = 0; c < schema.n_children; c++) {
                LOCHAN_TRYG(lochan_view__init(&view, schema.children[c], batch.children[c], err));
                if (c > 0)
                    LOCHAN_TRYG(lochan_buf__putc(&buf, ' ', err));
                if (lochan_view__is_null(&view, i))
                    LOCHAN_TRYG(lochan_buf__putc(&buf, '-', err));
                else
                    LOCHAN_TRYG(lochan_view__print(&view, i, &buf, err));
                lochan_view__deinit(&view);
            }
            LOCHAN_TRYG(lochan_buf__putc(&buf, '\n', err));
        }
        lochan_array__release(&batch);
    }
    free(*out);
    *out = strdup(buf.data ? (const char *)buf.data : "");
done:
    lochan_view__deinit(&view);
    lochan_buf__deinit(&buf);
    lochan_array__release(&batch);
    lochan_schema__release(&schema);
    lochan_stream__release(stream);
    return rc;
}

static inline lochan_status env_try_scan(run_env *env, const char *run_id, const char *table,
                                         const lochan_run_scan_options *options,
                                         lochan_error *err) {
    lochan_run *run = NULL;
    struct ArrowArrayStream stream;
    LOCHAN_TRY(lochan_run_open(env->lake, run_id, NULL, &run, err));
    lochan_status rc = lochan_run_scan(run, table, options, &stream, err);
    if (rc == LOCHAN_OK)
        rc = drain_text(&stream, &env->text, err);
    lochan_run_close(run);
    return rc;
}

static inline const char *env_scan(run_env *env, const char *run_id, const char *table) {
    lochan_error err;
    assert_ok(env_try_scan(env, run_id, table, NULL, &err));
    return env->text;
}

/* Snapshots of the lake so far, and that it is whole. */
static inline int64_t env_snapshot(run_env *env) {
    lochan_error err;
    lochan_snapshot s;
    assert_ok(lochan_catalog__snapshot_at(env->lake->catalog, NULL, &s, &err));
    return s.id;
}

static inline void env_verify(run_env *env) {
    lochan_error err;
    lochan_verify_options o = LOCHAN_VERIFY_OPTIONS_INIT;
    lochan_verify_report report;
    struct ArrowArrayStream problems = {0};
    o.deep = true;
    assert_ok(lochan_lake_verify(env->lake, &o, &report, &problems, &err));
    char *text = NULL;
    assert_ok(drain_text(&problems, &text, &err));
    if (report.problems != 0)
        fail_msg("%s", text);
    free(text);
}

#endif
