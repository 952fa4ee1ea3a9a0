package network_test

import (
	"context"
	"testing"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
)

// The operations of a TLSConn, for TestEndings: each waits in the system, or for another
// task's.
func init() {
	type op = func(ctx context.Context) error
	add := func(name, state string, handshake bool, prepare func(t *testing.T, conn *network.TLSConn) op) {
		blockings = append(blockings, blocking{name, func(t *testing.T) (op, func(*curio.Task[struct{}]) bool, string) {
			a, b := socketPair(t) // full is full: TCP would find some more room later
			client, server := tlsOver(t, a, b)
			if handshake {
				inTasks(t, client.Handshake, server.Handshake)
			}
			return prepare(t, client), inState(state), a.RemoteAddr().String()
		}})
	}
	recv := func(conn *network.TLSConn) op {
		return func(ctx context.Context) error { return second(conn.Recv(ctx, make([]byte, 1))) }
	}
	// until the connection is full
	send := func(conn *network.TLSConn) op {
		return func(ctx context.Context) error {
			for {
				if _, err := conn.SendAll(ctx, make([]byte, 1<<20)); err != nil {
					return err
				}
			}
		}
	}
	// busy has another task in the operation first, until the test ends.
	busy := func(t *testing.T, conn *network.TLSConn, op op, state string) {
		task := curio.Go(context.Background(), op, curio.ReportCrash(false))
		testutil.Await(t, "the other task", func() bool { return task.State() == state })
		t.Cleanup(func() {
			_, _ = task.Cancel(context.Background())
			conn.Close()
		})
	}
	add("TLSConn.Handshake", "READ_WAIT", false, func(_ *testing.T, conn *network.TLSConn) op { return conn.Handshake })
	add("TLSConn.Handshake waits for another", "LOCK_ACQUIRE", false, func(t *testing.T, conn *network.TLSConn) op {
		busy(t, conn, conn.Handshake, "READ_WAIT")
		return conn.Handshake
	})
	add("TLSConn.Recv", "READ_WAIT", true, func(_ *testing.T, conn *network.TLSConn) op { return recv(conn) })
	add("TLSConn.Recv does the handshake", "READ_WAIT", false, func(_ *testing.T, conn *network.TLSConn) op { return recv(conn) })
	add("TLSConn.Recv waits for another", "LOCK_ACQUIRE", true, func(t *testing.T, conn *network.TLSConn) op {
		busy(t, conn, conn.WaitRead, "READ_WAIT")
		return recv(conn)
	})
	add("TLSConn.WaitRead", "READ_WAIT", true, func(_ *testing.T, conn *network.TLSConn) op { return conn.WaitRead })
	add("TLSConn.SendAll", "WRITE_WAIT", true, func(_ *testing.T, conn *network.TLSConn) op { return send(conn) })
	add("TLSConn.SendAll waits for another", "LOCK_ACQUIRE", true, func(t *testing.T, conn *network.TLSConn) op {
		busy(t, conn, send(conn), "WRITE_WAIT")
		return send(conn)
	})
	add("TLSConn.CloseWrite waits for another", "LOCK_ACQUIRE", true, func(t *testing.T, conn *network.TLSConn) op {
		busy(t, conn, send(conn), "WRITE_WAIT")
		return conn.CloseWrite
	})
	add("TLSConn.CloseWrite", "WRITE_WAIT", true, func(t *testing.T, conn *network.TLSConn) op {
		task := curio.Go(context.Background(), send(conn), curio.ReportCrash(false))
		testutil.Await(t, "a full connection", func() bool { return task.State() == "WRITE_WAIT" })
		if _, err := task.Cancel(context.Background()); err != nil {
			t.Fatal(err)
		}
		is(t, task.Err(), taskCancelled...)
		return conn.CloseWrite
	})
}
