// Happyeyeballs connects with whichever of several addresses answers first. The
// attempts start one after the other, a delay apart or as soon as the one before has
// failed, and go on side by side; the first that succeeds ends all the others.
//
//	go run ./examples/happyeyeballs [-delay 250ms] HOST:PORT ...
//
// Without addresses it makes some of its own on loopback: one that refuses, one that
// never answers, and one that does.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/network"
)

func main() {
	delay := flag.Duration("delay", 250*time.Millisecond, "before the next address is tried as well")
	flag.Parse()
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		addrs := flag.Args()
		if len(addrs) == 0 {
			p, err := newPlayground(ctx)
			if err != nil {
				return err
			}
			defer p.close()
			addrs = p.addrs
		}
		start := curio.Clock(ctx)
		conn, err := connect(ctx, addrs, *delay)
		if err != nil {
			return err
		}
		defer conn.Close()
		fmt.Printf("connected with %v after %v\n", conn.RemoteAddr(), curio.Clock(ctx).Sub(start).Round(time.Millisecond))
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
}

// connect returns the first connection that comes about. An attempt begins when the one
// before it has failed, or a delay after that has begun. When one has succeeded, Race cancels
// the others, each of which closes its socket, and closes what else has connected: a second
// one may have been as fast. If all fail, the error says why each of them did.
func connect(ctx context.Context, addrs []string, delay time.Duration) (network.Conn, error) {
	if len(addrs) == 0 {
		return nil, errors.New("no address to connect with")
	}
	var attempts []func(context.Context) (network.Conn, error)
	begun, failed := make([]curio.Event, len(addrs)), make([]curio.Event, len(addrs))
	for i, addr := range addrs {
		attempts = append(attempts, func(ctx context.Context) (network.Conn, error) {
			if i > 0 {
				if err := begun[i-1].Wait(ctx); err != nil {
					return nil, err
				}
				if _, err := curio.Select(ctx, failed[i-1].WaitCase(), curio.AfterCase(delay)); err != nil {
					return nil, err
				}
			}
			begun[i].Set()
			conn, err := network.OpenConnection(ctx, addr, nil)
			if err != nil {
				failed[i].Set()
			}
			return conn, err
		})
	}
	return curio.Race(ctx, attempts, func(conn network.Conn) { conn.Close() })
}

// A playground has an address that refuses connections, one where they are never
// answered, for its queue of connections to accept is full, and one that is as it
// should be.
type playground struct {
	addrs []string
	open  []io.Closer
}

func newPlayground(ctx context.Context) (*playground, error) {
	p := new(playground)
	for _, backlog := range []int{0, 1, 100} {
		listener, err := network.ListenTCP(ctx, "127.0.0.1:0", &network.ServerConfig{Backlog: backlog})
		if err != nil {
			p.close()
			return nil, err
		}
		p.addrs = append(p.addrs, listener.LocalAddr().String())
		p.open = append(p.open, listener)
	}
	p.open[0].Close() // from now on it refuses
	if err := p.fill(ctx, p.addrs[1]); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

// fill connects with addr until an attempt is not answered any more.
func (p *playground) fill(ctx context.Context, addr string) error {
	for {
		var conn network.Conn
		expired, err := curio.IgnoreAfter(ctx, 100*time.Millisecond, func(ctx context.Context) (err error) {
			conn, err = network.OpenConnection(ctx, addr, nil)
			return err
		})
		if expired || err != nil {
			return err
		}
		p.open = append(p.open, conn)
	}
}

func (p *playground) close() {
	for _, s := range p.open {
		if err := s.Close(); err != nil && p.open[0] != s {
			log.Print(err)
		}
	}
}
