/* plan.c - see plan.h. May call: base/, arrow/, projection.h. */
#include "parquet/plan.h"

/* What is asked for, while the columns are planned. */
typedef struct column_plan {
    lochan_pq_want *first, *rest; /* of the predicate; the others */
    size_t n_first, n_rest;
    bool *first_marks, *rest_marks;
    int *out; /* top-level columns in the order asked for */
    size_t n_out;
} column_plan;

static lochan_status plan_output(const lochan_pq_schema *schema, const lochan_pq_scan *scan,
                                 column_plan *p, lochan_error *err) {
    bool all = !scan->columns && !scan->paths;
    size_t n = all ? (size_t)schema->root.n_children : scan->n_columns;
    for (size_t i = 0; i < n; i++) {
        int column = scan->columns ? scan->columns[i] : (int)i;
        bool fresh = true;
        if (scan->paths) {
            LOCHAN_TRY(
                lochan_pq_path__mark(schema, scan->paths[i], p->rest_marks, &column, &fresh, err));
        } else if (column < 0 || column >= schema->root.n_children) {
            return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT, "there is no column %d",
                                     column);
        }
        bool met = false;
        for (size_t j = 0; j < p->n_out && !all; j++)
            met = met || p->out[j] == column;
        if (scan->paths ? !fresh : met)
            return lochan_error__set(
                err, LOCHAN_ERR_INVALID_ARGUMENT, "column '%s' is asked for twice",
                scan->paths ? scan->paths[i] : schema->arrow.children[column]->name);
        if (!scan->paths)
            lochan_pq_column__mark(schema, column, p->rest_marks);
        if (!met)
            p->out[p->n_out++] = column;
    }
    return LOCHAN_OK;
}

static lochan_status plan_predicate(const lochan_pq_schema *schema, const lochan_expr *predicate,
                                    column_plan *p, lochan_error *err) {
    size_t n = predicate ? lochan_expr__columns(predicate) : 0;
    for (size_t i = 0; i < n; i++) {
        const char *name = lochan_expr__column(predicate, i);
        lochan_pq_want want = {lochan_schema__find(&schema->arrow, name), -1};
        if (want.column >= 0)
            lochan_pq_column__mark(schema, want.column, p->first_marks);
        else
            want.flat = lochan_pq_path__leaf(schema, name);
        if (want.column < 0 && want.flat < 0)
            return lochan_error__set(err, LOCHAN_ERR_NOT_FOUND, "the file has no column '%s'",
                                     name);
        bool met = false;
        for (size_t j = 0; j < p->n_first; j++)
            met = met || (p->first[j].column == want.column && p->first[j].flat == want.flat);
        if (!met)
            p->first[p->n_first++] = want;
    }
    return LOCHAN_OK;
}

/* Whether all that is asked of a column is read for the predicate; *at = where. */
static bool is_first(const lochan_pq_schema *schema, const column_plan *p, int column, size_t *at) {
    const lochan_pq_field *field = &schema->root.children[column];
    for (*at = 0; *at < p->n_first && p->first[*at].column != column;)
        ++*at;
    for (int l = field->first_leaf; l < field->first_leaf + field->n_leaves; l++) {
        if (!p->rest_marks[l])
            return false;
    }
    return *at < p->n_first;
}

/* The schema of what comes out: the file's, without the fields that are not asked for. */
static lochan_status make_schema(const lochan_pq_read_plan *plan, const lochan_pq_schema *schema,
                                 const column_plan *p, struct ArrowSchema *out, lochan_error *err) {
    LOCHAN_TRY(lochan_schema__select(&schema->arrow, p->out, p->n_out, out, err));
    for (size_t i = 0; i < p->n_out; i++) {
        size_t at = (size_t)plan->order[i];
        struct ArrowSchema part = {0};
        if (at < plan->first.n)
            continue;
        LOCHAN_TRY(lochan_schema__dup(plan->rest.arrow.children[at - plan->first.n], &part, err));
        lochan_schema__release(out->children[i]);
        lochan_schema__move(&part, out->children[i]);
    }
    return LOCHAN_OK;
}

/* Parts the columns in those of the predicate and the others asked for. */
lochan_status lochan_pq_read_plan__make(lochan_pq_read_plan *plan, const lochan_pq_schema *schema,
                                        const lochan_pq_scan *scan, struct ArrowSchema *out,
                                        lochan_error *err) {
    size_t n_leaves = (size_t)schema->n_leaves + 1, n = (size_t)schema->root.n_children;
    size_t n_predicate = scan->predicate ? lochan_expr__columns(scan->predicate) : 0;
    column_plan p = {.first = lochan_mem__array(n_predicate + 1, sizeof *p.first),
                     .rest = lochan_mem__array(n + 1, sizeof *p.rest),
                     .first_marks = lochan_mem__array(n_leaves, sizeof *p.first_marks),
                     .rest_marks = lochan_mem__array(n_leaves, sizeof *p.rest_marks),
                     .out = lochan_mem__array(n + 1, sizeof *p.out)};
    lochan_status rc = LOCHAN_OK;
    plan->order = lochan_mem__array(n + 1, sizeof *plan->order);
    if (!p.first || !p.rest || !p.first_marks || !p.rest_marks || !p.out || !plan->order) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    LOCHAN_TRYG(plan_output(schema, scan, &p, err));
    LOCHAN_TRYG(plan_predicate(schema, scan->predicate, &p, err));
    for (size_t i = 0; i < p.n_out; i++) {
        size_t at;
        if (!is_first(schema, &p, p.out[i], &at)) {
            at = p.n_first + p.n_rest;
            p.rest[p.n_rest++] = (lochan_pq_want){p.out[i], -1};
        }
        plan->order[i] = (int)at;
    }
    plan->n_out = p.n_out;
    LOCHAN_TRYG(
        lochan_pq_projection__make(&plan->first, schema, p.first, p.n_first, p.first_marks, err));
    LOCHAN_TRYG(
        lochan_pq_projection__make(&plan->rest, schema, p.rest, p.n_rest, p.rest_marks, err));
    rc = make_schema(plan, schema, &p, out, err);
done:
    lochan_mem__free(p.first);
    lochan_mem__free(p.rest);
    lochan_mem__free(p.first_marks);
    lochan_mem__free(p.rest_marks);
    lochan_mem__free(p.out);
    return rc;
}

void lochan_pq_read_plan__deinit(lochan_pq_read_plan *plan) {
    lochan_pq_projection__deinit(&plan->first);
    lochan_pq_projection__deinit(&plan->rest);
    lochan_mem__free(plan->order);
    *plan = (lochan_pq_read_plan){0};
}
