// Package powerloss takes the power from a disk under a store, at any moment, and
// shows what is left of it.
//
// A [Disk] is an ext4 file system on a block device that this process serves. It
// has a volatile write cache, as disks do: what was written and not flushed is
// lost when the power is, or survives sector by sector, in any mixture. The system
// believes in the disk and keeps a page cache of its own in front; so the disk
// sees what a store, the file system and the kernel make of a sync, and nothing
// else. [Disk.Cut] copies what a loss of power at this moment leaves, while the
// writers go on, and mounts the copy.
//
// Writers must be processes of their own, see [Start]: a page fault on a file that
// is mapped from the disk holds up the thread that should serve it.
//
// It needs Linux, root, loop devices and FUSE. Where one is missing, tests are
// skipped and say so.
package powerloss
