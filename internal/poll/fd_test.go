package poll_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"github.com/curio-go/curio/internal/poll"
	"github.com/curio-go/curio/internal/wait"
)

func TestReadWrite(t *testing.T) {
	for name, make := range map[string]func(testing.TB) (r, w *poll.FD){"socket": pair, "pipe": pipe} {
		t.Run(name, func(t *testing.T) {
			r, w := make(t)
			ctx := &newTask(t).Scope
			n, err := w.Write(ctx, []byte("hello"))
			check(t, err)
			buf := [16]byte{}
			m, err := r.Read(ctx, buf[:])
			check(t, err)
			if n != 5 || string(buf[:m]) != "hello" {
				t.Errorf("wrote %d, read %q", n, buf[:m])
			}
			check(t, w.Close())
			if n, err := r.Read(ctx, buf[:]); n != 0 || err != nil {
				t.Errorf("at the end: %d, %v", n, err)
			}
		})
	}
}

// What is larger than the system's buffers, and than the line between the two ways to
// make a call.
func TestWriteAllLarge(t *testing.T) {
	a, b := pair(t)
	sent := make([]byte, 4<<20)
	for i := range sent {
		sent[i] = byte(i >> 3)
	}
	_, join := in(t, func(ctx context.Context) error {
		n, err := a.WriteAll(ctx, sent)
		if n != len(sent) {
			t.Errorf("%d written", n)
		}
		return err
	})
	ctx := &newTask(t).Scope
	got := make([]byte, 0, len(sent))
	for buf := make([]byte, 100_000); len(got) < len(sent); {
		n, err := b.Read(ctx, buf)
		check(t, err)
		got = append(got, buf[:n]...)
	}
	check(t, join())
	if !bytes.Equal(got, sent) {
		t.Error("what was read is not what was written")
	}
}

func TestNewRefuses(t *testing.T) {
	open := func(path string, flags int) int {
		fd, err := syscall.Open(path, flags|syscall.O_CLOEXEC|syscall.O_CREAT, 0o600)
		check(t, err)
		return fd
	}
	dir := t.TempDir()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	check(t, err)
	defer syscall.Close(fds[1])
	for name, fd := range map[string]int{
		"regular":  open(filepath.Join(dir, "file"), syscall.O_RDWR|syscall.O_NONBLOCK),
		"blocking": fds[0],
		"negative": -1,
		"not open": 1 << 20,
	} {
		if f, err := poll.New(fd, 0); err == nil {
			t.Errorf("%s: no error", name)
			f.Close()
		}
	}
}

func TestAlreadyCancelled(t *testing.T) {
	a, b := pair(t)
	o := newTask(t)
	_, err := b.Write(&o.Scope, []byte("x"))
	check(t, err)
	cancel(o)
	if _, err := a.Read(&o.Scope, make([]byte, 1)); !errors.Is(err, wait.ErrTaskCancelled) {
		t.Errorf("Read: %v", err)
	}
	want(t, a.WaitRead(&o.Scope), wait.ErrTaskCancelled)
	want(t, a.WaitWrite(&o.Scope), wait.ErrTaskCancelled)
	n, err := a.Read(context.Background(), make([]byte, 1))
	if n != 1 || err != nil {
		t.Errorf("afterwards: %d, %v", n, err)
	}
}

func TestNilContextPanics(t *testing.T) {
	a, b := pair(t)
	func() {
		defer func() {
			if recover() == nil {
				t.Error("no panic")
			}
		}()
		var none context.Context
		a.Read(none, make([]byte, 1))
	}()
	_, err := b.Write(context.Background(), []byte("x"))
	check(t, err)
	_, err = a.Read(context.Background(), make([]byte, 1))
	check(t, err)
}

func TestForeignContexts(t *testing.T) {
	a, _ := pair(t)
	type key struct{}
	o := newTask(t)
	for name, base := range map[string]context.Context{
		"of nobody":    context.Background(),
		"below a task": &o.Scope,
		"with a value": context.WithValue(&o.Scope, key{}, 1),
	} {
		ctx, cancel := context.WithCancel(base)
		done := make(chan error)
		go func() {
			_, err := a.Read(ctx, make([]byte, 1))
			done <- err
		}()
		runtime.Gosched()
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A context that only adds values is our own.
	other, join := in(t, func(ctx context.Context) error {
		_, err := a.Read(context.WithValue(ctx, key{}, 1), make([]byte, 1))
		return err
	})
	await(t, parked(other))
	cancel(other)
	want(t, join(), wait.ErrTaskCancelled)
}

func TestShownWhileWaiting(t *testing.T) {
	a, _ := pair(t)
	o, join := in(t, a.WaitRead)
	await(t, parked(o))
	shown, ok := o.Parked()
	if !ok || shown.Op != "READ_WAIT" || fmt.Sprint(shown.Object) != a.String() {
		t.Errorf("%+v, %v", shown, ok)
	}
	second, join2 := in(t, a.WaitRead)
	await(t, parked(second))
	if shown, ok := second.Parked(); !ok || shown.Op != "READ_TURN" {
		t.Errorf("%+v, %v", shown, ok)
	}
	cancel(o)
	want(t, join(), wait.ErrTaskCancelled)
	cancel(second)
	want(t, join2(), wait.ErrTaskCancelled)
}

// Cancelling a writer does not disturb a reader of the same descriptor, and the other
// way round.
func TestDirectionsApart(t *testing.T) {
	a, b := pair(t)
	filled := fill(t, a)
	reader, read := in(t, func(ctx context.Context) error {
		n, err := a.Read(ctx, make([]byte, 8))
		if n != 1 {
			t.Errorf("%d bytes", n)
		}
		return err
	})
	writer, write := in(t, func(ctx context.Context) error {
		_, err := a.Write(ctx, []byte("x"))
		return err
	})
	await(t, parked(reader))
	await(t, parked(writer))
	cancel(writer)
	want(t, write(), wait.ErrTaskCancelled)
	if !parked(reader)() {
		t.Error("the reader is gone")
	}
	_, err := b.Write(context.Background(), []byte("y"))
	check(t, err)
	check(t, read())
	for buf := make([]byte, 1<<16); filled > 0; {
		n, err := b.Read(context.Background(), buf)
		check(t, err)
		filled -= n
	}
	check(t, a.WaitWrite(context.Background()))
}

func TestCall(t *testing.T) {
	a, b := pair(t)
	calls := 0
	o, join := in(t, func(ctx context.Context) error {
		a.Sleepy()
		return a.CallRead(ctx, func(fd int) error {
			if calls++; calls == 1 {
				return syscall.EINTR
			}
			_, err := syscall.Read(fd, make([]byte, 1))
			return err
		})
	})
	await(t, parked(o))
	if shown, _ := o.Parked(); shown.Op != "READ_WAIT" {
		t.Errorf("shown as %q", shown.Op)
	}
	_, err := b.Write(context.Background(), []byte("x"))
	check(t, err)
	check(t, join())
	if calls < 3 {
		t.Errorf("%d calls", calls)
	}
	err = a.CallWrite(context.Background(), func(int) error { return os.ErrPermission })
	want(t, err, os.ErrPermission)
}

func TestBrokenPipe(t *testing.T) {
	for name, make := range map[string]func(testing.TB) (r, w *poll.FD){"socket": pair, "pipe": pipe} {
		r, w := make(t)
		check(t, r.Close())
		if n, err := w.WriteAll(context.Background(), []byte("x")); n != 0 || err != syscall.EPIPE {
			t.Errorf("%s: %d, %v", name, n, err)
		}
	}
}
