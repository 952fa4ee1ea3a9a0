package curio_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/verify/fixture"
)

// The first success is kept. Those who come meanwhile wait for it, and nobody's function is
// called again.
func TestOnce(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var o curio.Once[int]
		if v, ok := o.Get(); v != 0 || ok || o.String() != "Once(not set)" {
			f.Errorf("at first: %d, %v, %v", v, ok, &o)
		}
		first := curio.Spawn(ctx, func(ctx context.Context) (int, error) { return o.Do(ctx, fixture.After(time.Second, 1, nil)) }, curio.Name("first"))
		synctest.Wait()
		var others []*curio.Task[int]
		var waiting []curio.Waiter
		for range 3 {
			task := curio.Spawn(ctx, func(ctx context.Context) (int, error) { return o.Do(ctx, mustNot(f)) })
			synctest.Wait()
			if others = append(others, task); task.State() != "ONCE_WAIT" {
				f.Errorf("it waits in %s", task.State())
			}
			waiting = append(waiting, curio.Waiter{Task: task.AnyTask, Op: "ONCE_WAIT"})
		}
		if now := o.Snapshot(); !slices.Equal(now.Waiters, waiting) || !slices.Equal(now.Holders, []curio.Holder{fixture.HolderOf(first.AnyTask, 1)}) {
			f.Errorf("it looks like %v", now)
		}
		if text, want := o.String(), "Once(not set, held by task "+first.Path()+", 3 waiting)"; text != want {
			f.Errorf("%s, want %s", text, want)
		}
		for _, task := range append(others, first) {
			if v, err := task.Join(ctx); v != 1 || err != nil {
				f.Errorf("%d, %v", v, err)
			}
		}
		// From now on nobody is asked anything, not even a context that is done.
		gone, cancel := context.WithCancel(ctx)
		cancel()
		v, err := o.Do(gone, mustNot(f))
		if w, ok := o.Get(); v != 1 || err != nil || w != 1 || !ok || o.String() != "Once(set)" {
			f.Errorf("later: %d, %v; %d, %v; %v", v, err, w, ok, &o)
		}
		fixture.Panics(f, "nil function", func() { _, _ = o.Do(ctx, nil) })
	})
}

// After each kind of failure the next waiter tries, in order of arrival, one at a time, each with
// its own function in its own task.
func TestOnceTriesAgain(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var o curio.Once[string]
		var order []string
		inside := 0
		spawn := func(name string, end func(context.Context) (string, error)) *curio.Task[string] {
			task := curio.Spawn(ctx, func(ctx context.Context) (string, error) {
				me := curio.CurrentTask(ctx)
				return o.Do(ctx, func(ctx context.Context) (string, error) {
					order = append(order, name)
					if inside++; inside != 1 || curio.CurrentTask(ctx) != me {
						f.Errorf("%s: %d are inside; in %v", name, inside, curio.CurrentTask(ctx))
					}
					defer func() { inside-- }()
					if err := curio.Sleep(ctx, time.Second); err != nil {
						return "", err
					}
					return end(ctx)
				})
			})
			synctest.Wait()
			return task
		}
		boom := errors.New("boom")
		tasks := []*curio.Task[string]{
			spawn("fails", func(context.Context) (string, error) { return "no", fixture.ErrBoom }),
			spawn("panics", func(context.Context) (string, error) { panic(boom) }),
			spawn("exits", func(context.Context) (string, error) { runtime.Goexit(); return "", nil }),
			spawn("times out", func(ctx context.Context) (string, error) {
				return "", curio.TimeoutAfter(ctx, time.Second, fixture.Sleeper)
			}),
			spawn("is cancelled", func(ctx context.Context) (string, error) {
				curio.CurrentTask(ctx).CancelNow(io.EOF)
				return "", curio.Sleep(ctx, time.Hour)
			}),
			spawn("succeeds", func(context.Context) (string, error) { return "yes", nil }),
			spawn("waits", func(context.Context) (string, error) { return "never", nil }),
		}
		for _, task := range tasks {
			_ = task.Wait(ctx)
		}
		if !slices.Equal(order, []string{"fails", "panics", "exits", "times out", "is cancelled", "succeeds"}) {
			f.Errorf("called were %v", order)
		}
		if err := tasks[0].Err(); err != fixture.ErrBoom {
			f.Errorf("fails: %v", err)
		}
		p, ok := errors.AsType[*curio.PanicError](tasks[1].Err())
		if !ok || p.Value != boom {
			f.Errorf("panics: %v", tasks[1].Err())
		}
		fixture.Is(f, "exits", tasks[2].Err(), curio.ErrGoexit)
		fixture.Is(f, "times out", tasks[3].Err(), fixture.TaskTimeout...) // its own task's
		fixture.Because(f, "is cancelled", tasks[4].Err(), io.EOF, fixture.TaskCancelled...)
		for _, task := range tasks[5:] {
			if v, err := task.Join(ctx); v != "yes" || err != nil {
				f.Errorf("%q, %v", v, err)
			}
		}
		f.Journal.Take(fixture.MsgPanic)
		f.Journal.Take(fixture.MsgUnseen)
	})
}

// A timeout or a cancellation of the caller's reaches its function, with the error that it would
// have without the Once; the others go on. A waiter that leaves disturbs nobody.
func TestOnceContexts(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var o curio.Once[int]
		type key struct{}
		start := time.Now()
		first := curio.Go(ctx, func(ctx context.Context) error {
			err := curio.TimeoutAfter(context.WithValue(ctx, key{}, "value"), 3*time.Second, func(ctx context.Context) error {
				_, err := o.Do(ctx, func(ctx context.Context) (int, error) {
					at, ok := ctx.Deadline()
					if ctx.Value(key{}) != "value" || !ok || !at.Equal(start.Add(3*time.Second)) {
						f.Errorf("its context has the value %v and the deadline %v", ctx.Value(key{}), at)
					}
					err := fixture.Sleeper(ctx)
					fixture.Is(f, "in the function", err, fixture.TaskTimeout...)
					return 0, err
				})
				return err
			})
			fixture.Is(f, "outside", err, fixture.TaskTimeout...)
			f.Elapsed(start, 3*time.Second)
			return nil
		})
		synctest.Wait()
		impatient := curio.Go(ctx, func(ctx context.Context) error {
			fixture.Is(f, "a waiter", curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) error {
				_, err := o.Do(ctx, mustNot(f))
				return err
			}), fixture.TaskTimeout...)
			return nil
		})
		synctest.Wait()
		next := curio.Spawn(ctx, func(ctx context.Context) (int, error) { return o.Do(ctx, fixture.Returns(2)) })
		_ = impatient.Wait(ctx)
		_ = first.Wait(ctx)
		if v, err := next.Join(ctx); v != 2 || err != nil {
			f.Errorf("%d, %v", v, err)
		}
		f.Elapsed(start, 3*time.Second)
	})
}

// The context of the function ends with it, and with it what was spawned under it, but not a
// daemon.
func TestOnceContextEnds(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var o curio.Once[*curio.Task[struct{}]]
		var daemon *curio.Task[struct{}]
		task, err := o.Do(ctx, func(ctx context.Context) (*curio.Task[struct{}], error) {
			daemon = curio.Go(ctx, func(ctx context.Context) error { return curio.Sleep(ctx, time.Second) }, curio.Daemon())
			return curio.Go(ctx, fixture.Sleeper), nil
		})
		if err != nil {
			f.Error(err)
		}
		_, err = task.Join(ctx)
		fixture.Is(f, "spawned", err, fixture.TaskCancelled...)
		if _, err := daemon.Join(ctx); err != nil {
			f.Errorf("a daemon: %v", err)
		}
	})
}

// A caller below the function would wait for itself. Others of the same task would not.
func TestOnceRecursive(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var o, other curio.Once[int]
		again := func(ctx context.Context) (int, error) { return o.Do(ctx, mustNot(f)) }
		for name, fn := range map[string]fixture.Racer{
			"in the same task": again,
			"in another task":  func(ctx context.Context) (int, error) { return curio.Spawn(ctx, again).Join(ctx) },
			"far below": func(ctx context.Context) (int, error) {
				ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
				defer cancel()
				return curio.Spawn(ctx, func(ctx context.Context) (v int, err error) {
					err = curio.TimeoutAfter(ctx, time.Hour, func(ctx context.Context) error { v, err = again(ctx); return err })
					return v, err
				}).Join(ctx)
			},
			"through another": func(ctx context.Context) (int, error) { return other.Do(ctx, again) },
		} {
			_, err := o.Do(ctx, fn)
			fixture.Is(f, name, err, curio.ErrRecursiveCall)
		}

		// A task below the caller's that is not below the function, and another goroutine of the
		// caller's task.
		begun := make(chan struct{})
		sibling := curio.Spawn(ctx, func(ctx context.Context) (int, error) { <-begun; return again(ctx) })
		shared := make(chan error)
		go func() {
			<-begun
			_, err := again(ctx)
			shared <- err
		}()
		v, err := o.Do(ctx, func(ctx context.Context) (int, error) {
			close(begun)
			return 1, curio.Sleep(ctx, time.Second)
		})
		w, joined := sibling.Join(ctx)
		if err := errors.Join(err, joined, <-shared); v != 1 || w != 1 || err != nil {
			f.Errorf("%d, %d, %v", v, w, err)
		}
	})
}

// A context that panics when the function's context is opened below it does not keep the turn.
func TestOncePassesOn(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var o curio.Once[int]
		func() {
			defer func() {
				if recover() == nil {
					f.Error("it does not panic")
				}
			}()
			other, cancel := context.WithCancel(ctx)
			defer cancel()
			_, _ = o.Do(fixture.BadContext{Context: other}, mustNot(f))
		}()
		if v, err := o.Do(ctx, fixture.Returns(1)); v != 1 || err != nil {
			f.Errorf("%d, %v", v, err)
		}
	})
}

// Goroutines of no task have their turn, too.
func TestOnceOfNoTask(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var o curio.Once[int]
		errs := make(chan error)
		for _, fn := range []fixture.Racer{fixture.After(time.Second, 0, fixture.ErrBoom), fixture.After(time.Second, 1, nil)} {
			go func() {
				_, err := o.Do(context.Background(), fn)
				errs <- err
			}()
			synctest.Wait()
		}
		if text := o.String(); text != "Once(not set, held by a goroutine of no task, 1 waiting)" {
			t.Error(text)
		}
		if one, other := <-errs, <-errs; one != fixture.ErrBoom || other != nil {
			t.Error(one, other)
		}
	})
}

// The function is not kept after it has succeeded or failed, nor what it has returned with an
// error.
func TestOnceKeepsTheValueAlone(t *testing.T) {
	fixture.WithKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var o curio.Once[*fixture.Load]
		var l fixture.Loads
		for _, err := range []error{fixture.ErrBoom, nil} {
			_, got := o.Do(ctx, func(in *fixture.Load) func(context.Context) (*fixture.Load, error) {
				return func(context.Context) (*fixture.Load, error) {
					_ = in[0]
					return l.Make(), err
				}
			}(l.Make()))
			want := 0
			if err == nil {
				want = 1
			}
			if n := l.Left(); n != want || got != err {
				f.Errorf("%d are kept, %v", n, got)
			}
		}
		runtime.KeepAlive(&o)
	})
}

func ExampleOnce() {
	var config curio.Once[string]
	attempts := 0
	load := func(context.Context) (string, error) {
		if attempts++; attempts == 1 {
			return "", errors.New("the server is not there yet")
		}
		return "verbose", nil
	}
	ctx := context.Background()
	for range 3 {
		v, err := config.Do(ctx, load)
		fmt.Printf("%q %v\n", v, err)
	}
	fmt.Println("attempts:", attempts)
	// Output:
	// "" the server is not there yet
	// "verbose" <nil>
	// "verbose" <nil>
	// attempts: 2
}
