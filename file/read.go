package file

import (
	"context"
	"io"
	"io/fs"
	"runtime"
	"syscall"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/disk"
	"github.com/curio-go/curio/internal/wait"
)

// A read goes one of three ways, by File.access. The first two take one system call and no other
// goroutine:
//
//	direct   pread(2): the file system has no device
//	noWait   preadv2(2) with RWF_NOWAIT, and only if that finds nothing a worker. It is tried once: it has
//	         begun to read ahead, and asking again and again until that is done would be a loop that spins.
//	handOff  a worker, since a try was refused. That stays so for this file.
//
// The worker reads into a buffer of its own, which is copied if the caller still waits. Only pread(2)
// is believed to have found the end.

const (
	// directPiece is how much is read or written at once where the caller itself makes the call:
	// between two pieces it looks whether it may go on.
	directPiece = 4 << 20

	// piece is how much a worker reads or writes at once. It has a buffer of that size at most, and
	// a hand-over costs nothing compared with copying that many bytes.
	piece = 1 << 20
)

// Read reads up to len(p) bytes at the offset, moves the offset, and returns the number of bytes.
// Fewer than len(p) bytes do not mean the end. At the end of the file it returns 0 and io.EOF; if
// the file grows, or a new writer opens a FIFO, a later Read reads on. If ctx is done first, Read
// returns an error that wraps ctx's error, has read nothing, and does not touch p any more.
//
// On a FIFO, a terminal or a similar file, Read waits until there is data, in the state READ_WAIT.
func (f *File) Read(ctx context.Context, p []byte) (n int, err error) {
	if err := f.enter("read"); err != nil {
		return 0, err
	}
	defer f.leave() // even if ctx panics
	n, err = at(ctx, func(ctx context.Context, place wait.Place) (int, error) {
		if err := f.take(place); err != nil {
			return 0, err
		}
		return f.readInTurn(ctx, place, p)
	})
	return n, f.readError(err)
}

// take takes the turn of those who use the offset.
func (f *File) take(place wait.Place) error { return f.turn.Take(place, "FILE_TURN", f) }

// readInTurn reads, and passes the turn on.
func (f *File) readInTurn(ctx context.Context, place wait.Place, p []byte) (n int, err error) {
	kept := false
	defer func() {
		if !kept {
			f.turn.Pass()
		}
	}()
	switch {
	case len(p) == 0:
		return 0, nil
	case !f.seekable && f.ahead.len() > 0:
		return f.ahead.take(p), nil
	case !f.seekable:
		n, kept, err = f.readNext(ctx, place, p)
		return n, err
	}
	n, err = f.readSome(ctx, place, p, f.offset)
	f.offset += int64(n)
	return n, err
}

// readError returns an error of reading as it is reported: the end as it is.
func (f *File) readError(err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	return f.failed("read", err, false)
}

// ReadAt reads len(p) bytes at offset off, and returns the number of bytes, which is less than
// len(p) only with an error: io.EOF at the end of the file. It neither uses nor moves the file's
// offset, and any number of calls may run at the same time. If ctx is done first, ReadAt returns an
// error that wraps ctx's error and the number of bytes read so far.
//
// If the data is in memory and the file system supports it, ReadAt costs one system call. See the
// package documentation.
func (f *File) ReadAt(ctx context.Context, p []byte, off int64) (n int, err error) {
	if err := f.enter("read"); err != nil {
		return 0, err
	}
	defer f.leave()
	n, err = f.readAt(ctx, p, off)
	return n, f.readError(err)
}

func (f *File) readAt(ctx context.Context, p []byte, off int64) (n int, err error) {
	place, err := wait.At(ctx)
	switch {
	case err != nil:
		return 0, err
	case off < 0: // -1 would mean the system's own offset
		return 0, errNegative
	case !f.seekable:
		return 0, syscall.ESPIPE
	case place.Untrusted():
		return wait.FollowFor(place, func(place wait.Place) (int, error) {
			n, err := f.readFull(place.Scope(), place, p, off)
			return n, uncut(place, err)
		})
	}
	n, err = f.readFull(ctx, place, p, off)
	return n, uncut(place, err)
}

func (f *File) readFull(ctx context.Context, place wait.Place, p []byte, off int64) (n int, err error) {
	for n < len(p) && err == nil {
		if n > 0 {
			if err := f.mayGoOn(place); err != nil {
				return n, err
			}
		}
		var k int
		k, err = f.readSome(ctx, place, p[n:], off+int64(n))
		n += k
	}
	return n, err
}

// mayGoOn is asked between two pieces.
func (f *File) mayGoOn(place wait.Place) error {
	switch {
	case place.Ended():
		return errCut
	case f.isClosed():
		return fs.ErrClosed
	}
	return nil
}

// readSome reads at least a byte, or returns an error.
func (f *File) readSome(ctx context.Context, place wait.Place, p []byte, off int64) (n int, err error) {
	n, err = f.readOnce(place, p, off)
	if err == syscall.EAGAIN {
		return f.readWhenReady(ctx, func() (int, error) { return f.readOnce(place, p, off) })
	}
	return n, err
}

// readWhenReady is for files that are regular and yet are waited for, such as /proc/kmsg, which a
// descriptor in non-blocking mode shows. If the system reports that the file is ready and it is
// not, readWhenReady pauses.
func (f *File) readWhenReady(ctx context.Context, read func() (int, error)) (int, error) {
	pause := wait.Pause{First: time.Millisecond, Most: 100 * time.Millisecond}
	for first := true; ; first = false {
		if !first {
			if err := pause.Sleep(ctx); err != nil {
				return 0, err
			}
		}
		if _, err := curio.Select(ctx, curio.WaitReadCase(f.fd), f.closed.WaitCase()); err != nil {
			return 0, err
		}
		if f.isClosed() {
			return 0, fs.ErrClosed
		}
		if n, err := read(); err != syscall.EAGAIN {
			return n, err
		}
	}
}

func (f *File) readOnce(place wait.Place, p []byte, off int64) (int, error) {
	switch f.access.Load() {
	case direct:
		return f.readDirect(p, off)
	case noWait:
		n, errno := disk.ReadNoWait(f.fd, p[:min(len(p), directPiece)], off)
		runtime.KeepAlive(f)
		if lie != nil {
			n, errno = lie(n, errno)
		}
		switch {
		case n > 0:
			return n, nil
		case errno == 0 && f.local && f.endsAt(off):
			return f.readDirect(p, off)
		case errno == syscall.EAGAIN:
			misses.Add(1)
		case disk.Refused(errno) && f.access.CompareAndSwap(noWait, handOff):
			refusals.Add(1)
		}
	}
	return f.readInWorker(place, p, off)
}

// lie is what a system with another kernel answers to a read without waiting. Tests set it.
var lie func(n int, errno syscall.Errno) (int, syscall.Errno)

// endsAt reports whether off is behind the end, as far as is known of a local file, so that pread(2)
// need not look further.
func (f *File) endsAt(off int64) bool {
	var st syscall.Stat_t
	err := again(func() error { return syscall.Fstat(f.fd, &st) })
	return err == nil && st.Mode&syscall.S_IFMT == syscall.S_IFREG && st.Size <= off
}

func (f *File) readDirect(p []byte, off int64) (int, error) {
	n, err := pread(f.fd, p[:min(len(p), directPiece)], off)
	runtime.KeepAlive(f)
	return n, err
}

// pread reads at least a byte, or returns an error, which is io.EOF at the end.
func pread(fd int, p []byte, off int64) (n int, err error) {
	err = again(func() (err error) {
		n, err = syscall.Pread(fd, p, off)
		return err
	})
	return ended(n, err)
}

func ended(n int, err error) (int, error) {
	switch {
	case err != nil:
		return 0, err
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

func (f *File) readInWorker(place wait.Place, p []byte, off int64) (int, error) {
	b := takeBlock(min(len(p), piece))
	n, become, err := inWorker(place, f.dev, f, "read", f.name, func() (int, error) {
		return pread(f.fd, b.bytes, off)
	}, func(int, error) { b.free() })
	if become == runsOn {
		return 0, err
	}
	copy(p, b.bytes[:n])
	b.free()
	return n, err
}
