package poll_test

import (
	"context"
	"errors"
	"syscall"
	"testing"

	"github.com/curio-go/curio/internal/poll"
	"github.com/curio-go/curio/internal/wait"
)

// With a receiver that keeps up, who writes a lot hardly ever waits, and still hears of a
// cancellation; and what it says it has written is what arrives.
func TestWriteAllHearsOfACancellation(t *testing.T) {
	for name, send := range map[string]func(ctx context.Context, f *poll.FD, p []byte) (int, error){
		"WriteAll": func(ctx context.Context, f *poll.FD, p []byte) (int, error) { return f.WriteAll(ctx, p) },
		"SendMsg": func(ctx context.Context, f *poll.FD, p []byte) (int, error) {
			m := poll.Message{Buffers: [][]byte{p}, Stream: true, Unix: true, All: true}
			err := f.SendMsg(ctx, &m)
			return m.N, err
		},
	} {
		t.Run(name, func(t *testing.T) { hearsOfACancellation(t, send) })
	}
}

func hearsOfACancellation(t *testing.T, send func(ctx context.Context, f *poll.FD, p []byte) (int, error)) {
	pair, err := poll.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	writer, err := poll.New(pair[0], syscall.SOCK_STREAM)
	if err != nil {
		t.Fatal(err)
	}
	reader, err := poll.New(pair[1], syscall.SOCK_STREAM)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	scope := wait.NewTimeout(t.Context(), 0)
	defer scope.Close()
	received := make(chan int)
	go func() {
		n, buf := 0, make([]byte, 1<<20)
		for {
			k, err := reader.Read(context.Background(), buf)
			if k == 0 || err != nil {
				received <- n
				return
			}
			if n += k; n >= 8<<20 {
				scope.Close()
			}
		}
	}()
	n, err := send(scope, writer, make([]byte, 256<<20))
	if !errors.Is(err, wait.ErrCancelled) || n == 256<<20 {
		t.Errorf("%d, %v", n, err)
	}
	if err := writer.Close(); err != nil {
		t.Error(err)
	}
	if got := <-received; got != n {
		t.Errorf("%d have arrived, of %d", got, n)
	}
}
