/* spec_file.h - reading a spec that the user named. May call: libc. */
#ifndef LOCHAN_CLI_SPEC_FILE_H
#define LOCHAN_CLI_SPEC_FILE_H

#include "cli/text.h"

/* Is the argument a file rather than the name of a bundled spec? "-", *.yaml, *.yml. */
bool lochan_cli__is_spec_file(const char *arg);
/* Reads a file, or standard input for "-", of at most 1 MB and a byte (the library refuses larger
 * specs). */
lochan_status lochan_cli__read_spec(const char *path, lochan_cli_text *out, lochan_error *err);

#endif
