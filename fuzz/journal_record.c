/* journal_record.c - any bytes as the body of a journal record that is otherwise whole: numbered,
 * chained, with its right checksum, as an enemy would write it.
 * Checked: no crash; a malformed body is CORRUPT with a message; rows that were read can be
 * written, and read the same again; the bytes as they are, taken for a record, are no record or a
 * sound one.
 */
#include "catalog/journal.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_ROWS = 2000 };

typedef struct copy {
    lochan_record record;
    size_t rows;
} copy;

static lochan_status take_row(void *ctx, lochan_row_kind kind, lochan_row_op op,
                              const lochan_value *values, size_t n, lochan_error *err) {
    copy *c = ctx;
    if (n != lochan_row__n_values(lochan_row__table(kind), op))
        abort();
    if (++c->rows > MAX_ROWS)
        return lochan_error__set(err, LOCHAN_ERR_CANCELLED, "enough rows");
    return lochan_record__add(&c->record, kind, op, values, n, err);
}

static lochan_status copy_rows(const lochan_record_view *view, copy *out, lochan_error *err) {
    lochan_record__init(&out->record);
    out->rows = 0;
    return lochan_record__each_row(view, take_row, out, err);
}

static void seal(copy *c, lochan_record_view *view) {
    lochan_error err;
    lochan_hash128 hash, none = {0, 0};
    if (lochan_record__seal(&c->record, 2, none, &hash, &err) != LOCHAN_OK ||
        !lochan_record__parse(c->record.bytes.data, c->record.bytes.len, view) || view->seq != 2)
        abort();
}

/* Rows in, the same rows out. */
static void read_rows(const lochan_record_view *view) {
    copy first, second;
    lochan_record_view sealed, again;
    lochan_error err;
    lochan_status rc = copy_rows(view, &first, &err);
    if (rc != LOCHAN_OK && ((rc != LOCHAN_ERR_CORRUPT && rc != LOCHAN_ERR_CANCELLED) ||
                            err.code != rc || err.message[0] == '\0'))
        abort();
    if (rc == LOCHAN_OK && first.rows > 0) { /* a commit without rows is never sealed */
        seal(&first, &sealed);
        if (copy_rows(&sealed, &second, &err) != LOCHAN_OK || second.rows != first.rows)
            abort();
        seal(&second, &again);
        if (again.total_bytes != sealed.total_bytes ||
            memcmp(first.record.bytes.data, second.record.bytes.data, again.total_bytes) != 0)
            abort();
        lochan_record__deinit(&second.record);
    }
    lochan_record__deinit(&first.record);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    lochan_record_view view;
    if (lochan_record__parse(data, size, &view))
        read_rows(&view);
    memset(&view, 0, sizeof view);
    view.seq = 1;
    view.body = data;
    view.body_bytes = size;
    view.total_bytes = size + LOCHAN_RECORD_HEAD_BYTES + LOCHAN_RECORD_TAIL_BYTES;
    read_rows(&view);
    return 0;
}
