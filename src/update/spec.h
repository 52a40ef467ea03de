/* spec.h - the description of a dataset: what to ask for, how rows are typed, keyed, partitioned
 * and merged.
 *
 * docs/specs.md is the manual of the YAML. Names of fields are those that users of dataset specs
 * know; behaviour is selected by name from small tables (planner, normaliser, ...), never by a
 * branch on a provider. Invariant: a spec in memory was checked whole, so nothing of it can fail
 * halfway through an update for being wrong. May call: base/, arrow/, source/yaml.h, table/.
 */
#ifndef LOCHAN_UPDATE_SPEC_H
#define LOCHAN_UPDATE_SPEC_H

#include "arrow/type.h"
#include "base/arena.h"
#include "base/civil.h"
#include "source/spec.h"
#include "source/yaml.h"

typedef enum lochan_planner { LOCHAN_PLANNER_SNAPSHOT = 0 } lochan_planner;
typedef enum lochan_normalizer {
    LOCHAN_NORMALIZER_STANDARD = 0,
    LOCHAN_NORMALIZER_WIDE_TO_LONG = 1 /* one row a cell: each undeclared column becomes rows */
} lochan_normalizer;
typedef enum lochan_dedup { LOCHAN_DEDUP_PRIMARY_KEY_LAST = 0 } lochan_dedup;
typedef enum lochan_update_mode { LOCHAN_MODE_UPSERT = 0 } lochan_update_mode;
typedef enum lochan_chunk_unit {
    LOCHAN_CHUNK_NONE = 0, /* the whole window is one request */
    LOCHAN_CHUNK_DAYS,
    LOCHAN_CHUNK_MONTHS,
    LOCHAN_CHUNK_YEARS
} lochan_chunk_unit;

/* What happens to a field that the spec does not declare. */
typedef enum lochan_new_columns {
    LOCHAN_NEW_COLUMNS_EVOLVE =
        0, /* it becomes a column; docs/specs.md has the rule for its type */
    LOCHAN_NEW_COLUMNS_IGNORE = 1,
    LOCHAN_NEW_COLUMNS_FAIL = 2
} lochan_new_columns;

/* A declared column of the dataset, by its own (canonical) name. */
typedef struct lochan_dataset_column {
    const char *name;
    const char *field; /* what the provider calls it */
    lochan_type type;
    bool nullable;
    bool has_format;
    lochan_date_format format; /* of dates and timestamps in the provider's text */
    const char *const *null_texts;
    size_t n_null_texts; /* 0 = the source's */
} lochan_dataset_column;

typedef struct lochan_dataset_spec {
    lochan_arena arena; /* holds all below */
    const char *name;
    const char *source;
    const char *source_dataset; /* the provider's name; default: name */
    const char *category;
    const char *description;

    lochan_planner planner;
    lochan_chunk_unit chunk_unit;
    int32_t chunk_count;
    const lochan_source_pair *params; /* more query parameters; templates */
    size_t n_params;
    bool has_default_start;
    int32_t default_start; /* days */
    int32_t settle_days;
    int64_t staging_max_age_ns;

    lochan_normalizer normalizer;
    const char *wide_name_to; /* wide_to_long: column that gets the name of the provider's column */
    const char *wide_value_to;    /* and the one that gets the cell */
    const char *const *wide_skip; /* texts of cells that are no row */
    size_t n_wide_skip;

    const lochan_source_pair *field_mapping; /* provider's field -> canonical name */
    size_t n_field_mapping;
    const lochan_dataset_column
        *columns; /* in table order: asset_id, time, period, then as declared */
    size_t n_columns;
    lochan_new_columns new_columns;
    const char *const *required_columns;
    size_t n_required;
    const char *const *primary_key;
    size_t n_primary_key;
    const char *const *sort_columns;
    size_t n_sort;

    lochan_dedup dedup;
    const char *partition_strategy;
    lochan_update_mode update_mode;
    bool point_in_time;
    bool reference;
} lochan_dataset_spec;

/* Names of the values each choice can take, for messages and `dataset list`. */
const char *lochan_update_mode__name(lochan_update_mode mode);

/* Parses and checks. Every error is LOCHAN_ERR_SPEC with file, line and column. */
lochan_status lochan_dataset_spec__parse(const char *text, size_t size, const char *file,
                                         lochan_dataset_spec **out, lochan_error *err);
void lochan_dataset_spec__free(lochan_dataset_spec *spec); /* NULL is a no-op */

/* The table that the spec asks for, with the columns of `schema`. Everything in *out is borrowed
 * from both. */
struct lochan_table_spec;
void lochan_dataset_spec__table(const lochan_dataset_spec *spec, const struct ArrowSchema *schema,
                                struct lochan_table_spec *out);

/* The canonical name of a provider's field. */
const char *lochan_dataset_spec__canonical(const lochan_dataset_spec *spec, const char *field);
/* The declared column of that canonical name, NULL if it is not declared. */
const lochan_dataset_column *lochan_dataset_spec__column(const lochan_dataset_spec *spec,
                                                         const char *name);

#endif
