package curio_test

import (
	"context"
	"fmt"
	"sync"

	"github.com/curio-go/curio"
)

// A gate is a semaphore as a user would build it on a WaitList: of the public pieces only. The
// suites that every primitive has to pass have it too.
type gate struct {
	mu      sync.Mutex
	free    int64
	holders map[*curio.AnyTask]int64
	line    curio.WaitList[int64] // who asks for how many
}

func newGate(n int64) *gate {
	g := &gate{free: n, holders: make(map[*curio.AnyTask]int64)}
	g.line.Mutex, g.line.State, g.line.Object, g.line.Serve = &g.mu, "GATE_ENTER", g, g.serve
	return g
}

func (g *gate) serve() {
	for w := range g.line.All() {
		n := w.Ask()
		if n > g.free {
			return // and nobody overtakes it
		}
		if w.Grant(n) {
			g.free -= n
			g.holders[w.Task()] += n
		}
	}
}

func (g *gate) Enter(ctx context.Context, n int64) error {
	_, err := g.line.Wait(ctx, n)
	if err == nil {
		curio.NoteHeld(ctx, g, n)
	}
	return err
}

func (g *gate) TryEnter(ctx context.Context, n int64) bool {
	_, ok := g.line.TryWait(ctx, n)
	if ok {
		curio.NoteHeld(ctx, g, n)
	}
	return ok
}

func (g *gate) EnterCase(n int64) curio.Case {
	return g.line.Case(n, func(ctx context.Context, got int64) error {
		curio.NoteHeld(ctx, g, got)
		return nil
	})
}

func (g *gate) Leave(ctx context.Context, n int64) {
	t := curio.CurrentTask(ctx)
	g.mu.Lock()
	g.free += n
	if g.holders[t] -= n; g.holders[t] == 0 {
		delete(g.holders, t)
	}
	g.serve()
	g.mu.Unlock()
	curio.NoteReleased(ctx, g, n)
}

func (g *gate) Do(ctx context.Context, n int64, fn func(context.Context) error) error {
	if err := g.Enter(ctx, n); err != nil {
		return err
	}
	defer g.Leave(ctx, n)
	return fn(ctx)
}

func (g *gate) Free() int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.free
}

func (g *gate) Snapshot() (s curio.Snapshot) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for t, n := range g.holders {
		s.Holders = append(s.Holders, curio.HolderOf(t, n))
	}
	s.Waiters = g.line.Waiters()
	return s
}

func (g *gate) String() string { return g.Snapshot().Text("Gate", fmt.Sprintf("%d free", g.Free())) }

// gateHurdle is a gate that is shut until it is left.
func gateHurdle(ctx context.Context, n int64) *hurdle {
	g := newGate(n)
	succeed(g.Enter(ctx, 1))
	return &hurdle{
		pass:   func(ctx context.Context, body func(context.Context) error) error { return g.Do(ctx, n, body) },
		open:   func() { g.Leave(ctx, 1) },
		look:   g.Snapshot,
		text:   g.String,
		choose: func() curio.Case { return g.EnterCase(n) },
		back:   func(ctx context.Context) { g.Leave(ctx, n) },
	}
}

// bellHurdle is a list whose waiters are given something only by a later call.
func bellHurdle() *hurdle {
	var mu sync.Mutex
	line := &curio.WaitList[string]{Mutex: &mu, State: "BELL_WAIT"}
	wait := func(ctx context.Context) error { return noText(line.Wait(ctx, "asks")) }
	look := func() curio.Snapshot {
		mu.Lock()
		defer mu.Unlock()
		return curio.Snapshot{Waiters: line.Waiters()}
	}
	return &hurdle{
		pass: afterwards(wait),
		open: func() {
			mu.Lock()
			defer mu.Unlock()
			line.HandAll("rung")
		},
		look: look,
		text: func() string { return look().Text("Bell", "") },
	}
}

// noText checks what a wait for a bell returns.
func noText(got string, err error) error {
	if err == nil && got != "rung" || err != nil && got != "" {
		panic(fmt.Sprintf("it returns %q, %v", got, err))
	}
	return err
}
