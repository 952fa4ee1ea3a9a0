package poll

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"syscall"

	"github.com/curio-go/curio/internal/wait"
)

// Splicing moves bytes from a socket into a pipe, and from there into another socket, by splice(2), so
// that nothing is copied through the program.
//
// The kernel's splice from a socket is not quite a read: it stops at the mark of urgent data, where it
// says that there is nothing, or, if the peer has ended the stream, that this is the end. So SpliceIn
// never tells the end of the stream, and never sleeps while a read would not. In both cases it returns
// nothing, and its caller goes on by reading.

// ErrNoSplice is the error of SpliceIn and SpliceOut where the system cannot splice, or not with these
// sockets. Nothing has been moved by the call that returns this.
var ErrNoSplice = errors.New("cannot splice")

// Both use arg, a *Pipe. What they move says nothing about whether there is more to come, as a pipe
// also has its bounds: they do not trust.
var (
	splicingIn  = operation{state: "READ_WAIT", call: spliceInOnce}
	splicingOut = operation{state: "WRITE_WAIT", call: spliceOutAll}
)

// SpliceIn waits until there is something to read, and moves it into a pipe, with one splice(2). It
// has the pipe only while it makes the call, and not while it sleeps. p belongs to the caller. It is
// nil, without an error, if the caller had better read: at what may be the end of the stream, and if
// there is no pipe to be had.
func (f *FD) SpliceIn(ctx context.Context) (p *Pipe, err error) {
	d := &f.reader
	if err := d.enter(ctx, &splicingIn); err != nil {
		return nil, err
	}
	err = d.run()
	p, _ = d.arg.(*Pipe)
	return p, d.leave(err)
}

func spliceInOnce(d *direction, fd int) bool {
	p := takePipe()
	if p == nil {
		return true
	}
	n, errno := splice(fd, p.w, pipeSize)
	readable := errno == syscall.EAGAIN && Readable(fd)
	if readable { // what has come this moment, or the mark
		n, errno = splice(fd, p.w, pipeSize)
	}
	if n > 0 {
		p.n = n
		d.arg = p
		return true
	}
	p.Release()
	switch {
	case errno == syscall.EAGAIN:
		return readable
	case noSplice(errno):
		d.err = ErrNoSplice
	case errno != 0:
		d.err = errno
	}
	return true
}

// SpliceOut moves all that is in p to f, and sets moved, unless that is nil, to the time, as a reading
// of wait.Now, as it goes. If it is cut short it returns how much was moved, and p has the rest. What
// other tasks write comes before or after.
func (f *FD) SpliceOut(ctx context.Context, p *Pipe, moved *atomic.Int64) (n int, err error) {
	d := &f.writer
	if err := d.enter(ctx, &splicingOut); err != nil {
		return 0, err
	}
	p.moved = moved
	d.arg = p
	err = d.run()
	p.moved = nil
	n = d.n
	return n, d.leave(err)
}

func spliceOutAll(d *direction, fd int) bool {
	p := d.arg.(*Pipe)
	for p.n > 0 {
		n, errno := splice(p.r, fd, p.n)
		switch {
		case n > 0:
			p.n -= n
			d.n += n
			if p.moved != nil {
				p.moved.Store(wait.Now())
			}
		case errno == syscall.EAGAIN: // nobody else has the pipe, so it is the socket that is full
			return false
		case noSplice(errno):
			d.err = ErrNoSplice
			return true
		case errno != 0:
			d.err = errno
			return true
		default:
			d.err = io.ErrUnexpectedEOF // it must not go round for ever
			return true
		}
	}
	return true
}

func noSplice(errno syscall.Errno) bool {
	return errno == syscall.EINVAL || errno == syscall.ENOSYS || errno == syscall.EOPNOTSUPP
}

// OnSplice has call called instead of splice(2), and returns what was called before. It is for tests
// of systems that cannot.
func OnSplice(call func(from, to, n int) (int, syscall.Errno)) (before func(from, to, n int) (int, syscall.Errno)) {
	before = splice
	splice = call
	return before
}

// A Stream is a stream socket, for the other packages of this module.
type Stream interface {
	FD() *FD

	// Failed returns the error of an operation of the socket.
	Failed(op string, err error) error
}

// StreamOf returns a *socket.Socket as a Stream, or nil if it is not one, or not open. Package socket
// sets it. Other packages have no other way to the FD.
var StreamOf func(socket any) Stream
