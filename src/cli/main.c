/* main.c - finds the command, runs it, prints its error, exits with its code.
 * Invariant: SIGPIPE is ignored, so that an update goes on when nobody reads its output. May call:
 * libc.
 */
#include "cli/commands.h"
#include "cli/text.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* The command whose words argv begins with; *words = how many. */
static const lochan_cli_command *find_command(int argc, char **argv, int *words) {
    for (const lochan_cli_command *const *c = lochan_cli__commands; *c; c++) {
        const char *space = strchr((*c)->name, ' ');
        size_t first = space ? (size_t)(space - (*c)->name) : strlen((*c)->name);
        if (strncmp((*c)->name, argv[0], first) != 0 || argv[0][first])
            continue;
        if (space && !(argc > 1 && strcmp(space + 1, argv[1]) == 0))
            continue;
        *words = space ? 2 : 1;
        return *c;
    }
    return NULL;
}

/* No such command. If the first word begins commands of two words ("source"), the second one is
 * wrong or missing. */
static lochan_status unknown_command(lochan_cli *cli, int argc, char **argv) {
    const char *names[LOCHAN_CLI_MAX_COMMANDS];
    size_t n = 0, len = strlen(argv[0]);
    bool is_group = false;
    for (const lochan_cli_command *const *c = lochan_cli__commands;
         *c && n < LOCHAN_CLI_MAX_COMMANDS; c++) {
        names[n++] = (*c)->name;
        is_group |= strncmp((*c)->name, argv[0], len) == 0 && (*c)->name[len] == ' ';
    }
    if (is_group && argc < 2) {
        lochan_cli__fail(&cli->err, LOCHAN_ERR_INVALID_ARGUMENT, "'%s' needs a command", argv[0]);
        lochan_cli__hint(&cli->err, "'lochan %s --help' lists its commands", argv[0]);
        return cli->err.code;
    }
    char text[128];
    snprintf(text, sizeof text, is_group ? "%s %s" : "%s", argv[0], is_group ? argv[1] : "");
    lochan_cli__fail(&cli->err, LOCHAN_ERR_INVALID_ARGUMENT, "unknown command '%s'", text);
    const char *nearest = lochan_cli__nearest(text, names, n);
    if (nearest)
        lochan_cli__hint(&cli->err, "did you mean '%s'?", nearest);
    else
        lochan_cli__hint(&cli->err, "'lochan --help' lists the commands");
    return cli->err.code;
}

static lochan_status check_arguments(lochan_cli *cli) {
    const lochan_cli_command *c = cli->command;
    if (cli->n_args >= c->min_args && cli->n_args <= c->max_args)
        return LOCHAN_OK;
    if (cli->n_args < c->min_args)
        lochan_cli__fail(&cli->err, LOCHAN_ERR_INVALID_ARGUMENT, "%s needs %s", c->name,
                         c->arguments);
    else
        lochan_cli__fail(&cli->err, LOCHAN_ERR_INVALID_ARGUMENT,
                         "%s: too many arguments, '%s' is one", c->name, cli->args[c->max_args]);
    lochan_cli__hint(&cli->err, "usage: lochan %s %s", c->name, c->arguments);
    return cli->err.code;
}

static const char *choose_lake(const lochan_cli *cli) {
    const char *path = lochan_cli__value(cli, "lake");
    if (!path)
        path = getenv("LOCHAN_LAKE");
    return path && *path ? path : ".";
}

static lochan_status run(lochan_cli *cli, int argc, char **argv) {
    int rest, words = 0;
    lochan_status rc = lochan_cli__parse(cli, NULL, argc, argv, &rest);
    if (rc != LOCHAN_OK)
        return rc;
    bool wants_help = lochan_cli__has(cli, "help");
    argc -= rest;
    argv += rest;
    if (argc == 0) {
        if (!wants_help) {
            lochan_cli__fail(&cli->err, LOCHAN_ERR_INVALID_ARGUMENT, "which command?");
            lochan_cli__hint(&cli->err, "'lochan --help' lists the commands");
            return cli->err.code;
        }
        lochan_cli__print_help();
        return LOCHAN_OK;
    }
    cli->command = find_command(argc, argv, &words);
    if (!cli->command) {
        bool asks = wants_help ||
                    (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0));
        return asks && lochan_cli__print_group_help(argv[0]) ? LOCHAN_OK
                                                             : unknown_command(cli, argc, argv);
    }
    rc = lochan_cli__parse(cli, cli->command, argc - words + 1, argv + words - 1, &rest);
    if (rc != LOCHAN_OK)
        return rc;
    if (lochan_cli__has(cli, "help")) {
        lochan_cli__print_command_help(cli->command);
        return LOCHAN_OK;
    }
    cli->lake_path = choose_lake(cli);
    lochan_cli__set_log(cli);
    rc = check_arguments(cli);
    return rc == LOCHAN_OK ? cli->command->run(cli) : rc;
}

/* Known before options are read, so that an error of reading them is JSON too. */
static bool wants_json(int argc, char **argv) {
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--json") == 0)
            return true;
    }
    return false;
}

int main(int argc, char **argv) {
    signal(SIGPIPE, SIG_IGN);
    lochan_cli cli = {.json = wants_json(argc, argv)};
    lochan_error_init(&cli.err);
    if (argc > 1 && strcmp(argv[1], "--version") == 0) {
        static char version[] = "version";
        argv[1] = version;
    }
    lochan_status rc = run(&cli, argc, argv);
    lochan_cli__close_lake(&cli);
    if (rc != LOCHAN_OK) {
        cli.err.code = rc;
        lochan_cli__print_error(&cli.err, cli.json || wants_json(argc, argv));
    }
    free(cli.given);
    return lochan_status_exit_code(rc);
}
