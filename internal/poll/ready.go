package poll

import (
	"context"
	"syscall"
)

// The operations of this file take nothing off the descriptor themselves.

// WaitRead waits until a read would not wait: there is something to read, or the
// end of file, or an error. It takes its turn with those who read, so that two
// tasks are not told of the same data at once.
func (f *FD) WaitRead(ctx context.Context) error { return f.reader.wait(ctx, "READ_WAIT") }

// WaitWrite waits until a write would not wait.
func (f *FD) WaitWrite(ctx context.Context) error { return f.writer.wait(ctx, "WRITE_WAIT") }

func (d *direction) wait(ctx context.Context, op string) error {
	if err := d.enter(ctx, op, readyOnce); err != nil {
		return err
	}
	d.eager = !d.writing
	err := d.run()
	d.leave()
	return err
}

// readyOnce asks by poll(2), which costs as much as a peek at the data would, and
// works on everything: pipes, terminals, listeners, epoll descriptors.
func readyOnce(d *direction, fd int) bool {
	ready, errno := ready(fd, d.writing)
	if errno != 0 {
		d.err = errno
	}
	return ready || errno != 0
}

// CallRead makes any system call that reads: f is called until it returns something
// else than EAGAIN, each time that the descriptor has become readable. EINTR calls
// it again at once. f must not wait, nor keep the descriptor. op is the state in
// which the task is shown.
func (f *FD) CallRead(ctx context.Context, op string, call func(fd int) error) error {
	return f.reader.callUser(ctx, op, call)
}

// CallWrite is CallRead for calls that write.
func (f *FD) CallWrite(ctx context.Context, op string, call func(fd int) error) error {
	return f.writer.callUser(ctx, op, call)
}

func (d *direction) callUser(ctx context.Context, op string, f func(fd int) error) error {
	if err := d.enter(ctx, op, userOnce); err != nil {
		return err
	}
	d.user, d.eager = f, !d.writing
	defer func() { // also if the caller's function panics
		_ = d.settle()
		d.leave()
	}()
	return d.run()
}

func userOnce(d *direction, fd int) bool {
	for {
		switch err := d.user(fd); err {
		case syscall.EINTR:
		case syscall.EAGAIN:
			return false
		default:
			d.err = err
			return true
		}
	}
}
