/* cmd_diff.c - lochan diff: what changed in a dataset between two snapshots. May call: cli.h,
 * print.h. */
#include "cli/commands.h"
#include "cli/print.h"

static lochan_status run(lochan_cli *cli) {
    struct ArrowArrayStream stream = {0};
    lochan_cli_name name;
    lochan_cli_rows how;
    int64_t limit = -1;
    lochan_status rc = lochan_cli__parse_name(cli, cli->args[0], false, &name);
    if (rc == LOCHAN_OK)
        rc = lochan_cli__choose_rows(cli, &limit, &how);
    if (rc == LOCHAN_OK)
        rc = lochan_cli__open_lake(cli, LOCHAN_CLI_READS);
    if (rc == LOCHAN_OK)
        rc = lochan_lake_diff(cli->lake, name.source, name.dataset, cli->args[1],
                              cli->n_args > 2 ? cli->args[2] : NULL, &stream, &cli->err);
    if (rc == LOCHAN_ERR_NOT_FOUND && cli->lake)
        lochan_cli__hint_dataset(cli, &name);
    return rc == LOCHAN_OK ? lochan_cli__give_rows(cli, &stream, &how) : rc;
}

static const lochan_cli_option options[] = {
    {"source", "NAME", "the source, if the first argument is the dataset alone"},
    {"format", "NAME", "table, csv, ndjson or parquet"},
    {"output", "FILE", "write to a file; .csv, .ndjson, .parquet tell the format"},
    {"overwrite", NULL, "replace the file if there is one"},
    {0},
};

const lochan_cli_command lochan_cli__diff = {
    .name = "diff",
    .arguments = "SOURCE/DATASET FROM [TO]",
    .min_args = 2,
    .max_args = 3,
    .summary = "rows added, removed and changed between two snapshots",
    .details = "FROM and TO are ids, times (UTC) or tags; TO is the newest if it is left out. A "
               "changed row is shown as it was (before) and as it is (after).",
    .example = "lochan diff ecb/fx_daily 12 15\nlochan diff ecb/fx_daily before_revision --json",
    .options = options,
    .run = run,
};
