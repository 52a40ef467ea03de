/* lake.c - opening the lake of a call, names of tables, Ctrl-C.
 * Invariant: the first signal asks the library to stop and leaves the lake whole; a second one ends
 * the process at once (the lake is whole then too, but nothing is said). May call: libc,
 * <lochan/...>.
 */
#include "cli/cli.h"
#include "cli/print.h"
#include "cli/text.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

static lochan_lake *volatile cancel_lake;
static volatile sig_atomic_t interrupted;

static void on_signal(int number) {
    (void)number;
    interrupted = 1;
    lochan_lake *lake = cancel_lake;
    if (lake)
        lochan_lake_cancel(lake);
}

void lochan_cli__catch_signals(void) {
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

bool lochan_cli__is_interrupted(void) {
    return interrupted != 0;
}

lochan_status lochan_cli__open_lake(lochan_cli *cli, lochan_cli_use use) {
    lochan_lake_options options = LOCHAN_LAKE_OPTIONS_INIT;
    int64_t threads = 0;
    double seconds = 0;
    lochan_status rc = lochan_cli__int_value(cli, "threads", 1, 1024, &threads);
    if (rc == LOCHAN_OK)
        rc = lochan_cli__bytes_value(cli, "memory-limit", &options.memory_limit);
    if (rc == LOCHAN_OK)
        rc = lochan_cli__double_value(cli, "lock-timeout", 0, 1e6, &seconds);
    if (rc != LOCHAN_OK)
        return rc;
    lochan_cli__catch_signals();
    options.threads = (int32_t)threads;
    if (lochan_cli__has(cli, "lock-timeout"))
        options.lock_timeout_ms = seconds > 0 ? (int64_t)(seconds * 1000) : 1;
    rc = lochan_lake_open(cli->lake_path, &options, &cli->lake, &cli->err);
    if (rc == LOCHAN_ERR_JOURNAL_AHEAD && use == LOCHAN_CLI_READS) {
        lochan_cli__note(cli, "lochan: warning: %s; reading what the catalog knows",
                         cli->err.message);
        options.read_only = true;
        rc = lochan_lake_open(cli->lake_path, &options, &cli->lake, &cli->err);
    }
    if (rc != LOCHAN_OK)
        return rc;
    cancel_lake = cli->lake;
    if (interrupted) /* while the lake was being opened */
        lochan_lake_cancel(cli->lake);
    return LOCHAN_OK;
}

void lochan_cli__close_lake(lochan_cli *cli) {
    cancel_lake = NULL;
    lochan_lake_close(cli->lake);
    cli->lake = NULL;
}

static lochan_status wrong_name(lochan_cli *cli, const char *text) {
    lochan_cli__fail(&cli->err, LOCHAN_ERR_INVALID_ARGUMENT, "'%s' does not name a dataset", text);
    lochan_cli__hint(&cli->err, "write SOURCE/DATASET, for example ecb/fx_daily");
    return cli->err.code;
}

lochan_status lochan_cli__parse_name(lochan_cli *cli, const char *text, bool whole_source,
                                     lochan_cli_name *out) {
    const char *source = lochan_cli__value(cli, "source");
    size_t n = source ? strlen(source) : strcspn(text, "/");
    *out = (lochan_cli_name){{0}, {0}};
    const char *dataset = text;
    if (!source) {
        if (!text[n])
            n = strcspn(text, ".");
        source = text;
        dataset = text[n] ? text + n + 1 : text + n;
    }
    if (n == 0 || n >= sizeof out->source || strlen(dataset) >= sizeof out->dataset ||
        strchr(dataset, '/') || (!*dataset && (text[n] || !whole_source)))
        return wrong_name(cli, text);
    memcpy(out->source, source, n);
    memcpy(out->dataset, dataset, strlen(dataset));
    return LOCHAN_OK;
}

void lochan_cli__hint_dataset(lochan_cli *cli, const lochan_cli_name *name) {
    struct ArrowArrayStream stream = {0};
    lochan_error ignored;
    if (lochan_dataset_list(cli->lake, &stream, &ignored) != LOCHAN_OK)
        return;
    static const char *const columns[] = {"source", "dataset"};
    size_t n = 0;
    char **names = lochan_cli__read_texts(&stream, columns, 2, '/', &n);
    stream.release(&stream);
    char wanted[520];
    snprintf(wanted, sizeof wanted, "%s/%s", name->source, name->dataset);
    const char *nearest = lochan_cli__nearest(wanted, (const char *const *)names, n);
    if (nearest && strcmp(nearest, wanted) != 0) /* else something else was not found */
        lochan_cli__hint(&cli->err, "did you mean %s?", nearest);
    for (size_t i = 0; i < n; i++)
        free(names[i]);
    free(names);
}
