package socket_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/internal/wait"
	"github.com/curio-go/curio/socket"
)

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

// receiving receives until the end, in a goroutine.
func receiving(t testing.TB, s *socket.Socket) (received func() []byte) {
	var all []byte
	_, join := in(t, func(ctx context.Context) error {
		for buf := make([]byte, 1<<16); ; {
			n, err := s.Recv(ctx, buf)
			if err == io.EOF {
				return nil
			}
			if err != nil {
				return err
			}
			all = append(all, buf[:n]...)
		}
	})
	return func() []byte { t.Helper(); check(t, join()); return all }
}

func TestSendFile(t *testing.T) {
	file, content := fileOf(t, 10<<20)
	size := int64(len(content))
	for name, pair := range map[string]func(testing.TB) (a, b *socket.Socket){"unix": unixPair, "tcp": tcpPair} {
		for _, c := range []struct {
			offset, count, want int64
			err                 error
		}{
			{0, -1, size, nil},
			{0, size, size, nil},
			{1 << 20, 1 << 21, 1 << 21, nil},
			{size - 5, 6, 5, io.ErrUnexpectedEOF},
			{size, -1, 0, nil},
			{0, 0, 0, nil},
			{-2, 1, 0, syscall.EINVAL},
		} {
			a, b := pair(t)
			received := receiving(t, b)
			n, err := a.SendFile(context.Background(), file, c.offset, c.count)
			check(t, a.Close())
			if got := received(); n != c.want || !errors.Is(err, c.err) || !bytes.Equal(got, content[max(c.offset, 0):][:n]) {
				t.Errorf("%s, %d from %d: sent %d, received %d, %v", name, c.count, c.offset, n, len(got), err)
			}
		}
	}
	if at, err := file.Seek(0, io.SeekCurrent); at != 0 || err != nil {
		t.Errorf("the file's offset is %d, %v", at, err)
	}
}

// With -1 it is the file's own offset, as for who reads a header first.
func TestSendFileFromOffset(t *testing.T) {
	file, content := fileOf(t, 100_000)
	a, b := unixPair(t)
	received := receiving(t, b)
	_, err := io.ReadFull(file, make([]byte, 10))
	check(t, err)
	ctx := context.Background()
	for _, c := range []struct{ count, want int64 }{{20, 20}, {-1, 99_970}, {-1, 0}} {
		if n, err := a.SendFile(ctx, file, -1, c.count); n != c.want || err != nil {
			t.Errorf("%d: %d, %v", c.count, n, err)
		}
	}
	check(t, a.Close())
	if got := received(); !bytes.Equal(got, content[10:]) {
		t.Errorf("received %d", len(got))
	}
}

// Two send at once, and others too: nothing is mixed.
func TestSendFileInTurn(t *testing.T) {
	file, content := fileOf(t, 1<<20)
	a, b := tcpPair(t)
	received := receiving(t, b)
	var joins []func() error
	for range 2 {
		_, join := in(t, func(ctx context.Context) error { _, err := a.SendFile(ctx, file, 0, -1); return err })
		joins = append(joins, join)
		_, join = in(t, func(ctx context.Context) error { _, err := a.SendAll(ctx, content); return err })
		joins = append(joins, join)
	}
	for _, join := range joins {
		check(t, join())
	}
	check(t, a.Close())
	if got := received(); !bytes.Equal(got, bytes.Repeat(content, 4)) {
		t.Errorf("received %d", len(got))
	}
}

// The system has kinds of files that sendfile(2) may not take. This one is made as it
// is read.
func TestSendFileOfProc(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("there is no /proc")
	}
	file, err := os.Open("/proc/version")
	check(t, err)
	defer file.Close()
	content, err := os.ReadFile("/proc/version")
	check(t, err)
	a, b := unixPair(t)
	received := receiving(t, b)
	n, err := a.SendFile(context.Background(), file, 0, -1)
	check(t, err)
	check(t, a.Close())
	if got := received(); !bytes.Equal(got, content) || n != int64(len(got)) {
		t.Errorf("%d, %q", n, got)
	}
}

func TestSendFileErrors(t *testing.T) {
	testutil.NoLeaks(t)
	file, _ := fileOf(t, 10)
	a, b := unixPair(t)
	ctx := context.Background()
	r, w, err := os.Pipe()
	check(t, err)
	defer r.Close()
	defer w.Close()
	for _, offset := range []int64{0, -1} {
		_, err = a.SendFile(ctx, r, offset, -1)
		want(t, err, syscall.ESPIPE)
	}
	_, err = a.SendFile(ctx, nil, 0, -1)
	want(t, err, os.ErrInvalid)
	closed, _ := fileOf(t, 10)
	check(t, closed.Close())
	for _, offset := range []int64{0, -1} {
		_, err = a.SendFile(ctx, closed, offset, -1)
		want(t, err, os.ErrClosed)
	}
	dir, err := os.Open(t.TempDir())
	check(t, err)
	defer dir.Close()
	_, err = a.SendFile(ctx, dir, 0, -1)
	want(t, err, syscall.EISDIR)
	check(t, b.Close())
	n, err := a.SendFile(ctx, file, 0, -1)
	want(t, err, syscall.EPIPE)
	var wrapped *net.OpError
	if n != 0 || !errors.As(err, &wrapped) || wrapped.Op != "sendfile" {
		t.Errorf("%d, %v", n, err)
	}
	check(t, a.Close())
	_, err = a.SendFile(ctx, file, 0, 0)
	want(t, err, net.ErrClosed)
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM, 0)
	check(t, err)
	udp, err := socket.FromFD(fd)
	check(t, err)
	closing(t, udp)
	_, err = udp.SendFile(ctx, file, 0, -1)
	want(t, err, syscall.EOPNOTSUPP)
}

// The file is closed while it waits for room: the sending goes on.
func TestSendFileOfClosedFile(t *testing.T) {
	file, content := fileOf(t, 1<<20)
	a, b := unixPair(t)
	o, join := in(t, func(ctx context.Context) error { _, err := a.SendFile(ctx, file, 0, -1); return err })
	await(t, parked(o))
	check(t, file.Close())
	received := receiving(t, b)
	check(t, join())
	check(t, a.Close())
	if got := received(); !bytes.Equal(got, content) {
		t.Errorf("received %d", len(got))
	}
}

// Cancelled at any moment: what it says it has sent is what the other side receives, and
// where the next one goes on.
func TestSendFileCancelledAnywhere(t *testing.T) {
	file, content := fileOf(t, 1<<20)
	cut := 0
	for round := range 150 {
		a, b := tcpPair(t)
		waits := round%10 == 0 // for room, as nobody receives before it is cancelled
		if waits {
			a, b = unixPair(t)
		}
		var received func() []byte
		if !waits {
			received = receiving(t, b)
		}
		var sent int64
		o, join := in(t, func(ctx context.Context) (err error) {
			sent, err = a.SendFile(ctx, file, 0, -1)
			return err
		})
		_, cancels := in(t, func(context.Context) error {
			if waits {
				await(t, parked(o))
			}
			for range rand.IntN(500) {
				runtime.Gosched()
			}
			cancel(o)
			return nil
		})
		err := join()
		check(t, cancels())
		if waits {
			received = receiving(t, b)
		}
		if err != nil {
			want(t, err, wait.ErrTaskCancelled)
			cut++
			n, err := a.SendFile(context.Background(), file, sent, 1)
			if n != 1 && sent < int64(len(content)) {
				t.Errorf("afterwards: %d, %v", n, err)
			}
			sent += n
		}
		check(t, a.Close())
		if got := received(); !bytes.Equal(got, content[:sent]) {
			t.Fatalf("sent %d, received %d", sent, len(got))
		}
		check(t, b.Close())
	}
	if cut == 0 {
		t.Error("none was cut short, which tests nothing")
	}
}
