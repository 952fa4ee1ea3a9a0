// Package file has what package os has for files, with a context: every call can be cancelled, can time
// out and can be seen.
//
//	f, err := file.Open(ctx, "data.bin")
//	n, err := f.ReadAt(ctx, buf, 4096)
//	for line, err := range f.Lines(ctx) { ... }
//	err = f.CloseContext(ctx)
//
//	text, err := file.ReadFile(ctx, "/etc/hostname")
//	err = file.WriteFileAtomic(ctx, "state.json", data, 0o644)
//
// There is something for each thing that one does with files:
//
//   - [Open], [Create], [OpenFile] and [CreateTemp] return a [File], to be read, written, sought in,
//     truncated, synced and listed.
//   - [ReadFile] and [WriteFile] are for whole files. [WriteFileAtomic] and [WriteAtomic] leave the old
//     content or the new one, also after a crash. [Copy] copies a file.
//   - [Stat], [Rename], [Remove], [RemoveAll], [Mkdir], [Chmod] and others work by name, as in package os.
//     [MkdirTemp] and [WithTempDir] make directories that are not kept.
//   - [Walk] is a loop over a tree of any depth.
//   - [FS] is a directory for package io/fs, under a context. A [Root] is a directory out of which no name
//     leads.
//   - A [Lock] keeps tasks and processes apart, by flock(2).
//   - [Watch] is a stream of the changes to a file, to a directory, or to all that is below one.
//
// It is Curio's module file, with what package os has beside it.
//
// # What a call costs
//
// A disk, an NFS server or a FUSE daemon that does not answer stops the thread that has asked, and no
// context reaches it. So a call that may have to wait is made by a worker, in a goroutine of its own,
// and the caller can give it up. That costs one or two microseconds. It is spared where nothing has to
// be waited for:
//
//   - what the page cache has is read by one system call, where the file system can tell: ext4,
//     xfs, btrfs and others do (preadv2(2) with RWF_NOWAIT). If it has nothing, a worker reads;
//   - file systems without a device, such as tmpfs, /proc and /sys, are read and written directly. A
//     page that tmpfs has moved to the swap device, and what a driver does when a file in /sys is
//     read, are waited for;
//   - a file on a disk of this machine is opened directly if its name and what it stands for are in
//     memory, and no symbolic link is on the way (openat2(2) with RESOLVE_CACHED).
//
// overlayfs, which is what containers run on, NFS and FUSE do not tell, so each read of a file there is
// handed to a worker. That is remembered for each open file. [Counts] has how often it happens. Lines,
// ReadAll and ReadFile read much at once, so there it does not count. Writing is always handed over
// where there is a device: the system has no way of writing that tells reliably whether it would wait.
//
// # Workers
//
// Each device has 16 workers at most, and a call that hangs keeps its worker until it returns, also if
// nobody waits for it any more. So a mount that hangs stops what is done on that mount, and nothing
// else; what is asked of it later waits in its queue, under its own context only. [Calls] shows all of
// that: the operation, the path, how long, and whether somebody still waits. Nothing waits for a call
// that was given up, not the end of the kernel either.
//
// The device of an open file is known. That of a path is the mount that it leads to, as far as the
// system has that in memory. What is about two devices, such as a copy, has workers of its own for each
// pair of them. On systems other than Linux all paths have the same workers.
//
// # Cancellation
//
// Any context will do, [context.Background] too. A call asks first whether its context is done, and
// fails if so, although it might not have to wait. What was given up has no effect on the caller: a
// late read goes to memory of the package's, a late open is closed, the offset is the File's own and
// moves only by what was returned. A write, a truncation and the like that are given up while the
// system is at them may take effect or not: the error is then ctx's error and [ErrOutcomeUnknown]. What
// is given up while it is still queued has not been done, and the error does not say so.
//
// So an error without ErrOutcomeUnknown means that a call that was cut short has changed nothing, or takes
// back what it has done: WriteFileAtomic and Copy remove their draft, MkdirTemp its directory, and a
// Lock is given back. What has to be given back while the context is done is waited for, for a second or
// two at most, in the state EVENT_WAIT; after that it goes on in the background.
//
// # What is not on a disk
//
// FIFOs, terminals and other devices that can be waited for are waited for as sockets are, without a
// worker. They are opened without waiting; see [OpenFile] for FIFOs. Inherited descriptors, such as
// os.Stdin, are for package stream: to make them non-blocking would change them for others.
//
// # Errors
//
// The end of a file is [io.EOF] as it is. Other errors are of type [*os.PathError], or [*os.LinkError] if
// they are about two names. Inside is one of
// these, to be found with [errors.Is]: the scope's error, such as curio.ErrTaskCancelled or
// curio.ErrTaskTimeout, which are also [context.Canceled] and [context.DeadlineExceeded];
// [fs.ErrClosed], if the file has been closed, before the call or during it; [ErrOutcomeUnknown];
// [ErrLineTooLong] or [ErrTooLong]; what the system says, so that [fs.ErrNotExist] and the like are
// found, and the numbers of package syscall.
package file
