package foreign_test

import (
	"context"
	"net"
	"testing"

	"github.com/curio-go/curio/internal/foreign"
	"github.com/curio-go/curio/internal/testutil"
)

// A foreign context may panic, end the goroutine or hang in any call of its methods: the
// connection still works for everybody else.
func TestHostileContexts(t *testing.T) {
	for act := range testutil.HostileActs(nil) {
		for _, method := range testutil.HostileMethods {
			t.Run("Recv/"+act+" in "+method, func(t *testing.T) {
				for n := 1; hostileRecv(t, method, act, n); n++ {
				}
			})
			t.Run("Accept/"+act+" in "+method, func(t *testing.T) {
				for n := 1; hostileAccept(t, method, act, n); n++ {
				}
			})
		}
	}
}

// hostileRun is testutil.RunHostile with a task of its own.
func hostileRun(t *testing.T, method, act string, n int, run func(ctx context.Context) error, works func()) (met bool) {
	o := newTask(t)
	parked := func() bool { _, ok := o.Parked(); return ok }
	return testutil.RunHostile(t, method, act, n, &o.Scope, parked, run, works)
}

func hostileRecv(t *testing.T, method, act string, n int) bool {
	a, b := net.Pipe()
	c := foreign.New(a)
	defer c.Close()
	defer b.Close()
	return hostileRun(t, method, act, n, func(ctx context.Context) error {
		_, err := c.Recv(ctx, make([]byte, 1))
		return err
	}, func() {
		go b.Write([]byte("x"))
		got := make([]byte, 1)
		k, err := c.Recv(background, got)
		if k != 1 || err != nil {
			t.Errorf("call %d: %d, %v", n, k, err)
		}
	})
}

// noDeadline is a net.Listener that nothing but Close ends.
type noDeadline struct{ net.Listener }

func hostileAccept(t *testing.T, method, act string, n int) bool {
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	l := foreign.NewListener(noDeadline{plain})
	defer l.Close()
	return hostileRun(t, method, act, n, func(ctx context.Context) error {
		_, err := l.Accept(ctx)
		return err
	}, func() {
		client, err := net.Dial("tcp", plain.Addr().String())
		check(t, err)
		defer client.Close()
		conn, err := l.Accept(background)
		check(t, err)
		conn.Close()
	})
}
