/* cmd_ledger.c - lochan gaps, scopes, failures, partitions: what was asked and what is missing.
 * May call: cli.h, print.h.
 */
#include "cli/commands.h"
#include "cli/print.h"

/* Prints what a list function gave, or its error with a hint. */
static lochan_status give(lochan_cli *cli, const lochan_cli_filter *f, lochan_status rc,
                          struct ArrowArrayStream *stream, const lochan_cli_column *columns,
                          const char *nothing) {
    if (rc == LOCHAN_ERR_NOT_FOUND && cli->lake && f->dataset)
        lochan_cli__hint_dataset(cli, &f->name);
    if (rc != LOCHAN_OK)
        return rc;
    return lochan_cli__print_list(cli, stream, columns, nothing);
}

static lochan_status run_gaps(lochan_cli *cli) {
    static const lochan_cli_column columns[] = {
        {"source", "source", 0},
        {"dataset", "dataset", 0},
        {"asset", "asset", LOCHAN_CLI_IF_ANY},
        {"variant", "parameters", LOCHAN_CLI_IF_ANY},
        {"day_from", "from", 0},
        {"day_to", "to", 0},
        {"reason", "reason", 0},
        {"attempts", "tries", LOCHAN_CLI_AS_COUNT | LOCHAN_CLI_IF_ANY},
        {"message", "message", LOCHAN_CLI_IF_ANY},
        {"asked_at", "asked (UTC)", LOCHAN_CLI_AS_SECONDS},
        {0}};
    struct ArrowArrayStream stream = {0};
    lochan_cli_filter f;
    lochan_status rc = lochan_cli__open_filtered(cli, LOCHAN_CLI_READS, &f);
    if (rc == LOCHAN_OK)
        rc = lochan_status_gaps(cli->lake, f.source, f.dataset, lochan_cli__value(cli, "start"),
                                lochan_cli__value(cli, "end"), &stream, &cli->err);
    return give(cli, &f, rc, &stream, columns, "nothing is missing");
}

static lochan_status run_scopes(lochan_cli *cli) {
    static const lochan_cli_column columns[] = {
        {"source", "source", 0},
        {"dataset", "dataset", 0},
        {"asset", "asset", LOCHAN_CLI_IF_ANY},
        {"variant", "parameters", LOCHAN_CLI_IF_ANY},
        {"day_from", "from", 0},
        {"day_to", "to", 0},
        {"state", "state", 0},
        {"rows", "rows", LOCHAN_CLI_AS_COUNT},
        {"attempts", "tries", LOCHAN_CLI_AS_COUNT | LOCHAN_CLI_IF_ANY},
        {"asked_at", "asked (UTC)", LOCHAN_CLI_AS_SECONDS},
        {"message", "message", LOCHAN_CLI_IF_ANY},
        {0}};
    struct ArrowArrayStream stream = {0};
    lochan_cli_filter f;
    lochan_status rc = lochan_cli__open_filtered(cli, LOCHAN_CLI_READS, &f);
    if (rc == LOCHAN_OK)
        rc = lochan_status_scopes(cli->lake, f.source, f.dataset, &stream, &cli->err);
    return give(cli, &f, rc, &stream, columns, "nothing was asked yet");
}

static lochan_status run_failures(lochan_cli *cli) {
    static const lochan_cli_column columns[] = {{"at", "at (UTC)", LOCHAN_CLI_AS_SECONDS},
                                                {"source", "source", 0},
                                                {"dataset", "dataset", 0},
                                                {"scope", "scope", 0},
                                                {"code", "error", 0},
                                                {"http_status", "HTTP", LOCHAN_CLI_IF_ANY},
                                                {"attempts", "tries", LOCHAN_CLI_AS_COUNT},
                                                {"message", "message", 0},
                                                {0}};
    struct ArrowArrayStream stream = {0};
    lochan_cli_filter f;
    int64_t limit = 50;
    lochan_status rc = lochan_cli__int_value(cli, "limit", 1, INT64_MAX, &limit);
    if (rc == LOCHAN_OK)
        rc = lochan_cli__open_filtered(cli, LOCHAN_CLI_READS, &f);
    else
        return rc;
    if (rc == LOCHAN_OK)
        rc = lochan_status_failures(cli->lake, f.source, f.dataset, limit, &stream, &cli->err);
    return give(cli, &f, rc, &stream, columns, "no update failed yet");
}

static lochan_status run_partitions(lochan_cli *cli) {
    static const lochan_cli_column columns[] = {
        {"source", "source", 0},
        {"dataset", "dataset", 0},
        {"partition", "partition", 0},
        {"files", "files", LOCHAN_CLI_AS_COUNT},
        {"rows", "rows", LOCHAN_CLI_AS_COUNT},
        {"bytes", "size", LOCHAN_CLI_AS_BYTES},
        {"published_at", "changed (UTC)", LOCHAN_CLI_AS_SECONDS},
        {0}};
    struct ArrowArrayStream stream = {0};
    lochan_cli_filter f;
    lochan_status rc = lochan_cli__open_filtered(cli, LOCHAN_CLI_READS, &f);
    if (rc == LOCHAN_OK)
        rc = lochan_status_partitions(cli->lake, f.source, f.dataset, &stream, &cli->err);
    return give(cli, &f, rc, &stream, columns, "no rows yet");
}

static const lochan_cli_option filter_options[] = {
    {"source", "NAME", "only of this source"},
    {0},
};
static const lochan_cli_option gaps_options[] = {
    {"source", "NAME", "only of this source"},
    {"start", "DATE", "first day; default: where the ledger begins"},
    {"end", "DATE", "last day; default: today"},
    {0},
};
static const lochan_cli_option failures_options[] = {
    {"source", "NAME", "only of this source"},
    {"limit", "N", "the newest N; default 50"},
    {0},
};

const lochan_cli_command lochan_cli__gaps = {
    .name = "gaps",
    .arguments = "[SOURCE[/DATASET]]",
    .max_args = 1,
    .summary = "days that are missing, and why",
    .details = "A day is missing if it was never asked for, failed, broke the dataset's contract "
               "(invalid), or may still\nchange (not final yet).",
    .example = "lochan gaps ecb/fx_daily --start 2020-01-01",
    .options = gaps_options,
    .run = run_gaps,
};
const lochan_cli_command lochan_cli__scopes = {
    .name = "scopes",
    .arguments = "[SOURCE[/DATASET]]",
    .max_args = 1,
    .summary = "the fetch ledger: which days were asked for, with what result",
    .example = "lochan scopes ecb/fx_daily",
    .options = filter_options,
    .run = run_scopes,
};
const lochan_cli_command lochan_cli__failures = {
    .name = "failures",
    .arguments = "[SOURCE[/DATASET]]",
    .max_args = 1,
    .summary = "what past updates gave up, newest first",
    .example = "lochan failures ecb --limit 10",
    .options = failures_options,
    .run = run_failures,
};
const lochan_cli_command lochan_cli__partitions = {
    .name = "partitions",
    .arguments = "[SOURCE[/DATASET]]",
    .max_args = 1,
    .summary = "the partitions of the datasets",
    .example = "lochan partitions ecb/fx_daily",
    .options = filter_options,
    .run = run_partitions,
};
