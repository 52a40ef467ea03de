/* registry.c - see registry.h. The built-in entries, in the order in which messages list them.
 * May call: base/, planner.h, dedup.h, mode.h.
 */
#include "update/registry.h"

#include "update/dedup.h"
#include "update/mode.h"
#include "update/planner.h"

#define MAX_ADDED 16
#define ENTRY(of) ((const lochan_choice *)(const void *)&(of))

static const lochan_choice *const planners[] = {ENTRY(lochan_planner__snapshot),
                                                ENTRY(lochan_planner__by_asset),
                                                ENTRY(lochan_planner__by_date),
                                                ENTRY(lochan_planner__by_asset_date_range),
                                                ENTRY(lochan_planner__by_period),
                                                ENTRY(lochan_planner__params),
                                                NULL};
static const lochan_choice *const dedups[] = {ENTRY(lochan_dedup__primary_key_last),
                                              ENTRY(lochan_dedup__exact_record_hash),
                                              ENTRY(lochan_dedup__none), NULL};
static const lochan_choice *const modes[] = {
    ENTRY(lochan_mode__upsert), ENTRY(lochan_mode__replace_asset),
    ENTRY(lochan_mode__snapshot_replace), ENTRY(lochan_mode__append), NULL};

static const lochan_choice *const *const built_in[LOCHAN_REGISTRY_COUNT] = {planners, dedups,
                                                                            modes};
static const lochan_choice *added[LOCHAN_REGISTRY_COUNT][MAX_ADDED];

const lochan_choice *lochan_registry__get(lochan_registry list, size_t i) {
    size_t n = 0;
    for (; built_in[list][n]; n++) {
        if (n == i)
            return built_in[list][n];
    }
    return i - n < MAX_ADDED ? added[list][i - n] : NULL;
}

lochan_status lochan_registry__add(lochan_registry list, const lochan_choice *entry,
                                   lochan_error *err) {
    const lochan_choice *known;
    for (size_t i = 0; (known = lochan_registry__get(list, i)) != NULL; i++) {
        if (strcmp(known->name, entry->name) == 0)
            return lochan_error__set(err, LOCHAN_ERR_EXISTS, "'%s' is taken", entry->name);
    }
    for (size_t i = 0; i < MAX_ADDED; i++) {
        if (!added[list][i]) {
            added[list][i] = entry;
            return LOCHAN_OK;
        }
    }
    return lochan_error__set(err, LOCHAN_ERR_MEMORY_LIMIT, "no room for another '%s'", entry->name);
}
