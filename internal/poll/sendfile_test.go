package poll_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/curio-go/curio/internal/poll"
	"github.com/curio-go/curio/internal/wait"
)

// fileOf makes a file of size bytes, of which each block tells where it is.
func fileOf(t testing.TB, size int) (file *os.File, content []byte) {
	t.Helper()
	content = make([]byte, size)
	for i := range content {
		content[i] = byte(i ^ i>>8 ^ i>>16)
	}
	path := filepath.Join(t.TempDir(), "file")
	check(t, os.WriteFile(path, content, 0o600))
	file, err := os.Open(path)
	check(t, err)
	t.Cleanup(func() { file.Close() })
	return file, content
}

// reading reads until the end, in a goroutine.
func reading(t testing.TB, from *poll.FD) (got func() []byte) {
	var all []byte
	_, join := in(t, func(ctx context.Context) error {
		for buf := make([]byte, 1<<16); ; {
			n, err := from.Read(ctx, buf)
			if n == 0 || err != nil {
				return err
			}
			all = append(all, buf[:n]...)
		}
	})
	return func() []byte { t.Helper(); check(t, join()); return all }
}

// With sendfile(2), and with what stands in for it: on each errno that says so.
func TestSendFile(t *testing.T) {
	file, content := fileOf(t, poll.SendChunk+100_001)
	size := int64(len(content))
	for _, without := range []syscall.Errno{0, syscall.EINVAL, syscall.ENOSYS, syscall.EOPNOTSUPP, syscall.ENOTSUP, syscall.ENOTSOCK} {
		t.Run(without.Error(), func(t *testing.T) {
			calls := 0
			if without != 0 {
				poll.OnSendfile(t, func(int, int, *int64, int) (int, error) { calls++; return -1, without })
			}
			for _, r := range []struct{ offset, count, want int64 }{
				{0, size, size}, {0, size + 1, size}, {5, 7, 7}, {size - 3, 10, 3}, {size, 1, 0}, {size + 5, 1, 0},
			} {
				a, b := pair(t)
				got := reading(t, b)
				n, err := a.SendFile(context.Background(), int(file.Fd()), r.offset, r.count)
				check(t, err)
				check(t, a.Close())
				begin := min(r.offset, size)
				if g := got(); n != r.want || !bytes.Equal(g, content[begin:begin+n]) {
					t.Errorf("%d of %d from %d: sent %d, received %d", r.count, size, r.offset, n, len(g))
				}
			}
			if without != 0 && calls != 6 {
				t.Errorf("tried %d times", calls)
			}
		})
	}
}

// Some systems return an error beside what they have sent.
func TestSendFileShortWithError(t *testing.T) {
	file, content := fileOf(t, 10_000)
	for _, errno := range []error{nil, syscall.EAGAIN, syscall.EINTR} {
		calls := 0
		poll.OnSendfile(t, func(out, src int, offset *int64, count int) (int, error) {
			if calls++; calls == 3 {
				return 0, syscall.EINTR
			}
			at := *offset
			*offset = -1
			n, err := syscall.Sendfile(out, src, &at, min(count, 1000))
			if err == nil {
				err = errno
			}
			return n, err
		})
		a, b := pair(t)
		got := reading(t, b)
		n, err := a.SendFile(context.Background(), int(file.Fd()), 0, int64(len(content)))
		check(t, err)
		check(t, a.Close())
		if g := got(); n != int64(len(content)) || !bytes.Equal(g, content) {
			t.Errorf("%v: sent %d, received %d", errno, n, len(g))
		}
	}
}

// A receiver that keeps up never makes it wait, and it is cancelled all the same:
// between two calls.
func TestSendFileCancelledBetween(t *testing.T) {
	a, _ := pair(t)
	o := newTask(t)
	calls := 0
	poll.OnSendfile(t, func(_, _ int, _ *int64, count int) (int, error) {
		if calls++; calls == 2 {
			cancel(o)
		}
		return count, nil
	})
	n, err := a.SendFile(&o.Scope, 0, 0, 1<<40)
	want(t, err, wait.ErrTaskCancelled)
	if n != 2*poll.SendChunk || calls != 2 {
		t.Errorf("%d in %d calls", n, calls)
	}
}

func TestSendFileErrors(t *testing.T) {
	file, _ := fileOf(t, 10)
	a, b := pair(t)
	r, _ := pipe(t)
	ctx := context.Background()
	_, err := a.SendFile(ctx, r.Fd(), 0, 1)
	want(t, err, syscall.ESPIPE)
	_, err = a.SendFile(ctx, 1<<20, 0, 1)
	want(t, err, syscall.EBADF)
	_, err = a.SendFile(ctx, int(file.Fd()), -1, 1)
	want(t, err, syscall.EINVAL)
	check(t, b.Close())
	n, err := a.SendFile(ctx, int(file.Fd()), 0, 10)
	want(t, err, syscall.EPIPE)
	if n != 0 {
		t.Errorf("%d sent", n)
	}
}
