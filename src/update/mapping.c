/* mapping.c - see mapping.h. The note is a setting of the lake, named after the dataset: the hash
 * of the mapping under which the oldest rows were made. May call: base/, catalog/, manage.h, raw.h.
 */
#include "update/mapping.h"

#include "base/log.h"
#include "update/manage.h"
#include "update/raw.h"

static void name_of(const lochan_dataset_row *dataset, char dst[48]) {
    (void)lochan_format(dst, 48, "mapping.%lld", (long long)dataset->dataset_id);
}

lochan_status lochan_mapping__note(lochan_lake *lake, const lochan_dataset_row *old,
                                   const char *mapping, lochan_error *err) {
    char name[48], noted[64];
    if (old->table_id < 0 || strcmp(old->mapping_hash, mapping) == 0)
        return LOCHAN_OK;
    name_of(old, name);
    LOCHAN_TRY(lochan_catalog__option(lake->catalog, name, noted, sizeof noted, err));
    if (noted[0])
        return LOCHAN_OK;
    return lochan_catalog__set_option(lake->catalog, name, old->mapping_hash, err);
}

lochan_status lochan_mapping__warn(const lochan_job *job, lochan_error *err) {
    char name[48], noted[64], mapping[33];
    lochan_raw_updates kept = {0};
    if (job->replay)
        return LOCHAN_OK;
    name_of(job->dataset, name);
    LOCHAN_TRY(lochan_catalog__option(job->lake->catalog, name, noted, sizeof noted, err));
    LOCHAN_TRY(lochan_manage__hash_mapping(job->spec, mapping, err));
    if (!noted[0] || strcmp(noted, mapping) == 0)
        return LOCHAN_OK;
    LOCHAN_TRY(lochan_raw__list(job->lake, job->dataset, false, &kept, err));
    if (kept.n > 0)
        LOCHAN_WARN(
            "%s holds rows that were made under another mapping; the answers of %zu updates "
            "are kept: 'lochan rebuild-from-raw %s --plan' tells what they give; 'lochan "
            "update %s --force' with the first day asks for all again",
            job->full_name, kept.n, job->full_name, job->full_name);
    else
        LOCHAN_WARN("%s holds rows that were made under another mapping, and no answers are kept; "
                    "'lochan update %s --force' with the first day asks for all again",
                    job->full_name, job->full_name);
    lochan_raw_updates__deinit(&kept);
    return LOCHAN_OK;
}

void lochan_mapping__forget(lochan_lake *lake, const lochan_dataset_row *dataset) {
    char name[48], noted[64];
    lochan_error why;
    lochan_error_init(&why);
    name_of(dataset, name);
    lochan_status rc = lochan_catalog__option(lake->catalog, name, noted, sizeof noted, &why);
    if (rc == LOCHAN_OK && noted[0])
        rc = lochan_catalog__set_option(lake->catalog, name, "", &why);
    if (rc != LOCHAN_OK)
        LOCHAN_WARN("%s/%s: %s", dataset->source, dataset->name, why.message);
}

void lochan_mapping__settle(const lochan_job *job) {
    const lochan_update_request *r = job->request;
    if (!r->force || r->n_assets > 0 || job->report->scopes_failed > 0 || job->replay)
        return;
    for (size_t s = 0; s < job->book.n; s++) {
        const lochan_ledger *before = &job->book.items[s]->before;
        if (!job->timeless && before->count > 0 &&
            (before->rows[0].from < job->start || before->rows[before->count - 1].to > job->end))
            return;
    }
    lochan_mapping__forget(job->lake, job->dataset);
}
