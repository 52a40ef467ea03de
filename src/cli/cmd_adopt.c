/* cmd_adopt.c - lochan adopt: Parquet folders become datasets as they are. May call: cli.h,
 * print.h. */
#include "cli/commands.h"
#include "cli/print.h"

#include <stdlib.h>

static lochan_status print_report(lochan_cli *cli, const lochan_adopt_report *r) {
    if (cli->json) {
        lochan_cli_object o = {0};
        lochan_cli__put_int(&o, "datasets", r->datasets);
        lochan_cli__put_int(&o, "files", r->files);
        lochan_cli__put_int(&o, "rows", r->rows);
        lochan_cli__put_int(&o, "bytes", r->bytes);
        lochan_cli__put_int(&o, "files_known", r->files_known);
        lochan_cli__put_int(&o, "snapshot_id", r->snapshot_id);
        return lochan_cli__print_object(&o, &cli->err);
    }
    if (r->files == 0)
        lochan_cli__note(cli, "nothing to do: all %lld files are in the lake",
                         (long long)r->files_known);
    else
        lochan_cli__note(cli, "adopted %lld files with %lld rows as %lld dataset%s, snapshot %lld",
                         (long long)r->files, (long long)r->rows, (long long)r->datasets,
                         r->datasets == 1 ? "" : "s", (long long)r->snapshot_id);
    if (r->files > 0 && r->files_known > 0)
        lochan_cli__note(cli, "%lld files were there already", (long long)r->files_known);
    return LOCHAN_OK;
}

static lochan_status choose_way(lochan_cli *cli, lochan_adopt_options *o) {
    bool copy = lochan_cli__has(cli, "copy"), move = lochan_cli__has(cli, "move");
    if (copy && move)
        return lochan_cli__fail(&cli->err, LOCHAN_ERR_INVALID_ARGUMENT,
                                "--copy and --move exclude each other");
    o->how = copy ? LOCHAN_ADOPT_COPY : move ? LOCHAN_ADOPT_MOVE : LOCHAN_ADOPT_LINK;
    o->dry_run = lochan_cli__has(cli, "plan") || lochan_cli__has(cli, "dry-run");
    return LOCHAN_OK;
}

static lochan_status run(lochan_cli *cli) {
    static const lochan_cli_column columns[] = {{"source", "source", 0},
                                                {"dataset", "dataset", 0},
                                                {"path", "path", 0},
                                                {"partition", "partition", 0},
                                                {"rows", "rows", LOCHAN_CLI_AS_COUNT},
                                                {"bytes", "size", LOCHAN_CLI_AS_BYTES},
                                                {"state", "state", 0},
                                                {0}};
    lochan_adopt_options options = LOCHAN_ADOPT_OPTIONS_INIT;
    lochan_adopt_report report;
    struct ArrowArrayStream list = {0};
    char **key = lochan_cli__list_value(cli, "key", &options.n_key);
    options.key = (const char *const *)key;
    options.source = lochan_cli__value(cli, "source");
    options.dataset = lochan_cli__value(cli, "name");
    lochan_status rc = choose_way(cli, &options);
    if (rc == LOCHAN_OK)
        rc = lochan_cli__open_lake(cli, options.dry_run ? LOCHAN_CLI_READS : LOCHAN_CLI_WRITES);
    if (rc == LOCHAN_OK)
        rc = lochan_lake_adopt(cli->lake, cli->args[0], &options, &report,
                               options.dry_run ? &list : NULL, &cli->err);
    if (key)
        free(key[0]);
    free(key);
    if (rc != LOCHAN_OK)
        return rc;
    return options.dry_run ? lochan_cli__print_list(cli, &list, columns, "nothing to adopt")
                           : print_report(cli, &report);
}

static const lochan_cli_option options[] = {
    {"source", "NAME", "of the datasets; default: the folder above the dataset's"},
    {"name", "NAME", "of the dataset, if DIR is one; default: its folder's name"},
    {"key", "A,B", "columns that identify a row, in the order of the table"},
    {"copy", NULL, "copy the files; default: hard links"},
    {"move", NULL, "link, and remove the old names once the lake has them"},
    {"plan", NULL, "show what would be adopted, change nothing (also --dry-run)"},
    {"dry-run", NULL, "the same as --plan"},
    {0},
};

const lochan_cli_command lochan_cli__adopt = {
    .name = "adopt",
    .arguments = "DIR",
    .min_args = 1,
    .max_args = 1,
    .summary = "make Parquet folders datasets of the lake, as they are",
    .details = "Each folder below DIR with Parquet files or folders key=value becomes a dataset; "
               "no file is rewritten. Done again it takes only files that are new. --key makes "
               "later updates possible. See docs/adopt.md.",
    .example = "lochan adopt --plan ./warehouse\n"
               "lochan adopt ./warehouse/prices --source old --key time,asset_id",
    .options = options,
    .run = run,
};
