/* cmd_gc.c - lochan gc: removing the files that expire forgot. May call: cli.h, print.h. */
#include "cli/commands.h"
#include "cli/print.h"

static lochan_status run(lochan_cli *cli) {
    static const lochan_cli_column columns[] = {
        {"path", "path", 0},
        {"bytes", "size", LOCHAN_CLI_AS_BYTES},
        {"forgotten_at", "forgotten at", LOCHAN_CLI_AS_SECONDS},
        {0}};
    struct ArrowArrayStream plan = {0};
    lochan_gc_options options = LOCHAN_GC_OPTIONS_INIT;
    lochan_gc_report report;
    double hours = 24;
    options.dry_run = lochan_cli__has(cli, "dry-run");
    options.token = lochan_cli__value(cli, "token");
    lochan_status rc = lochan_cli__double_value(cli, "grace", 0, 876000, &hours);
    options.grace = (int64_t)(hours * 3600);
    if (rc == LOCHAN_OK)
        rc = lochan_cli__open_lake(cli, options.dry_run ? LOCHAN_CLI_READS : LOCHAN_CLI_WRITES);
    if (rc == LOCHAN_OK)
        rc =
            lochan_lake_gc(cli->lake, &options, &report, options.dry_run ? &plan : NULL, &cli->err);
    if (rc != LOCHAN_OK)
        return rc;
    if (options.dry_run)
        return lochan_cli__print_list(cli, &plan, columns, "nothing to remove");
    if (cli->json) {
        lochan_cli_object o = {0};
        lochan_cli__put_int(&o, "files", report.files);
        lochan_cli__put_int(&o, "bytes", report.bytes);
        lochan_cli__put_int(&o, "waiting", report.waiting);
        return lochan_cli__print_object(&o, &cli->err);
    }
    lochan_cli__note(cli, "removed %lld files, %lld bytes; %lld are within their grace",
                     (long long)report.files, (long long)report.bytes, (long long)report.waiting);
    return LOCHAN_OK;
}

static const lochan_cli_option options[] = {
    {"grace", "HOURS", "files stay so long after they were forgotten; default 24"},
    {"token", "TEXT", "commit token: a commit with the same token is not repeated"},
    {"dry-run", NULL, "show the files, remove none"},
    {0},
};

const lochan_cli_command lochan_cli__gc = {
    .name = "gc",
    .arguments = "",
    .summary = "remove the files of forgotten snapshots",
    .details = "Only files that 'lochan expire' forgot, after their grace: a reader that began "
               "before has that long to end.",
    .example = "lochan gc --dry-run\nlochan gc",
    .options = options,
    .run = run,
};
