package file

import (
	"context"
	"io"
	"os"
	"sync/atomic"
	"syscall"

	"github.com/curio-go/curio/internal/disk"
	"github.com/curio-go/curio/internal/wait"
)

// ReadFile returns what is in a file. What the system has in memory costs no hand-over, where the file system
// allows it; otherwise one worker does it all. It does not believe what the system says about the size, so files in /proc
// are complete, and memory is used for what there is.
//
// If ctx is done first, nothing is returned, and the error is ctx's error. A task that waits is in the state FILE_CALL. A
// FIFO, a terminal or the like is read up to its end, as Open and ReadAll do.
func ReadFile(ctx context.Context, name string) ([]byte, error) {
	return readFile(ctx, name, mostBytes("ReadFile", NoLimit))
}

// ReadFileLimit is ReadFile for a file of at most limit bytes. Of one that is longer it returns the first limit bytes, and an
// error that is ErrTooLong. limit may be NoLimit. It panics if limit is negative otherwise.
func ReadFileLimit(ctx context.Context, name string, limit int64) ([]byte, error) {
	return readFile(ctx, name, mostBytes("ReadFileLimit", limit))
}

func readFile(ctx context.Context, name string, most int) ([]byte, error) {
	all, err := at(ctx, func(_ context.Context, place wait.Place) ([]byte, error) {
		w := &whole{name: name, most: most, fd: -1}
		if done, all, err := w.readCached(place); done {
			return all, err
		}
		all, become, err := inWorker(place, deviceOfPath(name), nil, "read", name, w.readRest, nil)
		switch become {
		case runsOn:
			w.stop.Store(true)
		case neverRan:
			w.close()
		}
		return all, err
	})
	if err == errSpecial {
		return readSpecial(ctx, name, most)
	}
	return all, failed("read", name, err, false)
}

// errSpecial says that what is to be read is no regular file.
var errSpecial = &os.PathError{Op: "read", Err: errNotRegular}

func readSpecial(ctx context.Context, name string, most int) ([]byte, error) {
	f, err := Open(ctx, name)
	if err != nil {
		return nil, err
	}
	all, err := f.ReadAll(ctx, int64(most))
	if failure := f.CloseContext(ctx); err == nil {
		err = failure
	}
	return all, err
}

// A whole is a file that is read as a whole, first by the caller and then by a worker.
type whole struct {
	name string
	most int
	stop atomic.Bool // nobody waits any more

	fd    int // -1 if it is not open
	local bool
	all   []byte
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
	w.local = true
	if err := w.begin(); err != nil {
		w.close()
		return true, nil, err
	}
	for {
		if place.Ended() {
			w.close()
			return true, nil, errCut
		}
		w.all = moreRoom(w.all, w.most)
		room := w.room(directPiece)
		off := int64(len(w.all))
		if class != disk.Memory {
			n, errno := disk.ReadNoWait(w.fd, room, off)
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
			w.close()
			return true, nil, errSpecial
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
		return errSpecial
	}
	w.all = make([]byte, 0, firstRoom(believed(&st, w.local), w.most))
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
		w.all = moreRoom(w.all, w.most)
		n, err := pread(w.fd, w.room(piece), int64(len(w.all)))
		switch {
		case err == io.EOF:
			return w.all, nil
		case err == syscall.EAGAIN:
			return nil, errSpecial
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
	switch err {
	case nil:
		return nil
	case syscall.EAGAIN: // somebody has a lease on the file
		return errSpecial
	}
	return &os.PathError{Op: "open", Path: w.name, Err: err}
}
