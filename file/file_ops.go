package file

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"

	"github.com/curio-go/curio/internal/wait"
)

// Seek sets the offset for the next Read, Write and ReadLine, and returns it: lseek(2). whence is
// io.SeekStart, io.SeekCurrent or io.SeekEnd. A directory accepts only 0 and io.SeekStart, after
// which ReadDir begins again. If ctx is done first, Seek returns an error that wraps ctx's error
// and the offset does not change. A task that waits is in the state FILE_TURN or FILE_CALL.
func (f *File) Seek(ctx context.Context, offset int64, whence int) (int64, error) {
	if err := f.enter("seek"); err != nil {
		return 0, err
	}
	defer f.leave()
	n, err := at(ctx, func(_ context.Context, place wait.Place) (int64, error) {
		if !f.seekable {
			return 0, syscall.ESPIPE
		}
		if err := f.take(place); err != nil {
			return 0, err
		}
		if f.kind == kindFolder {
			return f.rewind(place, offset, whence)
		}
		defer f.turn.Pass()
		return f.seek(place, offset, whence)
	})
	return n, f.failed("seek", err, false)
}

func (f *File) seek(place wait.Place, offset int64, whence int) (to int64, err error) {
	switch {
	case whence == io.SeekStart:
		to = offset
	case whence == io.SeekCurrent:
		to = f.offset + offset
	case whence == io.SeekEnd && f.local:
		to, err = f.seekNow(offset, whence)
	default: // also for holes, which are looked for on the disk
		to, _, err = inWorker(place, f.dev, f, "seek", f.name, func() (int64, error) { return f.seekNow(offset, whence) }, nil)
	}
	if err != nil {
		return 0, err
	}
	if to < 0 {
		return 0, syscall.EINVAL
	}
	f.offset = to
	return to, nil
}

// seekNow is lseek(2). The system's own offset, which it moves, is used only by writes at the end,
// which move it themselves.
func (f *File) seekNow(offset int64, whence int) (to int64, err error) {
	err = again(func() (err error) {
		to, err = syscall.Seek(f.fd, offset, whence)
		return err
	})
	return to, err
}

// Stat returns information about the file: fstat(2). If ctx is done first, the error wraps ctx's
// error. A task that waits is in the state FILE_CALL.
func (f *File) Stat(ctx context.Context) (os.FileInfo, error) {
	if err := f.enter("stat"); err != nil {
		return nil, err
	}
	defer f.leave()
	if f.local {
		if _, err := wait.At(ctx); err != nil {
			return nil, f.failed("stat", err, false)
		}
		return f.file.Stat()
	}
	info, err := at(ctx, func(_ context.Context, place wait.Place) (os.FileInfo, error) {
		info, _, err := inWorker(place, f.dev, f, "stat", f.name, f.file.Stat, nil)
		return info, err
	})
	return info, f.failed("stat", err, false)
}

// Truncate changes the size of the file to size bytes: ftruncate(2). It does not move the offset.
// If ctx is done first, the error wraps ctx's error; if the system was executing the call, the
// error also matches ErrOutcomeUnknown. A task that waits is in the state FILE_CALL.
func (f *File) Truncate(ctx context.Context, size int64) error {
	return f.change(ctx, "truncate", true, func() error { return f.file.Truncate(size) })
}

// Chmod sets the mode of the file: fchmod(2). Cancellation is as for Truncate.
func (f *File) Chmod(ctx context.Context, mode os.FileMode) error {
	return f.change(ctx, "chmod", false, func() error { return f.file.Chmod(mode) })
}

// Sync waits until the data that was written is on the disk: fsync(2). After a failure, data is
// lost, although the system would report success if asked again; all later calls of Sync therefore
// return the same error. EINVAL and ENOTSUP, from file systems that do not support fsync, are not
// remembered in this way. Cancellation is as for Truncate.
func (f *File) Sync(ctx context.Context) error {
	return f.change(ctx, "sync", false, func() error {
		if lost := f.lost.Load(); lost != nil {
			return *lost
		}
		err := syncFunc(f.file)
		if err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, fs.ErrClosed) {
			f.lost.CompareAndSwap(nil, &err)
		}
		return err
	})
}

// Tests replace these, to fail.
var (
	syncFunc  = (*os.File).Sync
	closeFunc = (*os.File).Close
)

// change makes a call that changes the file, behind the writes that were abandoned. contents says that
// if it is abandoned itself, writes have to wait for it.
func (f *File) change(ctx context.Context, op string, contents bool, call func() error) error {
	if err := f.enter(op); err != nil {
		return err
	}
	defer f.leave()
	unknown := false
	_, err := at(ctx, func(_ context.Context, place wait.Place) (none struct{}, err error) {
		if err := f.unsettled.pass(place, f); err != nil {
			return none, err
		}
		none, become, err := inWorker(place, f.dev, f, op, f.name, func() (struct{}, error) { return struct{}{}, call() },
			func(struct{}, error) {
				if contents {
					f.changes.Add(1)
					f.unsettled.add(-1)
				}
			})
		if unknown = become == runsOn; unknown && contents {
			f.unsettled.add(1)
		}
		f.changes.Add(1)
		return none, err
	})
	return f.failed(op, err, unknown)
}
