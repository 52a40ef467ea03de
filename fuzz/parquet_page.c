/* parquet_page.c - any bytes as the pages of one column chunk: headers, levels, dictionary, values.
 * The first five bytes choose the column, the codec and how texts come out, the number of rows, how
 * they are read (in pieces, some passed over, from memory or through a callback), and how many more
 * entries than rows there are. Checked: no crash; memory stays in a budget of 64 MiB (unless
 * views share pages); what is read passes the checks of an array from outside, also later, and has
 * as many rows as asked; errors carry a message.
 */
#include "parquet/assemble.h"
#include "parquet_leaves.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEAD = 5, MAGIC = 4, TAIL = 8 }; /* choices; what stands before and after pages in a file */
enum { PASS_OVER = 1, PICK = 2, SUSPEND = 4, CALLBACK = 8 };

static lochan_status read_at(void *self, uint64_t offset, size_t n, void *dst, lochan_error *err) {
    (void)err;
    memcpy(dst, (const uint8_t *)self + offset, n);
    return LOCHAN_OK;
}

/* One piece: its rows, fewer of them, or none. */
static lochan_status read_piece(const lochan_pq_field *field, lochan_pq_column *columns,
                                int64_t rows, unsigned how, struct ArrowArray *array,
                                lochan_error *err) {
    static const uint8_t bits[] = {0x9a, 0x00, 0x3c, 0xff, 0x01, 0x80, 0x55, 0x7e};
    lochan_pq_column *c = &columns[field->first_leaf];
    int64_t kept = rows;
    array->release = NULL;
    if (how & PASS_OVER)
        return lochan_pq_column__skip(c, rows, err);
    if (how & PICK) {
        kept = 0;
        for (int64_t i = 0; i < rows; i++)
            kept += bits[i >> 3] >> (i & 7) & 1;
        LOCHAN_TRY(lochan_pq_column__read_selected(c, bits, rows, kept, err));
    } else {
        LOCHAN_TRY(lochan_pq_column__read(c, rows, err));
    }
    static const int place[FUZZ_COLUMNS]; /* of the one leaf: the first */
    lochan_pq_leaf_rows leaf;
    lochan_status rc = lochan_pq_leaf_rows__take(&leaf, c, err);
    if (rc == LOCHAN_OK)
        rc = lochan_pq_assemble(field, place, &leaf, array, err);
    lochan_pq_leaf_rows__free(&leaf);
    LOCHAN_TRY(rc);
    if (array->length != kept || lochan_array__check(field->schema, array, err) != LOCHAN_OK)
        abort();
    lochan_pq_column__clear(c);
    return LOCHAN_OK;
}

/* An array that may share the column's memory must still be sound when the column has gone on. */
static void let_go(const lochan_pq_field *field, struct ArrowArray *array) {
    if (!array->release)
        return;
    if (lochan_array__check(field->schema, array, NULL) != LOCHAN_OK)
        abort();
    lochan_array__release(array);
}

static lochan_status read_chunk(lochan_pq_file *file, const lochan_pq_schema *schema,
                                const uint8_t *data, lochan_error *err) {
    enum { MOST = 64 }; /* as many as there are bits to pick by */
    static lochan_pq_column columns[FUZZ_COLUMNS];
    const lochan_pq_field *field = &schema->root.children[data[0] % FUZZ_COLUMNS];
    const lochan_pq_leaf *leaf = &schema->leaves[field->first_leaf];
    int64_t rows = data[2] * (int64_t)(data[3] & 0x80 ? 16 : 1), piece = 1 + (data[3] & 7) * 9;
    lochan_pq_column_chunk chunk = {
        .meta = {.type = leaf->physical,
                 .codec = data[1] & 7,
                 .num_values = leaf->max_rep > 0 ? rows + data[4] : rows,
                 .data_page_offset = MAGIC,
                 .compressed_size = (int64_t)file->source.size - MAGIC - TAIL}};
    lochan_pq_column *c = &columns[field->first_leaf];
    lochan_status rc = lochan_pq_column__open(c, file, leaf, &chunk, 0, rows,
                                              field->schema->dictionary != NULL, 64, err);
    struct ArrowArray array, before = {0};
    for (unsigned how = data[3] >> 3; rc == LOCHAN_OK && rows > 0; rows -= piece) {
        piece = piece < rows ? piece : rows;
        rc = read_piece(field, columns, piece < MOST ? piece : MOST, how, &array, err);
        if (how & SUSPEND)
            lochan_pq_column__suspend(c);
        if (how & (PASS_OVER | PICK))
            how ^= PASS_OVER; /* every other piece */
        let_go(field, &before);
        before = array;
    }
    lochan_pq_column__close(c);
    let_go(field, &before);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    lochan_budget budget;
    lochan_error err;
    if (size < HEAD)
        return 0;
    const lochan_pq_schema *schema = fuzz_schema((lochan_pq_strings)(data[1] >> 6));
    size_t n = size - HEAD + MAGIC + TAIL;
    uint8_t *bytes = calloc(n, 1);
    if (!bytes)
        return 0;
    memcpy(bytes + MAGIC, data + HEAD, size - HEAD);
    bool callback = data[3] >> 3 & CALLBACK;
    /* views share pages only where there is no limit */
    bool views = data[1] >> 6 == LOCHAN_PQ_STRINGS_VIEW;
    lochan_budget__init(&budget, views ? 0 : 64 << 20);
    char name[] = "fuzz";
    lochan_pq_file file = {
        .ctx = {.budget = &budget},
        .source = {.read = read_at, .self = bytes, .size = n, .data = callback ? NULL : bytes},
        .name = name};
    lochan_error_init(&err);
    lochan_status rc = read_chunk(&file, schema, data, &err);
    lochan_pq_codec_cache__deinit(&file.codecs);
    if (budget.used != 0 || (rc != LOCHAN_OK && err.message[0] == '\0'))
        abort();
    free(bytes);
    return 0;
}
