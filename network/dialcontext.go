package network

import (
	"context"
	"net"
)

// DialContext connects with addr and returns the connection as a net.Conn, as NetConn
// does. network is "tcp", "tcp4" or "tcp6", and addr a "host:port"; or "unix", and addr a
// path. It is for http.Transport.DialContext, grpc.WithContextDialer and their like, and
// for TCP does what OpenConnection does.
//
// ctx bounds the dialing alone. The connection belongs to nobody: it may go into a pool and
// outlive the task that has dialed it. Errors are *net.OpError of "dial".
func DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := dial(ctx, network, addr)
	if err != nil {
		return nil, dialError(network, addr, err)
	}
	return NetConn(context.Background(), conn), nil
}
