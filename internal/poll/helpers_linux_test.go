package poll_test

import (
	"context"
	"syscall"
	"testing"
	"time"

	"github.com/curio-go/curio/internal/poll"
)

func read(t testing.TB, f *poll.FD) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	buf := make([]byte, 100)
	n, err := f.Read(ctx, buf)
	check(t, err)
	return string(buf[:n])
}

func say(t testing.TB, f *poll.FD, what string, flags int) {
	t.Helper()
	check(t, f.Control(func(fd int) error { return syscall.Sendto(fd, []byte(what), flags, nil) }))
}
