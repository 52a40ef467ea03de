/* cmd_source_remove.c - lochan source remove. May call: cli.h, print.h. */
#include "cli/commands.h"
#include "cli/print.h"

static lochan_status run(lochan_cli *cli) {
    const char *name = cli->args[0];
    if (!lochan_cli__has(cli, "yes"))
        return lochan_cli__fail(&cli->err, LOCHAN_ERR_INVALID_ARGUMENT,
                                "this forgets source %s and its overrides; say --yes", name);
    lochan_status rc = lochan_cli__open_lake(cli, LOCHAN_CLI_WRITES);
    if (rc == LOCHAN_OK)
        rc = lochan_source_remove(cli->lake, name, &cli->err);
    if (rc != LOCHAN_OK)
        return rc;
    lochan_cli_object o = {0};
    if (cli->json) {
        lochan_cli__put_text(&o, "removed", name);
        return lochan_cli__print_object(&o, &cli->err);
    }
    lochan_cli__addf(&o.text, "removed source %s\n", name);
    return lochan_cli__print_text(&o.text, &cli->err);
}

static const lochan_cli_option options[] = {
    {"yes", NULL, "really"},
    {0},
};

const lochan_cli_command lochan_cli__source_remove = {
    .name = "source remove",
    .arguments = "NAME",
    .min_args = 1,
    .max_args = 1,
    .summary = "forget a source that has no datasets",
    .example = "lochan source remove ecb --yes",
    .options = options,
    .run = run,
};
