/* complete.c - what can stand where the cursor is, from the table of commands and the lake.
 * Invariants: the lake is opened read-only and nothing is printed but candidates, so pressing TAB
 * changes nothing and disturbs nobody; what is not known here is left to the shell, which then
 * offers files. May call: cli.h, print.h.
 */
#include "cli/complete.h"
#include "cli/print.h"

#include <stdlib.h>
#include <string.h>

typedef struct candidates {
    lochan_cli_text *out;
    const char *prefix; /* the word under the cursor */
    size_t start;       /* of the list in out */
} candidates;

/* Once each: the first words of commands repeat. */
static void offer(candidates *c, const char *word, size_t n) {
    if (n == 0 || strncmp(word, c->prefix, strlen(c->prefix)) != 0 || memchr(word, '\n', n))
        return;
    for (size_t at = c->start; at < c->out->len;) {
        size_t len = strcspn(c->out->data + at, "\n");
        if (len == n && memcmp(c->out->data + at, word, n) == 0)
            return;
        at += len + 1;
    }
    lochan_cli__add(c->out, word, n);
    lochan_cli__addc(c->out, '\n');
}

/* ---- commands and options ---- */

static const lochan_cli_option *find_option(const lochan_cli_option *options, const char *word) {
    size_t n = strcspn(word + 2, "=");
    for (; options && options->name; options++) {
        if (strlen(options->name) == n && strncmp(options->name, word + 2, n) == 0)
            return options;
    }
    return NULL;
}

static const lochan_cli_option *option_of(const lochan_cli_command *command, const char *word) {
    if (strncmp(word, "--", 2) != 0)
        return NULL;
    const lochan_cli_option *option = find_option(lochan_cli__common_options, word);
    return option || !command ? option : find_option(command->options, word);
}

static void offer_options(candidates *c, const lochan_cli_option *options) {
    char text[64];
    for (; options && options->name; options++)
        offer(c, text, (size_t)snprintf(text, sizeof text, "--%s", options->name));
}

/* The next word of the commands that begin with `first` (NULL: their first words). */
static void offer_commands(candidates *c, const char *first) {
    size_t n = first ? strlen(first) : 0;
    for (const lochan_cli_command *const *each = lochan_cli__commands; *each; each++) {
        const char *name = (*each)->name;
        if (!first)
            offer(c, name, strcspn(name, " "));
        else if (strncmp(name, first, n) == 0 && name[n] == ' ')
            offer(c, name + n + 1, strlen(name + n + 1));
    }
}

/* ---- names in the lake ---- */

/* Rows as "first/second"; those that begin with `kind` only, without it. */
static void offer_rows(candidates *c, struct ArrowArrayStream *stream, const char *const *columns,
                       const char *kind) {
    size_t n = 0, n_columns = columns[1] ? 2 : 1, skip = kind ? strlen(kind) : 0;
    char **names = lochan_cli__read_texts(stream, columns, n_columns, '/', &n);
    stream->release(stream);
    for (size_t i = 0; i < n; i++) {
        if (!kind || strncmp(names[i], kind, skip) == 0)
            offer(c, names[i] + skip, strlen(names[i] + skip));
        free(names[i]);
    }
    free(names);
}

typedef lochan_status list_fn(lochan_lake *lake, struct ArrowArrayStream *out, lochan_error *err);

static lochan_status list_bundled(lochan_lake *lake, struct ArrowArrayStream *out,
                                  lochan_error *err) {
    (void)lake;
    return lochan_bundled_list(out, err);
}

static lochan_status list_tags(lochan_lake *lake, struct ArrowArrayStream *out, lochan_error *err) {
    return lochan_lake_snapshots(lake, NULL, NULL, -1, out, err);
}

/* What an argument or an option's value is called in --help, and where such names are. */
static const struct {
    const char *text;
    bool adds; /* for the commands that add what is not there yet */
    list_fn *list;
    const char *columns[2];
    const char *kind; /* of the rows, NULL = all */
} kinds[] = {
    {"NAME|FILE.yaml", true, list_bundled, {"kind", "name"}, "source/"},
    {"DATASET|SOURCE", true, list_bundled, {"kind", "name"}, "dataset/"},
    {"DATASET|SOURCE", true, list_bundled, {"kind", "name"}, "source/"},
    {"SOURCE/DATASET", false, lochan_dataset_list, {"source", "dataset"}, NULL},
    {"SOURCE[/DATASET]", false, lochan_dataset_list, {"source", "dataset"}, NULL},
    {"SOURCE", false, lochan_source_list, {"name"}, NULL},
    {"RUN", false, lochan_run_list, {"run_id"}, NULL},
    {"TABLE", false, lochan_run_table_list, {"table"}, NULL},
    {"TAG", false, list_tags, {"tags"}, NULL},
    {"FROM", false, list_tags, {"tags"}, NULL},
    {"[TO]", false, list_tags, {"tags"}, NULL},
};

static void offer_names(candidates *c, lochan_lake *lake, const char *text, size_t n, bool adds) {
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct ArrowArrayStream stream = {0};
        lochan_error ignored;
        size_t len = strlen(kinds[i].text);
        bool named = false;
        for (size_t at = 0; at + len <= n && !named; at++)
            named = strncmp(text + at, kinds[i].text, len) == 0;
        if (!named || kinds[i].adds != adds || (!lake && !adds))
            continue;
        lochan_error_init(&ignored);
        if (kinds[i].list(lake, &stream, &ignored) == LOCHAN_OK)
            offer_rows(c, &stream, kinds[i].columns, kinds[i].kind);
        if (!adds)
            return; /* "SOURCE/DATASET" is no source */
    }
}

/* Argument number `at` of "RUN TABLE FILE.parquet...": the last one repeats. */
static void argument_at(const char *arguments, int at, const char **text, size_t *n) {
    *text = arguments;
    for (;;) {
        *n = strcspn(*text, " ");
        const char *next = *text + *n;
        if (at-- == 0 || !*next || strncmp(next, " ...", 4) == 0)
            return;
        *text = next + 1;
    }
}

/* ---- one line ---- */

typedef struct line {
    const lochan_cli_command *command;
    const char *first;   /* word of a command of two words, NULL = none */
    const char *lake;    /* value of --lake */
    const char *pending; /* the option whose value comes next, NULL = none */
    int n_args;
} line;

static const lochan_cli_command *command_named(const char *first, const char *second) {
    for (const lochan_cli_command *const *each = lochan_cli__commands; *each; each++) {
        size_t n = strlen(first);
        if (strncmp((*each)->name, first, n) != 0)
            continue;
        const char *rest = (*each)->name + n;
        if (second ? *rest == ' ' && strcmp(rest + 1, second) == 0 : !*rest)
            return *each;
    }
    return NULL;
}

static void read_word(line *l, char *word) {
    const lochan_cli_option *option = option_of(l->command, word);
    const char *value = strchr(word, '=');
    if (l->pending) {
        if (strcmp(l->pending, "lake") == 0)
            l->lake = word;
        l->pending = NULL;
    } else if (option && option->arg && !value) {
        l->pending = option->name;
    } else if (word[0] == '-') {
        if (option && value && strcmp(option->name, "lake") == 0)
            l->lake = value + 1;
    } else if (l->command) {
        l->n_args++;
    } else {
        l->command = l->first ? command_named(l->first, word) : command_named(word, NULL);
        l->first = word;
    }
}

static lochan_lake *open_lake(const char *path) {
    lochan_lake_options options = LOCHAN_LAKE_OPTIONS_INIT;
    lochan_lake *lake = NULL;
    lochan_error ignored;
    lochan_error_init(&ignored);
    options.read_only = true;
    return lochan_lake_open(path, &options, &lake, &ignored) == LOCHAN_OK ? lake : NULL;
}

static void offer_values(candidates *c, const line *l, const char *lake_path) {
    const lochan_cli_command *command = l->command;
    const char *text;
    size_t n;
    bool adds =
        strcmp(command->name, "dataset add") == 0 || strcmp(command->name, "source add") == 0;
    bool of_source = strncmp(command->name, "source ", 7) == 0 && !adds;
    if (l->pending) {
        char word[64];
        snprintf(word, sizeof word, "--%s", l->pending);
        text = strcmp(l->pending, "source") == 0 ? "SOURCE" : option_of(command, word)->arg;
        n = strlen(text);
    } else {
        argument_at(command->arguments, l->n_args, &text, &n);
        if (of_source && strncmp(text, "NAME", 4) == 0)
            text = "SOURCE", n = strlen(text);
    }
    lochan_lake *lake = adds ? NULL : open_lake(l->lake ? l->lake : lake_path);
    offer_names(c, lake, text, n, adds);
    lochan_lake_close(lake);
}

void lochan_cli__complete(const lochan_cli *cli, char **words, int n, lochan_cli_text *out) {
    line l = {0};
    candidates c = {.out = out, .prefix = n > 0 ? words[n - 1] : "", .start = out->len};
    for (int i = 0; i + 1 < n; i++)
        read_word(&l, words[i]);
    if (!l.pending && c.prefix[0] == '-') {
        offer_options(&c, lochan_cli__common_options);
        if (l.command)
            offer_options(&c, l.command->options);
    } else if (!l.command && !l.pending) {
        offer_commands(&c, l.first);
    } else if (l.command && strcmp(l.command->name, "help") == 0) {
        offer_commands(&c, l.n_args ? words[n - 2] : NULL);
    } else if (l.command) {
        offer_values(&c, &l, cli->lake_path);
    }
}
