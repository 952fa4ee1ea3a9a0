// Udpecho is an echo server for datagrams. The source address of a datagram can be forged,
// so the server does not answer to the ports of services, which might answer in turn: two
// servers that echo each other never end.
//
//	go run ./examples/udpecho [-addr IP:PORT]
//	nc -u 127.0.0.1 25000
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/netip"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/socket"
)

// leastPort is the first port that is not reserved for services.
const leastPort = 1024

func main() {
	addr := flag.String("addr", "127.0.0.1:25000", "`IP:PORT` to receive on")
	flag.Parse()
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		s, err := listen(*addr)
		if err != nil {
			return err
		}
		defer s.Close()
		fmt.Println("listening on", s.LocalAddr())
		return echo(ctx, s)
	}, curio.StopOnSignals())
	curio.Exit(err)
}

func listen(addr string) (*socket.Socket, error) {
	at, err := netip.ParseAddrPort(addr)
	if err != nil {
		return nil, err
	}
	family := socket.AF_INET
	if at.Addr().Is6() {
		family = socket.AF_INET6
	}
	s, err := socket.New(family, socket.SOCK_DGRAM, 0)
	if err != nil {
		return nil, err
	}
	if err := s.BindAddrPort(at); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// echo sends each datagram back to where it came from, until it is cancelled.
func echo(ctx context.Context, s *socket.Socket) error {
	buf := make([]byte, 65536) // no datagram is longer
	for {
		n, from, err := s.RecvFromAddrPort(ctx, buf, 0)
		if err != nil {
			return err
		}
		if !answers(from) {
			continue
		}
		_, err = s.SendToAddrPort(ctx, buf[:n], 0, from)
		if errors.Is(err, curio.ErrCancelled) {
			return err
		}
		// Any other error is about this address, which may be unreachable; others are not.
		// It is not logged, as anybody could fill the log with forged addresses.
	}
}

// answers reports whether to answer a datagram from that address.
func answers(from netip.AddrPort) bool { return from.Port() >= leastPort }
