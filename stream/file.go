package stream

import (
	"context"
	"errors"
	"io"
	"os"

	"github.com/curio-go/curio/internal/poll"
)

// FromFile makes a stream over an open file: a pipe, a FIFO, a terminal, a device or a regular
// file, including os.Stdin. It takes ownership of f: Close closes it, and f must not be used
// otherwise. If FromFile fails, f still belongs to the caller. Errors are of type [*os.PathError].
//
// FromFile changes nothing that other processes with the same open file, such as the shell that
// started the program, could notice. In particular it does not make the file non-blocking. Pipes,
// FIFOs and terminals that package os opened itself are non-blocking already and are waited for as
// sockets are. If the file is blocking, as os.Stdin usually is, the stream waits until the system
// reports data to read or room to write, and then makes a system call that needs no more than that.
// In three cases such an operation still blocks and cannot be cancelled:
//
//   - another process or task reads the data from the same pipe or terminal first;
//   - another process or task fills the room in the same pipe first;
//   - a terminal is stopped in the middle of a write, for example by Ctrl-S.
//
// A regular file is always ready, and the time that the disk takes cannot be cancelled. A terminal
// reports io.EOF each time the user types Ctrl-D, and a Read after that goes on reading. Writing to
// a pipe that has no reader returns syscall.EPIPE, also for the standard output, where package os
// would end the program.
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

// String describes the file, for monitoring.
func (t *file) String() string { return t.file.Name() }
