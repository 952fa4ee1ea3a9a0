// Package file provides package os's operations on files with a context: every call can be
// cancelled, can time out, and can be observed while it waits. Begin with [Open] for reading,
// [ReadFile] and [WriteFileAtomic] for whole files, and [Walk] for a tree.
//
//	f, err := file.Open(ctx, "data.bin")
//	n, err := f.ReadAt(ctx, buf, 4096)
//	for line, err := range f.Lines(ctx) { ... }
//	err = f.CloseContext(ctx)
//
//	text, err := file.ReadFile(ctx, "/etc/hostname")
//	err = file.WriteFileAtomic(ctx, "state.json", data, 0o644)
//
// The package has these parts:
//
//   - [Open], [Create], [OpenFile] and [CreateTemp] return a [File], which can be read, written,
//     truncated, synced and listed.
//   - [ReadFile] and [WriteFile] are for whole files. [WriteFileAtomic] and [WriteAtomic] leave the
//     old contents or the new ones, even after a crash. [Copy] copies a file.
//   - [Stat], [Rename], [Remove], [RemoveAll], [Mkdir], [Chmod] and others work by name, as in
//     package os. [MkdirTemp] and [WithTempDir] make temporary directories.
//   - [Walk] loops over a tree of any depth.
//   - [FS] makes an fs.FS from a directory and a context. A [Root] is a directory that no name
//     leads out of.
//   - A [Lock] excludes tasks and processes from each other, with flock(2).
//   - [Watch] reports the changes to a file, a directory, or a tree.
//
// It is Curio's module file, and more of package os.
//
// # What a call costs
//
// A disk, an NFS server or a FUSE daemon that does not answer blocks the thread that called it, and
// no context can interrupt that. A worker, in a goroutine of its own, therefore makes each call
// that may have to wait, and the caller can abandon it. That costs one or two microseconds. Calls
// that do not have to wait are made directly:
//
//   - Data in the page cache is read with one system call, if the file system supports that: ext4,
//     xfs, btrfs and others do (preadv2(2) with RWF_NOWAIT). If the data is not there, a worker
//     reads it.
//   - File systems without a device, such as tmpfs, /proc and /sys, are read and written directly.
//     Such a call still waits for a tmpfs page on the swap device, and for a driver that computes a
//     file in /sys.
//   - A file on a local disk is opened directly if its name and inode are in memory and its path
//     has no symbolic links (openat2(2) with RESOLVE_CACHED).
//
// NFS, FUSE and overlayfs, which containers use, have no such call, so workers make all reads
// there; the package remembers that for each open file. [Counts] tells how often this happens.
// Lines, ReadAll and ReadFile read large pieces, so the cost does not matter for them. Workers make
// all writes where there is a device, as no system call writes and reliably reports that it would
// have to wait.
//
// # Workers
//
// Each device has at most 16 workers. A call that hangs occupies its worker until it returns, even
// if the caller has abandoned it. A mount that hangs therefore stops calls for that mount, and no
// others; later calls for it wait in its queue, until their contexts are done. [Calls] shows all
// calls with their operation, path and age, and whether the caller still waits. Nothing waits for
// an abandoned call, not even the end of the kernel.
//
// The device of an open file is known. The device of a path is the mount that it leads to, as far
// as the system has that in memory. Calls for two devices, such as a copy, have workers for each
// pair of devices. On systems other than Linux all paths share the same workers.
//
// # Cancellation
//
// Any context will do, including [context.Background]. Each call first checks its context, and
// fails if that is done, even if it would not have to wait. An abandoned call has no effect on the
// caller: a late read goes to memory of the package, a late open is closed, and the File's own
// offset moves only by what was returned. A call that writes, truncates or changes something else
// may still take effect if it is abandoned while the system is executing it: the error then wraps
// ctx's error and matches [ErrOutcomeUnknown]. A call that is abandoned while it is queued is not
// made, and its error does not match ErrOutcomeUnknown.
//
// So if the error of a cancelled call does not match ErrOutcomeUnknown, the call has changed
// nothing, or has undone what it had done: WriteFileAtomic and Copy remove their temporary file,
// MkdirTemp removes its directory, and a Lock is released. If ctx is done, a call waits at most one
// or two seconds for that, in the state EVENT_WAIT; after that it goes on in the background.
//
// # FIFOs, terminals and devices
//
// FIFOs, terminals and similar devices are waited for as sockets are, without a worker. They are
// opened without waiting; see [OpenFile] for FIFOs. For inherited descriptors, such as os.Stdin,
// use package stream: to make them non-blocking would also affect other processes.
//
// # Errors
//
// The end of a file is [io.EOF], unwrapped. Other errors are of type [*os.PathError], or
// [*os.LinkError] if they concern two names. They wrap one of these, which [errors.Is] finds:
//
//   - ctx's error, such as curio.ErrTaskCancelled or curio.ErrTaskTimeout; errors.Is also reports
//     [context.Canceled] or [context.DeadlineExceeded];
//   - [fs.ErrClosed], if the file was closed before or during the call;
//   - [ErrOutcomeUnknown];
//   - [ErrLineTooLong] or [ErrTooLong];
//   - the system's error, a [syscall.Errno], which matches [fs.ErrNotExist] and similar errors.
package file
