package poll

import (
	"context"
	"syscall"
)

// Splice(2) moves bytes from one descriptor to another without copying them through the program,
// if one of the two is a pipe. So there has to be one in between.
//
// The pipe is empty when the receiving call is made. So that call can only find that the source
// has nothing, and the sending call that the destination has no room.

// splicingIn and splicingOut use arg, a *spliced, and n.
var (
	splicingIn  = operation{state: "READ_WAIT", call: spliceIn, eager: true, trusts: true}
	splicingOut = operation{state: "WRITE_WAIT", call: spliceOut, trusts: true}
)

// SPLICE_F_MOVE and SPLICE_F_NONBLOCK, which is about the pipe.
const spliceFlags = 1 | 2

type spliced struct {
	pipe *splicePipe // only while there is something in it, or a call is made
	most int
	left int // in pipe
}

// Splice waits until there is something to read from src, and moves what is there, up to most
// bytes, to f. receiving says that err is src's, and not f's. At the end of src n is 0. If f takes
// only a part, n is how much that is, and the rest is lost. The error is ErrNoSplice, and nothing
// has been read, if the system cannot move what is there.
func (f *FD) Splice(ctx context.Context, src *FD, most int) (n int, receiving bool, err error) {
	s := &spliced{most: min(most, splicePipeSize)}
	if err := src.reader.splice(ctx, &splicingIn, s); err != nil || s.left == 0 {
		return 0, true, err
	}
	all := s.left
	err = f.writer.splice(ctx, &splicingOut, s)
	if s.left == 0 {
		pipes.put(s.pipe)
	} else {
		s.pipe.close()
	}
	return all - s.left, false, err
}

func (d *direction) splice(ctx context.Context, op *operation, s *spliced) error {
	if err := d.enter(ctx, op); err != nil {
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
	switch errno {
	case syscall.EAGAIN:
		// It also says so before urgent data, and when it has no memory. If something has come
		// since, one copy does not matter.
		there, _ := ready(fd, false)
		if !there {
			return false
		}
		errno = syscall.EINVAL
	case 0:
		return true
	}
	if noSendfile(errno) {
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
		if errno != 0 {
			return d.completed(0, errno)
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
