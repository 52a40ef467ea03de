/* cmd_rollback.c - lochan rollback: a dataset as it was, as a new snapshot. May call: cli.h,
 * print.h. */
#include "cli/commands.h"
#include "cli/print.h"

static lochan_status run(lochan_cli *cli) {
    lochan_cli_name name;
    int64_t id = -1;
    lochan_commit_options how = LOCHAN_COMMIT_OPTIONS_INIT;
    how.token = lochan_cli__value(cli, "token");
    lochan_status rc = lochan_cli__parse_name(cli, cli->args[0], false, &name);
    if (rc == LOCHAN_OK)
        rc = lochan_cli__open_lake(cli, LOCHAN_CLI_WRITES);
    if (rc == LOCHAN_OK)
        rc = lochan_lake_rollback(cli->lake, name.source, name.dataset, cli->args[1], &how, &id,
                                  &cli->err);
    if (rc == LOCHAN_ERR_NOT_FOUND && cli->lake)
        lochan_cli__hint_dataset(cli, &name);
    if (rc != LOCHAN_OK)
        return rc;
    if (cli->json) {
        lochan_cli_object o = {0};
        lochan_cli__put_int(&o, "snapshot_id", id);
        return lochan_cli__print_object(&o, &cli->err);
    }
    if (id < 0)
        lochan_cli__note(cli, "%s/%s is already so", name.source, name.dataset);
    else
        lochan_cli__note(cli, "%s/%s is as it was in %s; that is snapshot %lld", name.source,
                         name.dataset, cli->args[1], (long long)id);
    return LOCHAN_OK;
}

static const lochan_cli_option options[] = {
    {"source", "NAME", "the source, if the first argument is the dataset alone"},
    {"token", "TEXT", "commit token: a commit with the same token is not repeated"},
    {0},
};

const lochan_cli_command lochan_cli__rollback = {
    .name = "rollback",
    .arguments = "SOURCE/DATASET ID|TIME|TAG",
    .min_args = 2,
    .max_args = 2,
    .summary = "make a dataset what it was, as a new snapshot",
    .details = "Nothing is lost: what came after stays readable as of its own snapshot. The ledger "
               "still counts the days as fetched; 'update --force' asks for them again.",
    .example = "lochan rollback ecb/fx_daily before_revision",
    .options = options,
    .run = run,
};
