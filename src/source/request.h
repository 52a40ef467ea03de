/* request.h - what request.c offers inside source/ only.
 * Invariant: as in spec.h. May call: base/, spec.h, secret.h.
 */
#ifndef LOCHAN_SOURCE_REQUEST_H
#define LOCHAN_SOURCE_REQUEST_H

#include "source/secret.h"
#include "source/spec.h"

/* Where the text of a template goes: what is done to its literal parts and to its values. */
typedef enum lochan_place {
    LOCHAN_IN_PATH,
    LOCHAN_IN_QUERY,
    LOCHAN_IN_HEADER,
    LOCHAN_IN_JSON, /* inside of a string, or raw for "{params}" and typed placeholders */
    LOCHAN_IN_FORM
} lochan_place;

typedef struct lochan_filler {
    const lochan_source_value *values;
    size_t n_values;
    const lochan_source_pair *extra; /* of {params} */
    size_t n_extra;
    lochan_str missing; /* the first placeholder without a value, p NULL = none */
} lochan_filler;

/* Appends the filled template. A placeholder without a value is noted in f->missing and leaves
 * nothing. */
lochan_status lochan_source__fill(lochan_filler *f, lochan_place place, const char *template,
                                  lochan_buf *out, lochan_error *err);
/* "{name}" or "{name:type}" at s: its length with the braces, else 0. Braces of JSON around
 * anything else are literal text. */
size_t lochan_source__placeholder(const char *s, lochan_str *name, lochan_str *type);
const char *lochan_source__find_value(const lochan_filler *f, lochan_str name);

/* Whether a later parameter bears the name of extra[k]. */
bool lochan_source__is_replaced(const lochan_source_pair *extra, size_t n, size_t k);

/* How a secret is written into the body: by its content type, JSON unless it is a form. */
lochan_secret_form lochan_source_request__body_form(const lochan_source_request *request);
lochan_status lochan_source_request__dup(const lochan_source_request *from,
                                         lochan_source_request *out, lochan_error *err);

#endif
