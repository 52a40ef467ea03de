/* spec_file.h - specs in and out: reading one that the user named, printing one. May call: print.h.
 */
#ifndef LOCHAN_CLI_SPEC_FILE_H
#define LOCHAN_CLI_SPEC_FILE_H

#include "cli/print.h"

/* Is the argument a file rather than the name of a bundled spec? "-", *.yaml, *.yml. */
bool lochan_cli__is_spec_file(const char *arg);
/* Reads a file, or standard input for "-", of at most 1 MB and a byte (the library refuses larger
 * specs). */
lochan_status lochan_cli__read_spec(const char *path, lochan_cli_text *out, lochan_error *err);
/* Prints the spec as it is; with --json as an object of what is in `names` and "yaml". Frees the
 * spec, which the library made. */
lochan_status lochan_cli__print_spec(lochan_cli *cli, lochan_cli_object *names, char *yaml);

#endif
