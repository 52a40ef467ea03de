/* cmd_snapshots.c - lochan snapshots, tag, untag. May call: cli.h, print.h. */
#include "cli/commands.h"
#include "cli/print.h"

static lochan_status run_snapshots(lochan_cli *cli) {
    static const lochan_cli_column columns[] = {{"snapshot_id", "snapshot", 0},
                                                {"time", "time", LOCHAN_CLI_AS_SECONDS},
                                                {"kind", "kind", 0},
                                                {"tags", "tags", LOCHAN_CLI_IF_ANY},
                                                {"message", "message", LOCHAN_CLI_IF_ANY},
                                                {"author", "author", LOCHAN_CLI_IF_ANY},
                                                {0}};
    struct ArrowArrayStream stream = {0};
    lochan_cli_filter f;
    int64_t limit = 20;
    lochan_status rc = lochan_cli__int_value(cli, "limit", 1, INT64_MAX, &limit);
    if (rc == LOCHAN_OK)
        rc = lochan_cli__open_filtered(cli, LOCHAN_CLI_READS, &f);
    if (rc == LOCHAN_OK && f.source && !f.dataset)
        rc = lochan_cli__fail(&cli->err, LOCHAN_ERR_INVALID_ARGUMENT,
                              "name a dataset, or nothing for all snapshots");
    if (rc == LOCHAN_OK)
        rc = lochan_lake_snapshots(cli->lake, f.source, f.dataset, limit, &stream, &cli->err);
    if (rc == LOCHAN_ERR_NOT_FOUND && cli->lake && f.dataset)
        lochan_cli__hint_dataset(cli, &f.name);
    return rc == LOCHAN_OK ? lochan_cli__print_list(cli, &stream, columns, "no snapshots") : rc;
}

static lochan_status run_tag(lochan_cli *cli) {
    int64_t id = -1;
    lochan_commit_options how = LOCHAN_COMMIT_OPTIONS_INIT;
    how.token = lochan_cli__value(cli, "token");
    lochan_status rc = lochan_cli__open_lake(cli, LOCHAN_CLI_WRITES);
    if (rc == LOCHAN_OK)
        rc = lochan_lake_tag(cli->lake, cli->args[0], cli->n_args > 1 ? cli->args[1] : NULL, &how,
                             &id, &cli->err);
    if (rc != LOCHAN_OK)
        return rc;
    if (!cli->json) {
        lochan_cli__note(cli, "%s is snapshot %lld", cli->args[0], (long long)id);
        return LOCHAN_OK;
    }
    lochan_cli_object o = {0};
    lochan_cli__put_text(&o, "tag", cli->args[0]);
    lochan_cli__put_int(&o, "snapshot_id", id);
    return lochan_cli__print_object(&o, &cli->err);
}

static lochan_status run_untag(lochan_cli *cli) {
    lochan_commit_options how = LOCHAN_COMMIT_OPTIONS_INIT;
    how.token = lochan_cli__value(cli, "token");
    lochan_status rc = lochan_cli__open_lake(cli, LOCHAN_CLI_WRITES);
    return rc == LOCHAN_OK ? lochan_lake_untag(cli->lake, cli->args[0], &how, &cli->err) : rc;
}

static const lochan_cli_option options[] = {
    {"source", "NAME", "the source, if the argument is the dataset alone"},
    {"limit", "N", "the newest N; default 20"},
    {0},
};

static const lochan_cli_option tag_options[] = {
    {"token", "TEXT", "commit token: a commit with the same token is not repeated"},
    {0},
};

const lochan_cli_command lochan_cli__snapshots = {
    .name = "snapshots",
    .arguments = "[SOURCE/DATASET]",
    .max_args = 1,
    .summary = "the snapshots that are kept, newest first",
    .details = "With a dataset: those that changed it. 'scan --as-of' reads one of them.",
    .example = "lochan snapshots ecb/fx_daily",
    .options = options,
    .run = run_snapshots,
};
const lochan_cli_command lochan_cli__tag = {
    .name = "tag",
    .arguments = "NAME [ID|TIME|TAG]",
    .min_args = 1,
    .max_args = 2,
    .summary = "give a snapshot a name, which also keeps it from being expired",
    .details = "Without a second argument: the newest. The name can stand wherever an id can.",
    .example = "lochan tag before_revision\nlochan scan ecb/fx_daily --as-of before_revision",
    .options = tag_options,
    .run = run_tag,
};
const lochan_cli_command lochan_cli__untag = {
    .name = "untag",
    .arguments = "NAME",
    .min_args = 1,
    .max_args = 1,
    .summary = "take a snapshot's name away",
    .example = "lochan untag before_revision",
    .options = tag_options,
    .run = run_untag,
};
