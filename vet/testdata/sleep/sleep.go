package sleep

import (
	"context"
	"sync"
	"time"
)

func retry(ctx context.Context, try func() error) error {
	for {
		if try() == nil {
			return nil
		}
		time.Sleep(100 * time.Millisecond) // want `time.Sleep goes on when ctx is done: use curio.Sleep`
	}
}

func results(ctx context.Context) (n int, names []string, err error) {
	switch {
	case n == 0:
		time.Sleep(time.Second) // want `time.Sleep goes on`
	default:
		<-time.After(time.Minute) // want `<-time.After goes on when ctx is done: use curio.Sleep`
	}
	return n, names, nil
}

// A loop without results ends with the context.
func poll(ctx context.Context, look func()) {
	for {
		look()
		time.Sleep(time.Second) // want `time.Sleep goes on`
	}
}

// What comes after the sleep may have to be done.
func once(ctx context.Context, look func()) {
	time.Sleep(time.Second) // want `time.Sleep goes on`
	look()
}

// No error can be returned.
func number(ctx context.Context) int {
	time.Sleep(time.Second) // want `time.Sleep goes on`
	return 1
}

// The mutex has to be unlocked.
func locked(ctx context.Context, mu *sync.Mutex) error {
	mu.Lock()
	time.Sleep(time.Second) // want `time.Sleep goes on`
	mu.Unlock()
	return nil
}

func closures(parent context.Context) error {
	go func() {
		for {
			time.Sleep(time.Second) // want `time.Sleep goes on when parent is done`
		}
	}()
	f := func(ctx context.Context) error {
		time.Sleep(time.Second) // want `time.Sleep goes on when ctx is done`
		return ctx.Err()
	}
	defer func() {
		time.Sleep(time.Second)
	}()
	// A function that is returned runs later.
	_ = func() func() {
		return func() { time.Sleep(time.Second) }
	}
	return f(parent)
}

func hidden(ctx context.Context) error {
	{
		ctx := 1
		_ = ctx
		time.Sleep(time.Second) // want `time.Sleep goes on`
	}
	curio := 1
	_ = curio
	time.Sleep(time.Second) // want `time.Sleep goes on`
	return nil
}

func ended(ctx context.Context) {
	<-ctx.Done()
	time.Sleep(time.Second) // to let others finish
}

func without()                 { time.Sleep(time.Second) }
func unused(_ context.Context) { time.Sleep(time.Second) }
func own(ctx context.Context)  { _ = func(context.Context) { time.Sleep(time.Second) } }
func selected(ctx context.Context) {
	select {
	case <-time.After(time.Second):
	case <-ctx.Done():
	}
}
