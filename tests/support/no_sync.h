/* no_sync.h - takes the waiting for the disk out of a test program.
 *
 * A program that calls no_sync_start gets fsync, fdatasync and syncfs that do nothing. A killed
 * process loses nothing of what the kernel has, power cuts are played by torn.h, and failing syncs
 * by fault.h: both work above these functions. Sweeps with thousands of syncs are bound by the disk
 * otherwise.
 */
#ifndef TEST_SUPPORT_NO_SYNC_H
#define TEST_SUPPORT_NO_SYNC_H

void no_sync_start(void); /* first call of main */

#endif
