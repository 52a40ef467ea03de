/* cli.h - one call of the command: its options, its lake, its error.
 *
 * A command is an entry of the table in commands.c and a file cmd_<name>.c; it returns a status
 * with cli->err filled, and main.c prints the error and turns the status into the exit code.
 * Invariant: the command uses only <lochan/...>.
 */
#ifndef LOCHAN_CLI_CLI_H
#define LOCHAN_CLI_CLI_H

#include <lochan/lochan.h>
#include <stddef.h>

typedef struct lochan_cli lochan_cli;

typedef struct lochan_cli_option {
    const char *name; /* without "--" */
    const char *arg;  /* name of its value in --help, NULL = a flag */
    const char *help;
} lochan_cli_option;

typedef struct lochan_cli_command {
    const char *name;      /* "scan", "source add" */
    const char *arguments; /* "SOURCE/DATASET", "" */
    int min_args, max_args;
    const char *summary;              /* one line, no full stop */
    const char *details;              /* sentences for --help, may be NULL */
    const char *example;              /* lines without a leading "$ " */
    const lochan_cli_option *options; /* ended by a name NULL; NULL = none */
    lochan_status (*run)(lochan_cli *cli);
} lochan_cli_command;

typedef struct lochan_cli_given {
    const char *name;
    const char *value; /* NULL for a flag */
} lochan_cli_given;

struct lochan_cli {
    const lochan_cli_command *command;
    lochan_cli_given *given; /* options in written order */
    size_t n_given;
    char **args; /* what is left */
    int n_args;
    bool json;
    bool quiet;
    const char *lake_path;
    lochan_lake *lake; /* after lochan_cli__open_lake; closed by main.c */
    lochan_error err;
};

enum { LOCHAN_CLI_MAX_COMMANDS = 128 };

/* commands.c: the table, ended by NULL. */
extern const lochan_cli_command *const lochan_cli__commands[];
extern const lochan_cli_option lochan_cli__common_options[];

/* options.c: reads argv (argv[0] is the command's last word) into cli. `command` NULL: only the
 * options before it, and *rest tells where the command begins. */
lochan_status lochan_cli__parse(lochan_cli *cli, const lochan_cli_command *command, int argc,
                                char **argv, int *rest);
bool lochan_cli__has(const lochan_cli *cli, const char *name);
/* The last value given, NULL if none. */
const char *lochan_cli__value(const lochan_cli *cli, const char *name);
/* A whole number in [min, max]; *out stays as it is if the option was not given. */
lochan_status lochan_cli__int_value(lochan_cli *cli, const char *name, int64_t min, int64_t max,
                                    int64_t *out);
lochan_status lochan_cli__double_value(lochan_cli *cli, const char *name, double min, double max,
                                       double *out);
/* "64MB" and the like; a plain number is bytes. */
lochan_status lochan_cli__bytes_value(lochan_cli *cli, const char *name, uint64_t *out);
/* "a,b": an array of *n texts, empty ones left out; free both the array and its first entry. NULL
 * if not given. */
char **lochan_cli__list_value(const lochan_cli *cli, const char *name, size_t *n);

/* help.c */
void lochan_cli__print_help(void);
void lochan_cli__print_command_help(const lochan_cli_command *command);
/* The commands that begin with that word ("source"); false if there are none. */
bool lochan_cli__print_group_help(const char *word);

/* message.c */
/* Fills err (message without a newline) and returns code. */
lochan_status lochan_cli__fail(lochan_error *err, lochan_status code, const char *fmt, ...)
    LOCHAN_PRINTF(3, 4);
void lochan_cli__hint(lochan_error *err, const char *fmt, ...) LOCHAN_PRINTF(2, 3);
/* To stderr, as text or as one JSON object. */
void lochan_cli__print_error(const lochan_error *err, bool json);
/* A remark on stderr, unless --quiet or --json. */
void lochan_cli__note(const lochan_cli *cli, const char *fmt, ...) LOCHAN_PRINTF(2, 3);
void lochan_cli__set_log(const lochan_cli *cli);

/* suggest.c: the candidate that was most likely meant, NULL if none is near. */
const char *lochan_cli__nearest(const char *word, const char *const *candidates, size_t n);

/* lake.c */
typedef enum lochan_cli_use { LOCHAN_CLI_READS, LOCHAN_CLI_WRITES } lochan_cli_use;
/* Opens cli->lake_path; Ctrl-C then cancels what runs on it. A lake that cannot be written safely
 * can still be read. */
lochan_status lochan_cli__open_lake(lochan_cli *cli, lochan_cli_use use);
void lochan_cli__close_lake(lochan_cli *cli);
/* True once Ctrl-C or SIGTERM came; lochan_cli__catch_signals makes it so without a lake. */
void lochan_cli__catch_signals(void);
bool lochan_cli__is_interrupted(void);

typedef struct lochan_cli_name {
    char source[256];
    char dataset[256]; /* "" if only a source was named */
} lochan_cli_name;
/* "ecb/fx_daily", "ecb.fx_daily", "fx_daily --source ecb"; "ecb" alone if whole_source. */
lochan_status lochan_cli__parse_name(lochan_cli *cli, const char *text, bool whole_source,
                                     lochan_cli_name *out);
/* After NOT_FOUND: hints at a dataset of the lake with a similar name, if there is one. */
void lochan_cli__hint_dataset(lochan_cli *cli, const lochan_cli_name *name);

#endif
