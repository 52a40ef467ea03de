/* cmd_rejects.c - lochan rejects: rows that a rule kept out. May call: cli.h, print.h. */
#include "cli/commands.h"
#include "cli/print.h"

static lochan_status change(lochan_cli *cli, bool release) {
    lochan_cli_name name;
    int64_t rows = 0;
    const char *update = lochan_cli__value(cli, "update");
    if (cli->n_args == 0)
        return lochan_cli__fail(&cli->err, LOCHAN_ERR_INVALID_ARGUMENT,
                                "--release and --drop need SOURCE/DATASET");
    lochan_status rc = lochan_cli__parse_name(cli, cli->args[0], false, &name);
    if (rc == LOCHAN_OK)
        rc = lochan_cli__open_lake(cli, LOCHAN_CLI_WRITES);
    if (rc == LOCHAN_OK && release)
        rc = lochan_rejects_release(cli->lake, name.source, name.dataset, update, &rows, &cli->err);
    else if (rc == LOCHAN_OK)
        rc = lochan_rejects_drop(cli->lake, name.source, name.dataset, update, &rows, &cli->err);
    if (rc != LOCHAN_OK)
        return rc;
    lochan_cli_object o = {0};
    if (cli->json) {
        lochan_cli__put_text(&o, "source", name.source);
        lochan_cli__put_text(&o, "dataset", name.dataset);
        lochan_cli__put_int(&o, release ? "released" : "dropped", rows);
        return lochan_cli__print_object(&o, &cli->err);
    }
    lochan_cli__addf(&o.text, "%s/%s: %lld %s %s\n", name.source, name.dataset, (long long)rows,
                     rows == 1 ? "row" : "rows", release ? "released" : "dropped");
    return lochan_cli__print_text(&o.text, &cli->err);
}

static lochan_status run(lochan_cli *cli) {
    static const lochan_cli_column columns[] = {{"source", "source", 0},
                                                {"dataset", "dataset", 0},
                                                {"update_id", "update", 0},
                                                {"scope", "scope", 0},
                                                {"page", "page", LOCHAN_CLI_AS_COUNT},
                                                {"row", "row", LOCHAN_CLI_AS_COUNT},
                                                {"reason", "reason", 0},
                                                {"state", "state", 0},
                                                {"record", "record", 0},
                                                {0}};
    struct ArrowArrayStream stream = {0};
    lochan_cli_filter f;
    bool release = lochan_cli__has(cli, "release"), drop = lochan_cli__has(cli, "drop");
    if (release && drop)
        return lochan_cli__fail(&cli->err, LOCHAN_ERR_INVALID_ARGUMENT,
                                "--release and --drop exclude each other");
    if (drop && !lochan_cli__has(cli, "yes"))
        return lochan_cli__fail(&cli->err, LOCHAN_ERR_INVALID_ARGUMENT,
                                "--drop forgets rows; say --yes");
    if (release || drop)
        return change(cli, release);
    lochan_status rc = lochan_cli__open_filtered(cli, LOCHAN_CLI_READS, &f);
    if (rc == LOCHAN_OK)
        rc = lochan_status_rejects(cli->lake, f.source, f.dataset, lochan_cli__value(cli, "update"),
                                   &stream, &cli->err);
    if (rc != LOCHAN_OK)
        return rc;
    return lochan_cli__print_list(cli, &stream, columns, "no row was rejected");
}

static const lochan_cli_option options[] = {
    {"source", "NAME", "only of this source"},
    {"update", "ID", "only of this update"},
    {"release", NULL, "write them into the dataset after all"},
    {"drop", NULL, "forget them (with --yes)"},
    {"yes", NULL, "really"},
    {0},
};

const lochan_cli_command lochan_cli__rejects = {
    .name = "rejects",
    .arguments = "[SOURCE[/DATASET]]",
    .max_args = 1,
    .summary = "rows that a rule kept out of a dataset, and why",
    .details = "Rules with on_error: quarantine keep the rows that break them apart.",
    .example = "lochan rejects market/daily\nlochan rejects market/daily --release",
    .options = options,
    .run = run,
};
