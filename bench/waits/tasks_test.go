package waits_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/curio-go/curio"
)

// alone runs a benchmark whose operation has no others beside it.
func alone(b *testing.B, impls []impl) {
	b.Helper()
	for _, i := range impls {
		b.Run("impl="+i.name, func(b *testing.B) { i.run(b, 1) })
	}
}

func nothing(context.Context) error { return nil }

// What a name costs: it is given when the task is spawned.
func BenchmarkSpawnNamed(b *testing.B) {
	for _, named := range []bool{true, false} {
		name, opts := "name=no", []curio.SpawnOption(nil)
		if named {
			name, opts = "name=yes", []curio.SpawnOption{curio.Name("worker")}
		}
		b.Run(name, func(b *testing.B) {
			run(b, 1, func(ctx context.Context) error {
				_, err := curio.Go(ctx, nothing, opts...).Join(ctx)
				return err
			})
		})
	}
}

// Ten members, an error of any of which would cancel the others.
func BenchmarkGroup(b *testing.B) {
	const n = 10
	alone(b, []impl{
		{"curio", func(b *testing.B, _ int) {
			run(b, 1, func(ctx context.Context) error {
				return curio.Group(ctx, func(_ context.Context, g *curio.Tasks) error {
					for range n {
						g.Go(nothing)
					}
					return nil
				})
			})
		}},
		{"errgroup", func(b *testing.B, _ int) {
			parent := standard(b)
			run(b, 1, func(context.Context) error {
				g, ctx := errgroup.WithContext(parent)
				for range n {
					g.Go(func() error { return nothing(ctx) })
				}
				return g.Wait()
			})
		}},
	})
}

// Three functions, of which one has its value at once. The others are cancelled, and have
// ended when the call returns.
func BenchmarkRace(b *testing.B) {
	alone(b, []impl{
		{"curio", func(b *testing.B, _ int) {
			slow := func(ctx context.Context) (int, error) { return 0, curio.Sleep(ctx, time.Hour) }
			quick := func(context.Context) (int, error) { return 1, nil }
			run(b, 1, func(ctx context.Context) error {
				_, err := curio.Race(ctx, []func(context.Context) (int, error){slow, slow, quick})
				return err
			})
		}},
		{"goroutines", func(b *testing.B, _ int) {
			parent := standard(b)
			slow := func(ctx context.Context) (int, error) {
				timer := time.NewTimer(time.Hour)
				defer timer.Stop()
				select {
				case <-timer.C:
					return 0, nil
				case <-ctx.Done():
					return 0, ctx.Err()
				}
			}
			quick := func(context.Context) (int, error) { return 1, nil }
			run(b, 1, func(context.Context) error {
				return raceByHand(parent, slow, slow, quick)
			})
		}},
	})
}

// raceByHand knows of no panic, and loses a second value.
func raceByHand(parent context.Context, fns ...func(context.Context) (int, error)) error {
	ctx, cancel := context.WithCancel(parent)
	defer cancel()
	var all sync.WaitGroup
	first, failed := make(chan int, len(fns)), make(chan error, len(fns))
	for _, fn := range fns {
		all.Go(func() {
			v, err := fn(ctx)
			if err != nil {
				failed <- err
				return
			}
			first <- v
		})
	}
	defer all.Wait()
	defer cancel()
	for range fns {
		select {
		case <-first:
			return nil
		case err := <-failed:
			if parent.Err() != nil {
				return err
			}
		}
	}
	return <-failed
}

// The first item of two queues: by one Select, and by a task for each queue, which is what
// Race has. The queue that has no item loses none either way.
func BenchmarkFirstOfTwo(b *testing.B) {
	alone(b, []impl{
		{"Select", func(b *testing.B, _ int) {
			full, empty := curio.NewQueue[int](1), curio.NewQueue[int](1)
			run(b, 1, func(ctx context.Context) error {
				if err := full.Put(ctx, 1); err != nil {
					return err
				}
				_, err := curio.Select(ctx, empty.GetCase(nil), full.GetCase(nil))
				return err
			})
		}},
		{"Race", func(b *testing.B, _ int) {
			full, empty := curio.NewQueue[int](1), curio.NewQueue[int](1)
			run(b, 1, func(ctx context.Context) error {
				if err := full.Put(ctx, 1); err != nil {
					return err
				}
				_, err := curio.Race(ctx, []func(context.Context) (int, error){empty.Get, full.Get})
				return err
			})
		}},
	})
}

// A value of a task's own, beside one in its context.
func BenchmarkLocal(b *testing.B) {
	type key struct{}
	alone(b, []impl{
		{"curio", func(b *testing.B, _ int) {
			var l curio.Local[int]
			b.ReportAllocs()
			err := curio.Run(b.Context(), func(ctx context.Context) error {
				l.Set(ctx, 1)
				for b.Loop() {
					if _, ok := l.Get(ctx); !ok {
						b.Fatal("it has no value")
					}
				}
				return nil
			})
			if err != nil {
				b.Error(err)
			}
		}},
		{"context", func(b *testing.B, _ int) {
			ctx := context.WithValue(standard(b), key{}, 1)
			run(b, 1, func(context.Context) error {
				if _, ok := ctx.Value(key{}).(int); !ok {
					b.Fatal("it has no value")
				}
				return nil
			})
		}},
	})
}
