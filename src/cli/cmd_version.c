/* cmd_version.c - lochan version, lochan help. May call: cli.h, print.h. */
#include "cli/commands.h"
#include "cli/print.h"

#include <stdio.h>
#include <string.h>

static lochan_status run_version(lochan_cli *cli) {
    lochan_cli_object o = {0};
    if (cli->json) {
        lochan_cli__put_text(&o, "version", lochan_version());
        return lochan_cli__print_object(&o, &cli->err);
    }
    lochan_cli__addf(&o.text, "lochan %s\n", lochan_version());
    return lochan_cli__print_text(&o.text, &cli->err);
}

static lochan_status run_help(lochan_cli *cli) {
    if (cli->n_args == 0) {
        lochan_cli__print_help();
        return LOCHAN_OK;
    }
    char name[128];
    const char *names[LOCHAN_CLI_MAX_COMMANDS];
    size_t n = 0;
    snprintf(name, sizeof name, cli->n_args > 1 ? "%s %s" : "%s", cli->args[0],
             cli->n_args > 1 ? cli->args[1] : "");
    for (const lochan_cli_command *const *c = lochan_cli__commands; *c; c++) {
        if (strcmp((*c)->name, name) == 0) {
            lochan_cli__print_command_help(*c);
            return LOCHAN_OK;
        }
        if (n < LOCHAN_CLI_MAX_COMMANDS)
            names[n++] = (*c)->name;
    }
    if (lochan_cli__print_group_help(name))
        return LOCHAN_OK;
    const char *nearest = lochan_cli__nearest(name, names, n);
    lochan_cli__fail(&cli->err, LOCHAN_ERR_INVALID_ARGUMENT, "unknown command '%s'", name);
    if (nearest)
        lochan_cli__hint(&cli->err, "did you mean '%s'?", nearest);
    return cli->err.code;
}

const lochan_cli_command lochan_cli__version = {
    .name = "version",
    .arguments = "",
    .summary = "print the version",
    .example = "lochan version --json",
    .run = run_version,
};

const lochan_cli_command lochan_cli__help = {
    .name = "help",
    .arguments = "[COMMAND]",
    .max_args = 2,
    .summary = "tell about a command",
    .example = "lochan help source add",
    .run = run_help,
};
