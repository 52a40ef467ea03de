/* spec_file.c - see spec_file.h. May call: print.h. */
#include "cli/spec_file.h"

#include <errno.h>
#include <string.h>

#define MAX_SIZE ((size_t)1 << 20)

bool lochan_cli__is_spec_file(const char *arg) {
    size_t n = strlen(arg);
    return strcmp(arg, "-") == 0 || (n > 5 && strcmp(arg + n - 5, ".yaml") == 0) ||
           (n > 4 && strcmp(arg + n - 4, ".yml") == 0);
}

lochan_status lochan_cli__read_spec(const char *path, lochan_cli_text *out, lochan_error *err) {
    char chunk[8192], why[128];
    bool is_stdin = strcmp(path, "-") == 0;
    FILE *file = is_stdin ? stdin : fopen(path, "rb");
    errno = file ? 0 : errno;
    while (file && out->len <= MAX_SIZE) {
        size_t n = fread(chunk, 1, sizeof chunk, file);
        lochan_cli__add(out, chunk, n);
        if (n < sizeof chunk)
            break;
    }
    int failed = !file ? errno : ferror(file) ? (errno ? errno : EIO) : 0;
    if (file && !is_stdin)
        fclose(file);
    if (failed == 0)
        return LOCHAN_OK;
    lochan_status code = failed == ENOENT ? LOCHAN_ERR_NOT_FOUND : LOCHAN_ERR_IO;
    lochan_cli__fail(err, code, "cannot read spec '%s': %s", path,
                     strerror_r(failed, why, sizeof why));
    err->sys_errno = failed;
    return code;
}

lochan_status lochan_cli__print_spec(lochan_cli *cli, lochan_cli_object *names, char *yaml) {
    lochan_status rc;
    if (cli->json) {
        lochan_cli__put_text(names, "yaml", yaml);
        rc = lochan_cli__print_object(names, &cli->err);
    } else {
        lochan_cli__free(&names->text);
        lochan_cli__adds(&names->text, yaml);
        rc = lochan_cli__print_text(&names->text, &cli->err);
    }
    lochan_free(yaml);
    return rc;
}
