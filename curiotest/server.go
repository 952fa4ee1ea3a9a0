package curiotest

import (
	"context"
	"errors"
	"testing"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/network"
)

// Serve runs a TCP server on a free port of 127.0.0.1 until the test ends, and returns its address.
// The server is a daemon of ctx's kernel, so a cancellation of ctx does not end it. If the server
// fails, so does the test. Errors of the handler are logged, as by network.TCPServer.
func Serve(t testing.TB, ctx context.Context, handler network.Handler) (addr string) {
	t.Helper()
	listener, err := network.ListenTCP(context.Background(), "127.0.0.1:0", nil)
	if err != nil {
		t.Fatalf("curiotest: %v", err)
	}
	server := curio.Go(ctx, func(ctx context.Context) error {
		return network.RunServer(ctx, listener, handler)
	}, curio.Daemon(), curio.Name("server"))
	t.Cleanup(func() {
		t.Helper()
		bound, cancel := curio.WithTimeout(context.Background(), leakPatience)
		defer cancel()
		defer listener.Close() // if the server could not even begin
		if _, err := server.Cancel(bound); err != nil {
			t.Errorf("curiotest: the server's handlers do not end: %v", err)
		} else if err := server.Err(); !errors.Is(err, curio.ErrCancelled) {
			t.Errorf("curiotest: the server has failed: %v", err)
		}
	})
	return listener.LocalAddr().String()
}

// Dial connects to addr, and closes the connection when the test ends. If it cannot connect, the
// test ends at once, so code that runs under CancelEverywhere should call network.OpenConnection
// instead.
func Dial(t testing.TB, ctx context.Context, addr string) network.Conn {
	t.Helper()
	conn, err := network.OpenConnection(ctx, addr, nil)
	if err != nil {
		t.Fatalf("curiotest: %v", err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}
