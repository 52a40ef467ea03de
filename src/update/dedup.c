/* dedup.c - the deduplications that come with lochan; see dedup.h. May call: dedup.h. */
#include "update/dedup.h"

/* Every row stays; a key that comes twice is refused. */
const lochan_dedup_rule lochan_dedup__none = {.name = "none", .write = LOCHAN_DEDUP_NONE};

/* Of rows that are equal in every column one stays. */
const lochan_dedup_rule lochan_dedup__exact_record_hash = {.name = "exact_record_hash",
                                                           .write = LOCHAN_DEDUP_EXACT};

/* Of rows with one key the last stays: by order_column, else by the plan. */
const lochan_dedup_rule lochan_dedup__primary_key_last = {
    .name = "primary_key_last", .write = LOCHAN_DEDUP_LAST, .needs_key = true};
