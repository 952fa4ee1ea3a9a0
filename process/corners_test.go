package process_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/process"
)

// The largest number means no limit.
func TestLargestConfig(t *testing.T) {
	for name, cfg := range map[string]process.Config{
		"CPUTime":        {CPUTime: math.MaxInt64},
		"CPUTime, Grace": {CPUTime: math.MaxInt64 / 2, Grace: math.MaxInt64},
		"StartTimeout":   {StartTimeout: math.MaxInt64},
		"CallsPerWorker": {CallsPerWorker: math.MaxInt},
		"Workers":        {Workers: math.MaxInt},
	} {
		t.Run(name, func(t *testing.T) {
			inPool(t, cfg, func(ctx context.Context, p *process.Pool) {
				first := runsOn(ctx, t, p)
				slept, err := process.Run(ctx, sleeps, short, process.In(p))
				if second := runsOn(ctx, t, p); slept != "slept" || err != nil || second != first {
					t.Errorf("%q, %v, in worker %d and then %d", slept, err, first, second)
				}
				var got []int
				for n, err := range process.Map(ctx, double, slices.Values([]int{1, 2, 3}), process.In(p)) {
					check(t, err)
					got = append(got, n)
				}
				if !slices.Equal(got, []int{2, 4, 6}) {
					t.Errorf("Map yields %v", got)
				}
			})
		})
	}
}

// A pool keeps its settings, whatever becomes of the slice that it was given.
func TestConfigIsCopied(t *testing.T) {
	cfg := process.Config{Workers: 1, Env: []string{"CURIO_TEST_COPIED=yes"}}
	inPool(t, cfg, func(ctx context.Context, p *process.Pool) {
		cfg.Env[0] = "CURIO_TEST_COPIED=no"
		text, err := process.Run(ctx, variableOf, "CURIO_TEST_COPIED", process.In(p))
		if text != "yes" || err != nil {
			t.Errorf("the variable is %q, %v", text, err)
		}
	})
}

var variableOf = process.Register("variableOf", func(_ context.Context, name string) (string, error) { return os.Getenv(name), nil })

// A worker's calls are numbered with 32 bits, and there may be more of them.
func TestCallNumbersBeginAnew(t *testing.T) {
	inPool(t, process.Config{Workers: 1}, func(ctx context.Context, p *process.Pool) {
		first := runsOn(ctx, t, p)
		process.Renumber(p, math.MaxUint32)
		_, err := process.Run(ctx, fails, "as it should", process.In(p))
		wantText(t, err, "as it should")
		if pid := runsOn(ctx, t, p); pid != first || p.Workers()[0].Calls != 3 {
			t.Errorf("worker %d, and then %+v", first, p.Workers())
		}
		process.Renumber(p, math.MaxUint32)
		err = curio.TimeoutAfter(ctx, short, func(ctx context.Context) error {
			_, err := process.Run(ctx, sleeps, long, process.In(p))
			return err
		})
		wantError(t, err, curio.ErrTaskTimeout)
		if pid := runsOn(ctx, t, p); pid == first {
			t.Error("the worker of a cancelled call is still used")
		}
	})
}

// The kernel of a pool is shut down while the pool waits until it starts another worker, as none of them has started
// so far. That is no cancellation of the calls that wait, which come from elsewhere.
func TestShutdownBetweenStarts(t *testing.T) {
	inKernel(t, func(ctx context.Context) error {
		kernel := curio.NewKernel()
		var p *process.Pool
		check(t, kernel.Run(ctx, func(ctx context.Context) error {
			p = newPool(ctx, t, process.Config{Workers: 1, StartTimeout: time.Nanosecond})
			return nil
		}))
		for range 3 { // the pauses become longer
			_, err := process.Run(ctx, double, 1, process.In(p))
			wantText(t, err, "within 1ns")
		}
		task := curio.Spawn(ctx, func(ctx context.Context) (int, error) { return process.Run(ctx, double, 1, process.In(p)) })
		testutil.Await(t, "a call that waits", func() bool { return p.Waiting() == 1 })
		check(t, kernel.Shutdown(ctx))
		check(t, task.Wait(ctx))
		if err := task.Err(); !errors.Is(err, process.ErrPoolClosed) && !errors.As(err, new(*process.WorkerError)) || errors.Is(err, context.Canceled) {
			t.Errorf("the error is %v", err)
		}
		return nil
	})
}

// A murderous is an argument that ends the worker that it is about to be sent to.
type murderous struct{ n int }

var murder struct {
	sync.Mutex
	encode func(n int)
}

func (m murderous) GobEncode() ([]byte, error) {
	murder.encode(m.n)
	return []byte{byte(m.n)}, nil
}

func (m *murderous) GobDecode(b []byte) error {
	m.n = int(b[0])
	return nil
}

var survives = process.Register("survives", func(_ context.Context, m murderous) (int, error) { return m.n, nil })

// A call that no worker has begun with is tried by three, whichever way they have died.
func TestTries(t *testing.T) {
	inPool(t, process.Config{Workers: 1}, func(ctx context.Context, p *process.Pool) {
		attempts := 0
		var killers sync.WaitGroup
		defer killers.Wait()
		murder.encode = func(int) {
			attempts++
			pid := p.Workers()[0].Pid
			if attempts <= 3 { // it dies before it is sent anything
				signalTo(t, pid, syscall.SIGKILL)
				testutil.Await(t, "a death", func() bool {
					return !slices.ContainsFunc(p.Workers(), func(w process.Worker) bool { return w.Pid == pid })
				})
				return
			}
			if attempts > 6 {
				return
			}
			signalTo(t, pid, syscall.SIGSTOP) // it is sent the call, and dies before it has read that
			killers.Go(func() {
				testutil.Await(t, "a call", func() bool {
					return slices.ContainsFunc(p.Workers(), func(w process.Worker) bool { return w.Pid == pid && w.Func != "" })
				})
				signalTo(t, pid, syscall.SIGKILL)
			})
		}
		_, err := process.Run(ctx, survives, murderous{1}, process.In(p))
		if e := died(t, err); attempts != 4 || e.Status.Signal != syscall.SIGKILL {
			t.Errorf("%d attempts: %v", attempts, err)
		}
	})
}

// A context that hangs, panics or ends the goroutine in any of its methods harms its own call and no other, in
// whichever pool.
func TestHostileContexts(t *testing.T) {
	noTraces(t)
	release := make(chan struct{})
	var calls sync.WaitGroup
	defer calls.Wait()
	defer close(release)
	check(t, curio.Run(background, func(ctx context.Context) error {
		check(t, process.Configure(ctx, process.Config{Workers: 2, Grace: short}))
		for what, use := range map[string]func(ctx context.Context) error{
			"Run": func(ctx context.Context) error { _, err := process.Run(ctx, double, 1); return err },
			"Map": func(ctx context.Context) error {
				for range process.Map(ctx, double, slices.Values([]int{1, 2})) {
				}
				return nil
			},
			"progress": func(ctx context.Context) error {
				_, err := process.Run(ctx, counts, 20, process.Progress(func(int) {}))
				return err
			},
			"NewPool": func(ctx context.Context) error {
				p, err := process.NewPool(ctx, process.Config{})
				if err == nil {
					err = p.Close(ctx)
				}
				return err
			},
		} {
			if !testutil.LongStarts && what != "Run" {
				continue // hundreds of processes
			}
			for _, method := range testutil.HostileMethods {
				for how, act := range testutil.HostileActs(release) {
					for n := 1; ; n++ {
						if how == "hangs" && n > 1 { // such a call may keep its worker
							break
						}
						h := testutil.NewHostile()
						inner, cancel := context.WithCancel(ctx)
						h.Context = inner
						h.At(method, n, act)
						ended := make(chan struct{})
						calls.Go(func() {
							defer close(ended)
							defer func() { _ = recover() }()
							_ = use(h.WithAfterFunc())
						})
						select {
						case <-ended:
						case <-h.Acted():
							if how != "hangs" {
								<-ended
							}
						}
						cancel()
						err := curio.TimeoutAfter(ctx, time.Minute, func(ctx context.Context) error {
							_, err := process.Run(ctx, double, 1)
							return err
						})
						if err != nil {
							t.Fatalf("%s, %s %d %s: the next call: %v", what, method, n, how, err)
						}
						if !h.HasActed() || n > 40 {
							break
						}
					}
				}
			}
		}
		return nil
	}))
}

// A context that hangs when a pool is made with it keeps no other kernel from its pool.
func TestPoolOfHangingContext(t *testing.T) {
	noTraces(t)
	var hanging sync.WaitGroup
	defer hanging.Wait()
	for n := 1; n < 12; n++ {
		release := make(chan struct{})
		check(t, curio.Run(background, func(ctx context.Context) error {
			h := testutil.NewHostile()
			h.Context = ctx
			h.At("Value", n, func() { <-release })
			ended := make(chan struct{})
			hanging.Go(func() {
				defer close(ended)
				process.PoolOf(h)
			})
			select {
			case <-ended:
			case <-h.Acted():
			}
			defer close(release)
			other := curio.NewKernel()
			defer func() { check(t, other.Shutdown(background)) }()
			return other.Run(ctx, func(ctx context.Context) error {
				return curio.TimeoutAfter(ctx, time.Minute, func(ctx context.Context) error {
					_, err := curio.RunInThread(ctx, func() (*process.Pool, error) { return process.PoolOf(ctx), nil })
					return err
				})
			})
		}))
	}
}

// When many ask for the pool of a kernel at the same time, all get the same one, and there is no other.
func TestPoolOfAtOnce(t *testing.T) {
	for range testutil.Starts(100) {
		inKernel(t, func(ctx context.Context) error {
			var all sync.WaitGroup
			var pools [4]*process.Pool
			var ready atomic.Int32
			for i := range pools {
				all.Go(func() {
					for ready.Add(1); int(ready.Load()) < len(pools); {
					}
					pools[i] = process.PoolOf(ctx)
				})
			}
			all.Wait()
			for _, p := range pools {
				if p != pools[0] || p != process.PoolOf(ctx) {
					return fmt.Errorf("there are several pools: %v", pools)
				}
			}
			return nil
		})
	}
}

// reportStorm has many tasks report at the same time, with contexts that may end at any moment, and returns which
// values it has been told were sent.
var reportStorm = process.Register("reportStorm", func(ctx context.Context, tasks int) (sent []int, err error) {
	var mu sync.Mutex
	err = curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[struct{}]) error {
		for task := range tasks {
			g.Go(func(ctx context.Context) error {
				for i := range 60 {
					v, ok := 1000*task+i, false
					limit := time.Duration(rand.IntN(300)) * time.Microsecond
					var err error
					switch rand.IntN(4) {
					case 0:
						ok, err = process.TryReport(ctx, v)
					case 1:
						err = process.Report(ctx, v)
						ok = err == nil
					case 2:
						_, err = curio.IgnoreAfter(ctx, limit, func(ctx context.Context) error {
							err := process.Report(ctx, v)
							ok = err == nil
							return err
						})
					case 3:
						inner, cancel := context.WithTimeout(ctx, limit)
						ok = process.Report(struct{ context.Context }{inner}, v) == nil
						cancel()
					}
					if err != nil {
						return err
					}
					if ok {
						mu.Lock()
						sent = append(sent, v)
						mu.Unlock()
					}
				}
				return nil
			})
		}
		return nil
	})
	return sent, err
})

// What Report says has been sent has been, once and in order, and nothing else.
func TestReportStorm(t *testing.T) {
	inPool(t, process.Config{Workers: 1, Processors: 2}, func(ctx context.Context, p *process.Pool) {
		for range testutil.Times(20) {
			var seen []int
			last := make(map[int]int)
			sent, err := process.Run(ctx, reportStorm, 8, process.In(p), process.Progress(func(v int) {
				if before, ok := last[v/1000]; ok && before >= v {
					t.Errorf("%d came after %d", v, before)
				}
				last[v/1000] = v
				seen = append(seen, v)
				if v%17 == 0 {
					_ = curio.Sleep(ctx, time.Duration(rand.IntN(500))*time.Microsecond)
				}
			}))
			check(t, err)
			slices.Sort(sent)
			slices.Sort(seen)
			if !slices.Equal(sent, seen) {
				t.Errorf("%d values were sent and %d have come, or others", len(sent), len(seen))
			}
		}
	})
}
