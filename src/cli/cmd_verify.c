/* cmd_verify.c - lochan verify. May call: cli.h, print.h, progress.h, terminal.h. */
#include "cli/commands.h"
#include "cli/print.h"
#include "cli/progress.h"
#include "cli/terminal.h"

static lochan_status print_report(lochan_cli *cli, const lochan_verify_report *r, bool deep,
                                  double seconds) {
    lochan_cli_object o = {0};
    if (cli->json) {
        lochan_cli__put_bool(&o, "deep", deep);
        lochan_cli__put_int(&o, "files_checked", r->files_checked);
        lochan_cli__put_int(&o, "rows_checked", r->rows_checked);
        lochan_cli__put_int(&o, "bytes_read", r->bytes_read);
        lochan_cli__put_int(&o, "problems", r->problems);
        lochan_cli__put_int(&o, "unknown_files", r->unknown_files);
        lochan_cli__put_double(&o, "seconds", seconds);
        return lochan_cli__print_object(&o, &cli->err);
    }
    if (cli->quiet)
        return LOCHAN_OK;
    lochan_cli__add_count(&o.text, r->files_checked);
    lochan_cli__addf(&o.text, " %s checked%s", r->files_checked == 1 ? "file" : "files",
                     deep ? " to the last page, " : "");
    if (deep) {
        lochan_cli__add_count(&o.text, r->rows_checked);
        lochan_cli__adds(&o.text, " rows, ");
        lochan_cli__add_bytes(&o.text, r->bytes_read);
    }
    lochan_cli__addf(&o.text, ": %lld %s", (long long)r->problems,
                     r->problems == 1 ? "problem" : "problems");
    if (r->unknown_files > 0)
        lochan_cli__addf(&o.text, ", %lld files that the catalog does not know",
                         (long long)r->unknown_files);
    lochan_cli__adds(&o.text, " (");
    lochan_cli__add_seconds(&o.text, seconds);
    lochan_cli__adds(&o.text, ")\n");
    return lochan_cli__print_text(&o.text, &cli->err);
}

static lochan_status run(lochan_cli *cli) {
    static const lochan_cli_column columns[] = {{"kind", "problem", 0},    {"source", "source", 0},
                                                {"dataset", "dataset", 0}, {"path", "path", 0},
                                                {"detail", "detail", 0},   {0}};
    lochan_verify_options options = LOCHAN_VERIFY_OPTIONS_INIT;
    lochan_verify_report report = {0};
    struct ArrowArrayStream problems = {0};
    lochan_cli_progress progress;
    lochan_cli_name name = {{0}, {0}};
    lochan_status rc = LOCHAN_OK;
    options.deep = lochan_cli__has(cli, "deep");
    options.source = lochan_cli__value(cli, "source");
    if (cli->n_args > 0) {
        rc = lochan_cli__parse_name(cli, cli->args[0], true, &name);
        options.source = name.source;
        options.dataset = name.dataset[0] ? name.dataset : NULL;
    }
    if (rc == LOCHAN_OK)
        rc = lochan_cli__open_lake(cli, LOCHAN_CLI_READS);
    if (rc != LOCHAN_OK)
        return rc;
    lochan_cli__start_progress(&progress, cli, "verify");
    options.progress = lochan_cli__on_verify;
    options.payload = &progress;
    rc = lochan_lake_verify(cli->lake, &options, &report, &problems, &cli->err);
    lochan_cli__wipe_progress();
    if (rc == LOCHAN_ERR_NOT_FOUND && options.dataset)
        lochan_cli__hint_dataset(cli, &name);
    if (rc != LOCHAN_OK)
        return rc;
    if (report.problems > 0)
        rc = lochan_cli__print_list(cli, &problems, columns, "");
    else if (problems.release)
        problems.release(&problems);
    if (rc == LOCHAN_OK)
        rc = print_report(cli, &report, options.deep, lochan_cli__now() - progress.started);
    if (rc == LOCHAN_OK && report.problems > 0) {
        rc = lochan_cli__fail(&cli->err, LOCHAN_ERR_CORRUPT, "verify found %lld %s",
                              (long long)report.problems,
                              report.problems == 1 ? "problem" : "problems");
        lochan_cli__hint(&cli->err, "nothing was changed; damaged files are listed above");
    }
    return rc;
}

static const lochan_cli_option options[] = {
    {"deep", NULL, "also read every page: checksums, order, keys, statistics"},
    {"source", "NAME", "only of this source"},
    {0},
};

const lochan_cli_command lochan_cli__verify = {
    .name = "verify",
    .arguments = "[SOURCE[/DATASET]]",
    .max_args = 1,
    .summary = "compare catalog, journal and files",
    .details = "Prints what is wrong and exits with 6 if anything is. Changes nothing. Files in "
               "data/ that the catalog does\n"
               "not know are counted: what a crash leaves behind, never removed by itself.",
    .example = "lochan verify --deep",
    .options = options,
    .run = run,
};
