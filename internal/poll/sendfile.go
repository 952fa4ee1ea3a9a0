package poll

import (
	"context"
	"os"
	"syscall"
)

// sendChunk is how much one sendfile(2) moves at most. Between two of them SendFile asks
// whether its context is alive: with a receiver that keeps up there is always room, so
// it might never come to wait. Over loopback TCP these are 2 to 3 ms; larger ones send no
// faster.
const sendChunk = 4 << 20

// copyBuffer is for files that sendfile(2) does not take.
const copyBuffer = 64 << 10

// sendingFile and copyingFile use arg, a *fileRange, and n.
var (
	sendingFile = operation{state: "WRITE_WAIT", call: sendFileOnce}
	copyingFile = operation{state: "WRITE_WAIT", call: copyFileOnce}
)

// A fileRange is what is left to send of a file.
type fileRange struct {
	src    int
	offset int64
	chunk  int // how much the next call may move

	// Of copyFileOnce: what has been read and not been sent. It is read from a place
	// in the file and takes nothing off it, so it can be forgotten.
	buf, rest []byte
}

// SendFile sends count bytes of the file src, from offset on, and fewer only if the file
// ends before. If it is cut short it returns how much was sent. What other tasks write
// comes before or after. The file's own offset is not touched.
func (f *FD) SendFile(ctx context.Context, src int, offset, count int64) (sent int64, err error) {
	d := &f.writer
	if err := d.enter(ctx, &sendingFile); err != nil {
		return 0, err
	}
	defer func() { err = d.leave(err) }()
	r := &fileRange{src: src, offset: offset}
	d.arg = r
	for {
		r.chunk = int(min(count-sent, sendChunk))
		err := d.run()
		n := int64(d.n)
		d.again()
		switch {
		case err != nil && d.op == &sendingFile && noSendfile(err):
			d.op = &copyingFile
			continue
		case err != nil:
			return sent, err
		}
		sent, r.offset = sent+n, r.offset+n
		if n == 0 || sent == count {
			return sent, nil
		}
		if !d.mayGoOn() {
			return sent, d.err
		}
	}
}

// again is for one call more in the same turn.
func (d *direction) again() { d.n, d.err = 0, nil }

// noSendfile reports whether err says that there is no sendfile(2), or not between these
// two.
func noSendfile(err error) bool {
	switch err {
	case syscall.EINVAL, syscall.ENOSYS, syscall.EOPNOTSUPP, syscall.ENOTSOCK:
		return true
	}
	return err == syscall.ENOTSUP // which may be EOPNOTSUPP
}

// sendfile is a variable for tests of systems that cannot.
var sendfile = syscall.Sendfile

func sendFileOnce(d *direction, fd int) bool {
	r := d.arg.(*fileRange)
	for {
		offset := r.offset // some systems move it, some do not
		n, err := sendfile(fd, r.src, &offset, r.chunk)
		switch {
		case n > 0: // macOS and FreeBSD return EAGAIN and EINTR with it
			d.n = n
			return true
		case err == syscall.EINTR:
		default:
			return d.completed(0, errnoOf(err))
		}
	}
}

// copyFileOnce is sendfile(2) with a buffer.
func copyFileOnce(d *direction, fd int) bool {
	r := d.arg.(*fileRange)
	if len(r.rest) == 0 {
		if r.buf == nil {
			r.buf = make([]byte, copyBuffer)
		}
		n, err := preadFile(r.src, r.buf[:min(len(r.buf), r.chunk)], r.offset)
		if n == 0 || err != nil {
			d.err = err
			return true
		}
		r.rest = r.buf[:n]
	}
	d.buf = r.rest
	done := writeOnce(d, fd)
	d.buf = nil
	r.rest = r.rest[d.n:]
	return done
}

func preadFile(fd int, p []byte, offset int64) (int, error) {
	for {
		n, err := syscall.Pread(fd, p, offset)
		if err != syscall.EINTR {
			return max(n, 0), os.NewSyscallError("pread", err)
		}
	}
}
