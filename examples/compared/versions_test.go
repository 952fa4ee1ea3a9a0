package main

import (
	"context"
	"errors"
	"net"
	"syscall"
	"testing"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
)

func TestMain(m *testing.M) { testutil.Main(m, main) }

// versions runs a test for both versions of a program.
func versions[F any](t *testing.T, withCurio, withStd F, test func(t *testing.T, program F)) {
	t.Run("version=curio", func(t *testing.T) {
		testutil.NoLeaks(t)
		test(t, withCurio)
	})
	t.Run("version=std", func(t *testing.T) {
		testutil.NoLeaks(t)
		test(t, withStd)
	})
}

// A server is one of a test's own.
type server struct {
	t     *testing.T
	addr  string
	ended chan error
	stop  context.CancelFunc
}

// serve starts a server. It is stopped at the end of the test, if not before.
func serve[S any](t *testing.T, program func(context.Context, string, S, func(net.Addr)) error, settings S) *server {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	s := &server{t, "", make(chan error, 1), cancel}
	ready := make(chan string, 1)
	go func() {
		s.ended <- curio.Run(ctx, func(ctx context.Context) error {
			return program(ctx, "127.0.0.1:0", settings, func(addr net.Addr) { ready <- addr.String() })
		})
	}()
	s.addr = testutil.Receive(t, "the server's address", ready)
	t.Cleanup(s.mustEnd)
	return s
}

// mustEnd stops the server, and checks what it returns.
func (s *server) mustEnd() {
	s.t.Helper()
	s.stop()
	err := testutil.Receive(s.t, "the server's end", s.ended)
	if !errors.Is(err, context.Canceled) {
		s.t.Errorf("the server has ended with %v", err)
	}
	s.ended <- err // for the next call
}

func TestInterrupt(t *testing.T) {
	for _, args := range [][]string{{"chat", "127.0.0.1:0"}, {"balancer", "127.0.0.1:0", "127.0.0.1:1"}} {
		versions(t, args, append([]string{"-std"}, args...), func(t *testing.T, args []string) {
			program := testutil.Self(t, args...)
			program.After("listening on ")
			program.Interrupt()
			if said := program.EndedBy(syscall.SIGINT); said != "" {
				t.Errorf("it said %q", said)
			}
		})
	}
}
