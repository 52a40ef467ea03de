/* cmd_rebuild.c - lochan rebuild: lake.db made again. May call: cli.h, print.h. */
#include "cli/commands.h"
#include "cli/print.h"

static const lochan_cli_column columns[] = {{"kind", "problem", 0},
                                            {"source", "source", LOCHAN_CLI_IF_ANY},
                                            {"dataset", "dataset", LOCHAN_CLI_IF_ANY},
                                            {"path", "path", 0},
                                            {"detail", "detail", 0},
                                            {0}};

static lochan_status print_report(lochan_cli *cli, const lochan_lake_rebuild_report *r, bool cut) {
    if (cli->json) {
        lochan_cli_object o = {0};
        lochan_cli__put_int(&o, "records", r->records);
        lochan_cli__put_bool(&o, "cut", cut);
        lochan_cli__put_int(&o, "tables", r->tables);
        lochan_cli__put_int(&o, "files", r->files);
        lochan_cli__put_int(&o, "rows", r->rows);
        lochan_cli__put_int(&o, "missing", r->missing);
        lochan_cli__put_int(&o, "unknown_files", r->unknown_files);
        lochan_cli__put_int(&o, "adopted", r->adopted);
        return lochan_cli__print_object(&o, &cli->err);
    }
    lochan_cli__note(cli, "%s %lld records of the journal: %lld tables, %lld files, %lld rows",
                     cut ? "set aside" : "lake.db was made again from", (long long)r->records,
                     (long long)r->tables, (long long)r->files, (long long)r->rows);
    if (r->adopted > 0)
        lochan_cli__note(cli, "%lld files without a commit became part of their tables",
                         (long long)r->adopted);
    if (r->unknown_files > 0)
        lochan_cli__note(cli, "%lld files belong to no commit; they were left alone",
                         (long long)r->unknown_files);
    return LOCHAN_OK;
}

static lochan_status run(lochan_cli *cli) {
    lochan_lake_options lake_options = LOCHAN_LAKE_OPTIONS_INIT;
    lochan_lake_rebuild_options options = LOCHAN_LAKE_REBUILD_OPTIONS_INIT;
    lochan_lake_rebuild_report report;
    struct ArrowArrayStream problems = {0};
    double seconds = 60;
    options.cut = lochan_cli__has(cli, "cut");
    options.adopt = lochan_cli__has(cli, "adopt");
    lochan_status rc = lochan_cli__double_value(cli, "lock-timeout", 0, 1e6, &seconds);
    if (rc == LOCHAN_OK)
        rc = lochan_cli__bytes_value(cli, "memory-limit", &lake_options.memory_limit);
    if (rc != LOCHAN_OK)
        return rc;
    lake_options.lock_timeout_ms = seconds > 0 ? (int64_t)(seconds * 1000) : 1;
    rc =
        lochan_lake_rebuild(cli->lake_path, &lake_options, &options, &report, &problems, &cli->err);
    if (rc == LOCHAN_OK)
        rc = lochan_cli__print_list(cli, &problems, columns, "");
    if (rc == LOCHAN_OK)
        rc = print_report(cli, &report, options.cut);
    if (rc == LOCHAN_OK && report.missing > 0) {
        rc = lochan_cli__fail(&cli->err, LOCHAN_ERR_CORRUPT, "%lld files are not what they were",
                              (long long)report.missing);
        lochan_cli__hint(&cli->err, "'lochan repair --plan' tells what can be done");
    }
    return rc;
}

static const lochan_cli_option options[] = {
    {"cut", NULL, "lake.db wins: set aside what the journal has beyond it"},
    {"adopt", NULL, "take whole appends that no catalog knows into their tables"},
    {0},
};

const lochan_cli_command lochan_cli__rebuild = {
    .name = "rebuild",
    .arguments = "",
    .summary = "make lake.db again from the journal",
    .details = "For a lake whose lake.db is lost, damaged, or older than its journal. The old one "
               "is set aside, no file is removed.\n"
               "--adopt never takes files of tables with a key, and none that was replaced. "
               "See docs/maintenance.md.",
    .example = "lochan rebuild\nlochan rebuild --cut",
    .options = options,
    .run = run,
};
