/* printers.h - the printers of the command, built into a test: the command is a program, not a
 * library. Included once a test program. May call: what the command may call.
 */
#ifndef TEST_CLI_PRINTERS_H
#define TEST_CLI_PRINTERS_H

#include "cli/chart.c"
#include "cli/message.c"
#include "cli/number.c"
#include "cli/options.c"
#include "cli/progress.c"
#include "cli/reader.c"
#include "cli/suggest.c"
#include "cli/table.c"
#include "cli/terminal.c"
#include "cli/text.c"
#include "cli/time.c"
#include "cli/type.c"
#include "cli/value.c"

const lochan_cli_option lochan_cli__common_options[] = {{"json", NULL, ""}, {0}};

/* ---- arrays by hand: static memory, release only marks them ---- */

static void hand_release_array(struct ArrowArray *a) {
    for (int64_t i = 0; i < a->n_children; i++) {
        if (a->children[i]->release)
            a->children[i]->release(a->children[i]);
    }
    if (a->dictionary && a->dictionary->release)
        a->dictionary->release(a->dictionary);
    a->release = NULL;
}

static void hand_release_schema(struct ArrowSchema *s) {
    for (int64_t i = 0; i < s->n_children; i++) {
        if (s->children[i]->release)
            s->children[i]->release(s->children[i]);
    }
    if (s->dictionary && s->dictionary->release)
        s->dictionary->release(s->dictionary);
    s->release = NULL;
}

/* One batch of one struct array. */
typedef struct hand_stream {
    struct ArrowSchema schema;
    struct ArrowArray batch;
    int times; /* how often the batch comes */
    int fail;  /* errno instead of the end, 0 = none */
} hand_stream;

static int hand_get_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out) {
    *out = ((hand_stream *)stream->private_data)->schema;
    out->release = hand_release_schema;
    return 0;
}

static int hand_get_next(struct ArrowArrayStream *stream, struct ArrowArray *out) {
    hand_stream *h = stream->private_data;
    *out = h->batch;
    out->release = NULL;
    if (h->times-- <= 0)
        return h->fail;
    out->release = hand_release_array;
    return 0;
}

static const char *hand_last_error(struct ArrowArrayStream *stream) {
    (void)stream;
    return "made to fail";
}

static void hand_release_stream(struct ArrowArrayStream *stream) {
    stream->release = NULL;
}

__attribute__((unused)) static struct ArrowArrayStream hand_make(hand_stream *h) {
    return (struct ArrowArrayStream){hand_get_schema, hand_get_next, hand_last_error,
                                     hand_release_stream, h};
}

#endif
