package file

import (
	"context"
	"io"
	"runtime"
	"syscall"

	"github.com/curio-go/curio/internal/wait"
)

// A write is made by a worker, from a copy of the data: also where the system would only have to put it
// into its cache, it may wait for the disk, and there is no asking. Only file systems without a device
// are written to directly. A write that was abandoned shuts the gate until it has ended, and what
// changes the file passes the gate first.

// Write writes p at the offset, moves the offset, and returns the number of bytes, which is less
// than len(p) only with an error, for example on a full disk. If the file was opened with
// os.O_APPEND, it writes at the end of the file.
//
// If ctx is done first, Write returns an error that wraps ctx's error and how many bytes it has
// written. If the system was executing a call, the error also matches ErrOutcomeUnknown: some of
// the bytes that are not counted may have been written, or may yet be. Write uses a copy of p, so p
// is not read after Write has returned. The offset is after the counted bytes, so the rest can be
// written again; the next call that changes the file waits until the abandoned call has ended, in
// the state FILE_UNSETTLED.
func (f *File) Write(ctx context.Context, p []byte) (n int, err error) {
	if err := f.enter("write"); err != nil {
		return 0, err
	}
	defer f.leave()
	unknown := false
	if f.pipe != nil {
		n, err = f.pipe.WriteAll(ctx, p)
		return n, f.failed("write", err, false)
	}
	n, err = at(ctx, func(_ context.Context, place wait.Place) (n int, err error) {
		if err := f.take(place); err != nil {
			return 0, err
		}
		defer f.turn.Pass()
		f.ahead.drop()
		to := target{f: f, off: f.offset, next: f.appends || !f.seekable}
		n, unknown, err = f.write(place, p, &to)
		f.offset = to.off
		return n, err
	})
	return n, f.failed("write", err, unknown)
}

// WriteString writes s as Write does. Cancellation and errors are as for Write.
func (f *File) WriteString(ctx context.Context, s string) (n int, err error) {
	return f.Write(ctx, []byte(s))
}

// WriteAt writes p at offset off. It neither uses nor moves the file's offset. It fails if the file
// was opened with os.O_APPEND, as the system then writes at the end. Cancellation and everything
// else is as for Write.
func (f *File) WriteAt(ctx context.Context, p []byte, off int64) (n int, err error) {
	if err := f.enter("write"); err != nil {
		return 0, err
	}
	defer f.leave()
	unknown := false
	n, err = at(ctx, func(_ context.Context, place wait.Place) (n int, err error) {
		switch {
		case off < 0:
			return 0, errNegative
		case !f.seekable:
			return 0, syscall.ESPIPE
		case f.appends:
			return 0, errAppends
		}
		n, unknown, err = f.write(place, p, &target{f: f, off: off})
		return n, err
	})
	return n, f.failed("write", err, unknown)
}

// A target is where a write goes.
type target struct {
	f    *File
	off  int64
	next bool // to wherever the system writes next
}

// write makes the system's calls, until p is written or one fails, and returns how much was written and
// where the system is after that.
func (to target) write(p []byte) (n int, after int64, err error) {
	for n < len(p) {
		k := 0
		err := again(func() (err error) {
			if to.next {
				k, err = syscall.Write(to.f.fd, p[n:])
			} else {
				k, err = syscall.Pwrite(to.f.fd, p[n:], to.off+int64(n))
			}
			return err
		})
		if err == nil && k == 0 {
			err = io.ErrUnexpectedEOF // as package os: it must not go round for ever
		}
		if err != nil {
			return n, to.after(n), err
		}
		n += k
	}
	return n, to.after(n), nil
}

func (to target) after(n int) int64 {
	if to.next && to.f.seekable {
		if off, err := syscall.Seek(to.f.fd, 0, 1); err == nil {
			return off
		}
	}
	return to.off + int64(n)
}

// written is what comes of a write in a worker.
type written struct {
	n     int
	after int64
}

// write writes p to to, and moves that on. unknown says that the system was at it when the write was
// given up.
func (f *File) write(place wait.Place, p []byte, to *target) (n int, unknown bool, err error) {
	if err := f.unsettled.pass(place, f); err != nil {
		return 0, false, err
	}
	defer f.changes.Add(1)
	for n < len(p) {
		if n > 0 {
			if err := f.mayGoOn(place); err != nil {
				return n, false, err
			}
		}
		var w written
		if f.access.Load() == direct {
			rest := p[n:min(len(p), n+directPiece)]
			w.n, w.after, err = to.write(rest)
			runtime.KeepAlive(f)
		} else {
			w, unknown, err = f.writeInWorker(place, p[n:min(len(p), n+piece)], *to)
		}
		if unknown || err == errCut {
			return n, unknown, err
		}
		if err == nil || w.n > 0 {
			to.off = w.after
		}
		n += w.n
		if err != nil {
			return n, false, err
		}
	}
	return n, false, nil
}

func (f *File) writeInWorker(place wait.Place, p []byte, to target) (w written, unknown bool, err error) {
	b := takeBlock(len(p))
	copy(b.bytes, p)
	w, become, err := inWorker(place, f.dev, f, "write", f.name, func() (w written, err error) {
		w.n, w.after, err = to.write(b.bytes)
		return w, err
	}, func(written, error) {
		b.free()
		f.changes.Add(1)
		f.unsettled.add(-1)
	})
	if become == runsOn {
		f.unsettled.add(1)
		return written{}, true, err
	}
	b.free()
	return w, false, err
}
