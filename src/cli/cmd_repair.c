/* cmd_repair.c - lochan repair: damaged files taken out and fetched again. May call: cli.h,
 * print.h.
 */
#include "cli/commands.h"
#include "cli/print.h"

static lochan_status print_report(lochan_cli *cli, const lochan_repair_report *r, bool plan) {
    if (cli->json) {
        lochan_cli_object o = {0};
        lochan_cli__put_bool(&o, "plan", plan);
        lochan_cli__put_int(&o, "files_damaged", r->files_damaged);
        lochan_cli__put_int(&o, "files_taken_out", r->files_taken_out);
        lochan_cli__put_int(&o, "rows_taken_out", r->rows_taken_out);
        lochan_cli__put_int(&o, "intervals_reopened", r->intervals_reopened);
        lochan_cli__put_int(&o, "not_repaired", r->not_repaired);
        lochan_cli__put_int(&o, "snapshot_id", r->snapshot_id);
        return lochan_cli__print_object(&o, &cli->err);
    }
    if (plan || r->files_taken_out == 0)
        return LOCHAN_OK;
    lochan_cli__note(cli, "%lld files with %lld rows were taken out%s",
                     (long long)r->files_taken_out, (long long)r->rows_taken_out,
                     r->intervals_reopened > 0 ? "; 'lochan update' fetches their days again" : "");
    return LOCHAN_OK;
}

/* Days that are owed now, from answers that were kept. */
static lochan_status restore(lochan_cli *cli, const lochan_cli_filter *f) {
    lochan_raw_options options = LOCHAN_RAW_OPTIONS_INIT;
    lochan_raw_report report;
    options.owed = true;
    lochan_status rc =
        lochan_raw_rebuild(cli->lake, f->source, f->dataset, &options, &report, NULL, &cli->err);
    if (rc == LOCHAN_OK)
        lochan_cli__note(cli, "%lld rows came back from kept answers%s", (long long)report.rows_new,
                         report.lacking > 0 ? "; 'lochan update' fetches the other days" : "");
    return rc;
}

static lochan_status run(lochan_cli *cli) {
    static const lochan_cli_column columns[] = {{"source", "source", LOCHAN_CLI_IF_ANY},
                                                {"dataset", "dataset", LOCHAN_CLI_IF_ANY},
                                                {"path", "path", 0},
                                                {"problem", "problem", 0},
                                                {"action", "action", 0},
                                                {"detail", "detail", 0},
                                                {0}};
    lochan_repair_options options = LOCHAN_REPAIR_OPTIONS_INIT;
    lochan_repair_report report;
    struct ArrowArrayStream plan = {0};
    lochan_cli_filter f;
    lochan_status rc = LOCHAN_OK;
    options.dry_run = lochan_cli__has(cli, "plan") || lochan_cli__has(cli, "dry-run");
    options.deep = lochan_cli__has(cli, "deep");
    options.force = lochan_cli__has(cli, "force");
    bool from_raw = lochan_cli__has(cli, "from-raw");
    if (rc == LOCHAN_OK)
        rc = lochan_cli__open_filtered(cli, options.dry_run ? LOCHAN_CLI_READS : LOCHAN_CLI_WRITES,
                                       &f);
    if (rc == LOCHAN_OK && from_raw && !f.dataset)
        rc = lochan_cli__fail(&cli->err, LOCHAN_ERR_INVALID_ARGUMENT,
                              "--from-raw needs SOURCE/DATASET");
    if (rc == LOCHAN_OK)
        rc =
            lochan_lake_repair(cli->lake, f.source, f.dataset, &options, &report, &plan, &cli->err);
    if (rc == LOCHAN_OK)
        rc = lochan_cli__print_list(cli, &plan, columns, "nothing to repair");
    if (rc == LOCHAN_OK)
        rc = print_report(cli, &report, options.dry_run);
    if (rc == LOCHAN_OK && from_raw && !options.dry_run)
        rc = restore(cli, &f);
    if (rc == LOCHAN_OK && report.not_repaired > 0)
        rc = lochan_cli__fail(&cli->err, LOCHAN_ERR_CORRUPT, "%lld problems need another remedy",
                              (long long)report.not_repaired);
    return rc;
}

static const lochan_cli_option options[] = {
    {"plan", NULL, "show what would be done, change nothing (also --dry-run)"},
    {"dry-run", NULL, "the same as --plan"},
    {"deep", NULL, "look into every page, not only at sizes and footers"},
    {"force", NULL, "even if most files of a table are damaged or cannot be read"},
    {"from-raw", NULL, "bring the rows of one dataset back from its kept answers ('lochan raw')"},
    {"source", "NAME", "only of this source"},
    {0},
};

const lochan_cli_command lochan_cli__repair = {
    .name = "repair",
    .arguments = "[SOURCE[/DATASET]]",
    .max_args = 1,
    .summary = "take damaged files out and have their days fetched again",
    .details =
        "Rows of tables that no dataset fills are lost with their file; the plan says so. No "
        "file is removed.",
    .example = "lochan repair --plan --deep\nlochan repair --deep && lochan update --all",
    .options = options,
    .run = run,
};
