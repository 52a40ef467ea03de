/* extras.h - fields that the spec does not declare, over all pages of an update.
 *
 * They come as text. Their type is decided once for the table: what the table has already; else
 * float64 if every value of this update is a number as JSON writes it (so "000001" is text); else
 * string; and a field without any value yet is no column yet. What a page has is noted while its
 * rows are in memory, so deciding needs no row. Invariant: columns come in the order of the plan,
 * never of arrival. May call: base/, arrow/, table/.
 */
#ifndef LOCHAN_UPDATE_EXTRAS_H
#define LOCHAN_UPDATE_EXTRAS_H

#include "arrow/type.h"
#include "base/arena.h"
#include <lochan/arrow.h>
#include <pthread.h>

struct lochan_job;
struct lochan_scope;

typedef struct lochan_extra {
    const char *name; /* in the arena */
    lochan_type type; /* decided, or the table's */
    bool in_table;
    bool taken; /* is a column of the update's schema */
} lochan_extra;

typedef struct lochan_extras {
    pthread_mutex_t mutex; /* guards what is here, and the opening of the job's write */
    lochan_arena arena;
    lochan_extra *items;
    size_t n, cap;
    bool ready;
} lochan_extras;

lochan_status lochan_extras__init(struct lochan_job *job, lochan_error *err);
void lochan_extras__deinit(struct lochan_job *job); /* of a zeroed job: a no-op */
/* Notes the undeclared fields of a page for its scope. Thread-safe, one thread a scope. */
lochan_status lochan_extras__note(struct lochan_job *job, struct lochan_scope *scope,
                                  const struct ArrowSchema *schema, const struct ArrowArray *batch,
                                  lochan_error *err);
/* Whether the scope has values of a field that the table does not have. Thread-safe. */
bool lochan_extras__are_new(struct lochan_job *job, const struct lochan_scope *scope);
/* Columns of every canonical page before the undeclared ones. */
int64_t lochan_extras__n_declared(const struct lochan_job *job);
/* The update's schema: declared columns, then those that the table has besides, then (decide) those
 * that good scopes bring. Under the mutex, or in one thread. */
lochan_status lochan_extras__schema(struct lochan_job *job, bool decide, struct ArrowSchema *out,
                                    lochan_error *err);

#endif
