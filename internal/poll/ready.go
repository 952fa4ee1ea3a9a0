package poll

import (
	"context"
	"syscall"
)

// The operations of this file take nothing off the descriptor themselves.

var (
	waitingRead  = operation{state: "READ_WAIT", call: readyOnce, eager: true}
	waitingWrite = operation{state: "WRITE_WAIT", call: readyOnce}
	callingRead  = operation{state: "READ_WAIT", call: userOnce, eager: true}
	callingWrite = operation{state: "WRITE_WAIT", call: userOnce}
	rawRead      = operation{state: "READ_WAIT", call: rawOnce} // not eager: see RawRead
	rawWrite     = operation{state: "WRITE_WAIT", call: rawOnce}
)

// WaitRead waits until a read would not wait: there is something to read, or the
// end of file, or an error. It takes its turn with those who read, so that two
// tasks are not told of the same data at once.
func (f *FD) WaitRead(ctx context.Context) error { return f.reader.wait(ctx, &waitingRead) }

// WaitWrite waits until a write would not wait.
func (f *FD) WaitWrite(ctx context.Context) error { return f.writer.wait(ctx, &waitingWrite) }

func (d *direction) wait(ctx context.Context, op *operation) error {
	if err := d.enter(ctx, op); err != nil {
		return err
	}
	return d.leave(d.run())
}

// readyOnce asks by poll(2), which costs as much as a peek at the data would, and
// works on everything: pipes, terminals, listeners, epoll descriptors.
func readyOnce(d *direction, fd int) bool {
	ready, errno := ready(fd, d.writing())
	if errno != 0 {
		d.err = errno
	}
	return ready || errno != 0
}

// Readable reports whether a read of fd, which must be open, would not wait. Unlike a peek
// at the data, it consumes nothing, not even a pending error of the socket.
func Readable(fd int) bool {
	ready, errno := ready(fd, false)
	return ready || errno != 0
}

// CallRead makes any system call that reads: f is called until it returns something
// else than EAGAIN, when the descriptor has become readable and, as the others do,
// some times before. EINTR calls it again at once. f must not wait, nor keep the
// descriptor.
func (f *FD) CallRead(ctx context.Context, call func(fd int) error) error {
	return f.reader.callUser(ctx, &callingRead, userCall(call))
}

// CallWrite is CallRead for calls that write.
func (f *FD) CallWrite(ctx context.Context, call func(fd int) error) error {
	return f.writer.callUser(ctx, &callingWrite, userCall(call))
}

// RawRead is CallRead with the contract of syscall.RawConn: call is called at once and,
// until it returns true, again each time the descriptor has become readable. There are no
// other tries in between, as code written for package net does not expect these.
func (f *FD) RawRead(ctx context.Context, call func(fd uintptr) bool) error {
	return f.reader.callUser(ctx, &rawRead, rawCall(call))
}

// RawWrite is RawRead for calls that write.
func (f *FD) RawWrite(ctx context.Context, call func(fd uintptr) bool) error {
	return f.writer.callUser(ctx, &rawWrite, rawCall(call))
}

func (d *direction) callUser(ctx context.Context, op *operation, f any) (err error) {
	if err := d.enter(ctx, op); err != nil {
		return err
	}
	d.fd.Distrust() // f gets the descriptor and may set any option
	d.arg = f
	defer func() { // even if the caller's function panics
		d.fd.poller.abandon(d)
		err = d.leave(err)
	}()
	return d.run()
}

// A userCall is what arg is for userOnce.
type userCall func(fd int) error

func userOnce(d *direction, fd int) bool {
	f := d.arg.(userCall)
	for {
		switch err := f(fd); err {
		case syscall.EINTR:
		case syscall.EAGAIN:
			return false
		default:
			d.err = err
			return true
		}
	}
}

// A rawCall is the type of arg for rawOnce.
type rawCall func(fd uintptr) bool

func rawOnce(d *direction, fd int) bool { return d.arg.(rawCall)(uintptr(fd)) }
