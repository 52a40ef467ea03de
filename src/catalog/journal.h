/* journal.h - the append-only record of every commit: journal/000001.ljl, ...
 * Invariants: records are numbered without gaps and each holds the hash of the one before; a record
 * is only ever added at the end, under the queue lock; only a torn end is ever cut away, and only
 * when lake.db still holds what follows. Format: docs/format.md. One thread at a time. May call:
 * base/, rows.h.
 */
#ifndef LOCHAN_CATALOG_JOURNAL_H
#define LOCHAN_CATALOG_JOURNAL_H

#include "base/fs.h"
#include "base/hash.h"
#include "catalog/rows.h"

#define LOCHAN_JOURNAL_DIR         "journal"
#define LOCHAN_JOURNAL_SEGMENT_MAX (64ull * 1024 * 1024)
#define LOCHAN_JOURNAL_RECORD_MAX  (500ull * 1024 * 1024)
#define LOCHAN_JOURNAL_HEAD_BYTES  96 /* of a segment */
#define LOCHAN_RECORD_HEAD_BYTES   32
#define LOCHAN_RECORD_TAIL_BYTES   24

/* ---- one record ---- */

typedef enum lochan_section_kind { /* part of the format; unknown ones are skipped */
                                   LOCHAN_SECTION_ROWS = 1
} lochan_section_kind;

/* Builds a record: start, rows in their order, seal. */
typedef struct lochan_record {
    lochan_buf bytes;
    lochan_buf section; /* rows of one table and operation, under way */
    lochan_row_kind kind;
    lochan_row_op op; /* 0: no section under way */
    size_t rows;
} lochan_record;

void lochan_record__init(lochan_record *record);
void lochan_record__deinit(lochan_record *record);
lochan_status lochan_record__add(lochan_record *record, lochan_row_kind kind, lochan_row_op op,
                                 const lochan_value *values, size_t n, lochan_error *err);
/* Completes record->bytes; *hash is what the next record refers to. */
lochan_status lochan_record__seal(lochan_record *record, uint64_t seq, lochan_hash128 previous,
                                  lochan_hash128 *hash, lochan_error *err);

/* A record found in bytes. */
typedef struct lochan_record_view {
    uint64_t seq;
    lochan_hash128 previous, hash;
    const uint8_t *body;
    size_t body_bytes;
    size_t total_bytes;
} lochan_record_view;
/* False if `n` bytes do not begin with a whole, undamaged record. */
bool lochan_record__parse(const uint8_t *p, size_t n, lochan_record_view *out);

/* Calls fn for every row change of the record, in order. Tables and sections of newer versions are
 * skipped. */
typedef lochan_status (*lochan_row_fn)(void *ctx, lochan_row_kind kind, lochan_row_op op,
                                       const lochan_value *values, size_t n, lochan_error *err);
lochan_status lochan_record__each_row(const lochan_record_view *record, lochan_row_fn fn, void *ctx,
                                      lochan_error *err);

/* ---- the files ---- */

typedef struct lochan_journal {
    char *dir;
    char lake_id[37];
    uint64_t segment_max; /* bytes; tests make it small */
    lochan_file *file;    /* newest segment, NULL until needed */
    uint32_t segment;     /* its number, 0 = there is none */
    uint64_t end;         /* where the next record goes */
    uint64_t size;        /* of the file; > end: torn bytes follow */
    uint64_t seq;         /* of the last whole record, 0 = none */
    lochan_hash128 hash;  /* of that record */
    uint64_t first_seq;   /* of the newest segment */
    bool known;           /* the above was read */
    bool writable;        /* file is open for writing */
    bool suspect;         /* a sync failed: what lake.db still holds is to be written again */
} lochan_journal;

lochan_status lochan_journal__init(lochan_journal *journal, const char *lake_path,
                                   const char *lake_id, lochan_error *err);
void lochan_journal__deinit(lochan_journal *journal);
/* Finds the last whole record. scan: checks every record of the newest segment, not only the last.
 * A missing journal is an empty one. Changes nothing. */
lochan_status lochan_journal__read_end(lochan_journal *journal, bool scan, lochan_error *err);
/* Whether another process may have changed the files since read_end or append. */
bool lochan_journal__changed(lochan_journal *journal);
/* Appends one sealed record after cutting away torn bytes; starts a new segment where the old one
 * is full (and syncs the old one). */
lochan_status lochan_journal__append(lochan_journal *journal, const void *record, size_t n,
                                     lochan_error *err);
/* Checks that records [first, seq] of the newest segment are whole, walking back from the end. */
bool lochan_journal__check_back(lochan_journal *journal, uint64_t first);
/* Makes the record before `first` the last one; what follows is cut off by the next append. Stops
 * at the head of the newest segment. */
lochan_status lochan_journal__rewind(lochan_journal *journal, uint64_t first, lochan_error *err);
/* Cuts torn bytes off the end now. */
lochan_status lochan_journal__cut(lochan_journal *journal, lochan_error *err);
lochan_status lochan_journal__sync(lochan_journal *journal, lochan_error *err);

/* Every record of every segment in order. fn gets the segment's path relative to the lake and the
 * record; `problem` (may be NULL: damage is an error) gets damage, and reading goes on with the
 * next segment. */
typedef lochan_status (*lochan_journal_fn)(void *ctx, const char *path,
                                           const lochan_record_view *record, lochan_error *err);
typedef lochan_status (*lochan_journal_problem_fn)(void *ctx, const char *path, uint64_t offset,
                                                   const char *detail, lochan_error *err);
lochan_status lochan_journal__each(const char *lake_path, lochan_journal_fn fn,
                                   lochan_journal_problem_fn problem, void *ctx, lochan_error *err);

#endif
