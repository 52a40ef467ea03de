/* cmd_dataset.c - lochan dataset add, list, show. May call: cli.h, print.h, spec_file.h. */
#include "cli/commands.h"
#include "cli/print.h"
#include "cli/spec_file.h"

#include <string.h>

/* After --replace: whether rows made under the old spec differ from those of the new one. */
static void note_mapping(lochan_cli *cli, bool changed) {
    if (changed)
        lochan_cli__note(
            cli, "the mapping of rows changed: what is in the lake was made under the "
                 "old one; 'lochan rebuild-from-raw' makes it anew from answers that were kept, "
                 "'lochan update --force' asks for it again");
}

static lochan_status add_file(lochan_cli *cli, const char *path) {
    lochan_cli_text yaml = {0};
    bool changed = false;
    const char *file = strcmp(path, "-") == 0 ? "standard input" : path;
    lochan_status rc = lochan_cli__read_spec(path, &yaml, &cli->err);
    if (rc == LOCHAN_OK && lochan_cli__has(cli, "replace"))
        rc = lochan_dataset_compare(cli->lake, yaml.data ? yaml.data : "", yaml.len, file, &changed,
                                    &cli->err);
    if (rc == LOCHAN_OK)
        rc = lochan_dataset_add(cli->lake, yaml.data ? yaml.data : "", yaml.len, file,
                                lochan_cli__has(cli, "replace"), &cli->err);
    if (rc == LOCHAN_OK)
        note_mapping(cli, changed);
    lochan_cli__free(&yaml);
    return rc;
}

static lochan_status run_add(lochan_cli *cli) {
    const char *what = cli->args[0];
    int64_t added = 1;
    lochan_status rc = lochan_cli__open_lake(cli, LOCHAN_CLI_WRITES);
    if (rc == LOCHAN_OK)
        rc = lochan_cli__is_spec_file(what)
                 ? add_file(cli, what)
                 : lochan_dataset_add_bundled(cli->lake, what, &added, &cli->err);
    if (rc != LOCHAN_OK)
        return rc;
    lochan_cli_object o = {0};
    if (cli->json) {
        lochan_cli__put_text(&o, "dataset", what);
        lochan_cli__put_int(&o, "added", added);
        return lochan_cli__print_object(&o, &cli->err);
    }
    if (added == 0)
        lochan_cli__addf(&o.text, "%s was there already\n", what);
    else if (added == 1)
        lochan_cli__addf(&o.text, "added dataset %s\n", what);
    else
        lochan_cli__addf(&o.text, "added %lld datasets of %s\n", (long long)added, what);
    return lochan_cli__print_text(&o.text, &cli->err);
}

static lochan_status run_list(lochan_cli *cli) {
    static const lochan_cli_column columns[] = {
        {"source", "source", 0},
        {"dataset", "dataset", 0},
        {"category", "category", 0},
        {"key", "key", 0},
        {"partition", "partition", 0},
        {"update_mode", "mode", 0},
        {"rows", "rows", LOCHAN_CLI_AS_COUNT},
        {"last_update", "last update (UTC)", LOCHAN_CLI_AS_SECONDS},
        {0}};
    struct ArrowArrayStream stream = {0};
    lochan_status rc = lochan_cli__open_lake(cli, LOCHAN_CLI_READS);
    if (rc == LOCHAN_OK)
        rc = lochan_dataset_list(cli->lake, &stream, &cli->err);
    if (rc != LOCHAN_OK)
        return rc;
    return lochan_cli__print_list(cli, &stream, columns,
                                  "the lake has no dataset yet: 'lochan dataset add' adds one");
}

/* The dataset of the first argument, in the opened lake. */
static lochan_status begin(lochan_cli *cli, lochan_cli_use use, lochan_cli_name *name) {
    lochan_status rc = lochan_cli__parse_name(cli, cli->args[0], false, name);
    return rc == LOCHAN_OK ? lochan_cli__open_lake(cli, use) : rc;
}

/* After what was done: a hint if there is no such dataset. */
static lochan_status end(lochan_cli *cli, const lochan_cli_name *name, lochan_status rc) {
    if (rc == LOCHAN_ERR_NOT_FOUND && cli->lake)
        lochan_cli__hint_dataset(cli, name);
    return rc;
}

static lochan_status run_show(lochan_cli *cli) {
    lochan_cli_name name;
    char *yaml = NULL;
    lochan_status rc = begin(cli, LOCHAN_CLI_READS, &name);
    if (rc == LOCHAN_OK)
        rc = end(cli, &name,
                 lochan_dataset_show(cli->lake, name.source, name.dataset, &yaml, &cli->err));
    if (rc != LOCHAN_OK)
        return rc;
    lochan_cli_object o = {0};
    lochan_cli__put_text(&o, "source", name.source);
    lochan_cli__put_text(&o, "dataset", name.dataset);
    return lochan_cli__print_spec(cli, &o, yaml);
}

static lochan_status run_enable(lochan_cli *cli) {
    lochan_cli_name name;
    bool enable = strcmp(cli->command->name, "dataset enable") == 0;
    lochan_status rc = begin(cli, LOCHAN_CLI_WRITES, &name);
    if (rc == LOCHAN_OK)
        rc = end(cli, &name,
                 lochan_dataset_enable(cli->lake, name.source, name.dataset, enable, &cli->err));
    if (rc != LOCHAN_OK)
        return rc;
    lochan_cli_object o = {0};
    if (cli->json) {
        lochan_cli__put_text(&o, "source", name.source);
        lochan_cli__put_text(&o, "dataset", name.dataset);
        lochan_cli__put_bool(&o, "enabled", enable);
        return lochan_cli__print_object(&o, &cli->err);
    }
    lochan_cli__addf(&o.text, "%s/%s is %s\n", name.source, name.dataset,
                     enable ? "enabled" : "disabled");
    return lochan_cli__print_text(&o.text, &cli->err);
}

static lochan_status run_remove(lochan_cli *cli) {
    lochan_cli_name name;
    bool delete_data = lochan_cli__has(cli, "delete-data");
    lochan_status rc = lochan_cli__parse_name(cli, cli->args[0], false, &name);
    if (rc == LOCHAN_OK && !lochan_cli__has(cli, "yes"))
        return lochan_cli__fail(&cli->err, LOCHAN_ERR_INVALID_ARGUMENT,
                                "this forgets %s/%s%s; say --yes", name.source, name.dataset,
                                delete_data ? " and its data" : ", its data stays");
    if (rc == LOCHAN_OK)
        rc = lochan_cli__open_lake(cli, LOCHAN_CLI_WRITES);
    if (rc == LOCHAN_OK)
        rc = end(
            cli, &name,
            lochan_dataset_remove(cli->lake, name.source, name.dataset, delete_data, &cli->err));
    if (rc != LOCHAN_OK)
        return rc;
    lochan_cli_object o = {0};
    if (cli->json) {
        lochan_cli__put_text(&o, "source", name.source);
        lochan_cli__put_text(&o, "dataset", name.dataset);
        lochan_cli__put_bool(&o, "data_deleted", delete_data);
        return lochan_cli__print_object(&o, &cli->err);
    }
    lochan_cli__addf(&o.text, "removed dataset %s/%s%s\n", name.source, name.dataset,
                     delete_data ? " and its data" : "; its data stays");
    return lochan_cli__print_text(&o.text, &cli->err);
}

static const lochan_cli_option add_options[] = {
    {"replace", NULL, "change the dataset of that name (spec files only)"},
    {0},
};
static const lochan_cli_option show_options[] = {
    {"source", "NAME", "the source, if the argument is the dataset alone"},
    {0},
};

const lochan_cli_command lochan_cli__dataset_add = {
    .name = "dataset add",
    .arguments = "SOURCE/DATASET|SOURCE|FILE.yaml|-",
    .min_args = 1,
    .max_args = 1,
    .summary = "add a dataset of a source",
    .details = "SOURCE/DATASET is a bundled dataset, SOURCE all that are bundled with it, "
               "FILE.yaml a spec of your own,\n"
               "- reads it from standard input. docs/specs.md describes the fields.",
    .example = "lochan dataset add ecb/fx_daily\nlochan dataset add prices.yaml",
    .options = add_options,
    .run = run_add,
};
const lochan_cli_command lochan_cli__dataset_list = {
    .name = "dataset list",
    .arguments = "",
    .summary = "list the datasets",
    .example = "lochan dataset list --json",
    .run = run_list,
};
const lochan_cli_command lochan_cli__dataset_show = {
    .name = "dataset show",
    .arguments = "SOURCE/DATASET",
    .min_args = 1,
    .max_args = 1,
    .summary = "print a dataset as YAML",
    .example = "lochan dataset show ecb/fx_daily",
    .options = show_options,
    .run = run_show,
};

static const lochan_cli_option remove_options[] = {
    {"source", "NAME", "the source, if the argument is the dataset alone"},
    {"delete-data", NULL, "the rows too; older snapshots show them until they expire"},
    {"yes", NULL, "really"},
    {0},
};
const lochan_cli_command lochan_cli__dataset_enable = {
    .name = "dataset enable",
    .arguments = "SOURCE/DATASET",
    .min_args = 1,
    .max_args = 1,
    .summary = "let updates of a dataset run again",
    .example = "lochan dataset enable ecb/fx_daily",
    .options = show_options,
    .run = run_enable,
};
const lochan_cli_command lochan_cli__dataset_disable = {
    .name = "dataset disable",
    .arguments = "SOURCE/DATASET",
    .min_args = 1,
    .max_args = 1,
    .summary = "let no update of a dataset run",
    .example = "lochan dataset disable ecb/fx_daily",
    .options = show_options,
    .run = run_enable,
};
const lochan_cli_command lochan_cli__dataset_remove = {
    .name = "dataset remove",
    .arguments = "SOURCE/DATASET",
    .min_args = 1,
    .max_args = 1,
    .summary = "forget a dataset and its ledger",
    .details = "Its table stays and can be read, unless --delete-data.",
    .example = "lochan dataset remove ecb/fx_daily --yes",
    .options = remove_options,
    .run = run_remove,
};
