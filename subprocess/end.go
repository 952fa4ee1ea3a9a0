package subprocess

import (
	"context"
	"errors"
	"io"
	"os"
	"syscall"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/poll"
	"github.com/curio-go/curio/internal/wait"
)

// An end is our end of a program's pipe or terminal, which is non-blocking. The program's end is another
// open file, in blocking mode, so neither side notices the mode of the other.
//
// It is the Transport of the streams of a Process. Run and its kin have no streams, and use it by
// tryRead and tryWrite, which do not wait, and readable and writable, the cases of a Select.
type end struct {
	fd       *poll.FD
	name     string   // as "standard output of cat"
	terminal *os.File // whose open file it is; nil for a pipe

	// For the one exchange that uses it: an operation allocates nothing.
	readable, writable curio.Case // ready when tryRead, or tryWrite, has something to do or to tell
	reading, writing   transfer
}

// A transfer is a call of tryRead or tryWrite.
type transfer struct {
	call func(fd int) error
	buf  []byte
	n    int
}

// newEnd takes fd over, which is in blocking mode, and closes it if it fails.
func newEnd(fd int, name string) (*end, error) {
	if err := syscall.SetNonblock(fd, true); err != nil {
		syscall.Close(fd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	f, err := poll.NewForSelect(fd)
	if err != nil {
		return nil, err
	}
	e := &end{fd: f, name: name}
	f.SetObject(e)
	e.readable = poll.CaseOf(readiness{e, false}).(curio.Case)
	e.writable = poll.CaseOf(readiness{e, true}).(curio.Case)
	e.reading.call = e.reading.by(syscall.Read)
	e.writing.call = e.writing.by(syscall.Write)
	return e, nil
}

// by returns the function that makes the system call.
func (t *transfer) by(system func(fd int, p []byte) (int, error)) func(fd int) error {
	return func(fd int) (err error) {
		t.n, err = system(fd, t.buf)
		t.n = max(t.n, 0)
		if err == syscall.EAGAIN {
			return errEmpty
		}
		return err
	}
}

// take is for what the call has moved.
func (t *transfer) take() (n int) {
	n, t.n, t.buf = t.n, 0, nil
	return n
}

// String describes the pipe, for monitoring.
func (e *end) String() string { return e.name }

// KeepsNothing is for package stream.
func (e *end) KeepsNothing() {}

// Recv implements stream.Transport.
func (e *end) Recv(ctx context.Context, buf []byte) (int, error) {
	n, err := e.fd.Read(ctx, buf)
	if err == nil && n == 0 && len(buf) > 0 || e.hungUp(err) {
		return 0, io.EOF
	}
	return n, e.failed("read", err)
}

// WaitRead lets a stream wait without a buffer.
func (e *end) WaitRead(ctx context.Context) error { return e.failed("wait", e.fd.WaitRead(ctx)) }

// SendAll implements stream.Transport. If the pipe has no reader any more, the error wraps EPIPE.
func (e *end) SendAll(ctx context.Context, buf []byte) (int, error) {
	n, err := e.fd.WriteAll(ctx, buf)
	if e.hungUp(err) {
		err = syscall.EPIPE
	}
	return n, e.failed("write", err)
}

// Close implements stream.Transport.
func (e *end) Close() error {
	err := e.fd.Close()
	if err == nil && e.terminal != nil {
		err = e.terminal.Close()
	}
	return e.failed("close", err)
}

func (e *end) closed() bool { return e.fd.Fd() < 0 }

// hungUp reports whether err says that nobody has the other side of the terminal open any more. Linux
// has no end of file for that.
func (e *end) hungUp(err error) bool { return e.terminal != nil && errors.Is(err, syscall.EIO) }

func (e *end) failed(op string, err error) error {
	if err == nil {
		return nil
	}
	return &os.PathError{Op: op, Path: e.name, Err: err}
}

// errEmpty is the error of tryRead and tryWrite where they would have to wait.
var errEmpty = errors.New("internal error: the pipe is not ready")

// tryRead is Recv without waiting for data. It waits for its turn behind another task that reads.
func (e *end) tryRead(ctx context.Context, buf []byte) (n int, err error) {
	e.reading.buf = buf
	err = e.fd.CallRead(ctx, e.reading.call)
	n = e.reading.take()
	switch {
	case err == errEmpty:
		return 0, err
	case err == nil && n == 0 && len(buf) > 0 || e.hungUp(err):
		return 0, io.EOF
	}
	return n, e.failed("read", err)
}

// tryWrite writes as much of buf as there is room for.
func (e *end) tryWrite(ctx context.Context, buf []byte) (n int, err error) {
	e.writing.buf = buf
	err = e.fd.CallWrite(ctx, e.writing.call)
	n = e.writing.take()
	switch {
	case err == errEmpty:
		return n, err
	case e.hungUp(err):
		err = syscall.EPIPE
	}
	return n, e.failed("write", err)
}

// A readiness is one direction of an end as a case.
type readiness struct {
	*end
	write bool
}

func (r readiness) Ready() (is bool, err error) {
	is, err = r.fd.IsReady(r.write)
	return is || err != nil, r.failed("wait", err)
}

func (r readiness) For(w *wait.Waiter) {
	if r.write {
		w.For("WRITE_WAIT", r.end)
	} else {
		w.For("READ_WAIT", r.end)
	}
}

func (r readiness) Watch(w *wait.Waiter) (ok bool) { return r.fd.Watch(w, r.write) }

func (r readiness) Unwatch(w *wait.Waiter) error {
	return r.failed("wait", r.fd.Unwatch(w, r.write))
}
