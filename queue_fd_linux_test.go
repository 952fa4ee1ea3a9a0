package curio_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/verify/fixture"
)

// An epollLoop is an event loop of somebody else's: it knows descriptors, and blocks its
// thread.
type epollLoop struct {
	fd    int
	ready map[int]func() (goOn bool)
}

func newEpollLoop(t testing.TB) *epollLoop {
	t.Helper()
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(fd) })
	return &epollLoop{fd, map[int]func() bool{}}
}

// watch has ready called whenever fd is readable; flags may be EPOLLET.
func (l *epollLoop) watch(t testing.TB, fd int, flags uint32, ready func() (goOn bool)) {
	t.Helper()
	l.ready[fd] = ready
	event := syscall.EpollEvent{Events: syscall.EPOLLIN | flags, Fd: int32(fd)}
	if err := syscall.EpollCtl(l.fd, syscall.EPOLL_CTL_ADD, fd, &event); err != nil {
		t.Fatal(err)
	}
}

// run returns when one of the functions does not want to go on.
func (l *epollLoop) run() error {
	events := make([]syscall.EpollEvent, 8)
	for {
		n, err := syscall.EpollWait(l.fd, events, -1)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return os.NewSyscallError("epoll_wait", err)
		}
		for _, event := range events[:n] {
			if !l.ready[int(event.Fd)]() {
				return nil
			}
		}
	}
}

// edgeTriggered is EPOLLET, as package syscall has it with a sign.
const edgeTriggered = 1 << 31

// Q18, Q21, Q23: a consumer in a foreign loop, level-triggered or edge-triggered, gets
// everything in order and hears of the end; a task produces, and joins the queue.
func TestUniversalQueueForeignConsumer(t *testing.T) {
	keepsNoDescriptor(t)
	for _, flags := range []uint32{0, edgeTriggered} {
		fixture.WithKernel(t, func(ctx context.Context, f *fixture.Fixture) {
			const n = 2000
			q := curio.NewUniversalQueue[int](10)
			loop := newEpollLoop(f)
			var got []int
			loop.watch(f, newFD(f, q), flags, func() (goOn bool) {
				for {
					v, err := q.TryGet()
					if err != nil {
						return err == curio.ErrQueueEmpty
					}
					got = append(got, v)
					q.TaskDone()
				}
			})
			join := onThread(func() {
				if err := loop.run(); err != nil {
					f.Error(err)
				}
			})
			for i := range n {
				if err := q.Put(ctx, i); err != nil {
					f.Error(err)
				}
			}
			if err := q.Join(ctx); err != nil {
				f.Error(err)
			}
			q.Close()
			join()
			if len(got) != n || !slices.IsSorted(got) {
				f.Errorf("%d were got, in order %v: %v", len(got), slices.IsSorted(got), got)
			}
		})
	}
}

// Q22: a producer in a foreign loop, which puts what it reads from a pipe and joins the
// queue at its end; a task consumes.
func TestUniversalQueueForeignProducer(t *testing.T) {
	keepsNoDescriptor(t)
	fixture.WithKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		q := curio.NewUniversalQueue[int](2)
		r, w, err := os.Pipe()
		if err != nil {
			f.Fatal(err)
		}
		defer r.Close()
		loop := newEpollLoop(f)
		loop.watch(f, int(r.Fd()), 0, func() (goOn bool) {
			var b [1]byte
			if n, err := syscall.Read(int(r.Fd()), b[:]); n == 0 || err != nil {
				if err := q.Join(context.Background()); err != nil {
					f.Error(err)
				}
				q.Close()
				return false
			}
			if err := q.Put(context.Background(), int(b[0])); err != nil {
				f.Error(err)
			}
			return true
		})
		join := onThread(func() {
			if err := loop.run(); err != nil {
				f.Error(err)
			}
		})
		data := make([]byte, 100)
		for i := range data {
			data[i] = byte(i)
		}
		if _, err := w.Write(data); err != nil {
			f.Error(err)
		}
		w.Close()
		if err := consumeInOrder(ctx, q, len(data), 0); err != nil {
			f.Error(err)
		}
		join()
	})
}

// Q19: somebody has filled the counter, so that nothing can be added to it; the queue
// works, and the descriptor is right again when it has been empty.
func TestUniversalQueueFDFull(t *testing.T) {
	keepsNoDescriptor(t)
	fixture.WithKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		q := curio.NewUniversalQueue[int](0)
		fd := newFD(f, q)
		var most [8]byte
		binary.NativeEndian.PutUint64(most[:], 1<<64-2)
		if _, err := syscall.Write(fd, most[:]); err != nil {
			f.Fatal(err)
		}
		fixture.FillQueue(f, q, 1, 2)
		if !readable(ctx, f, fd) {
			f.Error("not readable")
		}
		fixture.QueueHolds(f, q, 1, 2)
		if readable(ctx, f, fd) {
			f.Error("readable, of an empty queue")
		}
	})
}

// The descriptor is not inherited by accident, and does not block; giving a copy to a
// child process by os/exec changes neither.
func TestUniversalQueueFDFlags(t *testing.T) {
	keepsNoDescriptor(t)
	q := curio.NewUniversalQueue[int](0)
	fd := newFD(t, q)
	check := func() {
		t.Helper()
		info, err := os.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", fd))
		if err != nil {
			t.Fatal(err)
		}
		_, after, _ := strings.Cut(string(info), "flags:")
		var flags int
		if _, err := fmt.Sscanf(after, "%o", &flags); err != nil {
			t.Fatal(err)
		}
		if want := syscall.O_CLOEXEC | syscall.O_NONBLOCK; flags&want != want {
			t.Errorf("flags are %#o", flags)
		}
	}
	check()
	dup, err := syscall.Dup(fd)
	if err != nil {
		t.Fatal(err)
	}
	file := os.NewFile(uintptr(dup), "queue")
	_ = file.Fd() // as os/exec does
	check()
	file.Close()
	check()
}
