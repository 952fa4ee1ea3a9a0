package curio_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/curio-go/curio"
)

// channelGate is a semaphore as one would write it without us: a channel, and a select statement
// for the context.
type channelGate chan struct{}

func (g channelGate) Enter(ctx context.Context) error {
	select {
	case g <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (g channelGate) Leave(context.Context) { <-g }

// A bareGate is what a primitive on a WaitList costs at least: a gate of one unit that keeps no
// account of who holds it.
type bareGate struct {
	mu    sync.Mutex
	taken bool
	line  curio.WaitList[struct{}]
}

func newBareGate() *bareGate {
	g := new(bareGate)
	g.line.Mutex, g.line.State, g.line.Object, g.line.Serve = &g.mu, "GATE_ENTER", g, g.serve
	return g
}

func (g *bareGate) serve() {
	if !g.taken && g.line.Hand(struct{}{}) {
		g.taken = true
	}
}

func (g *bareGate) Enter(ctx context.Context) error {
	_, err := g.line.Wait(ctx, struct{}{})
	return err
}

func (g *bareGate) Leave(context.Context) {
	g.mu.Lock()
	g.taken = false
	g.serve()
	g.mu.Unlock()
}

// A semaphore of one unit that n tasks take and give back: with n=1 there is nobody to wait for.
// Between n tasks it changes hands each time.
func BenchmarkWaitList(b *testing.B) {
	for _, n := range []int{1, 2, 100} {
		g, bare, l, s, c := newGate(1), newBareGate(), new(curio.Lock), curio.NewSemaphore(1), make(channelGate, 1)
		for _, impl := range []struct {
			name  string
			enter func(context.Context) error
			leave func(context.Context)
		}{
			{"WaitList", func(ctx context.Context) error { return g.Enter(ctx, 1) }, func(ctx context.Context) { g.Leave(ctx, 1) }},
			{"bare WaitList", bare.Enter, bare.Leave},
			{"Semaphore", s.Acquire, s.Release},
			{"Lock", l.Acquire, l.Release},
			{"channel", c.Enter, c.Leave},
		} {
			b.Run(fmt.Sprintf("n=%d/impl=%s", n, impl.name), func(b *testing.B) {
				inBenchKernel(b, func(ctx context.Context) {
					var peers []*curio.Task[struct{}]
					for range n - 1 {
						peers = append(peers, curio.Go(ctx, func(ctx context.Context) error {
							for {
								if err := impl.enter(ctx); err != nil {
									return err
								}
								impl.leave(ctx)
							}
						}))
					}
					for b.Loop() {
						_ = impl.enter(ctx)
						impl.leave(ctx)
					}
					for _, peer := range peers {
						_, _ = peer.Cancel(ctx)
					}
				})
			})
		}
	}
}
