package poll_test

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/curio-go/curio/internal/poll"
	"github.com/curio-go/curio/internal/wait"
)

// A user's descriptor: blocking or not, it is waited for and comes out as it went in.
func TestWaitFD(t *testing.T) {
	for _, nonblock := range []bool{false, true} {
		var fds [2]int
		check(t, syscall.Pipe(fds[:]))
		defer syscall.Close(fds[0])
		check(t, syscall.SetNonblock(fds[0], nonblock))
		status, descriptor := flags(t, fds[0])
		before := descriptors()

		check(t, poll.WaitFD(context.Background(), fds[1], true)) // at once
		o, join := in(t, func(ctx context.Context) error { return poll.WaitFD(ctx, fds[0], false) })
		await(t, parked(o))
		if shown, _ := o.Parked(); shown.Op != "READ_WAIT" {
			t.Errorf("shown as %+v", shown)
		}
		_, err := syscall.Write(fds[1], []byte("x"))
		check(t, err)
		check(t, join())
		check(t, poll.WaitFD(context.Background(), fds[0], false)) // nothing was taken
		n, err := syscall.Read(fds[0], make([]byte, 9))
		if n != 1 || err != nil {
			t.Errorf("%d, %v", n, err)
		}

		o, join = in(t, func(ctx context.Context) error { return poll.WaitFD(ctx, fds[0], false) })
		await(t, parked(o))
		cancel(o)
		want(t, join(), wait.ErrTaskCancelled)

		_, join = in(t, func(ctx context.Context) error { return poll.WaitFD(ctx, fds[0], false) })
		syscall.Close(fds[1])
		check(t, join()) // the end of file is something to read
		if s, d := flags(t, fds[0]); s != status || d != descriptor {
			t.Errorf("flags are %#x, %#x, were %#x, %#x", s, d, status, descriptor)
		}
		if now := descriptors(); now != before-1 {
			t.Errorf("%d descriptors, were %d", now, before)
		}
	}
}

func TestWaitFDForRoom(t *testing.T) {
	a, b := pair(t)
	filled := fill(t, a)
	o, join := in(t, func(ctx context.Context) error { return poll.WaitFD(ctx, a.Fd(), true) })
	await(t, parked(o))
	if shown, _ := o.Parked(); shown.Op != "WRITE_WAIT" {
		t.Errorf("shown as %+v", shown)
	}
	for buf := make([]byte, 1<<16); filled > 0; {
		n, err := b.Read(context.Background(), buf)
		check(t, err)
		filled -= n
	}
	check(t, join())
}

func TestWaitFDOthers(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "file"))
	check(t, err)
	defer file.Close()
	check(t, poll.WaitFD(context.Background(), int(file.Fd()), false))
	check(t, poll.WaitFD(context.Background(), int(file.Fd()), true))

	for _, fd := range []int{-1, 1 << 20} {
		err := poll.WaitFD(context.Background(), fd, false)
		want(t, err, syscall.EBADF)
		if !strings.Contains(err.Error(), "fd ") {
			t.Errorf("%q does not name the descriptor", err)
		}
	}
	o := newTask(t)
	cancel(o)
	want(t, poll.WaitFD(&o.Scope, int(file.Fd()), false), wait.ErrTaskCancelled)
}

// Two tasks may wait for one foreign descriptor.
func TestWaitFDTwice(t *testing.T) {
	a, b := pair(t)
	one, join1 := in(t, func(ctx context.Context) error { return poll.WaitFD(ctx, a.Fd(), false) })
	two, join2 := in(t, func(ctx context.Context) error { return poll.WaitFD(ctx, a.Fd(), false) })
	await(t, parked(one))
	await(t, parked(two))
	_, err := b.Write(context.Background(), []byte("x"))
	check(t, err)
	check(t, join1())
	check(t, join2())
}

// A number that does not fit into a C int is no descriptor. In particular, it is not
// truncated to another one.
func TestWaitFDOfAHugeNumber(t *testing.T) {
	beyond := math.MaxInt32
	if beyond++; beyond < 0 {
		t.Skip("an int is no larger")
	}
	for _, fd := range []int{beyond, 2 * beyond, 2*beyond + 1, 512 * beyond} {
		for _, write := range []bool{false, true} {
			err := poll.WaitFD(context.Background(), fd, write)
			want(t, err, syscall.EBADF)
			if text := fmt.Sprintf("fd %d: poll: bad file descriptor", fd); err.Error() != text {
				t.Errorf("%q, want %q", err, text)
			}
		}
		_, err := poll.Dup(fd)
		want(t, err, syscall.EBADF)
	}
}
