package network_test

import (
	"context"
	"reflect"
	"testing"
	"time"

	"github.com/curio-go/curio/internal/poll"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
)

// isPlain reports whether a short receive on conn means that there is nothing more to receive.
func isPlain(conn network.Conn) bool {
	fd := reflect.ValueOf(network.SocketOf(conn)).Elem().FieldByName("fd")
	return (*poll.FD)(fd.Addr().UnsafePointer()).IsPlain()
}

// Connections of servers and clients are plain TCP, whatever options this package sets on them. They
// no longer are when somebody else may have set options.
func TestConnectionsArePlain(t *testing.T) {
	testutil.NoLeaks(t)
	config := &network.ServerConfig{ReusePort: true, MaxConnections: 10, IdleTimeout: time.Minute, Lifetime: time.Minute}
	for name, config := range map[string]*network.ServerConfig{"no config": nil, "a config": config} {
		t.Run(name, func(t *testing.T) {
			inTasks(t, func(ctx context.Context) error {
				listener, err := network.ListenTCP(ctx, "127.0.0.1:0", config)
				if err != nil {
					return err
				}
				defer listener.Close()
				client, err := network.OpenConnection(ctx, listener.LocalAddr().String(), nil)
				if err != nil {
					return err
				}
				defer client.Close()
				server, err := listener.Accept(ctx)
				if err != nil {
					return err
				}
				defer server.Close()
				for side, conn := range map[string]network.Conn{"client": client, "server": server} {
					if !isPlain(conn) {
						t.Errorf("the %s's is not", side)
					}
					network.SocketOf(conn).FD()
					if isPlain(conn) {
						t.Errorf("the %s's is, although its descriptor was given away", side)
					}
				}
				return nil
			})
		})
	}
}
