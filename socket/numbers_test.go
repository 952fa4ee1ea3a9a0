package socket_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"syscall"
	"testing"

	"github.com/curio-go/curio/socket"
)

// A number that does not fit into a C int is refused with an error that names it, and is
// not truncated: the result might be another descriptor or option.
func TestNumbersBeyondAnInt(t *testing.T) {
	beyond := math.MaxInt32
	if beyond++; beyond < 0 {
		t.Skip("an int is no larger")
	}
	a, b, err := socket.SocketPair(socket.SOCK_STREAM)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	defer b.Close()
	ctx := context.Background()
	for _, number := range []int{2 * beyond, 2*beyond + a.FD()} {
		for name, c := range map[string]struct {
			op   func() error
			want error
		}{
			"FromFD":  {func() error { _, err := socket.FromFD(number); return err }, syscall.EBADF},
			"SendFDs": {func() error { _, err := a.SendFDs(ctx, []byte("x"), number); return err }, syscall.EBADF},
			"an option": {func() error {
				_, err := a.GetsockoptInt(socket.SOL_SOCKET, number+syscall.SO_TYPE)
				return err
			}, syscall.ENOPROTOOPT},
			"an option set": {func() error { return a.SetsockoptInt(socket.SOL_SOCKET, number, 1) }, syscall.ENOPROTOOPT},
			"an option of bytes": {func() error {
				_, err := a.GetsockoptBytes(number, syscall.SO_TYPE, make([]byte, 4))
				return err
			}, syscall.ENOPROTOOPT},
			"a value": {func() error { return a.SetsockoptInt(socket.SOL_SOCKET, syscall.SO_SNDBUF, number) }, syscall.EINVAL},
		} {
			err := c.op()
			if !errors.Is(err, c.want) {
				t.Errorf("%s: %v, want %v", name, err, c.want)
			} else if !strings.Contains(err.Error(), " 42949") {
				t.Errorf("%s: %q does not name the number", name, err)
			}
		}
	}
	if _, err := a.SendMsg(ctx, &socket.Message{Buffers: [][]byte{{1}}, Control: socket.AppendControl(nil, socket.Rights(2*beyond))}, 0); err == nil {
		t.Error("SendMsg with such a descriptor succeeds")
	}
	l, err := socket.New(socket.AF_INET, socket.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := l.Listen(2 * beyond); err != nil {
		t.Error(err)
	}
}
