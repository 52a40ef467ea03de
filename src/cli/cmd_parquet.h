/* cmd_parquet.h - what the commands on Parquet files share. May call: cli.h, print.h.
 */
#ifndef LOCHAN_CLI_CMD_PARQUET_H
#define LOCHAN_CLI_CMD_PARQUET_H

#include "cli/commands.h"
#include "cli/print.h"

enum { LOCHAN_CLI_MAX_FILES = 100000 };

/* Opens a file with --threads, --memory-limit and what else is wanted (NULL: nothing). */
lochan_status lochan_cli__open_parquet(lochan_cli *cli, const char *path,
                                       const lochan_parquet_read_options *wanted,
                                       lochan_parquet_reader **out);
/* Finishes the output; the first error stays. */
lochan_status lochan_cli__end_output(lochan_cli *cli, lochan_cli_out *out, lochan_status rc);
/* Names the i-th file where there are several. */
void lochan_cli__add_heading(const lochan_cli *cli, lochan_cli_text *t, int i);

#endif
