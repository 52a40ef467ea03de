/* commands.c - the table of commands, in the order of --help, and the options that all of them
 * take. */
#include "cli/commands.h"

const lochan_cli_command *const lochan_cli__commands[] = {
    &lochan_cli__init,
    &lochan_cli__source_add,
    &lochan_cli__source_list,
    &lochan_cli__source_show,
    &lochan_cli__source_set,
    &lochan_cli__dataset_add,
    &lochan_cli__dataset_list,
    &lochan_cli__dataset_show,
    &lochan_cli__update,
    &lochan_cli__backfill,
    &lochan_cli__status,
    &lochan_cli__runs,
    &lochan_cli__scan,
    &lochan_cli__files,
    &lochan_cli__sql,
    &lochan_cli__verify,
    &lochan_cli__parquet_info,
    &lochan_cli__parquet_schema,
    &lochan_cli__parquet_head,
    &lochan_cli__parquet_verify,
    &lochan_cli__parquet_cat,
    &lochan_cli__feed,
    &lochan_cli__version,
    &lochan_cli__help,
    NULL,
};

const lochan_cli_option lochan_cli__common_options[] = {
    {"lake", "DIR", "the lake; default $LOCHAN_LAKE, then the current folder"},
    {"json", NULL, "answer as JSON: one object, or one a line for lists"},
    {"threads", "N", "worker threads; default one a processor"},
    {"memory-limit", "SIZE", "memory for data, like 256MB"},
    {"lock-timeout", "SECONDS", "how long to wait for another writer; default 60"},
    {"quiet", NULL, "no progress, no remarks, no warnings (-q)"},
    {"verbose", NULL, "say more on stderr (-v)"},
    {"help", NULL, "this help (-h)"},
    {0},
};
