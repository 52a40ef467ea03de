/* salvage.c - a catalog whose lake.db is gone, made again from the journal in a private temporary
 * folder, to be read only.
 * Invariant: nothing in the lake's folder is touched. May call: base/, internal.h.
 */
#include "catalog/internal.h"

#include "base/clock.h"
#include "base/mem.h"

#include <stdlib.h>

void lochan_catalog__remove_salvage(lochan_catalog *catalog) {
    if (catalog->salvage_dir)
        (void)!lochan_fs__remove_tree(catalog->salvage_dir, NULL);
    lochan_mem__free(catalog->salvage_dir);
    catalog->salvage_dir = NULL;
}

lochan_status lochan_catalog__stand_in(lochan_catalog *catalog, const char *dir,
                                       lochan_error *err) {
    char *db = lochan_path__join(dir, LOCHAN_DB_NAME);
    if (!db)
        return lochan_error__nomem(err);
    lochan_mem__free(catalog->db_path);
    catalog->db_path = db;
    catalog->unwritable = catalog->read_only = true;
    catalog->salvage_dir = lochan_mem__strdup(dir);
    return catalog->salvage_dir ? LOCHAN_OK : lochan_error__nomem(err);
}

lochan_status lochan_catalog__salvage(lochan_catalog *catalog, int64_t *records,
                                      lochan_error *err) {
    char uuid[37], name[64];
    const char *tmp = getenv("TMPDIR");
    lochan_uuid__make(uuid);
    lochan_format(name, sizeof name, "lochan-%s", uuid);
    catalog->salvage_dir = lochan_path__join(tmp && *tmp ? tmp : "/tmp", name);
    char *db =
        catalog->salvage_dir ? lochan_path__join(catalog->salvage_dir, LOCHAN_DB_NAME) : NULL;
    if (!db)
        return lochan_error__nomem(err);
    lochan_mem__free(catalog->db_path);
    catalog->db_path = db;
    catalog->unwritable = catalog->read_only = true;
    LOCHAN_TRY(lochan_fs__mkdirs(catalog->salvage_dir, NULL, err));
    return lochan_catalog__rebuild_from_journal(catalog->path, db, records, err);
}
