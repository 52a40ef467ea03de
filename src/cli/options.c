/* options.c - reads the options of one command with getopt_long.
 * Invariant: every option is known by its long name only, but -h, -q and -v; errors name the option
 * that was meant. May call: libc (getopt), text.h.
 */
#include "cli/cli.h"
#include "cli/text.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_OPTIONS 48
#define FIRST_VALUE 1000 /* what getopt returns for option i is FIRST_VALUE + i */

typedef struct option_set {
    struct option long_options[MAX_OPTIONS + 1];
    const char *names[MAX_OPTIONS];
    int n;
} option_set;

static void add_options(option_set *set, const lochan_cli_option *options) {
    for (; options && options->name && set->n < MAX_OPTIONS; options++, set->n++) {
        set->names[set->n] = options->name;
        set->long_options[set->n] =
            (struct option){options->name, options->arg ? required_argument : no_argument, NULL,
                            FIRST_VALUE + set->n};
    }
}

/* getopt said '?': unknown, ambiguous, or a flag with a value. */
static lochan_status wrong_option(lochan_cli *cli, const option_set *set, char **argv) {
    if (optopt >= FIRST_VALUE)
        return lochan_cli__fail(&cli->err, LOCHAN_ERR_INVALID_ARGUMENT,
                                "option --%s takes no value", set->names[optopt - FIRST_VALUE]);
    if (optopt) {
        lochan_cli__fail(&cli->err, LOCHAN_ERR_INVALID_ARGUMENT, "unknown option -%c", optopt);
        return cli->err.code;
    }
    const char *word = argv[optind - 1];
    word += strspn(word, "-");
    char name[64];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(word, "="), word);
    int begins = 0;
    for (int i = 0; i < set->n; i++)
        begins += strncmp(set->names[i], name, strlen(name)) == 0;
    if (begins > 1)
        return lochan_cli__fail(&cli->err, LOCHAN_ERR_INVALID_ARGUMENT,
                                "option --%s is short for several: write it out", name);
    const char *nearest = lochan_cli__nearest(name, set->names, (size_t)set->n);
    lochan_cli__fail(&cli->err, LOCHAN_ERR_INVALID_ARGUMENT, "unknown option --%s", name);
    if (nearest)
        lochan_cli__hint(&cli->err, "did you mean --%s?", nearest);
    return cli->err.code;
}

static void remember(lochan_cli *cli, const char *name, const char *value) {
    cli->given = lochan_cli__grow(cli->given, cli->n_given + 1, sizeof *cli->given);
    cli->given[cli->n_given++] = (lochan_cli_given){name, value};
}

lochan_status lochan_cli__parse(lochan_cli *cli, const lochan_cli_command *command, int argc,
                                char **argv, int *rest) {
    option_set set = {.n = 0};
    add_options(&set, lochan_cli__common_options);
    if (command)
        add_options(&set, command->options);
    opterr = 0;
    optind = 0; /* glibc: start anew */
    int c;
    while ((c = getopt_long(argc, argv, command ? ":hqv" : "+:hqv", set.long_options, NULL)) !=
           -1) {
        if (c == ':' && optopt >= FIRST_VALUE)
            return lochan_cli__fail(&cli->err, LOCHAN_ERR_INVALID_ARGUMENT,
                                    "option --%s needs a value", set.names[optopt - FIRST_VALUE]);
        if (c == '?' || c == ':')
            return wrong_option(cli, &set, argv);
        if (c >= FIRST_VALUE)
            remember(cli, set.names[c - FIRST_VALUE], optarg);
        else
            remember(cli, c == 'h' ? "help" : c == 'q' ? "quiet" : "verbose", NULL);
    }
    cli->json = lochan_cli__has(cli, "json");
    cli->quiet = lochan_cli__has(cli, "quiet");
    cli->args = argv + optind;
    cli->n_args = argc - optind;
    *rest = optind;
    return LOCHAN_OK;
}

bool lochan_cli__has(const lochan_cli *cli, const char *name) {
    for (size_t i = 0; i < cli->n_given; i++) {
        if (strcmp(cli->given[i].name, name) == 0)
            return true;
    }
    return false;
}

const char *lochan_cli__value(const lochan_cli *cli, const char *name) {
    for (size_t i = cli->n_given; i-- > 0;) {
        if (strcmp(cli->given[i].name, name) == 0)
            return cli->given[i].value;
    }
    return NULL;
}

lochan_status lochan_cli__int_value(lochan_cli *cli, const char *name, int64_t min, int64_t max,
                                    int64_t *out) {
    const char *text = lochan_cli__value(cli, name);
    if (!text)
        return LOCHAN_OK;
    char *end;
    errno = 0;
    long long n = strtoll(text, &end, 10);
    if (end == text || *end || errno || n < min || n > max)
        return lochan_cli__fail(&cli->err, LOCHAN_ERR_INVALID_ARGUMENT,
                                "--%s: expected a whole number from %lld to %lld, got '%s'", name,
                                (long long)min, (long long)max, text);
    *out = n;
    return LOCHAN_OK;
}

lochan_status lochan_cli__double_value(lochan_cli *cli, const char *name, double min, double max,
                                       double *out) {
    const char *text = lochan_cli__value(cli, name);
    if (!text)
        return LOCHAN_OK;
    char *end;
    double v = strtod(text, &end);
    if (end == text || *end || !(v >= min && v <= max))
        return lochan_cli__fail(&cli->err, LOCHAN_ERR_INVALID_ARGUMENT,
                                "--%s: expected a number from %g to %g, got '%s'", name, min, max,
                                text);
    *out = v;
    return LOCHAN_OK;
}

lochan_status lochan_cli__bytes_value(lochan_cli *cli, const char *name, uint64_t *out) {
    static const struct {
        const char *name;
        double size;
    } units[] = {{"", 1},
                 {"B", 1},
                 {"kB", 1e3},
                 {"KB", 1e3},
                 {"MB", 1e6},
                 {"GB", 1e9},
                 {"K", 1024},
                 {"KiB", 1024},
                 {"M", 1024. * 1024},
                 {"MiB", 1024. * 1024},
                 {"TB", 1e12},
                 {"G", 1073741824.},
                 {"GiB", 1073741824.}};
    const char *text = lochan_cli__value(cli, name);
    if (!text)
        return LOCHAN_OK;
    char *end;
    double n = strtod(text, &end);
    for (size_t i = 0; end != text && i < sizeof units / sizeof *units; i++) {
        if (strcmp(units[i].name, end) == 0 && n >= 0 && n * units[i].size < 1e18) {
            *out = (uint64_t)(n * units[i].size);
            return LOCHAN_OK;
        }
    }
    return lochan_cli__fail(&cli->err, LOCHAN_ERR_INVALID_ARGUMENT,
                            "--%s: expected a size like 64MB, got '%s'", name, text);
}

char **lochan_cli__list_value(const lochan_cli *cli, const char *name, size_t *n) {
    const char *text = lochan_cli__value(cli, name);
    *n = 0;
    if (!text)
        return NULL;
    char *copy = lochan_cli__dup(text, strlen(text));
    char **list = lochan_cli__alloc(strlen(text) + 1, sizeof *list);
    list[0] = copy; /* so that it can be freed even if every entry is empty */
    for (char *p = copy; p;) {
        char *comma = strchr(p, ',');
        if (comma)
            *comma = '\0';
        if (*p)
            list[(*n)++] = p;
        p = comma ? comma + 1 : NULL;
    }
    return list;
}
