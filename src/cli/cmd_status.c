/* cmd_status.c - lochan status, runs, files: lists of what there is. May call: cli.h, print.h. */
#include "cli/commands.h"
#include "cli/print.h"

typedef lochan_cli_filter filter;

lochan_status lochan_cli__open_filtered(lochan_cli *cli, lochan_cli_use use, lochan_cli_filter *f) {
    *f = (filter){.source = lochan_cli__value(cli, "source")};
    if (cli->n_args > 0) {
        lochan_status rc = lochan_cli__parse_name(cli, cli->args[0], true, &f->name);
        if (rc != LOCHAN_OK)
            return rc;
        f->source = f->name.source;
        f->dataset = f->name.dataset[0] ? f->name.dataset : NULL;
    }
    return lochan_cli__open_lake(cli, use);
}

static lochan_status run_status(lochan_cli *cli) {
    /* The most important first: a narrow terminal cuts on the right. */
    static const lochan_cli_column columns[] = {
        {"source", "source", 0},
        {"dataset", "dataset", 0},
        {"rows", "rows", LOCHAN_CLI_AS_COUNT},
        {"bytes", "size", LOCHAN_CLI_AS_BYTES},
        {"time_min", "from", LOCHAN_CLI_AS_SECONDS},
        {"time_max", "to", LOCHAN_CLI_AS_SECONDS},
        {"asked_to", "asked to", 0},
        {"covered_to", "final to", 0},
        {"last_state", "state", 0},
        {"failed_scopes", "failed", LOCHAN_CLI_AS_COUNT | LOCHAN_CLI_IF_ANY},
        {"staged_bytes", "staged", LOCHAN_CLI_AS_BYTES | LOCHAN_CLI_IF_ANY},
        {"raw_files", "kept files", LOCHAN_CLI_AS_COUNT | LOCHAN_CLI_IF_ANY},
        {"raw_bytes", "kept", LOCHAN_CLI_AS_BYTES | LOCHAN_CLI_IF_ANY},
        {"last_update", "updated (UTC)", LOCHAN_CLI_AS_SECONDS},
        {"files", "files", LOCHAN_CLI_AS_COUNT},
        {0}};
    struct ArrowArrayStream stream = {0};
    filter f;
    lochan_status rc = lochan_cli__open_filtered(cli, LOCHAN_CLI_READS, &f);
    if (rc == LOCHAN_OK)
        rc = lochan_status_datasets(cli->lake, f.source, f.dataset, &stream, &cli->err);
    if (rc == LOCHAN_ERR_NOT_FOUND && cli->lake && f.dataset)
        lochan_cli__hint_dataset(cli, &f.name);
    if (rc != LOCHAN_OK)
        return rc;
    return lochan_cli__print_list(cli, &stream, columns,
                                  "the lake has no dataset yet: 'lochan dataset add' adds one");
}

static lochan_status run_runs(lochan_cli *cli) {
    static const lochan_cli_column columns[] = {
        {"started_at", "started (UTC)", LOCHAN_CLI_AS_SECONDS},
        {"source", "source", 0},
        {"dataset", "dataset", 0},
        {"kind", "kind", 0},
        {"state", "state", 0},
        {"seconds", "took", LOCHAN_CLI_AS_SECONDS},
        {"rows_new", "new", LOCHAN_CLI_AS_COUNT},
        {"rows_replaced", "replaced", LOCHAN_CLI_AS_COUNT | LOCHAN_CLI_IF_ANY},
        {"rows_unchanged", "unchanged", LOCHAN_CLI_AS_COUNT | LOCHAN_CLI_IF_ANY},
        {"rows_duplicate", "duplicate", LOCHAN_CLI_AS_COUNT | LOCHAN_CLI_IF_ANY},
        {"rows_rejected", "rejected", LOCHAN_CLI_AS_COUNT | LOCHAN_CLI_IF_ANY},
        {"error", "error", LOCHAN_CLI_IF_ANY},
        {"requests", "requests", LOCHAN_CLI_AS_COUNT},
        {"retries", "retries", LOCHAN_CLI_AS_COUNT | LOCHAN_CLI_IF_ANY},
        {"snapshot_id", "snapshot", 0},
        {0}};
    struct ArrowArrayStream stream = {0};
    filter f;
    int64_t limit = 20;
    lochan_status rc = lochan_cli__int_value(cli, "limit", 1, INT64_MAX, &limit);
    if (rc == LOCHAN_OK)
        rc = lochan_cli__open_filtered(cli, LOCHAN_CLI_READS, &f);
    if (rc == LOCHAN_OK)
        rc = lochan_status_runs(cli->lake, f.source, f.dataset, limit, &stream, &cli->err);
    if (rc == LOCHAN_ERR_NOT_FOUND && cli->lake && f.dataset)
        lochan_cli__hint_dataset(cli, &f.name);
    if (rc != LOCHAN_OK)
        return rc;
    return lochan_cli__print_list(cli, &stream, columns, "no update ran yet");
}

static const lochan_cli_option filter_options[] = {
    {"source", "NAME", "only of this source"},
    {0},
};
static const lochan_cli_option runs_options[] = {
    {"source", "NAME", "only of this source"},
    {"limit", "N", "the newest N; default 20"},
    {0},
};

const lochan_cli_command lochan_cli__status = {
    .name = "status",
    .arguments = "[SOURCE[/DATASET]]",
    .max_args = 1,
    .summary = "what the datasets hold and how current they are",
    .details = "'final to' is the day up to which no update will ask again. --json gives all "
               "columns, sizes in bytes.",
    .example = "lochan status\nlochan status ecb/fx_daily --json",
    .options = filter_options,
    .run = run_status,
};
const lochan_cli_command lochan_cli__runs = {
    .name = "runs",
    .arguments = "[SOURCE[/DATASET]]",
    .max_args = 1,
    .summary = "past updates, newest first",
    .example = "lochan runs ecb/fx_daily --limit 5",
    .options = runs_options,
    .run = run_runs,
};
