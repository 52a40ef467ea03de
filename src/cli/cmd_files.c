/* cmd_files.c - lochan files: the live files, their paths for other programs, and folder current/.
 * May call: cli.h, print.h. */
#include "cli/commands.h"
#include "cli/print.h"

#include <string.h>

/* One path a line, from where the lake's own path begins. */
static lochan_status print_paths(lochan_cli *cli, struct ArrowArrayStream *stream) {
    static const lochan_cli_column columns[] = {{"path", "path", 0}, {0}};
    lochan_cli_reader reader;
    lochan_cli_text text = {0};
    bool more = false;
    if (cli->json)
        return lochan_cli__print_list(cli, stream, columns, "");
    lochan_status rc = lochan_cli__open_reader(stream, &reader, &cli->err);
    if (rc == LOCHAN_OK) {
        int column = lochan_cli__find_column(&reader, "path");
        rc = lochan_cli__next_row(&reader, &more, &cli->err);
        while (rc == LOCHAN_OK && more && column >= 0) {
            lochan_cli__addf(&text, "%s/", lochan_lake_path(cli->lake));
            lochan_cli__add_cell(&text, &reader, (size_t)column, LOCHAN_CLI_PLAIN);
            lochan_cli__adds(&text, "\n");
            rc = lochan_cli__next_row(&reader, &more, &cli->err);
        }
        lochan_cli__close_reader(&reader);
    }
    stream->release(stream);
    lochan_status printed = lochan_cli__print_text(&text, &cli->err);
    return rc == LOCHAN_OK ? printed : rc;
}

static lochan_status set_current(lochan_cli *cli, const char *value) {
    bool on = strcmp(value, "on") == 0;
    if (!on && strcmp(value, "off") != 0)
        return lochan_cli__fail(&cli->err, LOCHAN_ERR_INVALID_ARGUMENT,
                                "--current is on or off, not '%s'", value);
    lochan_status rc = lochan_cli__open_lake(cli, LOCHAN_CLI_WRITES);
    if (rc == LOCHAN_OK)
        rc = lochan_lake_keep_current(cli->lake, on, &cli->err);
    if (rc == LOCHAN_OK)
        lochan_cli__note(cli, on ? "current/ follows every commit from now on"
                                 : "current/ is gone, the files are where they were");
    return rc;
}

static lochan_status run(lochan_cli *cli) {
    static const lochan_cli_column columns[] = {{"path", "path", 0},
                                                {"partition", "partition", LOCHAN_CLI_IF_ANY},
                                                {"rows", "rows", LOCHAN_CLI_AS_COUNT},
                                                {"bytes", "size", LOCHAN_CLI_AS_BYTES},
                                                {"time_min", "from", LOCHAN_CLI_AS_SECONDS},
                                                {"time_max", "to", LOCHAN_CLI_AS_SECONDS},
                                                {"snapshot_id", "snapshot", 0},
                                                {0}};
    struct ArrowArrayStream stream = {0};
    lochan_cli_filter f;
    const char *current = lochan_cli__value(cli, "current");
    if (current)
        return set_current(cli, current);
    lochan_status rc = lochan_cli__open_filtered(cli, LOCHAN_CLI_READS, &f);
    bool paths = lochan_cli__has(cli, "live") || lochan_cli__has(cli, "as-of");
    if (rc == LOCHAN_OK && paths)
        rc = lochan_lake_files_at(cli->lake, f.source, f.dataset, lochan_cli__value(cli, "as-of"),
                                  &stream, &cli->err);
    else if (rc == LOCHAN_OK)
        rc = lochan_lake_files(cli->lake, f.source, f.dataset, &stream, &cli->err);
    if (rc == LOCHAN_ERR_NOT_FOUND && cli->lake && f.dataset)
        lochan_cli__hint_dataset(cli, &f.name);
    if (rc != LOCHAN_OK)
        return rc;
    return paths ? print_paths(cli, &stream)
                 : lochan_cli__print_list(cli, &stream, columns, "no files");
}

static const lochan_cli_option options[] = {
    {"source", "NAME", "only of this source"},
    {"live", NULL, "only their paths, one a line, for programs that read Parquet themselves"},
    {"as-of", "ID|TIME|TAG", "the paths as of that snapshot"},
    {"current", "on|off", "keep a folder current/ with a hard link to each live file"},
    {0},
};

const lochan_cli_command lochan_cli__files = {
    .name = "files",
    .arguments = "[SOURCE[/DATASET]]",
    .max_args = 1,
    .summary = "the live Parquet files",
    .details = "Paths are relative to the lake, but for those of --live without --json.",
    .example = "lochan files ecb/fx_daily --json\nlochan files ecb/fx_daily --live",
    .options = options,
    .run = run,
};
