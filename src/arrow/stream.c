/* stream.c - struct ArrowArrayStream: made from our functions, and read with the errors of others
 * turned into ours. Invariant: after the end or an error a stream of ours answers the same again;
 * its state is freed once. May call: base/, array.h, schema.h.
 */
#include "arrow/array.h"
#include "base/mem.h"
#include "base/str.h"
#include <errno.h>
#include <string.h>

typedef struct stream_own {
    struct ArrowSchema schema;
    lochan_stream_next_fn next;
    void (*free_state)(void *);
    void *state;
    bool ended;
    lochan_error err; /* code OK = no error yet */
} stream_own;

static int errno_of(lochan_status code) {
    switch (code) {
    case LOCHAN_OK:
        return 0;
    case LOCHAN_ERR_NO_MEMORY:
    case LOCHAN_ERR_MEMORY_LIMIT:
        return ENOMEM;
    case LOCHAN_ERR_INVALID_ARGUMENT:
    case LOCHAN_ERR_DATA:
    case LOCHAN_ERR_SCHEMA:
    case LOCHAN_ERR_VALUE:
        return EINVAL;
    case LOCHAN_ERR_UNSUPPORTED:
        return ENOSYS;
    case LOCHAN_ERR_CANCELLED:
        return ECANCELED;
    default:
        return EIO;
    }
}

static int own_get_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out) {
    stream_own *own = stream->private_data;
    lochan_error err;
    lochan_error_init(&err);
    lochan_status rc = lochan_schema__dup(&own->schema, out, &err);
    if (rc != LOCHAN_OK && own->err.code == LOCHAN_OK)
        own->err = err;
    return errno_of(rc);
}

static int own_get_next(struct ArrowArrayStream *stream, struct ArrowArray *out) {
    stream_own *own = stream->private_data;
    memset(out, 0, sizeof *out);
    if (own->err.code != LOCHAN_OK)
        return errno_of(own->err.code);
    if (own->ended)
        return 0;
    lochan_error err;
    lochan_error_init(&err);
    lochan_status rc = own->next(own->state, out, &err);
    if (rc != LOCHAN_OK) {
        lochan_array__release(out);
        memset(out, 0, sizeof *out);
        own->err = err;
        own->err.code = rc;
        return errno_of(rc);
    }
    own->ended = out->release == NULL;
    return 0;
}

static const char *own_last_error(struct ArrowArrayStream *stream) {
    const stream_own *own = stream->private_data;
    return own->err.code == LOCHAN_OK ? NULL : own->err.message;
}

static void own_release(struct ArrowArrayStream *stream) {
    if (!stream->release)
        return;
    stream_own *own = stream->private_data;
    if (own->free_state)
        own->free_state(own->state);
    lochan_schema__release(&own->schema);
    lochan_mem__free(own);
    memset(stream, 0, sizeof *stream);
}

lochan_status lochan_stream__make(struct ArrowSchema *schema, lochan_stream_next_fn next,
                                  void (*free_state)(void *), void *state,
                                  struct ArrowArrayStream *out, lochan_error *err) {
    memset(out, 0, sizeof *out);
    stream_own *own = lochan_mem__zalloc(sizeof *own);
    if (!own) {
        if (free_state)
            free_state(state);
        lochan_schema__release(schema);
        return lochan_error__nomem(err);
    }
    lochan_schema__move(schema, &own->schema);
    own->next = next;
    own->free_state = free_state;
    own->state = state;
    lochan_error_init(&own->err);
    *out = (struct ArrowArrayStream){.get_schema = own_get_schema,
                                     .get_next = own_get_next,
                                     .get_last_error = own_last_error,
                                     .release = own_release,
                                     .private_data = own};
    return LOCHAN_OK;
}

void *lochan_stream__state(const struct ArrowArrayStream *stream, lochan_stream_next_fn next) {
    if (!stream->release || stream->release != own_release)
        return NULL;
    const stream_own *own = stream->private_data;
    return own->next == next ? own->state : NULL;
}

typedef struct batch_list {
    size_t n;
    size_t at;
    struct ArrowArray batches[];
} batch_list;

static lochan_status list_next(void *state, struct ArrowArray *out, lochan_error *err) {
    (void)err;
    batch_list *list = state;
    if (list->at < list->n)
        lochan_array__move(&list->batches[list->at++], out);
    return LOCHAN_OK;
}

static void list_free(void *state) {
    batch_list *list = state;
    for (size_t i = 0; i < list->n; i++)
        lochan_array__release(&list->batches[i]);
    lochan_mem__free(list);
}

lochan_status lochan_stream__of_batches(struct ArrowSchema *schema, struct ArrowArray *batches,
                                        size_t n, struct ArrowArrayStream *out, lochan_error *err) {
    memset(out, 0, sizeof *out);
    size_t size;
    batch_list *list = NULL;
    if (lochan_size__mul(n, sizeof(struct ArrowArray), &size) &&
        lochan_size__add(size, sizeof *list, &size))
        list = lochan_mem__zalloc(size);
    if (!list) {
        for (size_t i = 0; i < n; i++)
            lochan_array__release(&batches[i]);
        lochan_schema__release(schema);
        return lochan_error__nomem(err);
    }
    list->n = n;
    for (size_t i = 0; i < n; i++)
        lochan_array__move(&batches[i], &list->batches[i]);
    return lochan_stream__make(schema, list_next, list_free, list, out, err);
}

void lochan_stream__release(struct ArrowArrayStream *stream) {
    if (stream && stream->release)
        stream->release(stream);
}

/* One line of what a foreign stream says, which may be any bytes. */
static void clean_text(const char *text, char dst[400]) {
    size_t n = 0;
    for (; text[n] && n < 399; n++) {
        unsigned char c = (unsigned char)text[n];
        dst[n] = c < ' ' || c == 0x7f ? ' ' : (char)c;
    }
    dst[n] = '\0';
    while (n > 0 && !lochan_utf8__valid(dst, n))
        dst[--n] = '\0';
}

static lochan_status stream_error(struct ArrowArrayStream *stream, int code, lochan_error *err) {
    char text[400];
    lochan_status rc = LOCHAN_ERR_IO;
    if (stream->release == own_release) {
        const stream_own *own = stream->private_data;
        if (err)
            *err = own->err;
        return own->err.code;
    }
    const char *said = stream->get_last_error ? stream->get_last_error(stream) : NULL;
    clean_text(said ? said : "no reason given", text);
    if (code == ENOMEM)
        rc = LOCHAN_ERR_NO_MEMORY;
    else if (code == ECANCELED || code == EINTR)
        rc = LOCHAN_ERR_CANCELLED;
    else if (code == EINVAL)
        rc = LOCHAN_ERR_DATA;
    else if (code == ENOSYS)
        rc = LOCHAN_ERR_UNSUPPORTED;
    else if (code == ETIMEDOUT)
        rc = LOCHAN_ERR_TIMEOUT;
    else if (code == ECONNRESET || code == ECONNREFUSED || code == ENETUNREACH)
        rc = LOCHAN_ERR_NETWORK;
    return lochan_error__set(err, rc, "Arrow stream: %s (errno %d)", text, code);
}

lochan_status lochan_stream__schema(struct ArrowArrayStream *stream, struct ArrowSchema *out,
                                    lochan_error *err) {
    memset(out, 0, sizeof *out);
    if (!stream->release)
        return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT, "the Arrow stream was released");
    int code = stream->get_schema(stream, out);
    if (code != 0) {
        memset(out, 0, sizeof *out);
        return stream_error(stream, code, err);
    }
    if (!out->release)
        return lochan_error__set(err, LOCHAN_ERR_DATA, "Arrow stream: gave no schema");
    return LOCHAN_OK;
}

lochan_status lochan_stream__next(struct ArrowArrayStream *stream, struct ArrowArray *out,
                                  lochan_error *err) {
    memset(out, 0, sizeof *out);
    if (!stream->release)
        return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT, "the Arrow stream was released");
    int code = stream->get_next(stream, out);
    if (code == 0)
        return LOCHAN_OK;
    memset(out, 0, sizeof *out);
    return stream_error(stream, code, err);
}
