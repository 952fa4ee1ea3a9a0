package stream

import (
	"context"
	"errors"
	"io"
	"os"

	"github.com/curio-go/curio/internal/poll"
)

// FromFile makes a stream over a file that has been opened: a pipe, a FIFO, a terminal, a
// device or a regular file; os.Stdin too. It takes f over: Close closes it, and nobody
// should use it otherwise. If it fails, f is still the caller's.
//
// It changes nothing that others who have the same file open could notice, as the shell
// has that has started this program: in particular it does not make it non-blocking. What
// package os has made non-blocking, which are the pipes, FIFOs and terminals that it has
// opened itself, can be waited for as sockets are. With what is blocking, as os.Stdin
// mostly is, the stream waits until the system says that there is something to read, or
// room to write, and then makes a system call for which that is enough. Three things
// remain, in which an operation waits and cannot be cancelled:
//
//   - somebody else who reads from the same pipe or terminal was faster;
//   - somebody else who writes to the same pipe was faster;
//   - a terminal has been stopped, as by Ctrl-S, in the middle of a write.
//
// A regular file is always ready; a disk takes its time, and is not waited for as the
// above is. A terminal ends, by Ctrl-D, as often as somebody types it: a Read after io.EOF
// reads on. Writing to a pipe that nobody reads any more is syscall.EPIPE, also to the
// standard output, for which package os would end the program. Errors are of type
// *os.PathError.
func FromFile(f *os.File) (*Stream, error) {
	if f == nil {
		return nil, &os.PathError{Op: "stream", Err: os.ErrInvalid}
	}
	own, err := poll.DuplicateFile(f)
	if err == nil {
		t := &file{f, own}
		own.SetObject(t)
		return New(t), nil
	}
	if !errors.Is(err, poll.ErrNotPollable) {
		return nil, &os.PathError{Op: "stream", Path: f.Name(), Err: err}
	}
	shared, err := poll.Share(f)
	if err != nil {
		return nil, &os.PathError{Op: "stream", Path: f.Name(), Err: err}
	}
	return New(&file{f, shared}), nil
}

// Package subprocess gives transports to programs.
func init() {
	poll.TransportOf = func(s any) any { return s.(*Stream).transport }
}

// A file is the Transport of FromFile.
type file struct {
	file *os.File
	fd   descriptor
}

// File is for package subprocess.
func (t *file) File() *os.File { return t.file }

// A descriptor is a *poll.FD or a *poll.Shared.
type descriptor interface {
	Read(ctx context.Context, p []byte) (int, error) // 0 and nil at the end
	WriteAll(ctx context.Context, p []byte) (int, error)
	WaitRead(ctx context.Context) error
	Close() error
}

func (t *file) Recv(ctx context.Context, buf []byte) (int, error) {
	n, err := t.fd.Read(ctx, buf)
	if err == nil && n == 0 && len(buf) > 0 {
		return 0, io.EOF
	}
	return n, t.failed("read", err)
}

func (t *file) SendAll(ctx context.Context, buf []byte) (int, error) {
	n, err := t.fd.WriteAll(ctx, buf)
	return n, t.failed("write", err)
}

func (t *file) WaitRead(ctx context.Context) error {
	return t.failed("wait", t.fd.WaitRead(ctx))
}

// Close first ends the operations in progress, and then closes the descriptor that they
// are about.
func (t *file) Close() error {
	if err := t.fd.Close(); err != nil {
		return t.failed("close", err)
	}
	return t.file.Close()
}

func (t *file) failed(op string, err error) error {
	if err == nil {
		return nil
	}
	return &os.PathError{Op: op, Path: t.file.Name(), Err: err}
}

// String is for whoever watches.
func (t *file) String() string { return t.file.Name() }
