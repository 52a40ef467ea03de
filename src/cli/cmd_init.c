/* cmd_init.c - lochan init. May call: cli.h, print.h. */
#include "cli/commands.h"
#include "cli/print.h"

#include <stdio.h>
#include <string.h>

static lochan_status run(lochan_cli *cli) {
    const char *path = cli->lake_path;
    if (cli->n_args > 0) {
        if (lochan_cli__has(cli, "lake") && strcmp(cli->args[0], path) != 0)
            return lochan_cli__fail(&cli->err, LOCHAN_ERR_INVALID_ARGUMENT,
                                    "two folders, '%s' and --lake '%s': which one?", cli->args[0],
                                    path);
        path = cli->args[0];
    }
    lochan_status rc = lochan_lake_init(path, NULL, &cli->err);
    if (rc != LOCHAN_OK)
        return rc;
    lochan_cli_object o = {0};
    if (cli->json) {
        lochan_cli__put_text(&o, "lake", path);
        lochan_cli__put_bool(&o, "created", true);
        return lochan_cli__print_object(&o, &cli->err);
    }
    lochan_cli__addf(&o.text, "made an empty lake in %s\n", path);
    return lochan_cli__print_text(&o.text, &cli->err);
}

const lochan_cli_command lochan_cli__init = {
    .name = "init",
    .arguments = "[DIR]",
    .max_args = 1,
    .summary = "make an empty lake",
    .details = "Makes the folder if it is missing. DIR is short for --lake DIR. If init was cut "
               "off, run it again.",
    .example = "lochan init ./my-lake",
    .run = run,
};
