/* store.h - where the bytes of a lake live: one struct of functions; today a local directory, later
 * object storage. Invariants: a file becomes visible under its name only whole and, unless the
 * caller asked otherwise, durable (temporary name, sync, rename, sync of every folder touched); a
 * file that bears its name is never written again. Paths are relative to the root and pass
 * lochan_path__check_relative. A store may be used by several threads; a writer, a batch and a
 * reader's close by one. May call: base/.
 */
#ifndef LOCHAN_STORE_STORE_H
#define LOCHAN_STORE_STORE_H

#include "base/buf.h"
#include "base/fs.h"
#include "base/status.h"

typedef struct lochan_store lochan_store;
typedef struct lochan_store_writer lochan_store_writer;
typedef struct lochan_store_batch lochan_store_batch;
typedef struct lochan_store_reader lochan_store_reader;

/* A local directory, which must exist. root is copied. */
lochan_status lochan_store__open_local(const char *root, bool read_only, lochan_store **out,
                                       lochan_error *err);
void lochan_store__close(
    lochan_store *store); /* NULL is a no-op; close writers, batches and readers first */
const char *lochan_store__root(const lochan_store *store);

/* ---- one file ---- */

/* Starts a file under a temporary name in the folder of `path` (folders are made as needed).
 * Nothing bears the name `path` before finish. EXISTS if something bears it already. */
lochan_status lochan_store__create(lochan_store *store, const char *path, lochan_store_writer **out,
                                   lochan_error *err);
/* Appends. The signature is that of a Parquet sink's write: `self` is the lochan_store_writer. */
lochan_status lochan_store_writer__write(void *self, const void *p, size_t n, lochan_error *err);
uint64_t lochan_store_writer__size(const lochan_store_writer *writer);
const char *
lochan_store_writer__path(const lochan_store_writer *writer); /* the final one, relative */
/* Makes it durable and visible: sync, rename, sync of the folders. Takes the writer, also on
 * failure (then no file). */
lochan_status lochan_store_writer__finish(lochan_store_writer *writer, lochan_error *err);
/* Removes what was written. NULL is a no-op. */
void lochan_store_writer__abort(lochan_store_writer *writer);

/* ---- the files of one commit, made durable together ---- */

lochan_status lochan_store_batch__create(lochan_store *store, lochan_store_batch **out,
                                         lochan_error *err);
/* Takes a writer whose bytes are all written, also on failure. Any number: few files are synced one
 * by one, many with one syncfs; open files stay few. */
lochan_status lochan_store_batch__add(lochan_store_batch *batch, lochan_store_writer *writer,
                                      lochan_error *err);
/* Syncs all data, renames all files, syncs each touched folder once. On failure no file is left
 * under its name as far as the system lets us take it back; the commit must not go on. May be
 * called once. */
lochan_status lochan_store_batch__finish(lochan_store_batch *batch, lochan_error *err);
/* Gives all files their names and syncs nothing: they outlive the process, not a power cut. */
lochan_status lochan_store_batch__finish_unsynced(lochan_store_batch *batch, lochan_error *err);
/* Without finish, or after a failed one: removes the temporary files. After a good finish the files
 * stay; `discard` removes them too (the commit that should have named them did not happen). NULL is
 * a no-op. */
void lochan_store_batch__free(lochan_store_batch *batch);
void lochan_store_batch__discard(lochan_store_batch *batch);

/* Makes files that were finished unsynced durable under their names. NOT_FOUND if one is gone. */
lochan_status lochan_store__sync(lochan_store *store, const char *const *paths, size_t n,
                                 lochan_error *err);

/* ---- reading ---- */

lochan_status lochan_store__open(lochan_store *store, const char *path, lochan_store_reader **out,
                                 lochan_error *err);
uint64_t lochan_store_reader__size(const lochan_store_reader *reader);
/* Exactly n bytes or an error; from several threads at a time. The signature is that of a Parquet
 * source's read. */
lochan_status lochan_store_reader__read(void *self, uint64_t offset, size_t n, void *dst,
                                        lochan_error *err);
void lochan_store_reader__close(void *self); /* NULL is a no-op */

/* ---- looking after it ---- */

lochan_status lochan_store__stat(lochan_store *store, const char *path, lochan_stat *out,
                                 lochan_error *err);
/* Removes one file; the folders it leaves empty stay. */
lochan_status lochan_store__remove(lochan_store *store, const char *path, bool missing_ok,
                                   lochan_error *err);
/* Removes a folder and all below it (staging of an update). */
lochan_status lochan_store__remove_tree(lochan_store *store, const char *path, lochan_error *err);
/* Every file below folder `path` (missing = none), in byte order, with its path relative to the
 * root. Links are reported (is_link), never followed. `temporary`: it bears a temporary name. */
typedef lochan_status (*lochan_store_list_fn)(void *ctx, const char *path, const lochan_stat *st,
                                              bool temporary, lochan_error *err);
lochan_status lochan_store__list(lochan_store *store, const char *path, lochan_store_list_fn fn,
                                 void *ctx, lochan_error *err);
/* Removes temporary files below `path` whose writer is gone: a writer holds a lock on its temporary
 * file, so one that can be locked has no owner. *removed counts them. */
lochan_status lochan_store__clean(lochan_store *store, const char *path, int64_t *removed,
                                  lochan_error *err);

#endif
