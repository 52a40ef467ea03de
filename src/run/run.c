/* run.c - handles of runs: ids, options, what is known of a run, the end of one.
 * Invariant: a handle touches nothing until it is used. May call: base/, arrow/, catalog/, own.h.
 */
#include "run/own.h"

#include "arrow/listing.h"
#include "base/civil.h"
#include "base/clock.h"
#include "base/mem.h"

enum { MAX_ID = 120 };

/* ---- ids ---- */

lochan_status lochan_run_check_id(const char *run_id, lochan_error *err) {
    size_t n = run_id ? strnlen(run_id, MAX_ID + 1) : 0;
    bool good =
        n > 0 && n <= MAX_ID && run_id[0] != '.' && run_id[0] != '-' && !strstr(run_id, "..");
    for (size_t i = 0; good && i < n; i++) {
        char c = run_id[i];
        good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '.' || c == '_' || c == ':' || c == '-';
    }
    if (good)
        return LOCHAN_OK;
    char shown[64];
    size_t at = 0;
    for (; run_id && at < n && at < sizeof shown - 1; at++)
        shown[at] = run_id[at] >= 32 && run_id[at] < 127 ? run_id[at] : '?';
    shown[at] = '\0';
    lochan_error__set(err, LOCHAN_ERR_SCHEMA, "'%s' is no run id", shown);
    lochan_error__hint(err,
                       "1 to %d letters, digits and . _ : -, not beginning with . or -, "
                       "without ..",
                       MAX_ID);
    return LOCHAN_ERR_SCHEMA;
}

lochan_status lochan_run_make_id(const char *prefix, char dst[81], lochan_error *err) {
    LOCHAN_CHECK_ARG(dst, err);
    dst[0] = '\0';
    uint32_t random;
    char time[40];
    const char *p = prefix ? prefix : "run";
    lochan_random__bytes(&random, sizeof random);
    lochan_civil__format_utc(lochan_clock__wall_ns(), time); /* 2026-10-30 12:00:00... */
    if (strlen(p) > 50)
        return lochan_error__set(err, LOCHAN_ERR_SCHEMA,
                                 "the prefix of a run id has at most 50 bytes");
    lochan_format(dst, 81, "%s-%.4s%.2s%.2sT%.2s%.2s%.2s-%08x", p, time, time + 5, time + 8,
                  time + 11, time + 14, time + 17, random);
    lochan_status rc = lochan_run_check_id(dst, err);
    if (rc != LOCHAN_OK)
        dst[0] = '\0';
    return rc;
}

/* ---- handles ---- */

static lochan_status read_options(const lochan_run_options *options, lochan_run_options *out,
                                  lochan_error *err) {
    static const uint8_t zero[sizeof out->reserved];
    *out = (lochan_run_options)LOCHAN_RUN_OPTIONS_INIT;
    if (options) {
        LOCHAN_CHECK_ARG(options->struct_size >= offsetof(lochan_run_options, reserved), err);
        memcpy(out, options,
               options->struct_size < sizeof *out ? options->struct_size : sizeof *out);
        LOCHAN_CHECK_ARG(memcmp(out->reserved, zero, sizeof zero) == 0, err);
    }
    LOCHAN_CHECK_ARG(out->tick_bucket_size >= 0, err);
    LOCHAN_CHECK_ARG(out->row_group_size >= 0, err);
    if (!out->compression)
        out->compression = "zstd";
    return LOCHAN_OK;
}

lochan_status lochan_run_open(lochan_lake *lake, const char *run_id,
                              const lochan_run_options *options, lochan_run **out,
                              lochan_error *err) {
    lochan_run_options o;
    LOCHAN_CHECK_ARG(out, err);
    *out = NULL;
    LOCHAN_CHECK_ARG(lake, err);
    LOCHAN_TRY(lochan_run_check_id(run_id, err));
    LOCHAN_TRY(read_options(options, &o, err));
    lochan_run *run = lochan_mem__zalloc(sizeof *run);
    if (!run)
        return lochan_error__nomem(err);
    pthread_mutex_init(&run->mutex, NULL);
    run->lake = lake;
    run->options = o;
    run->run_id = lochan_mem__strdup(run_id);
    run->codec = lochan_mem__strdup(o.compression);
    run->options.compression = run->codec;
    if (!run->run_id || !run->codec) {
        lochan_run_close(run);
        return lochan_error__nomem(err);
    }
    *out = run;
    return LOCHAN_OK;
}

void lochan_run_close(lochan_run *run) {
    if (!run)
        return;
    for (size_t i = 0; i < run->cache.n; i++)
        lochan_run_known__unref(run->cache.items[i]);
    lochan_mem__free(run->cache.items);
    lochan_mem__free(run->run_id);
    lochan_mem__free(run->codec);
    pthread_mutex_destroy(&run->mutex);
    lochan_mem__free(run);
}

const char *lochan_run_id(const lochan_run *run) {
    return run ? run->run_id : NULL;
}

lochan_status lochan_run__refuse(lochan_error *err, lochan_status rc, const char *table,
                                 const char *column, int64_t row) {
    if (rc == LOCHAN_OK)
        return LOCHAN_OK;
    if (rc == LOCHAN_ERR_VALUE || rc == LOCHAN_ERR_UNSUPPORTED || rc == LOCHAN_ERR_VALIDATION) {
        rc = LOCHAN_ERR_SCHEMA;
        if (err) {
            err->code = rc;
            if (column && !strstr(err->message, column))
                lochan_error__prefix(err, rc, "column '%.60s'", column);
        }
    }
    return lochan_error__in_table(err, rc, table, column, row);
}

lochan_status lochan_run__range(lochan_arena *arena, const char *run_id, int64_t bucket,
                                lochan_file_range *out, lochan_error *err) {
    if (bucket >= 0) {
        out->low = out->high = lochan_arena__printf(arena, "%s/%lld", run_id, (long long)bucket);
    } else { /* digits follow the slash; ':' is the byte after '9' */
        out->low = lochan_arena__printf(arena, "%s/", run_id);
        out->high = lochan_arena__printf(arena, "%s/:", run_id);
    }
    return out->low && out->high ? LOCHAN_OK : lochan_error__nomem(err);
}

/* ---- what a run is about ---- */

static lochan_status check_json(const char *parameters, lochan_error *err) {
    if (!parameters || lochan_run__is_json_object(parameters))
        return LOCHAN_OK;
    return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                             "the parameters of a run are a JSON object");
}

static lochan_status describe(const lochan_run *run, lochan_txn *txn, const char *parameters,
                              const char *seed, const char *code_version, lochan_error *err) {
    lochan_run_rows rows;
    LOCHAN_TRY(lochan_txn__run(txn, run->run_id, &rows, err));
    int64_t size = run->options.tick_bucket_size ? run->options.tick_bucket_size : 100;
    lochan_run_row row = {.run_id = run->run_id, .tick_bucket_size = size};
    if (rows.n > 0)
        row = rows.rows[0];
    row.parameters = parameters ? parameters : row.parameters;
    row.seed = seed ? seed : row.seed;
    row.code_version = code_version ? code_version : row.code_version;
    lochan_status rc = lochan_txn__put_run(txn, &row, err);
    lochan_run_rows__deinit(&rows);
    return rc;
}

lochan_status lochan_run_describe(lochan_run *run, const char *parameters, const char *seed,
                                  const char *code_version, lochan_error *err) {
    lochan_txn *txn = NULL;
    bool already;
    lochan_txn_options options = {.kind = "run"};
    LOCHAN_CHECK_ARG(run, err);
    LOCHAN_TRY(check_json(parameters, err));
    LOCHAN_TRY(lochan_lake__check_writable(run->lake, err));
    LOCHAN_TRY(lochan_txn__begin(run->lake->catalog, &options, &already, NULL, &txn, err));
    lochan_status rc = describe(run, txn, parameters, seed, code_version, err);
    if (rc != LOCHAN_OK) {
        lochan_txn__abort(txn);
        return rc;
    }
    return lochan_txn__commit(&txn, NULL, err);
}

/* ---- the list ---- */

static lochan_status list_run(lochan_listing *list, const lochan_run_row *run,
                              const lochan_run_figures_rows *figures, lochan_error *err) {
    int64_t tables = 0, parts = 0, rows = 0, bytes = 0;
    size_t low = 0, high = figures->n; /* figures are sorted by run */
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (strcmp(figures->rows[mid].run_id, run->run_id) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    for (; low < figures->n && strcmp(figures->rows[low].run_id, run->run_id) == 0; low++) {
        tables++;
        parts += figures->rows[low].files;
        rows += figures->rows[low].rows;
        bytes += figures->rows[low].bytes;
    }
    LOCHAN_TRY(lochan_listing__string(list, 0, run->run_id, err));
    LOCHAN_TRY(lochan_listing__time(list, 1, run->created_ns, err));
    LOCHAN_TRY(lochan_listing__int64(list, 2, run->tick_bucket_size, err));
    LOCHAN_TRY(lochan_listing__int64(list, 3, tables, err));
    LOCHAN_TRY(lochan_listing__int64(list, 4, parts, err));
    LOCHAN_TRY(lochan_listing__int64(list, 5, rows, err));
    LOCHAN_TRY(lochan_listing__int64(list, 6, bytes, err));
    LOCHAN_TRY(lochan_listing__string(list, 7, run->seed, err));
    LOCHAN_TRY(lochan_listing__string(list, 8, run->code_version, err));
    LOCHAN_TRY(lochan_listing__string(list, 9, run->parameters, err));
    return lochan_listing__end_row(list, err);
}

lochan_status lochan_run_list(lochan_lake *lake, struct ArrowArrayStream *out, lochan_error *err) {
    static const lochan_listing_column columns[] = {{"run_id", "string"},
                                                    {"created_at", "timestamp[us, UTC]"},
                                                    {"tick_bucket_size", "int64"},
                                                    {"tables", "int64"},
                                                    {"parts", "int64"},
                                                    {"rows", "int64"},
                                                    {"bytes", "int64"},
                                                    {"seed", "string"},
                                                    {"code_version", "string"},
                                                    {"parameters", "string"},
                                                    {NULL, NULL}};
    lochan_status rc = LOCHAN_OK;
    lochan_listing list = {0};
    lochan_run_rows runs = {0};
    lochan_run_figures_rows figures = {0};
    LOCHAN_CHECK_ARG(out, err);
    memset(out, 0, sizeof *out);
    LOCHAN_CHECK_ARG(lake, err);
    LOCHAN_TRYG(lochan_listing__init(&list, columns, err));
    LOCHAN_TRYG(lochan_catalog__runs(lake->catalog, NULL, &runs, err));
    LOCHAN_TRYG(lochan_catalog__run_figures(lake->catalog, &figures, err));
    for (size_t i = 0; i < runs.n; i++)
        LOCHAN_TRYG(list_run(&list, &runs.rows[i], &figures, err));
    LOCHAN_TRYG(lochan_listing__finish(&list, out, err));
done:
    lochan_run_figures_rows__deinit(&figures);
    lochan_run_rows__deinit(&runs);
    lochan_listing__deinit(&list);
    return rc;
}

/* ---- the end of a run ---- */

static lochan_status delete_parts(lochan_lake *lake, lochan_txn *txn, const char *run_id,
                                  int64_t *parts, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_table_names names = {0};
    lochan_arena arena;
    lochan_file_range range;
    int64_t n;
    lochan_arena__init(&arena, 1 << 16);
    LOCHAN_TRYG(lochan_run__range(&arena, run_id, -1, &range, err));
    LOCHAN_TRYG(lochan_catalog__tables(lake->catalog, -1, &names, err));
    for (size_t i = 0; i < names.n; i++) {
        if (strcmp(names.names[i].source, LOCHAN_RUN_SCHEMA) != 0)
            continue;
        LOCHAN_TRYG(lochan_txn__retire_range(txn, names.names[i].table_id, &range, &n, err));
        *parts += n;
    }
done:
    lochan_table_names__deinit(&names);
    lochan_arena__deinit(&arena);
    return rc;
}

lochan_status lochan_run_delete(lochan_lake *lake, const char *run_id, int64_t *parts,
                                lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_run_rows rows = {0};
    lochan_txn *txn = NULL;
    bool already;
    int64_t n = 0;
    lochan_txn_options options = {.kind = "run delete", .message = run_id};
    if (parts)
        *parts = 0;
    LOCHAN_CHECK_ARG(lake, err);
    LOCHAN_TRY(lochan_run_check_id(run_id, err));
    LOCHAN_TRY(lochan_lake__check_writable(lake, err));
    LOCHAN_TRYG(lochan_txn__begin(lake->catalog, &options, &already, NULL, &txn, err));
    LOCHAN_TRYG(lochan_txn__run(txn, run_id, &rows, err));
    LOCHAN_TRYG(delete_parts(lake, txn, run_id, &n, err));
    if (rows.n == 0 && n == 0) {
        rc = lochan_error__set(err, LOCHAN_ERR_NOT_FOUND, "there is no run '%s'", run_id);
        lochan_error__hint(err, "'lochan run list' shows the runs");
        goto done;
    }
    if (rows.n > 0)
        LOCHAN_TRYG(lochan_txn__delete_run(txn, run_id, err));
    LOCHAN_FAILPOINTG("run.delete.retired", err);
    LOCHAN_TRYG(lochan_txn__commit(&txn, NULL, err));
    if (parts)
        *parts = n;
done:
    lochan_txn__abort(txn);
    lochan_run_rows__deinit(&rows);
    return rc;
}
