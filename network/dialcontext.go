package network

import (
	"context"
	"errors"
	"net"

	"github.com/curio-go/curio/internal/wait"
	"github.com/curio-go/curio/socket"
)

// DialContext connects with addr and returns the connection as a net.Conn, as NetConn
// makes it. network is "tcp", "tcp4" or "tcp6", and addr a "host:port"; or it is "unix",
// and addr a path. For TCP it does what OpenConnection does. It is for
// http.Transport.DialContext, grpc.WithContextDialer and the like.
//
// ctx bounds the dialing alone. The connection belongs to nobody: it may go into a pool, be
// used for others, and outlive the task that has dialed it. Errors are *net.OpError of
// "dial".
func DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := dial(ctx, network, addr)
	if err == nil {
		return NetConn(context.Background(), conn), nil
	}
	failed := &net.OpError{Op: "dial", Net: network, Addr: name(addr), Err: causeOf(err)}
	if op, ok := err.(*net.OpError); ok {
		failed.Source = op.Source
		if op.Addr != nil {
			failed.Addr = op.Addr
		}
	}
	return nil, failed
}

func dial(ctx context.Context, network, addr string) (Conn, error) {
	if _, err := wait.At(ctx); err != nil {
		return nil, err
	}
	switch network {
	case "tcp":
		return OpenConnection(ctx, addr, nil)
	case "tcp4", "tcp6":
		return dialFamily(ctx, network == "tcp4", addr)
	case "unix":
		return dialUnix(ctx, addr)
	}
	return nil, net.UnknownNetworkError(network)
}

// dialFamily is OpenConnection with those addresses alone that are, or are not, IPv4 ones.
func dialFamily(ctx context.Context, ipv4 bool, addr string) (Conn, error) {
	addrs, err := resolve(ctx, "dial", addr)
	if err != nil {
		return nil, err
	}
	var failed []error
	for _, a := range addrs {
		switch {
		case a.IP == nil && ipv4:
			a.IP = net.IPv4(127, 0, 0, 1)
		case a.IP == nil:
			a.IP = net.IPv6loopback
		case (a.IP.To4() != nil) != ipv4:
			continue
		}
		conn, err := OpenConnection(ctx, a.String(), nil)
		if err == nil {
			return conn, nil
		}
		failed = append(failed, err)
		if errors.Is(err, wait.ErrCancelled) {
			break
		}
	}
	switch len(failed) {
	case 0:
		return nil, &net.AddrError{Err: "no suitable address found", Addr: addr}
	case 1:
		return nil, failed[0]
	}
	return nil, errors.Join(failed...)
}

func dialUnix(ctx context.Context, path string) (Conn, error) {
	s, err := socket.New(socket.AF_UNIX, socket.SOCK_STREAM, 0)
	if err != nil {
		return nil, err
	}
	if err := s.Connect(ctx, &net.UnixAddr{Name: path, Net: "unix"}); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}
