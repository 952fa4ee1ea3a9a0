package core_test

import (
	"context"
	"fmt"
	"sync"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/verify/fixture"
)

// gateHurdle is a gate that is shut until it is left.
func gateHurdle(ctx context.Context, n int64) *hurdle {
	g := fixture.NewGate(n)
	fixture.Succeed(g.Enter(ctx, 1))
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
