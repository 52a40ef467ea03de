/* help.c - help from the table of commands: there is no other text to keep in step with it.
 * May call: libc.
 */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

#define COLUMN 26

static void print_options(const lochan_cli_option *options) {
    for (; options && options->name; options++) {
        char text[64];
        snprintf(text, sizeof text, "--%s%s%s", options->name, options->arg ? " " : "",
                 options->arg ? options->arg : "");
        printf("  %-*s %s\n", COLUMN, text, options->help);
    }
}

static void print_commands(const char *word) {
    size_t n = word ? strlen(word) : 0;
    for (const lochan_cli_command *const *c = lochan_cli__commands; *c; c++) {
        if (word && !(strncmp((*c)->name, word, n) == 0 && (*c)->name[n] == ' '))
            continue;
        char text[64];
        snprintf(text, sizeof text, "%s %s", (*c)->name, (*c)->arguments);
        if (strlen(text) > COLUMN + 6)
            printf("  %s\n  %*s %s\n", text, COLUMN + 6, "", (*c)->summary);
        else
            printf("  %-*s %s\n", COLUMN + 6, text, (*c)->summary);
    }
}

void lochan_cli__print_help(void) {
    printf("lochan %s - an embedded data lake\n\n"
           "Usage: lochan [--lake DIR] COMMAND [OPTION ...]\n\nCommands:\n",
           lochan_version());
    print_commands(NULL);
    printf("\nOptions of every command:\n");
    print_options(lochan_cli__common_options);
    printf("\n'lochan COMMAND --help' tells more. Exit codes: 0 done, 2 wrong use or spec, 3 not "
           "found, 4 exists, in use\n"
           "or conflict, 5 input/output, 6 damage found, 7 data against the spec, 8 memory, 9 "
           "provider or network,\n"
           "10 partly done, 70 internal, 130 interrupted.\n");
}

void lochan_cli__print_command_help(const lochan_cli_command *command) {
    printf("lochan %s - %s\n\nUsage: lochan [--lake DIR] %s%s%s [OPTION ...]\n", command->name,
           command->summary, command->name, command->arguments[0] ? " " : "", command->arguments);
    if (command->details)
        printf("\n%s\n", command->details);
    if (command->options) {
        printf("\nOptions:\n");
        print_options(command->options);
    }
    printf("\nOptions of every command:\n");
    print_options(lochan_cli__common_options);
    printf("\nExample:\n");
    for (const char *line = command->example; *line;) {
        size_t n = strcspn(line, "\n");
        printf("  %.*s\n", (int)n, line);
        line += n + (line[n] == '\n');
    }
}

bool lochan_cli__print_group_help(const char *word) {
    size_t n = strlen(word);
    for (const lochan_cli_command *const *c = lochan_cli__commands; *c; c++) {
        if (strncmp((*c)->name, word, n) == 0 && (*c)->name[n] == ' ') {
            printf("Usage: lochan [--lake DIR] %s COMMAND [OPTION ...]\n\nCommands:\n", word);
            print_commands(word);
            return true;
        }
    }
    return false;
}
