/* cmd_sql.c - lochan sql. May call: cli.h, print.h. */
#include "cli/commands.h"
#include "cli/print.h"

static lochan_status run(lochan_cli *cli) {
    char *sql = NULL;
    lochan_status rc = lochan_cli__open_lake(cli, LOCHAN_CLI_READS);
    if (rc == LOCHAN_OK)
        rc = lochan_lake_sql(cli->lake, &sql, &cli->err);
    if (rc != LOCHAN_OK)
        return rc;
    lochan_cli_object o = {0};
    if (cli->json) {
        lochan_cli__put_text(&o, "sql", sql);
        rc = lochan_cli__print_object(&o, &cli->err);
    } else {
        lochan_cli__addf(&o.text, "%s\n", sql);
        rc = lochan_cli__print_text(&o.text, &cli->err);
    }
    lochan_free(sql);
    return rc;
}

const lochan_cli_command lochan_cli__sql = {
    .name = "sql",
    .arguments = "",
    .summary = "the statement with which DuckDB attaches the lake",
    .details = "The lake is a DuckLake catalog: DuckDB with the extensions ducklake and sqlite "
               "reads it as it is.",
    .example = "duckdb -c \"$(lochan sql) FROM lake.ecb.fx_daily LIMIT 5;\"",
    .run = run,
};
