package poll

import (
	"context"
	"syscall"
	"time"

	"github.com/curio-go/curio/internal/wait"
)

// A connection attempt is begun by connect(2) and goes on in the background. When
// it is over the socket becomes writable, and SO_ERROR says how it ended. It goes
// on, too, after Connect has been cancelled; a second Connect then waits for it.

var connecting = operation{state: "CONNECT_WAIT", call: connectOnce}

// Connect connects a socket. After an error, a cancellation included, there is
// little to be done with the socket but to close it.
func (f *FD) Connect(ctx context.Context, to *Name) error {
	pause := wait.Pause{First: time.Millisecond, Most: 50 * time.Millisecond}
	for {
		err := f.connect(ctx, to)
		if !to.isUnix() || err != syscall.EAGAIN {
			return err
		}
		// The listener's queue is full. A blocking connect(2) would wait for
		// room in it, but there is nothing that tells us of it: the socket is
		// writable all along.
		if err := pause.Sleep(ctx); err != nil {
			return err
		}
	}
}

func (f *FD) connect(ctx context.Context, to *Name) error {
	d := &f.writer
	if err := d.enter(ctx, &connecting); err != nil {
		return err
	}
	d.arg = to
	return d.leave(d.run())
}

// connectOnce uses arg, the address, until the attempt has begun.
func connectOnce(d *direction, fd int) bool {
	to, ok := d.arg.(*Name)
	if !ok {
		return connected(d, fd)
	}
	switch err := connect(fd, to); err {
	case nil:
		d.fd.begun()
	case syscall.EINPROGRESS, syscall.EALREADY, syscall.EINTR:
		d.fd.begun()
		d.arg = nil
		return false
	default:
		d.err = err // EAGAIN as well: see Connect
	}
	return true
}

// connected asks how an attempt in progress has ended.
func connected(d *direction, fd int) bool {
	errno, err := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_ERROR)
	switch {
	case err != nil:
		d.err = err
		return true
	case errno != 0:
		d.err = syscall.Errno(errno)
		return true
	}
	// The poller may wake us for nothing (Go issues 14548 and 19289): only a
	// socket that has a peer is connected.
	if _, err := syscall.Getpeername(fd); err == syscall.ENOTCONN {
		return false
	}
	return true
}
