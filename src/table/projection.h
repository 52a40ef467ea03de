/* projection.h - rows of one schema as rows of another: columns picked, missing ones null, older
 * types cast. Files and batches from outside both pass through it, so that behind it there is one
 * layout only. Invariant: results hold what they show. May call: base/, arrow/.
 */
#ifndef LOCHAN_TABLE_PROJECTION_H
#define LOCHAN_TABLE_PROJECTION_H

#include "arrow/array.h"
#include "arrow/kernels.h"

typedef struct lochan_projection {
    struct ArrowSchema from; /* copies; empty where columns are only moved */
    struct ArrowSchema to;
    int *source; /* for each column of `to` its column in `from`, -1 = null or a constant */
    bool *cast;
    char **constant; /* for each column of `to` that `from` lacks: the text of its one value, NULL =
                        null. NULL array: there is none */
    size_t n;
    bool identity; /* nothing to do */
} lochan_projection;

typedef enum lochan_projection_by { LOCHAN_BY_NAME, LOCHAN_BY_FIELD_ID } lochan_projection_by;

/* by field id: a source without any ids is matched by name. SCHEMA names a column that `from` lacks
 * and `to` needs (not nullable). */
lochan_status lochan_projection__init(lochan_projection *p, const struct ArrowSchema *from,
                                      const struct ArrowSchema *to, lochan_projection_by by,
                                      lochan_error *err);
/* The same, with values for columns that `from` lacks (one for each of `to`; NULL = none). */
lochan_status lochan_projection__init_with(lochan_projection *p, const struct ArrowSchema *from,
                                           const struct ArrowSchema *to, lochan_projection_by by,
                                           const char *const *constants, lochan_error *err);
void lochan_projection__deinit(lochan_projection *p); /* a zeroed one is fine */
/* Takes *in (also on failure). *out has the columns of `to`, and offset 0. */
lochan_status lochan_projection__apply(const lochan_projection *p, struct ArrowArray *in,
                                       struct ArrowArray *out, lochan_error *err);

/* n times the value that a text stands for: whole and real numbers, dates, booleans, text. VALUE:
 * it stands for none of that type; UNSUPPORTED: no text stands for such a type. */
lochan_status lochan_constant__make(const struct ArrowSchema *field, const char *text, int64_t n,
                                    struct ArrowArray *out, lochan_error *err);
/* n nulls of one field. */
lochan_status lochan_nulls__make(const struct ArrowSchema *field, int64_t n, struct ArrowArray *out,
                                 lochan_error *err);
/* Whether two fields have the same type, looking into nested ones by name. */
bool lochan_field__same_type(const struct ArrowSchema *a, const struct ArrowSchema *b);
/* An array that shows a borrowed one and frees nothing: for calls that take what we only lend them.
 */
struct ArrowArray lochan_array__lend(const struct ArrowArray *in);

#endif
