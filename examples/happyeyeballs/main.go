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

// connect returns the first connection that comes about. The group waits for the
// first result that is not nil and cancels the other attempts, each of which then
// closes its socket. With KeepGoing an attempt that fails ends nothing; if all fail,
// the error says why each of them did.
func connect(ctx context.Context, addrs []string, delay time.Duration) (network.Conn, error) {
	var group *curio.TaskGroup[network.Conn]
	err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[network.Conn]) error {
		group = g
		for _, addr := range addrs {
			attempt := g.Spawn(func(ctx context.Context) (network.Conn, error) {
				return network.OpenConnection(ctx, addr, nil)
			}, curio.Name(addr))
			if _, err := curio.IgnoreAfter(ctx, delay, attempt.Wait); err != nil {
				return err
			}
			if g.Completed() != nil {
				break
			}
		}
		return nil
	}, curio.WaitObject, curio.KeepGoing)
	if cancelled := curio.CheckCancellation(ctx); err != nil && cancelled != nil {
		err = cancelled // whatever attempts had failed by then
	}

	won := group.Completed()
	for _, t := range group.Tasks() { // a second one may have been as fast
		if conn, _ := t.Result(); conn != nil && (t != won || err != nil) {
			conn.Close()
		}
	}
	switch {
	case err != nil:
		return nil, err
	case won == nil:
		return nil, fmt.Errorf("no address to connect with")
	}
	return won.Result()
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
