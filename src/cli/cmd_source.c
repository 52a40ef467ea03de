/* cmd_source.c - lochan source add, list, show, set. May call: cli.h, print.h, spec_file.h. */
#include "cli/commands.h"
#include "cli/print.h"
#include "cli/spec_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static lochan_status add_one(lochan_cli *cli, const char *arg) {
    if (!lochan_cli__is_spec_file(arg)) {
        lochan_status rc = lochan_source_add_bundled(cli->lake, arg, &cli->err);
        if (rc == LOCHAN_ERR_NOT_FOUND && !cli->err.hint[0])
            lochan_cli__hint(&cli->err,
                             "a spec of your own is a file: lochan source add FILE.yaml");
        return rc;
    }
    lochan_cli_text yaml = {0};
    lochan_status rc = lochan_cli__read_spec(arg, &yaml, &cli->err);
    if (rc == LOCHAN_OK)
        rc = lochan_source_add(cli->lake, yaml.data ? yaml.data : "", yaml.len,
                               strcmp(arg, "-") == 0 ? "standard input" : arg,
                               lochan_cli__has(cli, "replace"), &cli->err);
    lochan_cli__free(&yaml);
    return rc;
}

static lochan_status say_done(lochan_cli *cli, const char *verb, const char *what) {
    lochan_cli_object o = {0};
    if (cli->json) {
        lochan_cli__put_text(&o, verb, what);
        return lochan_cli__print_object(&o, &cli->err);
    }
    lochan_cli__addf(&o.text, "%s source %s\n", verb, what);
    return lochan_cli__print_text(&o.text, &cli->err);
}

static lochan_status run_add(lochan_cli *cli) {
    lochan_status rc = lochan_cli__open_lake(cli, LOCHAN_CLI_WRITES);
    if (rc == LOCHAN_OK)
        rc = add_one(cli, cli->args[0]);
    return rc == LOCHAN_OK ? say_done(cli, "added", cli->args[0]) : rc;
}

static lochan_status run_list(lochan_cli *cli) {
    static const lochan_cli_column columns[] = {{"name", "source", 0},
                                                {"kind", "kind", 0},
                                                {"url", "url", 0},
                                                {"enabled", "enabled", 0},
                                                {"bundled", "bundled", 0},
                                                {"datasets", "datasets", LOCHAN_CLI_AS_COUNT},
                                                {0}};
    static const lochan_cli_column bundled_columns[] = {
        {"kind", "kind", 0}, {"name", "name", 0}, {0}};
    struct ArrowArrayStream stream = {0};
    if (lochan_cli__has(cli, "bundled")) {
        lochan_status rc = lochan_bundled_list(&stream, &cli->err);
        return rc == LOCHAN_OK
                   ? lochan_cli__print_list(cli, &stream, bundled_columns, "nothing is bundled")
                   : rc;
    }
    lochan_status rc = lochan_cli__open_lake(cli, LOCHAN_CLI_READS);
    if (rc == LOCHAN_OK)
        rc = lochan_source_list(cli->lake, &stream, &cli->err);
    if (rc != LOCHAN_OK)
        return rc;
    return lochan_cli__print_list(cli, &stream, columns,
                                  "the lake has no source yet: 'lochan source add' adds one");
}

static lochan_status run_show(lochan_cli *cli) {
    char *yaml = NULL;
    lochan_status rc = lochan_cli__open_lake(cli, LOCHAN_CLI_READS);
    if (rc == LOCHAN_OK)
        rc = lochan_source_show(cli->lake, cli->args[0], &yaml, &cli->err);
    if (rc != LOCHAN_OK)
        return rc;
    lochan_cli_object o = {0};
    lochan_cli__put_text(&o, "source", cli->args[0]);
    return lochan_cli__print_spec(cli, &o, yaml);
}

/* "KEY=VALUE". */
static lochan_status set_one(lochan_cli *cli, const char *source, const char *pair) {
    size_t n = strcspn(pair, "=");
    if (n == 0 || !pair[n]) {
        lochan_cli__fail(&cli->err, LOCHAN_ERR_INVALID_ARGUMENT, "expected KEY=VALUE, got '%s'",
                         pair);
        lochan_cli__hint(&cli->err, "for example: lochan source set %s url=http://127.0.0.1:8000",
                         source);
        return cli->err.code;
    }
    char *key = lochan_cli__dup(pair, n);
    lochan_status rc = lochan_source_set(cli->lake, source, key, pair + n + 1, &cli->err);
    free(key);
    return rc;
}

static lochan_status run_set(lochan_cli *cli) {
    if (cli->n_args < 2 && !lochan_cli__has(cli, "unset"))
        return lochan_cli__fail(&cli->err, LOCHAN_ERR_INVALID_ARGUMENT,
                                "nothing to set: give KEY=VALUE or --unset KEY");
    lochan_status rc = lochan_cli__open_lake(cli, LOCHAN_CLI_WRITES);
    for (int i = 1; rc == LOCHAN_OK && i < cli->n_args; i++)
        rc = set_one(cli, cli->args[0], cli->args[i]);
    for (size_t i = 0; rc == LOCHAN_OK && i < cli->n_given; i++) {
        if (strcmp(cli->given[i].name, "unset") == 0)
            rc = lochan_source_set(cli->lake, cli->args[0], cli->given[i].value, NULL, &cli->err);
    }
    return rc == LOCHAN_OK ? say_done(cli, "changed", cli->args[0]) : rc;
}

static lochan_status run_enable(lochan_cli *cli) {
    bool enable = strcmp(cli->command->name, "source enable") == 0;
    lochan_status rc = lochan_cli__open_lake(cli, LOCHAN_CLI_WRITES);
    if (rc == LOCHAN_OK)
        rc = lochan_source_set(cli->lake, cli->args[0], "enabled", enable ? "true" : "false",
                               &cli->err);
    return rc == LOCHAN_OK ? say_done(cli, enable ? "enabled" : "disabled", cli->args[0]) : rc;
}

/* ---- test ---- */

/* 11 is "1.1", 20 is "2". */
static const char *version_text(int32_t version) {
    return version == 10   ? "1.0"
           : version == 11 ? "1.1"
           : version == 20 ? "2"
           : version == 30 ? "3"
                           : "";
}

static lochan_status print_answer(lochan_cli *cli, const lochan_source_answer *a,
                                  lochan_status rc) {
    lochan_cli_object o = {0};
    if (cli->json) {
        lochan_cli__put_text(&o, "request", a->request);
        lochan_cli__put_int(&o, "http_status", a->http_status);
        lochan_cli__put_text(&o, "http_version", version_text(a->http_version));
        lochan_cli__put_text(&o, "content_type", a->content_type);
        lochan_cli__put_int(&o, "bytes", a->bytes);
        lochan_cli__put_text(&o, "excerpt", a->excerpt);
        lochan_cli__put_int(&o, "rows", a->decoded ? a->rows : -1);
        lochan_cli__put_text(&o, "columns", a->names);
        lochan_cli__put_text(&o, "error", rc == LOCHAN_OK ? "" : cli->err.message);
        return lochan_cli__print_object(&o, rc == LOCHAN_OK ? &cli->err : NULL);
    }
    lochan_cli__addf(&o.text, "asked:   %s\n", a->request);
    if (a->http_status > 0)
        lochan_cli__addf(&o.text, "answer:  HTTP%s%s %d, %s, %lld bytes, %.0f ms\n",
                         a->http_version ? "/" : "", version_text(a->http_version),
                         (int)a->http_status, a->content_type[0] ? a->content_type : "no type",
                         (long long)a->bytes, a->seconds * 1e3);
    if (a->excerpt[0])
        lochan_cli__addf(&o.text, "begins:  %.300s\n", a->excerpt);
    if (a->decoded)
        lochan_cli__addf(&o.text, "rows:    %lld of %lld columns: %s\n%s", (long long)a->rows,
                         (long long)a->columns, a->names[0] ? a->names : "-",
                         a->more ? "more:    other pages follow\n" : "");
    if (a->decoded && a->rows == 0)
        lochan_cli__adds(&o.text, "No row lies in these days: --start and --end ask for others.\n");
    return lochan_cli__print_text(&o.text, rc == LOCHAN_OK ? &cli->err : NULL);
}

static lochan_status run_test(lochan_cli *cli) {
    const char *parameters[64];
    lochan_source_test_request request = LOCHAN_SOURCE_TEST_REQUEST_INIT;
    lochan_source_answer answer = {.struct_size = sizeof answer};
    request.source = cli->args[0];
    request.dataset = cli->n_args > 1 ? cli->args[1] : NULL;
    request.start = lochan_cli__value(cli, "start");
    request.end = lochan_cli__value(cli, "end");
    for (size_t i = 0; i < cli->n_given && request.n_parameters < 64; i++)
        if (strcmp(cli->given[i].name, "param") == 0)
            parameters[request.n_parameters++] = cli->given[i].value;
    request.parameters = parameters;
    lochan_status rc = lochan_cli__open_lake(cli, LOCHAN_CLI_READS);
    if (rc != LOCHAN_OK)
        return rc;
    rc = lochan_source_test(cli->lake, &request, &answer, &cli->err);
    if (answer.request[0]) {
        lochan_status printed = print_answer(cli, &answer, rc);
        rc = rc == LOCHAN_OK ? printed : rc;
    }
    return rc;
}

/* ---- draft ---- */

static lochan_status run_draft(lochan_cli *cli) {
    const char *name = lochan_cli__value(cli, "name");
    char *source = NULL, *dataset = NULL;
    lochan_cli_text sample = {0};
    lochan_status rc = lochan_cli__read_spec(cli->args[0], &sample, &cli->err);
    if (rc == LOCHAN_OK && sample.len > (size_t)1 << 20)
        rc = lochan_cli__fail(&cli->err, LOCHAN_ERR_INVALID_ARGUMENT,
                              "the sample is larger than 1 MB: a page of a few rows is enough");
    if (rc == LOCHAN_OK)
        rc = lochan_spec_draft(sample.data ? sample.data : "", sample.len, name ? name : "draft",
                               &source, &dataset, &cli->err);
    if (rc == LOCHAN_OK) {
        lochan_cli_object o = {0};
        if (cli->json) {
            lochan_cli__put_text(&o, "source", source);
            lochan_cli__put_text(&o, "dataset", dataset);
            rc = lochan_cli__print_object(&o, &cli->err);
        } else {
            const char *only = lochan_cli__value(cli, "only");
            if (!only || strcmp(only, "source") == 0)
                lochan_cli__adds(&o.text, source);
            if (!only)
                lochan_cli__adds(&o.text, "\n");
            if (!only || strcmp(only, "dataset") == 0)
                lochan_cli__adds(&o.text, dataset);
            rc = lochan_cli__print_text(&o.text, &cli->err);
        }
    }
    lochan_free(source);
    lochan_free(dataset);
    lochan_cli__free(&sample);
    return rc;
}

static const lochan_cli_option add_options[] = {
    {"replace", NULL, "change the source of that name (spec files only)"},
    {0},
};
static const lochan_cli_option list_options[] = {
    {"bundled", NULL, "what comes with lochan, instead (needs no lake)"},
    {0},
};
static const lochan_cli_option test_options[] = {
    {"start", "DATE", "first day to ask for; default: six days before the end"},
    {"end", "DATE", "last day; default: today"},
    {"param", "NAME=VALUE", "a parameter of the dataset; may be given again"},
    {0},
};
static const lochan_cli_option draft_options[] = {
    {"name", "NAME", "of the source; default: draft"},
    {"only", "source|dataset", "one of the two"},
    {0},
};
static const lochan_cli_option set_options[] = {
    {"unset", "KEY", "back to what the spec says"},
    {0},
};

const lochan_cli_command lochan_cli__source_add = {
    .name = "source add",
    .arguments = "NAME|FILE.yaml|-",
    .min_args = 1,
    .max_args = 1,
    .summary = "add a source of rows",
    .details =
        "NAME is a bundled source, FILE.yaml a spec of your own, - reads it from standard input.\n"
        "docs/specs.md describes the fields.",
    .example = "lochan source add ecb\nlochan source add my-provider.yaml",
    .options = add_options,
    .run = run_add,
};
const lochan_cli_command lochan_cli__source_list = {
    .name = "source list",
    .arguments = "",
    .summary = "list the sources",
    .example = "lochan source list --bundled",
    .options = list_options,
    .run = run_list,
};
const lochan_cli_command lochan_cli__source_show = {
    .name = "source show",
    .arguments = "NAME",
    .min_args = 1,
    .max_args = 1,
    .summary = "print a source as YAML",
    .details = "As it is in effect: with what 'source set' changed.",
    .example = "lochan source show ecb",
    .run = run_show,
};
const lochan_cli_command lochan_cli__source_set = {
    .name = "source set",
    .arguments = "NAME [KEY=VALUE ...]",
    .min_args = 1,
    .max_args = 64,
    .summary = "change fields of a source",
    .details = "KEY may be dotted (csv.delimiter). A secret is a reference: secret=env:NAME or "
               "secret=file:PATH.",
    .example = "lochan source set ecb url=http://127.0.0.1:8000 workers=8",
    .options = set_options,
    .run = run_set,
};
const lochan_cli_command lochan_cli__source_enable = {
    .name = "source enable",
    .arguments = "NAME",
    .min_args = 1,
    .max_args = 1,
    .summary = "let updates ask a source again",
    .example = "lochan source enable ecb",
    .run = run_enable,
};
const lochan_cli_command lochan_cli__source_disable = {
    .name = "source disable",
    .arguments = "NAME",
    .min_args = 1,
    .max_args = 1,
    .summary = "keep updates from asking a source",
    .details = "An update of one of its datasets is refused, 'update --all' leaves them out. What "
               "the lake has of it stays readable.",
    .example = "lochan source disable ecb",
    .run = run_enable,
};
const lochan_cli_command lochan_cli__source_test = {
    .name = "source test",
    .arguments = "NAME [DATASET]",
    .min_args = 1,
    .max_args = 2,
    .summary = "make one small request and explain what came",
    .details = "DATASET is the provider's name, for {source_dataset}. Nothing is written.",
    .example = "lochan source test tushare daily --start 2024-01-02 --end 2024-01-02",
    .options = test_options,
    .run = run_test,
};
const lochan_cli_command lochan_cli__spec_draft = {
    .name = "spec draft",
    .arguments = "SAMPLE|-",
    .min_args = 1,
    .max_args = 1,
    .summary = "first specs from a sample of an answer",
    .details = "SAMPLE holds what the provider answers: CSV, or JSON as a table or records. The "
               "specs are a start: put in the\n"
               "url and the key. Needs no lake.",
    .example = "lochan spec draft answer.json --name prices --only source > prices.yaml",
    .options = draft_options,
    .run = run_draft,
};
