package poll

import (
	"context"
	"io"
	"net"
	"syscall"

	"github.com/curio-go/curio/internal/wait"
)

// The system call splice(2) moves bytes between two descriptors without copying them through the
// program. One of the two must be a pipe, so from one socket to another it takes two calls, with a
// pipe in between.
//
// The pipe is empty before the first call. So EAGAIN is about the source there, and about the
// destination in the second call, and never about the pipe.

// splicingIn and splicingOut use arg, a *spliced, and n.
var (
	splicingIn  = operation{state: "READ_WAIT", call: spliceIn, eager: true}
	splicingOut = operation{state: "WRITE_WAIT", call: spliceOut}
)

// SPLICE_F_MOVE and SPLICE_F_NONBLOCK, which is about the pipe.
const spliceFlags = 1 | 2

type spliced struct {
	pipe *splicePipe // set when it has something in it
	most int
	left int // how much that is
}

// Splice waits until there is something to read from src, and moves what is there, up to most
// bytes, to f. n is how many bytes f has taken, and lost how many have been read and not taken. If
// receiving is true, err is src's error, otherwise f's. The error is ErrNoSplice, and nothing has
// been read, if the system cannot move what is there, and at the end of src.
//
// It looks at ctx first and last, and not in between: bytes that have been read are offered to f at
// least once, and no method of a foreign context runs while they are in the pipe.
func (f *FD) Splice(ctx context.Context, src *FD, most int) (n, lost int, receiving bool, err error) {
	place, err := wait.At(ctx)
	if err != nil {
		return 0, 0, true, err
	}
	followed := place.Untrusted()
	if followed {
		place = place.FollowNow()
	}
	n, lost, receiving, err = f.spliceAt(place, src, most)
	if followed {
		err = place.Leave(err)
	}
	return n, lost, receiving, err
}

func (f *FD) spliceAt(place wait.Place, src *FD, most int) (n, lost int, receiving bool, err error) {
	if f.closed.Load() { // what would be read now would be lost
		return 0, 0, false, net.ErrClosed
	}
	s := &spliced{most: min(most, splicePipeSize)}
	if err := src.reader.splice(place, &splicingIn, s); err != nil {
		return 0, 0, true, err
	}
	n = s.left
	if err = f.writer.splice(place, &splicingOut, s); err == nil {
		pipes.put(s.pipe)
		return n, 0, false, nil
	}
	s.pipe.close()
	return n - s.left, s.left, false, err
}

func (d *direction) splice(place wait.Place, op *operation, s *spliced) error {
	if err := d.enterAt(place, op); err != nil {
		return err
	}
	d.arg = s
	return d.leave(d.run())
}

func spliceIn(d *direction, fd int) (done bool) {
	s := d.arg.(*spliced)
	p, err := pipes.take()
	if err != nil { // it takes descriptors, which may have run out
		d.err = ErrNoSplice
		return true
	}
	n, errno := splice(fd, p.write, s.most)
	if n > 0 {
		s.pipe, s.left = p, n
		return true
	}
	pipes.put(p)
	// Before urgent data, and when memory is short, splice(2) reports EAGAIN or the end although
	// there is more. recv(2) knows. So does it if something has come since the call.
	if errno == syscall.EAGAIN {
		there, _ := ready(fd, false)
		if !there {
			return false
		}
	}
	if errno == 0 || errno == syscall.EAGAIN || noSendfile(errno) {
		d.err = ErrNoSplice
	} else {
		d.err = errno
	}
	return true
}

func spliceOut(d *direction, fd int) (done bool) {
	s := d.arg.(*spliced)
	for s.left > 0 {
		n, errno := splice(s.pipe.read, fd, s.left)
		switch {
		case errno != 0:
			return d.completed(0, errno)
		case n == 0:
			d.err = io.ErrUnexpectedEOF // as in writeAll
			return true
		}
		s.left -= n
	}
	return true
}

// splice is a variable for tests of systems that cannot.
var splice = func(from, to, most int) (int, syscall.Errno) {
	for {
		n, err := syscall.Splice(from, nil, to, nil, most, spliceFlags)
		if err != syscall.EINTR {
			return max(int(n), 0), errnoOf(err)
		}
	}
}
