/* torn.h - a layer of file operations that knows what a power cut would take away.
 *
 * Everything is done on the real disk at once, so reading, mapping and locking work as always.
 * Beside it the layer remembers, for files and folders under one root, what is not yet durable:
 *   - writes and truncations of a file since its last fsync (fdatasync counts as fsync);
 *   - names: creations, renames, links, removals and folders since the last fsync of the folder
 * that holds the name (of a rename: the folder of the new name). An fsync of a file does not make
 * its name durable. torn_power_cut then changes the real disk into one of the states the machine
 * might be found in. Chosen by the seed:
 *   - in each folder a number of the oldest pending name changes survive, the later ones are
 * undone;
 *   - each pending write is dropped, kept, or torn into sectors of which some are kept; a dropped
 * one that made the file longer may leave zeros. Seed 0 is the plainest: everything that is not
 * durable is lost.
 *
 * Use in one process: after the cut every operation fails with EIO until torn_stop, so a body
 * cannot go on by mistake; close what it opened, then torn_stop and open the lake again. With
 * kill.h: start in the child, pass torn_last_act as last_act, look at the disk in the parent.
 *
 * Invariants: the same operations and seed give the same disk. Writes through shared mappings are
 * not seen (they are SQLite's -shm only, which is rebuilt). Memory holds a copy of each file that
 * has pending writes. Thread-safe.
 */
#ifndef TEST_SUPPORT_TORN_H
#define TEST_SUPPORT_TORN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What lies under root (an absolute path) is durable now. Removed files are kept in `<root>.torn`
 * until torn_stop. */
void torn_start(const char *root);
void torn_power_cut(uint64_t seed);
void torn_stop(void); /* back to the system's operations; without a cut nothing is lost */

void torn_last_act(void *seed); /* torn_power_cut(*(uint64_t *)seed), for kill_at */

/* What a cut would put at risk, for tests of "everything is durable now". */
size_t torn_pending_files(void);
size_t torn_pending_names(void);

#endif
