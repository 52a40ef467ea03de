/* scan_to_arrow.c - reads one column of a dataset as Arrow arrays and adds it up.
 *
 * Usage: scan_to_arrow LAKE SOURCE DATASET COLUMN [WHERE]        COLUMN is float64
 *
 * The stream is that of the Arrow C stream interface: another Arrow library can take it as it is,
 * without a copy.
 */
#include <lochan/lochan.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

typedef struct sum {
    double total;
    int64_t values, nulls;
} sum;

/* One batch is a struct array; its child 0 is the column: buffer 0 the validity bits (NULL: all
 * valid), buffer 1 the values. `offset` tells where the array begins in its buffers. */
static void add_batch(const struct ArrowArray *batch, sum *s) {
    const struct ArrowArray *column = batch->children[0];
    const unsigned char *valid = column->null_count != 0 ? column->buffers[0] : NULL;
    const double *values = column->buffers[1];
    for (int64_t row = 0; row < batch->length; row++) {
        int64_t i = row + batch->offset + column->offset;
        if (valid && !(valid[i / 8] >> (i % 8) & 1)) {
            s->nulls++;
            continue;
        }
        s->total += values[i];
        s->values++;
    }
}

static lochan_status check_type(struct ArrowArrayStream *stream, const char *column,
                                lochan_error *err) {
    struct ArrowSchema schema;
    lochan_status rc = lochan_stream_get_schema(stream, &schema, err);
    if (rc != LOCHAN_OK)
        return rc;
    if (strcmp(schema.children[0]->format, "g") != 0) {
        lochan_error_init(err);
        err->code = rc = LOCHAN_ERR_SCHEMA;
        snprintf(err->message, sizeof err->message, "column %s is not float64", column);
    }
    schema.release(&schema);
    return rc;
}

static lochan_status add_all(struct ArrowArrayStream *stream, sum *s, lochan_error *err) {
    struct ArrowArray batch;
    lochan_status rc;
    while ((rc = lochan_stream_get_next(stream, &batch, err)) == LOCHAN_OK && batch.release) {
        add_batch(&batch, s);
        batch.release(&batch);
    }
    return rc;
}

int main(int argc, char **argv) {
    lochan_lake *lake = NULL;
    struct ArrowArrayStream stream = {0};
    lochan_scan_options options = LOCHAN_SCAN_OPTIONS_INIT;
    lochan_error err;
    sum s = {0, 0, 0};
    if (argc < 5) {
        fprintf(stderr, "usage: scan_to_arrow LAKE SOURCE DATASET COLUMN [WHERE]\n");
        return 2;
    }
    const char *columns[] = {argv[4]};
    options.columns = columns;
    options.n_columns = 1;
    options.where = argc > 5 ? argv[5] : NULL;
    lochan_status rc = lochan_lake_open(argv[1], NULL, &lake, &err);
    if (rc == LOCHAN_OK)
        rc = lochan_lake_scan(lake, argv[2], argv[3], &options, &stream, &err);
    if (rc == LOCHAN_OK)
        rc = check_type(&stream, argv[4], &err);
    if (rc == LOCHAN_OK)
        rc = add_all(&stream, &s, &err);
    if (rc == LOCHAN_OK)
        printf("%" PRId64 " values, %" PRId64 " nulls, sum %g\n", s.values, s.nulls, s.total);
    else
        fprintf(stderr, "scan_to_arrow: %s\n", err.message);
    if (stream.release)
        stream.release(&stream);
    lochan_lake_close(lake);
    return lochan_status_exit_code(rc);
}
