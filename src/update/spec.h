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
#include "table/table.h"

struct lochan_planner;     /* planner.h */
struct lochan_dedup_rule;  /* dedup.h */
struct lochan_update_mode; /* mode.h */
struct lochan_paging;      /* source/paging.h */

typedef enum lochan_normalizer {
    LOCHAN_NORMALIZER_STANDARD = 0,
    LOCHAN_NORMALIZER_WIDE_TO_LONG = 1 /* one row a cell: each undeclared column becomes rows */
} lochan_normalizer;
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

/* A column of another dataset of the lake: assets to ask for, days of trading. */
typedef struct lochan_reference {
    const char *source; /* NULL: there is no reference */
    const char *dataset;
    const char *column;
    const char *where; /* rows that count, as in a scan; NULL = all */
} lochan_reference;

/* One set of parameters of planner `params`; a series of the ledger bears its name. */
typedef struct lochan_param_set {
    const char *name; /* "exchange=SSE" */
    const lochan_source_pair *params;
    size_t n_params;
} lochan_param_set;

typedef enum lochan_rule_kind {
    LOCHAN_RULE_REQUIRED = 0, /* the column has a value */
    LOCHAN_RULE_TYPE,         /* the provider's text can be read as the column's type */
    LOCHAN_RULE_RANGE,        /* min <= value <= max; null is in range */
    LOCHAN_RULE_ALLOWED,      /* the value is one of a list; null is allowed */
    LOCHAN_RULE_UNIQUE,       /* no two rows of one update agree in these columns */
    LOCHAN_RULE_CALENDAR      /* time is a day of the calendar */
} lochan_rule_kind;
typedef enum lochan_rule_action {
    LOCHAN_RULE_FAIL = 0,   /* the scope is invalid and asked again by the next update */
    LOCHAN_RULE_QUARANTINE, /* the row is kept apart (lochan rejects), the others go on */
    LOCHAN_RULE_WARN        /* the row goes on; the update says how many there were */
} lochan_rule_action;

typedef struct lochan_rule {
    lochan_rule_kind kind;
    lochan_rule_action action;
    const char *const *columns; /* one, but for unique */
    size_t n_columns;
    bool has_min, has_max;
    double min, max;
    const char *const *values; /* of allowed, as text */
    size_t n_values;
} lochan_rule;

typedef struct lochan_dataset_spec {
    lochan_arena arena; /* holds all below */
    const char *name;
    const char *source;
    const char *source_dataset; /* the provider's name; default: name */
    const char *category;
    const char *description;

    const struct lochan_planner *planner;
    lochan_chunk_unit chunk_unit;
    int32_t chunk_count;
    const lochan_source_pair *params; /* more query parameters; templates */
    size_t n_params;
    const lochan_param_set *param_sets;
    size_t n_param_sets;
    int32_t batch_size;            /* assets a request */
    const char *request_param;     /* the parameter that carries the assets, NULL = none */
    const char *asset_separator;   /* between them */
    lochan_reference assets;       /* where they come from if the request names none */
    lochan_reference discovery;    /* names the assets that have news */
    lochan_reference calendar;     /* days there can be rows for */
    lochan_chunk_unit period_unit; /* of planner by_period */
    int32_t period_count;
    const struct lochan_paging *paging; /* NULL: the source's */
    const char *filter_column;          /* row_filter: NULL = none */
    const char *const *filter_in;
    size_t n_filter_in;
    int32_t revision_days;     /* so many days are asked again although they are final */
    int32_t refresh_days;      /* what was asked longer ago is asked again; -1 = never */
    const char *window_column; /* whose days windows are made of; NULL: rows have no days */
    bool has_default_start;
    int32_t default_start; /* days */
    int32_t settle_days;
    int64_t staging_max_age_ns;
    bool keep_raw;          /* answers of published updates stay, as evidence */
    uint64_t raw_max_bytes; /* of them; beyond it the oldest updates' go */

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
    lochan_upkeep upkeep; /* compaction and cluster_columns */

    bool has_record_hash; /* rows are told apart by column record_hash, which the pipeline fills */
    const char *const *business_key;
    size_t n_business;
    const struct lochan_dedup_rule *dedup;
    const char *order_column; /* of primary_key_last: the row with the largest value is the last */
    const char *partition_strategy;
    int64_t partition_number; /* of year_bucket; 0 = none */
    const char *const *partition_columns;
    size_t n_partition_columns;
    const struct lochan_update_mode *update_mode;
    bool replace_empty; /* replace_asset: an empty answer removes what is there */
    const lochan_rule *rules;
    size_t n_rules;
    bool point_in_time;
    bool reference;
} lochan_dataset_spec;

/* "range" and the like. */
const char *lochan_rule__name(const lochan_rule *rule);

/* Parses and checks. Every error is LOCHAN_ERR_SPEC with file, line and column. */
lochan_status lochan_dataset_spec__parse(const char *text, size_t size, const char *file,
                                         lochan_dataset_spec **out, lochan_error *err);
void lochan_dataset_spec__free(lochan_dataset_spec *spec); /* NULL is a no-op */

/* The table that the spec asks for, with the columns of `schema`. Everything in *out is borrowed
 * from both. */
struct lochan_table_spec;
void lochan_dataset_spec__table(const lochan_dataset_spec *spec, const struct ArrowSchema *schema,
                                struct lochan_table_spec *out);

/* Lays what the dataset says about paging over what its source says; `text` is the dataset's spec.
 * spec->paging is never NULL afterwards. */
lochan_status lochan_dataset_spec__join_paging(lochan_dataset_spec *spec, const char *text,
                                               const struct lochan_paging *source,
                                               lochan_error *err);

/* The canonical name of a provider's field. */
const char *lochan_dataset_spec__canonical(const lochan_dataset_spec *spec, const char *field);
/* The declared column of that canonical name, NULL if it is not declared. */
const lochan_dataset_column *lochan_dataset_spec__column(const lochan_dataset_spec *spec,
                                                         const char *name);

#endif
