/* cmd_update.c - lochan update, lochan backfill.
 * Invariant: the report is printed on every outcome but a wrong use, then the error if there is
 * one. May call: cli.h, print.h, progress.h, terminal.h.
 */
#include "cli/commands.h"
#include "cli/print.h"
#include "cli/progress.h"
#include "cli/terminal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static lochan_status read_numbers(lochan_cli *cli, lochan_update_request *request) {
    int64_t workers = 0, batch = 0, retries = -1;
    lochan_status rc = lochan_cli__int_value(cli, "workers", 1, 256, &workers);
    if (rc == LOCHAN_OK)
        rc = lochan_cli__int_value(cli, "batch-size", 1, 1000000, &batch);
    if (rc == LOCHAN_OK)
        rc = lochan_cli__int_value(cli, "max-retries", 0, 100, &retries);
    if (rc == LOCHAN_OK)
        rc = lochan_cli__double_value(cli, "retry-backoff", 0, 3600,
                                      &request->retry_backoff_seconds);
    request->workers = (int32_t)workers;
    request->batch_size = (int32_t)batch;
    request->max_retries = (int32_t)retries;
    return rc;
}

static lochan_status read_request(lochan_cli *cli, bool backfill, lochan_update_request *request) {
    request->start = lochan_cli__value(cli, "start");
    request->end = lochan_cli__value(cli, "end");
    request->force = lochan_cli__has(cli, "force");
    request->repair = lochan_cli__has(cli, "repair");
    request->dry_run = lochan_cli__has(cli, "dry-run");
    request->token = lochan_cli__value(cli, "token");
    request->validate = lochan_cli__value(cli, "validate");
    request->record = lochan_cli__value(cli, "record");
    request->backfill = backfill;
    if (backfill && (!request->start || !request->end)) {
        lochan_cli__fail(&cli->err, LOCHAN_ERR_INVALID_ARGUMENT,
                         "backfill needs --start and --end");
        lochan_cli__hint(&cli->err, "'lochan update' goes on where the data ends");
        return cli->err.code;
    }
    if (request->force && request->repair)
        return lochan_cli__fail(&cli->err, LOCHAN_ERR_INVALID_ARGUMENT,
                                "--force and --repair exclude each other");
    if (request->dry_run && lochan_cli__has(cli, "explain"))
        return lochan_cli__fail(&cli->err, LOCHAN_ERR_INVALID_ARGUMENT,
                                "--dry-run fetches nothing, so --explain has nothing to tell");
    return read_numbers(cli, request);
}

/* ---- the report ---- */

static lochan_status print_json(const lochan_cli_name *name, const lochan_update_request *request,
                                const lochan_update_report *r, lochan_status status,
                                const char *final_to, lochan_error *err) {
    static const struct {
        lochan_stage stage;
        const char *key;
    } stages[] = {{LOCHAN_STAGE_PLAN, "plan_seconds"},
                  {LOCHAN_STAGE_FETCH, "fetch_seconds"},
                  {LOCHAN_STAGE_NORMALISE, "normalise_seconds"},
                  {LOCHAN_STAGE_WRITE, "write_seconds"},
                  {LOCHAN_STAGE_PUBLISH, "publish_seconds"}};
    lochan_cli_object o = {0};
    lochan_cli__put_text(&o, "source", name->source);
    lochan_cli__put_text(&o, "dataset", name->dataset);
    lochan_cli__put_text(&o, "kind", request->backfill ? "backfill" : "update");
    lochan_cli__put_text(&o, "status", lochan_status_name(status));
    lochan_cli__put_bool(&o, "dry_run", request->dry_run);
    lochan_cli__put_bool(&o, "nothing_to_do", r->nothing_to_do);
    lochan_cli__put_text(&o, "covered_to", final_to);
    lochan_cli__put_text(&o, "update_id", r->update_id[0] ? r->update_id : NULL);
    lochan_cli__put_int(&o, "snapshot_id", r->snapshot_id);
    const struct {
        const char *key;
        int64_t value;
    } numbers[] = {{"scopes", r->scopes},
                   {"scopes_failed", r->scopes_failed},
                   {"requests", r->requests},
                   {"pages", r->pages},
                   {"pages_resumed", r->pages_resumed},
                   {"retries", r->retries},
                   {"failures", r->failures},
                   {"rows_fetched", r->rows_fetched},
                   {"rows_new", r->rows_new},
                   {"rows_replaced", r->rows_replaced},
                   {"rows_unchanged", r->rows_unchanged},
                   {"rows_duplicate", r->rows_duplicate},
                   {"rows_rejected", r->rows_rejected},
                   {"rows_filtered", r->rows_filtered},
                   {"rows_removed", r->rows_removed},
                   {"rows_warned", r->rows_warned},
                   {"partitions_written", r->partitions_written},
                   {"partitions_skipped", r->partitions_skipped},
                   {"files_written", r->files_written},
                   {"bytes_fetched", r->bytes_fetched},
                   {"bytes_written", r->bytes_written}};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        lochan_cli__put_int(&o, numbers[i].key, numbers[i].value);
    for (size_t i = 0; i < sizeof stages / sizeof *stages; i++)
        lochan_cli__put_double(&o, stages[i].key, r->stage_seconds[stages[i].stage]);
    lochan_cli__put_double(&o, "seconds", r->seconds);
    return lochan_cli__print_object(&o, err);
}

static void add_rows(lochan_cli_text *t, int64_t n, const char *what) {
    if (n == 0)
        return;
    lochan_cli__adds(t, ", ");
    lochan_cli__add_count(t, n);
    lochan_cli__addf(t, " %s", what);
}

static void add_fetched(lochan_cli_text *t, const lochan_update_report *r) {
    lochan_cli__adds(t, "  fetched    ");
    lochan_cli__add_count(t, r->rows_fetched);
    lochan_cli__adds(t, " rows, ");
    lochan_cli__add_bytes(t, r->bytes_fetched);
    lochan_cli__addf(t, ", in %lld %s", (long long)r->pages, r->pages == 1 ? "page" : "pages");
    if (r->pages_resumed > 0)
        lochan_cli__addf(t, " (%lld of them kept from an earlier try)",
                         (long long)r->pages_resumed);
    if (r->retries > 0)
        lochan_cli__addf(t, ", %lld retries", (long long)r->retries);
    lochan_cli__adds(t, "\n  rows       ");
    lochan_cli__add_count(t, r->rows_new);
    lochan_cli__adds(t, " new");
    add_rows(t, r->rows_replaced, "replaced");
    add_rows(t, r->rows_unchanged, "unchanged");
    add_rows(t, r->rows_duplicate, "duplicate");
    add_rows(t, r->rows_rejected, "rejected");
    add_rows(t, r->rows_filtered, "outside of the window asked for");
    add_rows(t, r->rows_removed, "removed");
    add_rows(t, r->rows_warned, "with a warning");
    lochan_cli__adds(t, "\n  written    ");
    if (r->files_written == 0) {
        lochan_cli__adds(t, "nothing");
    } else {
        lochan_cli__addf(t, "%lld %s, ", (long long)r->files_written,
                         r->files_written == 1 ? "file" : "files");
        lochan_cli__add_bytes(t, r->bytes_written);
    }
    if (r->partitions_skipped > 0)
        lochan_cli__addf(t, " (%lld partitions unchanged)", (long long)r->partitions_skipped);
    if (r->snapshot_id >= 0)
        lochan_cli__addf(t, "; snapshot %lld", (long long)r->snapshot_id);
    if (r->scopes_failed > 0)
        lochan_cli__addf(t, "\n  failed     %lld of %lld scopes", (long long)r->scopes_failed,
                         (long long)r->scopes);
    lochan_cli__adds(t, "\n  took       ");
    lochan_cli__add_seconds(t, r->seconds);
    lochan_cli__addc(t, '\n');
}

static lochan_status print_text(const lochan_cli *cli, const lochan_cli_name *name,
                                const lochan_update_request *request, const lochan_update_report *r,
                                lochan_status status, const char *final_to, lochan_error *err) {
    lochan_cli_text t = {0};
    if (cli->quiet || (status != LOCHAN_OK && status != LOCHAN_ERR_PARTIAL))
        return LOCHAN_OK; /* the error says it all */
    lochan_cli__addf(&t, "%s/%s: ", name->source, name->dataset);
    if (r->nothing_to_do) {
        lochan_cli__adds(&t, "nothing to do, ");
        if (final_to)
            lochan_cli__addf(&t, "the data is final up to %s\n", final_to);
        else
            lochan_cli__adds(&t, "all that was asked for is final\n");
    } else if (request->dry_run) {
        lochan_cli__addf(&t, "would ask for %lld %s; nothing was asked or written\n",
                         (long long)r->scopes, r->scopes == 1 ? "scope" : "scopes");
    } else {
        lochan_cli__adds(&t, status == LOCHAN_OK ? "updated" : "updated in part");
        if (final_to)
            lochan_cli__addf(&t, ", final up to %s", final_to);
        lochan_cli__addc(&t, '\n');
        add_fetched(&t, r);
    }
    return lochan_cli__print_text(&t, err);
}

/* covered_to of the dataset as text, NULL if nothing is final or it cannot be told. Free it. */
static char *read_final_to(lochan_cli *cli, const lochan_cli_name *name) {
    static const char *const columns[] = {"covered_to"};
    struct ArrowArrayStream stream = {0};
    lochan_error ignored;
    size_t n = 0;
    if (lochan_status_datasets(cli->lake, name->source, name->dataset, &stream, &ignored) !=
        LOCHAN_OK)
        return NULL;
    char **texts = lochan_cli__read_texts(&stream, columns, 1, ' ', &n);
    stream.release(&stream);
    char *first = n > 0 ? texts[0] : NULL;
    for (size_t i = 1; i < n; i++)
        free(texts[i]);
    free(texts);
    if (first && !first[0]) {
        free(first);
        first = NULL;
    }
    return first;
}

/* ---- before the merge ---- */

struct watch {
    lochan_cli_progress progress; /* first: lochan_cli__on_update reads it */
    lochan_cli *cli;
};

static void print_plan_json(const lochan_update_plan *plan) {
    lochan_cli_object o = {0};
    lochan_error ignored;
    lochan_cli__put_text(&o, "source", plan->source);
    lochan_cli__put_text(&o, "dataset", plan->dataset);
    lochan_cli__put_bool(&o, "explain", true);
    lochan_cli__put_int(&o, "rows", plan->rows);
    lochan_cli__put_int(&o, "partitions", plan->partitions);
    lochan_cli__put_int(&o, "files", plan->files);
    lochan_cli__put_int(&o, "files_bytes", plan->files_bytes);
    lochan_cli__put_int(&o, "row_groups", plan->row_groups);
    lochan_cli__put_int(&o, "memory_bytes", plan->memory_bytes);
    lochan_cli__put_int(&o, "spilled_bytes", plan->spilled_bytes);
    (void)lochan_cli__print_object(&o, &ignored);
}

static void print_plan_text(const lochan_update_plan *plan) {
    lochan_cli_text t = {0};
    lochan_error ignored;
    lochan_cli__addf(&t, "%s/%s: the merge has ", plan->source, plan->dataset);
    lochan_cli__add_count(&t, plan->rows);
    lochan_cli__addf(&t, " rows for %lld %s and touches %lld %s", (long long)plan->partitions,
                     plan->partitions == 1 ? "partition" : "partitions", (long long)plan->files,
                     plan->files == 1 ? "file" : "files");
    if (plan->files > 0) {
        lochan_cli__adds(&t, " of ");
        lochan_cli__add_bytes(&t, plan->files_bytes);
        lochan_cli__addf(&t, ", of which it decodes %lld %s", (long long)plan->row_groups,
                         plan->row_groups == 1 ? "row group" : "row groups");
    }
    lochan_cli__adds(&t, "; memory ");
    lochan_cli__add_bytes(&t, plan->memory_bytes);
    if (plan->spilled_bytes > 0) {
        lochan_cli__adds(&t, ", on disk ");
        lochan_cli__add_bytes(&t, plan->spilled_bytes);
    }
    lochan_cli__addc(&t, '\n');
    (void)lochan_cli__print_text(&t, &ignored);
}

/* At once: who looks may still press Ctrl-C. */
static void on_plan(void *payload, const lochan_update_plan *plan) {
    const struct watch *watch = payload;
    lochan_cli__wipe_progress();
    if (watch->cli->json)
        print_plan_json(plan);
    else if (!watch->cli->quiet)
        print_plan_text(plan);
    fflush(stdout);
}

static lochan_status update_dataset(lochan_cli *cli, const lochan_cli_name *name,
                                    lochan_update_request *request) {
    lochan_update_report report = {.struct_size = sizeof report, .snapshot_id = -1};
    struct watch watch = {.cli = cli};
    char what[520];
    snprintf(what, sizeof what, "%s/%s", name->source, name->dataset);
    lochan_cli__start_progress(&watch.progress, cli, what);
    request->progress = lochan_cli__on_update;
    request->payload = &watch;
    if (lochan_cli__has(cli, "explain"))
        request->explain = on_plan;
    lochan_status rc = lochan_update_run(cli->lake, request, &report, &cli->err);
    lochan_cli__wipe_progress();
    if (rc == LOCHAN_ERR_CANCELLED && report.pages > 0)
        lochan_cli__hint(&cli->err,
                         "the lake is as it was; run the same command again: %lld staged %s kept",
                         (long long)report.pages, report.pages == 1 ? "page is" : "pages are");
    if (rc == LOCHAN_ERR_NOT_FOUND)
        lochan_cli__hint_dataset(cli, name);
    if (rc == LOCHAN_ERR_INVALID_ARGUMENT || rc == LOCHAN_ERR_NOT_FOUND || rc == LOCHAN_ERR_LOCKED)
        return rc; /* nothing began */
    char *final_to = rc == LOCHAN_OK ? read_final_to(cli, name) : NULL;
    lochan_error later;
    lochan_error *err = rc == LOCHAN_OK ? &cli->err : &later;
    lochan_status printed = cli->json ? print_json(name, request, &report, rc, final_to, err)
                                      : print_text(cli, name, request, &report, rc, final_to, err);
    free(final_to);
    return rc == LOCHAN_OK ? printed : rc;
}

/* ---- many ---- */

static void on_done(void *payload, const lochan_update_result *result) {
    lochan_cli *cli = payload;
    lochan_update_request shown = LOCHAN_UPDATE_REQUEST_INIT;
    lochan_cli_name name;
    lochan_error ignored;
    snprintf(name.source, sizeof name.source, "%s", result->source);
    snprintf(name.dataset, sizeof name.dataset, "%s", result->dataset);
    if (cli->json)
        (void)print_json(&name, &shown, result->report, result->status, NULL, &ignored);
    else
        (void)print_text(cli, &name, &shown, result->report, result->status, NULL, &ignored);
    if (result->status != LOCHAN_OK && !cli->json)
        fprintf(stderr, "%s/%s: %s: %s\n", result->source, result->dataset,
                lochan_status_name(result->status), result->error->message);
}

static lochan_status update_many(lochan_cli *cli, lochan_update_request *request) {
    struct watch watch = {.cli = cli};
    lochan_update_many which = LOCHAN_UPDATE_MANY_INIT;
    int64_t parallel = 0;
    which.source = lochan_cli__value(cli, "source");
    which.datasets = (const char *const *)cli->args;
    which.n_datasets = (size_t)cli->n_args;
    which.stop_on_failure = lochan_cli__has(cli, "stop-on-failure");
    which.on_done = on_done;
    which.payload = cli;
    request->payload = &watch;
    if (lochan_cli__has(cli, "explain"))
        request->explain = on_plan;
    lochan_status rc = lochan_cli__int_value(cli, "parallel", 1, 32, &parallel);
    if (rc != LOCHAN_OK)
        return rc;
    which.parallel = (int32_t)parallel;
    if (lochan_cli__has(cli, "all") && cli->n_args > 0)
        return lochan_cli__fail(&cli->err, LOCHAN_ERR_INVALID_ARGUMENT,
                                "--all and the names of datasets exclude each other");
    return lochan_update_run_many(cli->lake, &which, request, &cli->err);
}

static bool is_many(const lochan_cli *cli) {
    return cli->n_args != 1 || lochan_cli__has(cli, "all");
}

static lochan_status run(lochan_cli *cli, bool backfill) {
    lochan_cli_name name;
    lochan_update_request request = LOCHAN_UPDATE_REQUEST_INIT;
    size_t n_options = 0;
    const char **options = lochan_cli__alloc(cli->n_given + 1, sizeof *options);
    char **assets = lochan_cli__list_value(cli, "assets", &request.n_assets);
    for (size_t i = 0; i < cli->n_given; i++) {
        if (strcmp(cli->given[i].name, "option") == 0)
            options[n_options++] = cli->given[i].value;
    }
    request.source_options = options;
    request.n_source_options = n_options;
    request.assets = (const char *const *)assets;
    bool many = is_many(cli);
    lochan_status rc = LOCHAN_OK;
    if (many && cli->n_args == 0 && !lochan_cli__has(cli, "all") &&
        !lochan_cli__value(cli, "source"))
        rc = lochan_cli__fail(&cli->err, LOCHAN_ERR_INVALID_ARGUMENT,
                              "say which: SOURCE/DATASET ..., --source NAME, or --all");
    if (rc == LOCHAN_OK && !many) {
        rc = lochan_cli__parse_name(cli, cli->args[0], false, &name);
        request.source = name.source;
        request.dataset = name.dataset;
    }
    if (rc == LOCHAN_OK)
        rc = read_request(cli, backfill, &request);
    if (rc == LOCHAN_OK)
        rc = lochan_cli__open_lake(cli, LOCHAN_CLI_WRITES);
    if (rc == LOCHAN_OK)
        rc = many ? update_many(cli, &request) : update_dataset(cli, &name, &request);
    if (assets)
        free(assets[0]);
    free(assets);
    free(options);
    return rc;
}

static lochan_status run_update(lochan_cli *cli) {
    return run(cli, false);
}

static lochan_status run_backfill(lochan_cli *cli) {
    return run(cli, true);
}

static const lochan_cli_option update_options[] = {
    {"source", "NAME", "the source of datasets named alone; without any: all of it"},
    {"all", NULL, "all datasets of the lake that are enabled"},
    {"parallel", "N", "of many datasets, so many at a time; default 4"},
    {"stop-on-failure", NULL, "of many datasets: start no other after a failure"},
    {"start", "DATE", "first day (YYYY-MM-DD); default: where the data ends"},
    {"end", "DATE", "last day; default: today"},
    {"assets", "A,B", "only these, for datasets that are asked by asset"},
    {"force", NULL, "ask again what is final"},
    {"repair", NULL, "ask again what failed and what damaged files held, and only that"},
    {"dry-run", NULL, "plan only: ask nothing, write nothing"},
    {"explain", NULL, "print files touched, bytes and memory before the merge begins"},
    {"workers", "N", "requests at a time; default: the source's"},
    {"batch-size", "N", "assets a request; default: the spec's"},
    {"max-retries", "N", "of a page; default: the source's"},
    {"retry-backoff", "SECONDS", "before the first retry; default: the source's"},
    {"option", "KEY=VALUE", "a field of the source, for this call; may be repeated"},
    {"validate", "LEVEL", "spec (default), strict: every rule fails, off: no rules"},
    {"record", "DIR", "keep every answer there, for lochan feed --replay"},
    {"token", "TEXT", "commit token: a commit with the same token is not repeated"},
    {0},
};

const lochan_cli_command lochan_cli__update = {
    .name = "update",
    .arguments = "[SOURCE/DATASET ...]",
    .max_args = 1000,
    .summary = "bring datasets up to date",
    .details = "Asks the source for the days that are missing, failed or not final yet, and "
               "publishes them as one\n"
               "snapshot. Cut off (Ctrl-C, crash), the lake is as it was; the same command goes on "
               "from the pages it has.\n"
               "Exit code 10: some scopes failed, the others were published; the next update asks "
               "for the failed ones.",
    .example = "lochan update ecb/fx_daily\nlochan update ecb/fx_daily --end 2026-10-30 --workers "
               "8 --json",
    .options = update_options,
    .run = run_update,
};
const lochan_cli_command lochan_cli__backfill = {
    .name = "backfill",
    .arguments = "SOURCE/DATASET",
    .min_args = 1,
    .max_args = 1,
    .summary = "fill a dataset between two days",
    .details = "An update with --start and --end, recorded as a backfill.",
    .example = "lochan backfill ecb/fx_daily --start 1999-01-04 --end 2025-12-31",
    .options = update_options,
    .run = run_backfill,
};
