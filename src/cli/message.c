/* message.c - what the command says on stderr: errors, remarks, the library's log.
 * Invariants: one write a message, so that threads do not mix lines; a progress line under way is
 * wiped first. May call: libc, text.h, progress.h.
 */
#include "cli/cli.h"
#include "cli/progress.h"
#include "cli/text.h"

#include <stdarg.h>
#include <string.h>

static void put_stderr(lochan_cli_text *t) {
    lochan_cli__wipe_progress();
    fwrite(t->data, 1, t->len, stderr);
    lochan_cli__free(t);
}

lochan_status lochan_cli__fail(lochan_error *err, lochan_status code, const char *fmt, ...) {
    lochan_error_init(err);
    err->code = code;
    va_list args;
    va_start(args, fmt);
    vsnprintf(err->message, sizeof err->message, fmt, args);
    va_end(args);
    snprintf(err->hint, sizeof err->hint, "%s", lochan_status_hint(code));
    return code;
}

void lochan_cli__hint(lochan_error *err, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    vsnprintf(err->hint, sizeof err->hint, fmt, args);
    va_end(args);
}

/* "file:line:column: " as compilers write it, unless the message begins with it. */
static void add_place(lochan_cli_text *t, const lochan_error *err) {
    if (!err->file[0] || err->line < 0 || strncmp(err->message, err->file, strlen(err->file)) == 0)
        return;
    lochan_cli__add_visible(t, err->file, strlen(err->file));
    lochan_cli__addf(t, ":%lld:", (long long)err->line);
    if (err->line_column >= 0)
        lochan_cli__addf(t, "%lld:", (long long)err->line_column);
    lochan_cli__addc(t, ' ');
}

static void add_detail(lochan_cli_text *t, const char *what, const char *value) {
    if (!value[0])
        return;
    lochan_cli__addf(t, "%s%s ", t->len ? ", " : "", what);
    lochan_cli__add_visible(t, value, strlen(value));
}

static void add_number(lochan_cli_text *t, const char *what, int64_t value, int64_t none) {
    if (value != none)
        lochan_cli__addf(t, "%s%s %lld", t->len ? ", " : "", what, (long long)value);
}

static void add_text_error(lochan_cli_text *t, const lochan_error *err) {
    lochan_cli_text where = {0};
    lochan_cli__adds(t, "lochan: ");
    add_place(t, err);
    const char *message = err->message[0] ? err->message : lochan_status_text(err->code);
    lochan_cli__add_visible(t, message, strlen(message));
    lochan_cli__addc(t, '\n');
    add_detail(&where, "table", err->table);
    if (err->line < 0)
        add_detail(&where, "file", err->file);
    if (!err->file[0]) { /* of a predicate */
        add_number(&where, "line", err->line > 1 ? err->line : -1, -1);
        add_number(&where, "character", err->line_column, -1);
    }
    add_number(&where, "byte", err->offset, -1);
    add_number(&where, "row", err->row, -1);
    add_detail(&where, "column", err->column);
    add_number(&where, "HTTP status", err->http_status, 0);
    if (where.len > 0)
        lochan_cli__addf(t, "  at: %s\n", where.data);
    if (err->hint[0]) {
        lochan_cli__adds(t, "  hint: ");
        lochan_cli__add_visible(t, err->hint, strlen(err->hint));
        lochan_cli__addc(t, '\n');
    }
    lochan_cli__free(&where);
}

static void add_json_text(lochan_cli_text *t, const char *key, const char *value) {
    if (!value[0])
        return;
    lochan_cli__addf(t, ",\"%s\":", key);
    lochan_cli__add_json(t, value, strlen(value));
}

static void add_json_number(lochan_cli_text *t, const char *key, int64_t value, int64_t none) {
    if (value != none)
        lochan_cli__addf(t, ",\"%s\":%lld", key, (long long)value);
}

static void add_json_error(lochan_cli_text *t, const lochan_error *err) {
    lochan_cli__addf(t, "{\"error\":\"%s\",\"exit_code\":%d", lochan_status_name(err->code),
                     lochan_status_exit_code(err->code));
    add_json_text(t, "message", err->message[0] ? err->message : lochan_status_text(err->code));
    add_json_text(t, "hint", err->hint);
    lochan_cli__addf(t, ",\"retryable\":%s", err->retryable ? "true" : "false");
    add_json_text(t, "table", err->table);
    add_json_text(t, "file", err->file);
    add_json_number(t, "line", err->line, -1);
    add_json_number(t, "line_column", err->line_column, -1);
    add_json_number(t, "offset", err->offset, -1);
    add_json_number(t, "row", err->row, -1);
    add_json_text(t, "column", err->column);
    add_json_number(t, "http_status", err->http_status, 0);
    add_json_number(t, "errno", err->sys_errno, 0);
    add_json_number(t, "retry_after_ms", err->retry_after_ms, -1);
    lochan_cli__adds(t, "}\n");
}

void lochan_cli__print_error(const lochan_error *err, bool json) {
    lochan_cli_text t = {0};
    if (json)
        add_json_error(&t, err);
    else
        add_text_error(&t, err);
    put_stderr(&t);
}

void lochan_cli__note(const lochan_cli *cli, const char *fmt, ...) {
    if (cli->quiet || cli->json)
        return;
    char line[1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    lochan_cli_text t = {0};
    lochan_cli__addf(&t, "%s\n", line);
    put_stderr(&t);
}

static void on_log(void *payload, lochan_log_level level, const char *message) {
    static const char *const names[] = {"debug", "info", "warning", "error"};
    const char *name = level <= LOCHAN_LOG_ERROR ? names[level] : "error";
    const bool *json = payload;
    lochan_cli_text t = {0};
    if (*json) {
        lochan_cli__addf(&t, "{\"log\":\"%s\",\"message\":", name);
        lochan_cli__add_json(&t, message, strlen(message));
        lochan_cli__adds(&t, "}\n");
    } else {
        lochan_cli__addf(&t, "lochan: %s: ", name);
        lochan_cli__add_visible(&t, message, strlen(message));
        lochan_cli__addc(&t, '\n');
    }
    put_stderr(&t);
}

void lochan_cli__set_log(const lochan_cli *cli) {
    static bool json;
    json = cli->json;
    lochan_log_level level = LOCHAN_LOG_WARN;
    if (lochan_cli__has(cli, "verbose"))
        level = LOCHAN_LOG_INFO;
    else if (cli->quiet)
        level = LOCHAN_LOG_ERROR;
    lochan_log_set(on_log, &json, level);
}
