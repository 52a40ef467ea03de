/* commands.h - the commands, each defined in its cmd_<name>.c. */
#ifndef LOCHAN_CLI_COMMANDS_H
#define LOCHAN_CLI_COMMANDS_H

#include "cli/cli.h"

extern const lochan_cli_command lochan_cli__init;
extern const lochan_cli_command lochan_cli__source_add;
extern const lochan_cli_command lochan_cli__source_list;
extern const lochan_cli_command lochan_cli__source_show;
extern const lochan_cli_command lochan_cli__source_set;
extern const lochan_cli_command lochan_cli__dataset_add;
extern const lochan_cli_command lochan_cli__dataset_list;
extern const lochan_cli_command lochan_cli__dataset_show;
extern const lochan_cli_command lochan_cli__dataset_enable;
extern const lochan_cli_command lochan_cli__dataset_disable;
extern const lochan_cli_command lochan_cli__dataset_remove;
extern const lochan_cli_command lochan_cli__gaps;
extern const lochan_cli_command lochan_cli__scopes;
extern const lochan_cli_command lochan_cli__failures;
extern const lochan_cli_command lochan_cli__partitions;
extern const lochan_cli_command lochan_cli__rejects;
extern const lochan_cli_command lochan_cli__update;
extern const lochan_cli_command lochan_cli__backfill;
extern const lochan_cli_command lochan_cli__status;
extern const lochan_cli_command lochan_cli__runs;
extern const lochan_cli_command lochan_cli__scan;
extern const lochan_cli_command lochan_cli__files;
extern const lochan_cli_command lochan_cli__sql;
extern const lochan_cli_command lochan_cli__verify;
extern const lochan_cli_command lochan_cli__table_add;
extern const lochan_cli_command lochan_cli__table_list;
extern const lochan_cli_command lochan_cli__table_show;
extern const lochan_cli_command lochan_cli__run_append;
extern const lochan_cli_command lochan_cli__run_scan;
extern const lochan_cli_command lochan_cli__run_manifest;
extern const lochan_cli_command lochan_cli__run_rebuild;
extern const lochan_cli_command lochan_cli__run_list;
extern const lochan_cli_command lochan_cli__runs_of;
extern const lochan_cli_command lochan_cli__run_describe;
extern const lochan_cli_command lochan_cli__run_export;
extern const lochan_cli_command lochan_cli__run_delete;
extern const lochan_cli_command lochan_cli__parquet_info;
extern const lochan_cli_command lochan_cli__parquet_schema;
extern const lochan_cli_command lochan_cli__parquet_head;
extern const lochan_cli_command lochan_cli__parquet_verify;
extern const lochan_cli_command lochan_cli__parquet_cat;
extern const lochan_cli_command lochan_cli__feed;
extern const lochan_cli_command lochan_cli__version;
extern const lochan_cli_command lochan_cli__help;

#endif
