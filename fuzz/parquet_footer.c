/* parquet_footer.c - any bytes as the footer of a file, or as one of the other structs that files
 * hold (page header, page index, bloom filter's header); the first byte chooses.
 * Checked: no crash; errors carry a message; a struct that was read can be written, and reads the
 * same again.
 */
#include "parquet/reader.h"
#include "parquet/metadata.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void open_footer(const uint8_t *footer, size_t n, unsigned how) {
    enum { MAGIC = 4, TAIL = 8 };
    uint8_t *bytes = malloc(MAGIC + n + TAIL);
    lochan_pq_reader *r;
    lochan_pq_summary summary;
    lochan_error err;
    if (!bytes)
        return;
    uint32_t length = (uint32_t)n;
    memcpy(bytes, "PAR1", MAGIC);
    memcpy(bytes + MAGIC, footer, n);
    memcpy(bytes + MAGIC + n, &length, sizeof length);
    memcpy(bytes + MAGIC + n + sizeof length, "PAR1", MAGIC);
    lochan_pq_source source = {.data = bytes, .size = MAGIC + n + TAIL, .name = "fuzz"};
    lochan_pq_read_options options = {.strings = (lochan_pq_strings)(how & 3),
                                      .arrow_schema = how & 4};
    lochan_error_init(&err);
    lochan_status rc = lochan_pq_reader__open(NULL, &source, &options, &r, &err);
    if (rc == LOCHAN_OK) {
        if (lochan_pq_reader__summary(r, &summary, &err) == LOCHAN_OK)
            lochan_pq_summary__deinit(&summary);
        lochan_pq_reader__close(r);
    } else if (err.message[0] == '\0') {
        abort();
    }
    free(bytes);
}

/* Reads one struct from exactly these bytes and appends what it writes to `out`. */
static bool again(const lochan_thrift_type *type, const uint8_t *data, size_t n, lochan_buf *out) {
    union { /* as large as any of them, and aligned */
        lochan_pq_page_header page;
        lochan_pq_offset_index offsets;
        lochan_pq_column_index columns;
        lochan_pq_bloom_header bloom;
    } s;
    lochan_cursor cursor = {data, data + n};
    lochan_arena arena;
    lochan_error err;
    lochan_error_init(&err);
    lochan_arena__init(&arena, n * 64 + (1u << 16));
    lochan_status rc = lochan_thrift__read(&cursor, data, type, &arena, &s, &err);
    if (rc == LOCHAN_OK)
        rc = lochan_thrift__write(out, type, &s, &err);
    else if (err.message[0] == '\0')
        abort();
    lochan_arena__deinit(&arena);
    return rc == LOCHAN_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const lochan_thrift_type *const types[] = {
        &lochan_pq_page_header__type, &lochan_pq_offset_index__type, &lochan_pq_column_index__type,
        &lochan_pq_bloom_header__type};
    lochan_buf first, second;
    if (size < 1)
        return 0;
    if (!(data[0] & 8)) {
        open_footer(data + 1, size - 1, data[0]);
        return 0;
    }
    const lochan_thrift_type *type = types[data[0] & 3];
    lochan_buf__init(&first, 16 << 20);
    lochan_buf__init(&second, 16 << 20);
    if (again(type, data + 1, size - 1, &first) &&
        (!again(type, first.data, first.len, &second) || first.len != second.len ||
         memcmp(first.data, second.data, first.len) != 0))
        abort();
    lochan_buf__deinit(&first);
    lochan_buf__deinit(&second);
    return 0;
}
