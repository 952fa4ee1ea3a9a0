package socket_test

import (
	"context"
	"errors"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/socket"
)

// With SO_RCVLOWAT, however a socket came to have it, the system tells of nothing when less
// than that comes, and a Recv that begins then gets it all the same.
func TestLowWater(t *testing.T) {
	const low = 100
	lower := func(t *testing.T, fd int) {
		check(t, syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_RCVLOWAT, low))
	}
	for name, accepted := range map[string]func(t *testing.T, l *socket.Socket) *socket.Socket{
		"set by number": func(t *testing.T, l *socket.Socket) *socket.Socket {
			s := acceptOne(t, l)
			check(t, s.SetsockoptInt(syscall.SOL_SOCKET, syscall.SO_RCVLOWAT, low))
			return s
		},
		"of the listener": func(t *testing.T, l *socket.Socket) *socket.Socket {
			check(t, l.SetsockoptInt(syscall.SOL_SOCKET, syscall.SO_RCVLOWAT, low))
			return acceptOne(t, l)
		},
		"of a duplicate": func(t *testing.T, l *socket.Socket) *socket.Socket {
			s := acceptOne(t, l)
			d, err := s.Dup()
			check(t, err)
			closing(t, d)
			check(t, s.SetsockoptInt(syscall.SOL_SOCKET, syscall.SO_RCVLOWAT, low))
			return d
		},
		"through Fd": func(t *testing.T, l *socket.Socket) *socket.Socket {
			s := acceptOne(t, l)
			lower(t, s.FD())
			return s
		},
		"through SyscallConn": func(t *testing.T, l *socket.Socket) *socket.Socket {
			s := acceptOne(t, l)
			raw, err := s.SyscallConn()
			check(t, err)
			check(t, raw.Control(func(fd uintptr) { lower(t, int(fd)) }))
			return s
		},
	} {
		t.Run(name, func(t *testing.T) {
			testutil.NoLeaks(t)
			for range 3 { // the first few descriptors may be treated otherwise
				unixPair(t)
			}
			l := listen(t, socket.AF_INET, localhost, 1)
			peer, err := net.Dial("tcp", l.LocalAddr().String())
			check(t, err)
			defer peer.Close()
			s := accepted(t, l)
			for _, want := range []string{"one", "two", "three"} {
				_, err := peer.Write([]byte(want))
				check(t, err)
				if got := recvSoon(t, s); got != want {
					t.Errorf("%q, want %q", got, want)
				}
			}
		})
	}
}

func acceptOne(t *testing.T, l *socket.Socket) *socket.Socket {
	t.Helper()
	s, err := l.Accept(t.Context())
	check(t, err)
	closing(t, s)
	return s
}

// recvSoon receives what may just be on its way, and of which no wait is told.
func recvSoon(t *testing.T, s *socket.Socket) string {
	t.Helper()
	buf := make([]byte, 500)
	for deadline := time.Now().Add(testutil.Patience); time.Now().Before(deadline); {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		n, err := s.Recv(ctx, buf)
		cancel()
		if err == nil {
			return string(buf[:n])
		}
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
	}
	t.Fatal("it never comes")
	return ""
}
