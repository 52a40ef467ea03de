/* cmd_expire.c - lochan expire: forgetting old snapshots. May call: cli.h, print.h. */
#include "cli/commands.h"
#include "cli/print.h"

static lochan_status run(lochan_cli *cli) {
    lochan_expire_options options = LOCHAN_EXPIRE_OPTIONS_INIT;
    lochan_expire_report report;
    double days = 0, kept = 0;
    bool set = lochan_cli__has(cli, "retention");
    options.dry_run = lochan_cli__has(cli, "dry-run");
    options.token = lochan_cli__value(cli, "token");
    lochan_status rc = lochan_cli__double_value(cli, "older-than", 0, 36500, &days);
    if (rc == LOCHAN_OK)
        rc = lochan_cli__int_value(cli, "keep", 1, INT64_MAX, &options.keep_newest);
    if (rc == LOCHAN_OK)
        rc = lochan_cli__double_value(cli, "retention", 0, 36500, &kept);
    if (lochan_cli__has(cli, "older-than"))
        options.older_than = (int64_t)(days * 86400);
    if (rc == LOCHAN_OK && set && options.dry_run)
        rc = lochan_cli__fail(&cli->err, LOCHAN_ERR_INVALID_ARGUMENT,
                              "--retention changes the lake: not with --dry-run");
    if (rc == LOCHAN_OK)
        rc = lochan_cli__open_lake(cli, LOCHAN_CLI_WRITES);
    if (rc == LOCHAN_OK && set)
        rc = lochan_lake_set_retention(cli->lake, (int64_t)(kept * 86400), &cli->err);
    if (rc == LOCHAN_OK)
        rc = lochan_lake_expire(cli->lake, &options, &report, &cli->err);
    if (rc != LOCHAN_OK)
        return rc;
    if (cli->json) {
        lochan_cli_object o = {0};
        lochan_cli__put_int(&o, "snapshots", report.snapshots);
        lochan_cli__put_int(&o, "files", report.files);
        lochan_cli__put_int(&o, "bytes", report.bytes);
        lochan_cli__put_bool(&o, "dry_run", options.dry_run);
        return lochan_cli__print_object(&o, &cli->err);
    }
    lochan_cli__note(cli, "%s %lld snapshots; %lld files are shown by no other%s",
                     options.dry_run ? "would forget" : "forgot", (long long)report.snapshots,
                     (long long)report.files,
                     report.files > 0 && !options.dry_run ? ": 'lochan gc' removes them" : "");
    return LOCHAN_OK;
}

static const lochan_cli_option options[] = {
    {"older-than", "DAYS", "only snapshots older than so many days; default: the retention"},
    {"retention", "DAYS", "from now on the lake keeps its snapshots so long; 30 until it is set"},
    {"keep", "N", "the newest N stay, however old; default 1"},
    {"token", "TEXT", "commit token: a commit with the same token is not repeated"},
    {"dry-run", NULL, "only count"},
    {0},
};

const lochan_cli_command lochan_cli__expire = {
    .name = "expire",
    .arguments = "",
    .summary = "forget old snapshots",
    .details =
        "The newest snapshot and those with a tag are never forgotten. Files stay until "
        "'lochan gc'. An update expires by itself, once an hour at most, what is older than the "
        "retention.",
    .example = "lochan expire --older-than 90 --dry-run\nlochan expire --older-than 90",
    .options = options,
    .run = run,
};
