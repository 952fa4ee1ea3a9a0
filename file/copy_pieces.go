package file

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/curio-go/curio/internal/disk"
)

// A copier copies the bytes of one file to an empty one, each to the offset where it was. Only a read
// that finds nothing is the end: sizes and copy_file_range(2) are not believed (trap 31).
type copier struct {
	to, from *os.File
	job      *job
	size     int64        // of the file, when it was opened
	plain    bool         // copy_file_range does not work here, or is done
	done     atomic.Int64 // how far it has come
}

const (
	rangePiece = 8 << 20 // between two looks at whether anybody still waits
	plainPiece = 256 << 10
)

var copyBuffers = sync.Pool{New: func() any { return new([plainPiece]byte) }}

// run copies all. If the file has holes, it copies what is between them.
func (c *copier) run(info fs.FileInfo) error {
	c.size = info.Size()
	c.plain = !disk.CanCopyRange() || info.Size() == 0 // as in /proc, where it says 0 and does nothing
	off := int64(0)
	if sparse(info) {
		var err error
		if off, err = c.segments(); err != nil {
			return err
		}
	}
	_, err := c.part(off, -1)
	return err
}

// sparse reports whether the file has less blocks than its size needs.
func sparse(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int64(st.Blocks)*512 < info.Size()
}

// segments copies the data before the last hole, gives the copy its size, and returns how far it has
// come; 0 if the file system does not tell where the holes are.
func (c *copier) segments() (off int64, err error) {
	for {
		start, err := c.from.Seek(off, seekData)
		if errors.Is(err, syscall.ENXIO) { // nothing but a hole
			break
		}
		if err != nil {
			return off, nil
		}
		end, err := c.from.Seek(start, seekHole)
		if err != nil {
			return off, nil
		}
		reached, err := c.part(start, end)
		if err != nil {
			return reached, err
		}
		if off = reached; reached < end { // it has shrunk
			return off, nil
		}
	}
	size, err := c.from.Seek(0, io.SeekEnd)
	if err != nil {
		return off, err
	}
	if size > off {
		if err := step("truncate", c.to.Name()); err != nil {
			return off, err
		}
		if err := c.to.Truncate(size); err != nil {
			return off, err
		}
	}
	off = max(size, off)
	c.done.Store(off)
	return off, nil
}

// part copies from off to end, or as far as there is anything if end is negative. It returns how far it
// has come.
func (c *copier) part(off, end int64) (int64, error) {
	for end < 0 || off < end {
		if c.job.deserted() {
			return off, errDeserted
		}
		most := int64(rangePiece)
		if end >= 0 {
			most = min(most, end-off)
		}
		n, err := c.piece(off, int(most))
		off += int64(n)
		c.done.Store(off)
		switch {
		case err == io.EOF:
			return off, nil
		case err != nil:
			return off, err
		}
	}
	return off, nil
}

// piece copies up to n bytes. The error is io.EOF if there are none.
func (c *copier) piece(off int64, n int) (int, error) {
	if !c.plain {
		k, err := c.copyRange(off, n)
		switch {
		case err == nil && k > 0:
			c.plain = off+int64(k) >= c.size && k < n // all that there was at the beginning
			return k, nil
		case err == nil: // the end, or a file for which it does nothing: a read tells
			c.plain = true
		case refused(err):
			c.plain = true
		default:
			return 0, &fs.PathError{Op: "write", Path: c.to.Name(), Err: err}
		}
	}
	buf := copyBuffers.Get().(*[plainPiece]byte)
	defer copyBuffers.Put(buf)
	if err := step("read", c.from.Name()); err != nil {
		return 0, &fs.PathError{Op: "read", Path: c.from.Name(), Err: err}
	}
	k, err := c.from.ReadAt(buf[:min(n, plainPiece)], off)
	if k == 0 {
		return 0, err
	}
	if err := step("write", c.to.Name()); err != nil {
		return 0, &fs.PathError{Op: "write", Path: c.to.Name(), Err: err}
	}
	return c.to.WriteAt(buf[:k], off)
}

// refused reports whether an error of copy_file_range means that it does not work for these files, or
// may mean that: if it is true, a read or a write fails with it too.
func refused(err error) bool {
	for _, e := range []syscall.Errno{
		syscall.ENOSYS, syscall.EXDEV, syscall.EINVAL, syscall.EIO, syscall.EBADF, syscall.EPERM,
		syscall.EOPNOTSUPP, syscall.ENOTSUP, syscall.ETXTBSY, syscall.EOVERFLOW,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// copyRange calls copy_file_range(2).
func (c *copier) copyRange(off int64, n int) (k int, err error) {
	if err := step("copyrange", c.to.Name()); err != nil {
		return 0, err
	}
	to, err := c.to.SyscallConn()
	if err != nil {
		return 0, err
	}
	from, err := c.from.SyscallConn()
	if err != nil {
		return 0, err
	}
	outer := to.Control(func(toFD uintptr) {
		inner := from.Control(func(fromFD uintptr) { k, err = disk.CopyRange(int(toFD), int(fromFD), off, n) })
		if inner != nil {
			err = inner
		}
	})
	if outer != nil {
		err = outer
	}
	return k, err
}
