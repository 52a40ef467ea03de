/* complete.h - candidates for a word of a command line. */
#ifndef LOCHAN_CLI_COMPLETE_H
#define LOCHAN_CLI_COMPLETE_H

#include "cli/cli.h"
#include "cli/text.h"

/* Appends what can stand for the last of the n words (after "lochan"; it may be empty or begun),
 * one a line: commands, options, names of sources, datasets, runs, tables and tags. Nothing if the
 * shell should offer files. cli->lake_path is the lake unless the words name another. */
void lochan_cli__complete(const lochan_cli *cli, char **words, int n, lochan_cli_text *out);

#endif
