/* adopt.h - inside an adoption: folders of Parquet files that become tables as they are.
 *
 * The steps: what there is (adopt_find.c), what the tables look like (adopt_schema.c), the files
 * brought into the lake and listed in one commit (adopt_publish.c). Invariant: no file of the
 * caller's is changed, and none is removed before the commit that lists it in its new place. May
 * call: base/, arrow/, parquet/, catalog/, write.h.
 */
#ifndef LOCHAN_TABLE_ADOPT_H
#define LOCHAN_TABLE_ADOPT_H

#include "table/write.h"

typedef struct lochan_adopt_file {
    const char *from;       /* where it is now */
    lochan_stat seen;       /* before it was read */
    const char *below;      /* the part of it below the dataset's folder */
    const char **values;    /* of the folders key=value, one for each key; NULL = null */
    const char **partition; /* of the table's partition, one for each field */
    struct ArrowSchema schema;
    lochan_pq_summary summary;
    char content[33]; /* hash of its bytes */
    const char *path; /* in the lake, of a new one */
    bool known;       /* was adopted before */
    bool placed;      /* bears `path` already, and is not published yet */
} lochan_adopt_file;

typedef struct lochan_adopt_set {
    const char *folder, *source, *dataset;
    lochan_adopt_file *files;
    size_t n, cap, n_new;
    const char **keys; /* of the folders */
    size_t n_keys;
    struct ArrowSchema schema;    /* columns of the files, then keys that are no columns of them */
    bool *from_folder;            /* of each column: its values stand in the folders' names */
    lochan_partition_key *fields; /* of the partition: column of `schema`, name, transform */
    size_t n_fields;
} lochan_adopt_set;

typedef struct lochan_adoption {
    lochan_lake *lake;
    const lochan_adopt_options *options;
    lochan_arena arena;     /* of all texts */
    uint64_t device, inode; /* of the lake's folder, which is never looked into */
    lochan_adopt_set *sets;
    size_t n, cap;
} lochan_adoption;

void lochan_adoption__deinit(lochan_adoption *a);
/* The datasets and files below a folder, with their footers read. */
lochan_status lochan_adoption__find(lochan_adoption *a, const char *dir, lochan_error *err);
/* One schema for all files of a set, and its partition. */
lochan_status lochan_adoption__unite(lochan_adoption *a, lochan_adopt_set *set, lochan_error *err);
/* Whether a column of the second type holds every value of the first. */
bool lochan_adopt__fits(const struct ArrowSchema *from, const struct ArrowSchema *to);
/* Which files are in their tables already. */
lochan_status lochan_adoption__recognise(lochan_adoption *a, lochan_error *err);
lochan_status lochan_adoption__publish(lochan_adoption *a, int64_t *snapshot_id, lochan_error *err);

#endif
