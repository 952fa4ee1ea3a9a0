package core_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/verify/fixture"
)

// Nothing that happens once for each task, cancellation or end may cost more in a deeper or
// wider tree. The tests compare n with 16 n; BenchmarkGrowth shows the figures.

// A growth measures what an operation costs when there are many of something.
type growth struct {
	what string
	n    int                                                             // for the test, which compares it with 16 n
	most int                                                             // for the benchmark: what 4 GB of memory allow
	cost func(ctx context.Context, n int) (total time.Duration, ops int) // the time of ops operations while there are n of them
}

// chain calls leaf in the innermost of n tasks. Each task spawns the next one, and waits
// for it with Join.
func chain(ctx context.Context, n int, leaf func(ctx context.Context) error) error {
	if n == 0 {
		return leaf(ctx)
	}
	_, err := curio.Go(ctx, func(ctx context.Context) error { return chain(ctx, n-1, leaf) }, curio.Name("x")).Join(ctx)
	return err
}

// timed returns the processor time that fn takes: other programs do not count.
func timed(fn func()) time.Duration {
	start, cpu := time.Now(), testutil.ProcessorTime()
	fn()
	if d := testutil.ProcessorTime() - cpu; d > 0 {
		return d
	}
	return time.Since(start) // on a system that counts in ticks
}

const often = 200 // a short operation is repeated this many times

var growths = []growth{
	{"cancel at the end of a chain", 500, 100_000, func(ctx context.Context, n int) (d time.Duration, of int) {
		fixture.Loose(ctx, n, func(ctx context.Context) {
			var victims [often]*curio.Task[struct{}]
			for i := range victims {
				victims[i] = curio.Go(ctx, fixture.Sleeper)
			}
			d = timed(func() {
				for _, v := range victims {
					_, _ = v.Cancel(ctx)
				}
			})
		})
		return d, often
	}},
	{"end of a group in groups", 500, 100_000, func(ctx context.Context, n int) (time.Duration, int) {
		var down func(ctx context.Context, n int) error
		down = func(ctx context.Context, n int) error {
			if n == 0 {
				return nil
			}
			return curio.Group(ctx, func(ctx context.Context, _ *curio.TaskGroup[int]) error { return down(ctx, n-1) })
		}
		return timed(func() { _ = down(ctx, n) }), n
	}},
	{"Map whose functions all fail or exit", 500, 1_000_000, func(ctx context.Context, n int) (time.Duration, int) {
		return timed(func() {
			_, err := curio.Map(ctx, make([]int, n), func(context.Context, int) (int, error) {
				if rand.IntN(2) == 0 {
					runtime.Goexit()
				}
				return 0, fixture.ErrBoom
			}, curio.KeepGoing, curio.Limit(10))
			if len(fixture.Failures(err)) != n {
				panic(err)
			}
		}), n
	}},
	{"end of a group in members", 500, 100_000, func(ctx context.Context, n int) (time.Duration, int) {
		var down func(ctx context.Context, n int) error
		down = func(ctx context.Context, n int) error {
			if n == 0 {
				return nil
			}
			return curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
				g.Go(func(ctx context.Context) error { return down(ctx, n-1) })
				return nil
			})
		}
		return timed(func() { _ = down(ctx, n) }), n
	}},
	{"end of a group that cuts its members short, in groups", 500, 100_000, func(ctx context.Context, n int) (time.Duration, int) {
		var down func(ctx context.Context, n int) error
		down = func(ctx context.Context, n int) error {
			if n == 0 {
				return nil
			}
			return curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
				g.Go(fixture.Sleeper)
				return down(ctx, n-1)
			}, curio.WaitNone)
		}
		return timed(func() { _ = down(ctx, n) }), n
	}},
	{"error through joins", 500, 100_000, func(ctx context.Context, n int) (time.Duration, int) {
		var err error
		d := timed(func() { err = chain(ctx, n, func(context.Context) error { return fixture.ErrBoom }) })
		if err == nil {
			panic("no error")
		}
		return d, n
	}},
	{"panic at the end of a chain", 100, 100_000, func(ctx context.Context, n int) (d time.Duration, of int) {
		fixture.Loose(ctx, n, func(ctx context.Context) {
			d = timed(func() {
				for range often {
					_, _ = curio.Go(ctx, func(context.Context) error { panic("x") }, curio.ReportCrash(false)).Join(ctx)
				}
			})
		})
		return d, often
	}},
	{"failure that nobody sees at the end of a chain", 500, 100_000, func(ctx context.Context, n int) (d time.Duration, of int) {
		fixture.Loose(ctx, n, func(ctx context.Context) {
			d = timed(func() {
				for range often {
					_ = curio.Go(ctx, func(context.Context) error { return fixture.ErrBoom }).Wait(ctx)
				}
			})
		})
		return d, often
	}},
	{"call in a thread at the end of a chain", 500, 100_000, func(ctx context.Context, n int) (d time.Duration, of int) {
		fixture.Loose(ctx, n, func(ctx context.Context) {
			d = timed(func() {
				for range often {
					_, _ = curio.RunInThread(ctx, func() (int, error) { return 0, nil })
				}
			})
		})
		return d, often
	}},
	{"path", 500, 100_000, func(ctx context.Context, n int) (d time.Duration, of int) {
		fixture.Loose(ctx, n, func(ctx context.Context) {
			d = timed(func() {
				for range 10 {
					_ = curio.CurrentTask(ctx).Path()
				}
			})
		})
		return d, 10 * n
	}},
	{"tasks of a kernel, in a chain", 500, 100_000, func(ctx context.Context, n int) (d time.Duration, of int) {
		k := curio.NewKernel()
		_ = k.Run(ctx, func(ctx context.Context) error {
			fixture.Loose(ctx, n, func(context.Context) {
				d = timed(func() { _ = k.Tasks() })
			})
			return nil
		})
		_ = k.Shutdown(context.Background())
		return d, n
	}},
	{"state of a task in timeouts", 500, 1_000_000, func(ctx context.Context, n int) (d time.Duration, of int) {
		task := curio.Go(ctx, func(ctx context.Context) error {
			for range n {
				ctx, _ = curio.WithTimeout(ctx, curio.NoTimeout) // ends with the task
			}
			return fixture.Sleeper(ctx)
		})
		for task.Cycles() == 0 {
			runtime.Gosched()
		}
		d = timed(func() { _ = task.State() })
		task.CancelNow()
		_ = task.Wait(ctx)
		return d, n
	}},
	{"scope opened in forgotten timeouts", 100, 100_000, func(ctx context.Context, n int) (d time.Duration, of int) {
		ctx, cancel := curio.WithTimeout(ctx, curio.NoTimeout)
		inner := ctx
		for range n {
			inner, _ = curio.WithTimeout(inner, curio.NoTimeout)
		}
		cancel()
		return timed(func() {
			for range 10 {
				_, cancel := curio.WithTimeout(inner, curio.NoTimeout)
				cancel()
			}
		}), 10 * n
	}},
	{"timeout beside forgotten ones", 1000, 100_000, func(ctx context.Context, n int) (d time.Duration, of int) {
		return timed(func() {
			for range n {
				_, _ = curio.WithTimeout(ctx, time.Millisecond)
			}
		}), n
	}},
	{"shutdown of a chain that does not react", 200, 30_000, func(_ context.Context, n int) (d time.Duration, of int) {
		// With more than 4,000 goroutines in the process, Shutdown does not look for their stacks,
		// which is most of the cost. Those of an earlier round may still be ending.
		fixture.WaitUntil(func() bool { return runtime.NumGoroutine() < 100 })
		k := curio.NewKernel(fixture.Discard)
		ended, cancel := context.WithCancel(context.Background())
		cancel()
		_ = k.Run(context.Background(), func(ctx context.Context) error {
			fixture.Loose(ctx, n, func(context.Context) {
				d = timed(func() { _ = k.Shutdown(ended) })
			})
			return nil
		})
		_ = k.Shutdown(context.Background())
		return d, n
	}},
	{"end of a member with collectors", 100, 10_000, func(ctx context.Context, n int) (d time.Duration, of int) {
		release := make(chan struct{})
		_ = curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[int]) error {
			for range n {
				g.Go(func(context.Context) error { <-release; return nil })
			}
			collect := make([]*curio.Task[struct{}], n)
			for i := range collect {
				collect[i] = curio.Go(ctx, func(ctx context.Context) error { _, err := g.NextDone(ctx); return err })
			}
			for _, c := range collect {
				for c.Cycles() == 0 {
					runtime.Gosched()
				}
			}
			d = timed(func() {
				close(release)
				for _, c := range collect {
					_ = c.Wait(ctx)
				}
			})
			return nil
		})
		return d, n
	}},
	{"end of a group with members", 500, 1_000_000, func(ctx context.Context, n int) (time.Duration, int) {
		return timed(func() {
			_ = curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[int]) error {
				for range n {
					g.Go(fixture.Nothing)
				}
				return nil
			})
		}), n
	}},
	{"join of the members of a group, the last first", 500, 1_000_000, func(ctx context.Context, n int) (d time.Duration, of int) {
		_ = curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
			members := make([]*curio.Task[int], n)
			for i := range members {
				members[i] = g.Go(fixture.Nothing)
			}
			for _, m := range members {
				_ = m.Wait(ctx)
			}
			d = timed(func() {
				for i := range members {
					_, _ = members[n-1-i].Join(ctx)
				}
			})
			return nil
		})
		return d, n
	}},
	{"cancel of the last in line of a limited group", 500, 100_000, func(ctx context.Context, n int) (d time.Duration, of int) {
		_ = curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
			line := make([]*curio.Task[int], n)
			for i := range line {
				line[i] = g.Go(fixture.Sleeper)
			}
			d = timed(func() {
				for i := range line {
					_, _ = line[n-1-i].Cancel(ctx)
				}
			})
			return nil
		}, curio.Limit(1))
		return d, n
	}},
	{"spawn beside siblings", 500, 1_000_000, func(ctx context.Context, n int) (d time.Duration, of int) {
		_ = curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
			for range n {
				g.Go(fixture.Sleeper)
			}
			d = timed(func() {
				for range often {
					_, _ = g.Go(fixture.Nothing).Join(ctx)
				}
			})
			return nil
		}, curio.WaitNone)
		return d, often
	}},
}

func TestGrowthIsLinear(t *testing.T) {
	if testutil.Race {
		t.Skip("the race detector's own costs are not linear")
	}
	for _, g := range slices.Concat(growths, syncGrowths) {
		t.Run(g.what, func(t *testing.T) {
			err := curio.Run(t.Context(), func(ctx context.Context) error {
				// If the cost is quadratic, each operation takes at least 16 times as long
				// with 16 n. If not, it takes longer because of the caches and, now and
				// then, the garbage collector.
				var few, many float64
				for range 20 {
					few, many = least(few, g.each(ctx, g.n)), least(many, g.each(ctx, 16*g.n))
					if many < 3*few {
						break
					}
				}
				t.Logf("with %d: %.0f ns each; with %d: %.0f ns each", g.n, few, 16*g.n, many)
				if many > 8*few {
					t.Errorf("each costs %.1f times as much when there are 16 times as many", many/few)
				}
				return nil
			}, fixture.Discard)
			if err != nil {
				t.Error(err)
			}
		})
	}
}

// each returns what one operation costs, in nanoseconds.
func (g *growth) each(ctx context.Context, n int) float64 {
	total, of := g.cost(ctx, n)
	return float64(total.Nanoseconds()) / float64(of)
}

func least(a, b float64) float64 {
	if a == 0 {
		return b
	}
	return min(a, b)
}

// BenchmarkGrowth goes up to 10,000, because the gate runs it too. CURIO_BENCH_MOST sets
// another limit: 1,000,000 takes minutes, and 4 GB of memory.
func BenchmarkGrowth(b *testing.B) {
	most := 10_000
	if text := os.Getenv("CURIO_BENCH_MOST"); text != "" {
		var err error
		if most, err = strconv.Atoi(text); err != nil {
			b.Fatal(err)
		}
	}
	for _, g := range slices.Concat(growths, syncGrowths) {
		for n := 1_000; n <= min(g.most, most); n *= 10 {
			b.Run(fmt.Sprintf("what=%s/n=%d", g.what, n), func(b *testing.B) {
				err := curio.Run(b.Context(), func(ctx context.Context) error {
					var ns float64
					for b.Loop() {
						ns = least(ns, g.each(ctx, n))
					}
					b.ReportMetric(ns, "ns/each")
					b.ReportMetric(0, "ns/op")
					return nil
				}, fixture.Discard)
				if err != nil && !errors.Is(err, context.Canceled) {
					b.Error(err)
				}
			})
		}
	}
}
