/* salvage.c - a lake without its lake.db, read from its journal. */
#include "run/own.h"

lochan_status lochan_run_lake_open(const char *path, const lochan_lake_options *options,
                                   char **warning, lochan_lake **out, lochan_error *err) {
    if (warning)
        *warning = NULL;
    return lochan_lake_open(path, options, out, err);
}
