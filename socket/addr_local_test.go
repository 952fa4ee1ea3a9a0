package socket_test

import (
	"context"
	"net"
	"runtime"
	"testing"

	"github.com/curio-go/curio/socket"
)

// A port that the system gives to a socket when it first sends is told, also to those who
// have asked for it before.
func TestLocalAddrBeforeThereIsOne(t *testing.T) {
	b := udp(t)
	for name, send := range map[string]func(s *socket.Socket) error{
		"SendTo": func(s *socket.Socket) error {
			_, err := s.SendTo(context.Background(), []byte("x"), 0, b.LocalAddr())
			return err
		},
		"Connect": func(s *socket.Socket) error { return s.Connect(context.Background(), b.LocalAddr()) },
	} {
		s := openOf(t, socket.AF_INET, socket.SOCK_DGRAM)
		if port := s.LocalAddrPort().Port(); port != 0 {
			t.Fatalf("port %d before there is one", port)
		}
		check(t, send(s))
		if got := s.LocalAddrPort(); got.Port() == 0 {
			t.Errorf("%s: the socket is still at %v", name, got)
		}
	}
	if runtime.GOOS != "linux" {
		return // they have no names of their own
	}
	u := openOf(t, socket.AF_UNIX, socket.SOCK_DGRAM)
	check(t, socket.PassCredentials.Set(u, true)) // for which it needs a name
	if got := u.LocalAddr(); got.String() != "" {
		t.Fatalf("%v before it has a name", got)
	}
	_, err := u.SendTo(context.Background(), []byte("x"), 0, unixgram(t).LocalAddr())
	check(t, err)
	if got, ok := u.LocalAddr().(*net.UnixAddr); !ok || len(got.Name) < 2 {
		t.Errorf("the socket is still at %q", got)
	}
}
