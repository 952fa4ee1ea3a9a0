package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"strings"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/channel"
)

const (
	mostItems     = 100_000
	mostConsumers = 100
)

// A producer has items, each of which is at one place: in open, or at one consumer, or done.
type producer struct {
	settings *settings
	open     *curio.Queue[int]       // those that no consumer has, with room for all
	done     []curio.Result[[]int64] // the factors
}

// produce hands the numbers to the consumers, and prints what comes back.
func produce(ctx context.Context, s *settings, cfg *channel.Config) error {
	l, err := channel.Listen(ctx, "tcp", s.addr, cfg)
	if err != nil {
		return err
	}
	defer l.Close()
	fmt.Println("listening on", l.LocalAddr())
	return newProducer(s).run(ctx, os.Stdout, l)
}

func newProducer(s *settings) *producer {
	p := &producer{settings: s, open: curio.NewQueue[int](s.count), done: make([]curio.Result[[]int64], s.count)}
	for id := range s.count {
		_ = p.open.TryPut(id) // there is room
	}
	return p
}

func (p *producer) number(id int) int64 { return p.settings.first + int64(id) }

// run returns when all has been printed. The consumers see the end of their connection then.
func (p *producer) run(ctx context.Context, out io.Writer, l *channel.Listener) error {
	return curio.Group(ctx, func(ctx context.Context, g *curio.Tasks) error {
		serving := g.Go(func(ctx context.Context) error { return p.serve(ctx, l) }, curio.Name("consumers"))
		for id := range p.done {
			factors, err := p.done[id].Get(ctx)
			if err != nil {
				return err
			}
			if _, err := fmt.Fprintln(out, p.number(id), "=", product(factors)); err != nil {
				return err
			}
		}
		_, err := serving.Cancel(ctx)
		return err
	})
}

func product(factors []int64) string {
	return strings.ReplaceAll(strings.Trim(fmt.Sprint(factors), "[]"), " ", " × ")
}

// serve lets consumers in. Each is a task of its own.
func (p *producer) serve(ctx context.Context, l *channel.Listener) error {
	slots := curio.NewSemaphore(mostConsumers)
	return curio.Group(ctx, func(ctx context.Context, g *curio.Tasks) error {
		for {
			if err := slots.Acquire(ctx); err != nil {
				return err
			}
			conn, err := l.Accept(ctx) // it has the key
			if err != nil {
				slots.Release(ctx)
				return err
			}
			g.Go(func(ctx context.Context) error {
				defer slots.Release(ctx)
				defer conn.Close()
				return p.feed(ctx, conn)
			}, curio.Daemon(), curio.Name("consumer"))
		}
	})
}

// feed gives one consumer item after item. An item whose answer does not come is for another consumer.
func (p *producer) feed(ctx context.Context, conn *channel.Conn) error {
	for {
		id, err := p.open.Get(ctx)
		if err != nil {
			return err
		}
		factors, err := p.ask(ctx, conn, id)
		if err != nil {
			_ = p.open.TryPut(id)
			if cancelled := curio.CheckCancellation(ctx); cancelled != nil {
				return cancelled
			}
			log.Printf("%d is for another consumer: %v", p.number(id), err)
			return nil
		}
		p.done[id].SetValue(factors)
	}
}

// ask sends an item and waits for its answer.
func (p *producer) ask(ctx context.Context, conn *channel.Conn, id int) ([]int64, error) {
	var a answer
	if err := curio.TimeoutAfter(ctx, p.settings.within, func(ctx context.Context) error {
		if err := conn.Send(ctx, item{ID: id, Number: p.number(id)}); err != nil {
			return err
		}
		return conn.Recv(ctx, &a)
	}); err != nil {
		return nil, err
	}
	rest := p.number(id)
	for _, f := range a.Factors {
		if f < 2 || rest%f != 0 {
			return nil, fmt.Errorf("%w: %d is no factor", errNonsense, f)
		}
		rest /= f
	}
	if rest != 1 || a.ID != id {
		return nil, fmt.Errorf("%w: it is for item %d, and leaves %d", errNonsense, a.ID, rest)
	}
	return a.Factors, nil
}
