package poll

import (
	"context"
	"io"
	"net"
)

// The calls of this file use buf, n and err. read(2) and write(2) work on every
// descriptor; sockets have calls of their own, which are cheaper (sys_*.go).

var (
	reading    = operation{state: "READ_WAIT", call: readOnce, eager: true, trusts: true}
	writing    = operation{state: "WRITE_WAIT", call: writeOnce, trusts: true}
	writingAll = operation{state: "WRITE_WAIT", call: writeAll, trusts: true}
)

// maxTransfer is how much one call moves at most: macOS and FreeBSD refuse 2 GiB
// and more.
const maxTransfer = 1 << 30

// Read reads what is there into p, up to its length, with one read(2) or recv(2).
// At the end of file it returns 0 and nil.
func (f *FD) Read(ctx context.Context, p []byte) (int, error) {
	d := &f.reader
	if err := d.enter(ctx, &reading); err != nil {
		return 0, err
	}
	d.buf = p[:min(len(p), maxTransfer)]
	err := d.run()
	n := d.n
	return n, d.leave(err)
}

func readOnce(d *direction, fd int) bool {
	if !d.fd.isSocket() {
		return d.completed(read(fd, d.buf))
	}
	n, errno := recv(fd, d.buf)
	d.short = d.trust && 0 < n && n < len(d.buf)
	return d.completed(n, errno)
}

// Write writes as much of p as there is room for, with one write(2) or send(2),
// and returns how much that was.
func (f *FD) Write(ctx context.Context, p []byte) (int, error) {
	return f.write(ctx, p, &writing)
}

// WriteAll writes all of p. If it is cut short it returns how much was written.
// What other tasks write comes before or after.
func (f *FD) WriteAll(ctx context.Context, p []byte) (int, error) {
	return f.write(ctx, p, &writingAll)
}

func (f *FD) write(ctx context.Context, p []byte, op *operation) (int, error) {
	d := &f.writer
	if err := d.enter(ctx, op); err != nil {
		return 0, err
	}
	d.buf = p
	err := d.run()
	n := d.n
	return n, d.leave(err)
}

func writeOnce(d *direction, fd int) bool {
	rest := d.buf[d.n:]
	rest = rest[:min(len(rest), maxTransfer)]
	if !d.fd.isSocket() {
		return d.completed(write(fd, rest))
	}
	n, errno := send(fd, rest)
	d.short = d.trust && 0 < n && n < len(rest)
	return d.completed(n, errno)
}

// mayGoOn is for an operation that takes several calls, between two of them: if its context is
// done it reports false, and that is the operation's error.
func (d *direction) mayGoOn() bool {
	switch {
	case d.fd.closed.Load():
		d.err = net.ErrClosed
	case d.place.Ended():
		d.cut, d.err = true, errCut
	}
	return d.err == nil
}

// writeChunk is how much WriteAll writes until it asks whether its context is alive. With a
// receiver that keeps up there is always room, so it might never come to wait.
const writeChunk = 4 << 20

func writeAll(d *direction, fd int) bool {
	for asked := d.n; d.n < len(d.buf); {
		if d.n-asked >= writeChunk {
			if !d.mayGoOn() {
				return true
			}
			asked = d.n
		}
		before := d.n
		switch {
		case !writeOnce(d, fd):
			return false
		case d.short: // there is no room for more, and one call more would only report that
			return false
		case d.err != nil:
			return true
		case d.n == before:
			d.err = io.ErrUnexpectedEOF // as package os: it must not go round for ever
			return true
		}
	}
	return true
}
