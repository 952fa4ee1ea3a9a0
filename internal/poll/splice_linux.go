package poll

import (
	"context"
	"io"
	"syscall"

	"github.com/curio-go/curio/internal/wait"
)

// Splice(2) moves bytes from one descriptor to another without copying them through the program,
// if one of the two is a pipe. So there has to be one in between.
//
// The pipe is empty when the receiving call is made. So that call can only find that the source
// has nothing, and the sending call that the destination has no room.

// splicingIn and splicingOut use arg, a *spliced, and n.
var (
	splicingIn  = operation{state: "READ_WAIT", call: spliceIn, eager: true}
	splicingOut = operation{state: "WRITE_WAIT", call: spliceOut}
)

// SPLICE_F_MOVE and SPLICE_F_NONBLOCK, which is about the pipe.
const spliceFlags = 1 | 2

type spliced struct {
	pipe *splicePipe // only while there is something in it, or a call is made
	most int
	left int // in pipe
}

// Splice waits until there is something to read from src, and moves what is there, up to most
// bytes, to f. receiving says that err is src's, and not f's. If f takes only a part, n is how
// much that is, and lost how much it has not taken. The error is ErrNoSplice, and nothing has been
// read, if the system cannot move what is there; it is so at the end of src, too.
//
// It asks ctx before and after everything, and not in between: what has been read is then offered
// to f at least once, and a foreign context cannot get in the way.
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
	// Before urgent data, and when there is no memory, it says that there is nothing, or that
	// this is the end. If something has come since, one copy does not matter.
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
