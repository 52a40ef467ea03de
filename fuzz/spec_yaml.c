/* spec_yaml.c - any bytes as a YAML document and as the spec of a source.
 * Checked: no crash; errors are SPEC with a place; what is printed parses back and prints the same.
 */
#include "source/spec.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__lsan_default_suppressions(void);

/* libfyaml 0.7.12 itself leaks 4 KB when a single-quoted text holds very many doubled quotes. */
const char *__lsan_default_suppressions(void) {
    return "leak:libfyaml";
}

static void check_print(const lochan_yaml *doc) {
    lochan_buf first, second;
    lochan_yaml *again = NULL;
    lochan_error err;
    lochan_buf__init(&first, (size_t)16 << 20);
    lochan_buf__init(&second, (size_t)16 << 20);
    if (lochan_yaml__print(lochan_yaml__root(doc), &first, &err) != LOCHAN_OK)
        abort();
    if (first.len <=
        (size_t)1 << 20) { /* escapes and indentation may make it longer than a spec may be */
        if (lochan_yaml__parse((const char *)first.data, first.len, "printed", &again, &err) !=
                LOCHAN_OK ||
            lochan_yaml__print(lochan_yaml__root(again), &second, &err) != LOCHAN_OK ||
            first.len != second.len || memcmp(first.data, second.data, first.len) != 0)
            abort();
    }
    lochan_yaml__free(again);
    lochan_buf__deinit(&first);
    lochan_buf__deinit(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    lochan_yaml *doc = NULL;
    lochan_source_spec *spec = NULL;
    lochan_error err;
    lochan_error_init(&err);
    lochan_status rc = lochan_yaml__parse((const char *)data, size, "fuzz.yaml", &doc, &err);
    if (rc != LOCHAN_OK) {
        if (rc != LOCHAN_ERR_SPEC || err.line < 1 || err.message[0] == '\0')
            abort();
        return 0;
    }
    check_print(doc);
    rc = lochan_source_spec__from_yaml(lochan_yaml__root(doc), &spec, &err);
    if (rc != LOCHAN_OK && (rc != LOCHAN_ERR_SPEC || err.code != rc))
        abort();
    if (rc == LOCHAN_OK) {
        lochan_source_request request;
        const lochan_source_value values[] = {
            {"start", "2024-01-01"}, {"end", "2024-12-31"}, {"source_dataset", "x y"}};
        if (lochan_source__build_request(spec, values, 3, NULL, 0, &request, &err) == LOCHAN_OK)
            lochan_source_request__deinit(&request);
    }
    lochan_source_spec__free(spec);
    lochan_yaml__free(doc);
    return 0;
}
