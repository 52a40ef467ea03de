/* cmd_raw.c - lochan raw and rebuild-from-raw: kept answers, and a dataset built again from them.
 * May call: cli.h, print.h.
 */
#include "cli/commands.h"
#include "cli/print.h"

#include <stdlib.h>

/* ---- raw ---- */

static lochan_status trim(lochan_cli *cli, const lochan_cli_filter *f) {
    uint64_t most = 0;
    int64_t files, bytes;
    lochan_status rc = lochan_cli__bytes_value(cli, "trim", &most);
    if (rc == LOCHAN_OK)
        rc = lochan_raw_trim(cli->lake, f->source, f->dataset,
                             most > INT64_MAX ? INT64_MAX : (int64_t)most, &files, &bytes,
                             &cli->err);
    if (rc != LOCHAN_OK)
        return rc;
    if (cli->json) {
        lochan_cli_object o = {0};
        lochan_cli__put_int(&o, "files", files);
        lochan_cli__put_int(&o, "bytes", bytes);
        return lochan_cli__print_object(&o, &cli->err);
    }
    lochan_cli__note(cli, "removed %lld files, %lld bytes", (long long)files, (long long)bytes);
    return LOCHAN_OK;
}

static lochan_status run_raw(lochan_cli *cli) {
    static const lochan_cli_column columns[] = {
        {"source", "source", 0},
        {"dataset", "dataset", 0},
        {"update_id", "update", 0},
        {"started_at", "started (UTC)", LOCHAN_CLI_AS_SECONDS},
        {"scopes", "scopes", LOCHAN_CLI_AS_COUNT},
        {"answers", "answers", LOCHAN_CLI_AS_COUNT},
        {"bytes", "size", LOCHAN_CLI_AS_BYTES},
        {"mapping", "mapping", 0},
        {0}};
    struct ArrowArrayStream stream = {0};
    lochan_cli_filter f;
    bool trims = lochan_cli__has(cli, "trim");
    lochan_status rc =
        lochan_cli__open_filtered(cli, trims ? LOCHAN_CLI_WRITES : LOCHAN_CLI_READS, &f);
    if (rc == LOCHAN_OK && trims)
        return trim(cli, &f);
    if (rc == LOCHAN_OK)
        rc = lochan_raw_list(cli->lake, f.source, f.dataset, &stream, &cli->err);
    if (rc != LOCHAN_OK)
        return rc;
    return lochan_cli__print_list(cli, &stream, columns,
                                  "no answers are kept: 'keep_raw: true' in a dataset's spec");
}

static const lochan_cli_option raw_options[] = {
    {"trim", "SIZE", "remove the oldest until the others take at most SIZE (of each dataset)"},
    {"source", "NAME", "only of this source"},
    {0},
};

const lochan_cli_command lochan_cli__raw = {
    .name = "raw",
    .arguments = "[SOURCE[/DATASET]]",
    .max_args = 1,
    .summary = "the answers of published updates that were kept",
    .details = "They are kept where the dataset's spec says 'keep_raw: true', up to its "
               "raw_max_bytes. See docs/maintenance.md.",
    .example = "lochan raw\nlochan raw ecb/fx_daily --trim 1GB",
    .options = raw_options,
    .run = run_raw,
};

/* ---- rebuild-from-raw ---- */

static lochan_status print_report(lochan_cli *cli, const lochan_raw_report *r, bool plan) {
    if (cli->json) {
        lochan_cli_object o = {0};
        lochan_cli__put_bool(&o, "plan", plan);
        lochan_cli__put_int(&o, "updates", r->updates);
        lochan_cli__put_int(&o, "scopes", r->scopes);
        lochan_cli__put_int(&o, "scopes_failed", r->scopes_failed);
        lochan_cli__put_int(&o, "answers", r->answers);
        lochan_cli__put_int(&o, "rows", r->rows);
        lochan_cli__put_int(&o, "rows_new", r->rows_new);
        lochan_cli__put_int(&o, "rows_replaced", r->rows_replaced);
        lochan_cli__put_int(&o, "rows_unchanged", r->rows_unchanged);
        lochan_cli__put_int(&o, "rows_removed", r->rows_removed);
        lochan_cli__put_int(&o, "rows_rejected", r->rows_rejected);
        lochan_cli__put_int(&o, "lacking", r->lacking);
        lochan_cli__put_int(&o, "files_written", r->files_written);
        lochan_cli__put_int(&o, "bytes_written", r->bytes_written);
        lochan_cli__put_int(&o, "snapshot_id", r->snapshot_id);
        return lochan_cli__print_object(&o, &cli->err);
    }
    lochan_cli__note(cli,
                     "%s %lld answers of %lld updates: %lld rows, %lld new, %lld replaced, "
                     "%lld unchanged, %lld removed",
                     plan ? "would build from" : "built from", (long long)r->answers,
                     (long long)r->updates, (long long)r->rows, (long long)r->rows_new,
                     (long long)r->rows_replaced, (long long)r->rows_unchanged,
                     (long long)r->rows_removed);
    if (r->rows_rejected > 0)
        lochan_cli__note(cli, "%lld rows were put aside by rules: 'lochan rejects'",
                         (long long)r->rows_rejected);
    return LOCHAN_OK;
}

/* After a refusal, too, the days that are lacking are listed. */
static lochan_status rebuild(lochan_cli *cli, const lochan_cli_name *name,
                             lochan_raw_options *options) {
    static const lochan_cli_column columns[] = {{"source", "source", LOCHAN_CLI_IF_ANY},
                                                {"dataset", "dataset", LOCHAN_CLI_IF_ANY},
                                                {"asset", "asset", LOCHAN_CLI_IF_ANY},
                                                {"variant", "variant", LOCHAN_CLI_IF_ANY},
                                                {"day_from", "no answer from", 0},
                                                {"day_to", "to", 0},
                                                {0}};
    struct ArrowArrayStream lacks = {0};
    lochan_raw_report report;
    lochan_status rc = lochan_raw_rebuild(cli->lake, name->source, name->dataset, options, &report,
                                          &lacks, &cli->err);
    if (lacks.release && report.lacking == 0 && !cli->json) {
        lacks.release(&lacks);
    } else if (lacks.release) {
        lochan_status printed = lochan_cli__print_list(cli, &lacks, columns, "");
        if (rc == LOCHAN_OK)
            rc = printed;
    }
    return rc == LOCHAN_OK ? print_report(cli, &report, options->plan) : rc;
}

static lochan_status run_rebuild(lochan_cli *cli) {
    lochan_raw_options options = LOCHAN_RAW_OPTIONS_INIT;
    lochan_cli_name name;
    lochan_status rc = lochan_cli__parse_name(cli, cli->args[0], false, &name);
    options.plan = lochan_cli__has(cli, "plan") || lochan_cli__has(cli, "dry-run");
    options.partial = lochan_cli__has(cli, "partial");
    options.owed = lochan_cli__has(cli, "owed");
    options.since = lochan_cli__value(cli, "since");
    if (rc == LOCHAN_OK)
        rc = lochan_cli__open_lake(cli, LOCHAN_CLI_WRITES);
    if (rc != LOCHAN_OK)
        return rc;
    char **updates = lochan_cli__list_value(cli, "update", &options.n_update_ids);
    options.update_ids = (const char *const *)updates;
    rc = rebuild(cli, &name, &options);
    if (rc == LOCHAN_ERR_NOT_FOUND)
        lochan_cli__hint_dataset(cli, &name);
    if (updates)
        free(updates[0]);
    free(updates);
    return rc;
}

static const lochan_cli_option rebuild_options[] = {
    {"plan", NULL, "read everything, show what would change, change nothing (also --dry-run)"},
    {"dry-run", NULL, "the same as --plan"},
    {"partial", NULL, "go on without days and rows that the answers do not have"},
    {"owed", NULL, "only days that failed or that a repair took out; their rows are added"},
    {"update", "ID,ID", "only the answers of these updates"},
    {"since", "TIME", "only of updates that began then (UTC) or later"},
    {"source", "NAME", "the source, if the dataset is named without it"},
    {0},
};

const lochan_cli_command lochan_cli__rebuild_from_raw = {
    .name = "rebuild-from-raw",
    .arguments = "SOURCE/DATASET",
    .min_args = 1,
    .max_args = 1,
    .summary = "build a dataset again from its kept answers, under its spec as it is now",
    .details = "The provider is not asked. Answers are taken in the order in which their updates "
               "were published, and the rows that come out replace the table's in one commit: "
               "'scan --as-of' still reads the old ones.\n"
               "Where the answers lack days that the ledger has, or rows that the table has, it "
               "refuses and lists them; --partial goes on, and the next update fetches the days.",
    .example = "lochan rebuild-from-raw ecb/fx_daily --plan\nlochan rebuild-from-raw ecb/fx_daily",
    .options = rebuild_options,
    .run = run_rebuild,
};
