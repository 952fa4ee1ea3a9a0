package file

import (
	"context"
	"errors"
	"io"
	"os"
	"sync/atomic"
	"syscall"

	"github.com/curio-go/curio/internal/disk"
	"github.com/curio-go/curio/internal/wait"
)

// ReadFile returns the contents of a file. If the data is in memory and the file system supports
// it, ReadFile needs no worker; otherwise one worker reads the whole file. It does not rely on the
// size that the system reports, so files in /proc are complete, and memory is used only for data
// that exists. The size is not limited: see [ReadFileLimit].
//
// If ctx is done first, ReadFile returns an error that wraps ctx's error and no data. A task that
// waits is in the state FILE_CALL. A FIFO, a terminal or a similar file is read up to its end.
func ReadFile(ctx context.Context, name string) ([]byte, error) {
	return readFile(ctx, name, mostBytes("ReadFile", NoLimit))
}

// ReadFileLimit returns the contents of a file of at most limit bytes. If the file is longer, it
// returns the first limit bytes and an error that wraps ErrTooLong. limit may be NoLimit.
// Cancellation and everything else is as for ReadFile. ReadFileLimit panics if limit is less than
// NoLimit.
func ReadFileLimit(ctx context.Context, name string, limit int64) ([]byte, error) {
	return readFile(ctx, name, mostBytes("ReadFileLimit", limit))
}

func readFile(ctx context.Context, name string, most int) ([]byte, error) {
	w := &whole{name: name, most: most, fd: -1}
	all, err := at(ctx, func(_ context.Context, place wait.Place) ([]byte, error) {
		if done, all, err := w.readCached(place); done {
			return all, err
		}
		all, become, err := inWorker(place, deviceOfPath(name), nil, "read", name, w.readRest, func([]byte, error) { _ = w.special.dispose() })
		switch become {
		case runsOn:
			w.stop.Store(true)
		case neverRan:
			w.close()
		}
		return all, err
	})
	if err == errSpecial {
		return readSpecial(ctx, w.special, most)
	}
	return all, failed("read", name, err, false)
}

// errSpecial says that what is to be read is no regular file, or one that has to be waited for. It is
// open then: opening it again would be seen by others.
var errSpecial = errors.New("internal error: a file that is to be waited for")

func readSpecial(ctx context.Context, f *File, most int) ([]byte, error) {
	all, err := f.ReadAll(ctx, int64(most))
	if failure := f.CloseContext(ctx); err == nil {
		err = failure
	}
	if err != nil && !errors.Is(err, ErrTooLong) {
		all = nil
	}
	return all, err
}

// A whole is a file that is read as a whole, first by the caller and then by a worker.
type whole struct {
	name string
	most int
	stop atomic.Bool // nobody waits any more

	fd      int // -1 if it is not open
	class   *disk.Class
	size    int64 // that it is said to have
	all     []byte
	special *File // if the error is errSpecial
}

// asFile makes a File of what is no regular file.
func (w *whole) asFile() (err error) {
	w.special, err = adopt(w.fd, w.name, syscall.O_RDONLY, w.class)
	w.fd = -1
	if err != nil {
		return err
	}
	return errSpecial
}

func (w *whole) close() {
	if w.fd >= 0 {
		syscall.Close(w.fd)
		w.fd = -1
	}
}

// readCached reads what is in memory. done is false if a worker has to go on.
func (w *whole) readCached(place wait.Place) (done bool, all []byte, err error) {
	class, ok := cachedClass(w.name)
	if !ok {
		return false, nil, nil
	}
	if w.fd, ok = disk.OpenCached(w.name, syscall.O_RDONLY|syscall.O_NONBLOCK); !ok {
		return false, nil, nil
	}
	w.class = &class
	if err := w.begin(); err != nil {
		w.close()
		return true, nil, err
	}
	for {
		if place.Ended() {
			w.close()
			return true, nil, errCut
		}
		w.all = moreRoom(w.all, w.size, w.most)
		room := w.room(directPiece)
		off := int64(len(w.all))
		if class != disk.Memory {
			n, errno := disk.ReadNoWait(w.fd, room, off)
			if lie != nil {
				n, errno = lie(n, errno)
			}
			if errno == syscall.EAGAIN {
				misses.Add(1)
			}
			if n > 0 {
				if w.added(n) {
					continue
				}
				w.close()
				return true, w.all[:w.most], tooLong(w.most)
			}
			if errno != 0 || !w.endsAt(off) {
				return false, nil, nil
			}
		}
		n, err := pread(w.fd, room, off)
		switch {
		case err == io.EOF:
			w.close()
			return true, w.all, nil
		case err == syscall.EAGAIN:
			return true, nil, w.asFile()
		case err != nil:
			w.close()
			return true, nil, err
		case !w.added(n):
			w.close()
			return true, w.all[:w.most], tooLong(w.most)
		}
	}
}

func (w *whole) room(piece int) []byte {
	end := min(cap(w.all), len(w.all)+piece)
	return w.all[len(w.all):end]
}

// added notes n more bytes. ok is false if these are too many.
func (w *whole) added(n int) (ok bool) {
	w.all = w.all[:len(w.all)+n]
	return len(w.all) <= w.most
}

func (w *whole) endsAt(off int64) bool {
	var st syscall.Stat_t
	err := again(func() error { return syscall.Fstat(w.fd, &st) })
	return err == nil && st.Size <= off
}

// begin takes memory for the file, which is open.
func (w *whole) begin() error {
	var st syscall.Stat_t
	if err := again(func() error { return syscall.Fstat(w.fd, &st) }); err != nil {
		return err
	}
	switch st.Mode & syscall.S_IFMT {
	case syscall.S_IFREG:
	case syscall.S_IFDIR:
		return syscall.EISDIR
	default:
		return w.asFile()
	}
	w.size = st.Size
	w.all = make([]byte, 0, firstRoom(believed(&st, w.class != nil || disk.Believable(uint64(st.Dev))), w.most))
	return nil
}

// readRest reads, in a worker, what is missing.
func (w *whole) readRest() (all []byte, err error) {
	defer w.close()
	if w.fd < 0 {
		if err := w.open(); err != nil {
			return nil, err
		}
		if err := w.begin(); err != nil {
			return nil, err
		}
	}
	for !w.stop.Load() {
		w.all = moreRoom(w.all, w.size, w.most)
		n, err := pread(w.fd, w.room(piece), int64(len(w.all)))
		switch {
		case err == io.EOF:
			return w.all, nil
		case err == syscall.EAGAIN:
			return nil, w.asFile()
		case err != nil:
			return nil, err
		case !w.added(n):
			return w.all[:w.most], tooLong(w.most)
		}
	}
	return nil, nil
}

func (w *whole) open() error {
	err := again(func() (err error) {
		w.fd, err = syscall.Open(w.name, syscall.O_RDONLY|syscall.O_CLOEXEC|syscall.O_NONBLOCK, 0)
		return err
	})
	if err == nil {
		w.fd, err = aboveStdio(w.fd)
	}
	if err == syscall.EAGAIN { // somebody has a lease on the file, which OpenFile knows about
		w.fd = -1
		w.special, err = openNow(syscall.O_RDONLY, opener{
			open: func(flag int) (*File, error) { return openSystem(w.name, flag, 0) },
			stat: func() (os.FileInfo, error) { return os.Stat(w.name) },
		})
		if err == nil {
			return errSpecial
		}
		return err
	}
	return failed("open", w.name, err, false)
}
