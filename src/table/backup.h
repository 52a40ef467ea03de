/* backup.h - what backup.c and restore.c share: the note that makes a folder a backup, and copying
 * of files between folders. May call: base/, store/, catalog/. */
#ifndef LOCHAN_TABLE_BACKUP_H
#define LOCHAN_TABLE_BACKUP_H

#include "catalog/rebuild.h"
#include "table/lake.h"

#define LOCHAN_BACKUP_NOTE "lochan.backup"

/* The note is text: "key value" a line, the last line the hash of those before it. It is replaced
 * as a whole at the end of a backup, so that a backup is the old one or the new one. */
typedef struct lochan_backup_note {
    bool complete; /* false: the first backup into this folder never ended */
    bool all;      /* files of every snapshot */
    char lake_id[37];
    char catalog[64]; /* name of the copy of lake.db, "" = none yet */
    int64_t snapshot_id, time_ns, files, bytes;
    lochan_backup_segment *segments;
    size_t n_segments;
    lochan_arena arena;
} lochan_backup_note;

/* NOT_FOUND: the folder has none; CORRUPT names the line. */
lochan_status lochan_backup_note__read(const char *dir, lochan_backup_note *out, lochan_error *err);
lochan_status lochan_backup_note__write(const char *dir, const lochan_backup_note *note,
                                        lochan_error *err);
void lochan_backup_note__deinit(lochan_backup_note *note);

/* Files on their way from one folder to another. */
typedef struct lochan_copying {
    lochan_store *from, *to;
    lochan_store_batch *batch;
    const lochan_cancel *cancel;
    bool link;            /* give the same bytes a second name where the system can */
    int64_t files, bytes; /* copied or linked */
} lochan_copying;

/* Does nothing if the file is there with that size already (bytes -1: with the same size as the
 * original). CORRUPT if the original is missing or has another size. */
lochan_status lochan_copying__file(lochan_copying *c, const char *path, int64_t bytes,
                                   lochan_error *err);
/* What was copied is durable. */
lochan_status lochan_copying__finish(lochan_copying *c, lochan_error *err);
void lochan_copying__deinit(lochan_copying *c);

#endif
