// Udpecho is an echo server for datagrams, and its client. The source address of a datagram can be
// forged, so the server does not answer to the ports of services, which might answer in turn: two
// servers that echo each other never end. Datagrams get lost, so the client asks again.
//
//	go run ./examples/udpecho [-addr IP:PORT]
//	go run ./examples/udpecho [-addr IP:PORT] -client hello
//	nc -u 127.0.0.1 25000
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/socket"
)

// leastPort is the first port that is not reserved for services.
const leastPort = 1024

func main() {
	addr := flag.String("addr", "127.0.0.1:25000", "`IP:PORT` to receive on, or to send to")
	asks := flag.Bool("client", false, "be the client: send the arguments in a datagram and print what comes back")
	within := flag.Duration("within", time.Second, "how long the client waits for the first answer; it asks five times, and waits longer each time")
	flag.Parse()
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		if *asks {
			reply, err := ask(ctx, *addr, strings.Join(flag.Args(), " "), *within)
			if err == nil {
				fmt.Println(reply)
			}
			return err
		}
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
	s, err := open(at)
	if err != nil {
		return nil, err
	}
	if err := s.BindAddrPort(at); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// open makes a socket for datagrams of the family of an address.
func open(at netip.AddrPort) (*socket.Socket, error) {
	family := socket.AF_INET
	if at.Addr().Is6() {
		family = socket.AF_INET6
	}
	return socket.New(family, socket.SOCK_DGRAM, 0)
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

// attempts is how often the client asks.
const attempts = 5

// errSilent is what the client says of a server that does not answer.
var errSilent = errors.New("no answer")

// ask is the client. It sends text until an answer comes, waiting for twice as long each time.
func ask(ctx context.Context, addr, text string, within time.Duration) (reply string, err error) {
	to, err := netip.ParseAddrPort(addr)
	if err != nil {
		return "", err
	}
	s, err := open(to)
	if err != nil {
		return "", err
	}
	defer s.Close()
	if err := s.ConnectAddrPort(ctx, to); err != nil { // datagrams of others are not received
		return "", err
	}
	buf := make([]byte, 65536)
	for range attempts {
		if _, err := s.Send(ctx, []byte(text)); err != nil {
			return "", err
		}
		n := 0
		late, err := curio.IgnoreAfter(ctx, within, func(ctx context.Context) (err error) {
			n, err = s.Recv(ctx, buf)
			return err
		})
		if !late || err != nil {
			return string(buf[:n]), err
		}
		within *= 2
	}
	return "", errSilent
}
