package file

import (
	"context"
	"io"
	"syscall"

	"github.com/curio-go/curio/internal/wait"
)

// This file reads what has no offsets: FIFOs, terminals, sockets, and the few devices and special files
// of which the poller knows nothing.

// readNext reads what comes next, in turn. kept says that somebody else passes the turn on.
func (f *File) readNext(ctx context.Context, place wait.Place, p []byte) (n int, kept bool, err error) {
	if f.pipe == nil {
		return f.readUnpolled(ctx, place, p)
	}
	if f.kind == kindFIFO && !f.met {
		if err := f.pipe.WaitRead(ctx); err != nil {
			return 0, false, err
		}
		f.met = true // somebody writes, or did: from now on 0 is the end
	}
	n, err = f.pipe.Read(ctx, p)
	if err == nil && n == 0 {
		err = io.EOF
	}
	return n, false, err
}

// readUnpolled reads in a worker. If the call is abandoned, the worker keeps the turn, and what it
// reads is there for the next one.
func (f *File) readUnpolled(ctx context.Context, place wait.Place, p []byte) (n int, kept bool, err error) {
	read := func() (int, error) {
		b := takeBlock(min(len(p), piece))
		k, become, err := inWorker(place, f.dev, f, "read", f.name, func() (int, error) {
			return readOn(f.fd, b.bytes)
		}, func(k int, err error) {
			f.ahead.add(b.bytes[:max(k, 0)])
			b.free()
			f.turn.Pass()
		})
		if become == runsOn {
			kept = true
			return 0, err
		}
		copy(p, b.bytes[:k])
		b.free()
		return k, err
	}
	n, err = read()
	if err == syscall.EAGAIN {
		n, err = f.readWhenReady(ctx, read)
	}
	return n, kept, err
}

// readOn is read(2), with the system's own offset.
func readOn(fd int, p []byte) (n int, err error) {
	err = again(func() (err error) {
		n, err = syscall.Read(fd, p)
		return err
	})
	return ended(n, err)
}
