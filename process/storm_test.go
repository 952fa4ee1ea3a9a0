package process_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/process"
)

// Everything at once, in every kind of scope, while workers are killed: what succeeds has the right result, and
// what fails does so by its own context, or because its worker has died.
func TestStorm(t *testing.T) {
	for _, processors := range []int{1, 8} {
		t.Run(fmt.Sprint("processors ", processors), func(t *testing.T) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(processors))
			inPool(t, process.Config{Workers: 3, CallsPerWorker: 20, Grace: 20 * time.Millisecond}, func(ctx context.Context, p *process.Pool) {
				var calls, cut, dead atomic.Int64
				killer := curio.Go(ctx, func(ctx context.Context) error {
					for {
						if err := curio.Sleep(ctx, time.Duration(rand.IntN(30))*time.Millisecond); err != nil {
							return err
						}
						if all := p.Workers(); len(all) > 0 {
							sig := []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM, syscall.SIGINT, syscall.SIGSTOP, syscall.SIGCONT}[rand.IntN(5)]
							_ = syscall.Kill(all[rand.IntN(len(all))].Pid, sig)
						}
						for _, w := range p.Workers() { // what is stopped goes on some time, or the test would not end
							if rand.IntN(3) == 0 {
								_ = syscall.Kill(w.Pid, syscall.SIGCONT)
							}
						}
					}
				}, curio.Daemon())
				var all sync.WaitGroup
				for range 6 {
					all.Go(func() {
						for range testutil.Starts(150) {
							inSomeScope(ctx, func(ctx context.Context) {
								err := somethingCalled(ctx, t, p)
								var died *process.WorkerError
								switch calls.Add(1); {
								case errors.Is(err, curio.ErrCancelled), errors.Is(err, context.DeadlineExceeded), errors.Is(err, curio.ErrKernelShutdown):
									cut.Add(1)
								case errors.As(err, &died):
									dead.Add(1)
								case err != nil:
									t.Error(err)
								}
							})
						}
					})
				}
				all.Wait()
				_, err := killer.Cancel(ctx)
				check(t, err)
				for _, w := range p.Workers() {
					_ = syscall.Kill(w.Pid, syscall.SIGCONT)
				}
				t.Logf("of %d calls %d were cut short, and %d lost their worker", calls.Load(), cut.Load(), dead.Load())
			})
		})
	}
}

// inSomeScope calls fn with a context that may end at any moment, or not at all.
func inSomeScope(ctx context.Context, fn func(ctx context.Context)) {
	task := func(ctx context.Context) error { fn(ctx); return nil }
	limit := time.Duration(rand.IntN(60)) * time.Millisecond
	switch rand.IntN(6) {
	case 0:
		fn(ctx)
	case 1:
		inner, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		fn(struct{ context.Context }{inner})
	case 2:
		inner, cancel := curio.WithTimeout(ctx, limit)
		defer cancel()
		fn(inner)
	case 3:
		running := curio.Go(ctx, task)
		_ = curio.Sleep(ctx, limit)
		_, _ = running.Cancel(ctx)
	case 4:
		inner, cancel := curio.WithTimeout(ctx, limit)
		defer cancel()
		_ = curio.DisableCancellation(inner, task)
	case 5: // another kernel's task uses this one's pool
		k := curio.NewKernel()
		var down sync.WaitGroup
		down.Go(func() {
			_ = curio.Sleep(background, limit)
			_ = k.Shutdown(background)
		})
		_ = k.Run(background, task)
		down.Wait()
	}
}

// somethingCalled makes some call, and checks its result.
func somethingCalled(ctx context.Context, t *testing.T, p *process.Pool) error {
	switch rand.IntN(6) {
	case 0, 1:
		n := rand.IntN(1000)
		got, err := process.Run(ctx, double, n, process.In(p))
		if err == nil && got != 2*n {
			t.Errorf("double %d is %d", n, got)
		}
		return err
	case 2:
		data := testutil.Pattern(rand.IntN(200), rand.IntN(1<<20))
		got, err := process.Run(ctx, echo, data, process.In(p))
		if err == nil && !bytes.Equal(got, data) {
			t.Errorf("%d bytes sent, %d came back, or others", len(data), len(got))
		}
		return err
	case 3:
		most, last := rand.IntN(100), -1
		got, err := process.Run(ctx, counts, most, process.In(p), process.Progress(func(n int) {
			if n != last+1 {
				t.Errorf("after %d there was %d", last, n)
			}
			last = n
		}))
		if err == nil && (got != most || last != most-1) {
			t.Errorf("counting to %d: result %d, the last was %d", most, got, last)
		}
		return err
	case 4:
		s := &source{most: rand.IntN(20)}
		next := 0
		for n, err := range process.Map(ctx, double, s.all(), process.In(p)) {
			if err != nil {
				return err
			}
			if n != 2*next {
				t.Errorf("result %d is %d", next, n)
			}
			if next++; rand.IntN(20) == 0 {
				return nil
			}
		}
		return nil
	default:
		how := []string{"error", "panic", ""}[rand.IntN(3)]
		place := []string{atEncoding, atDecoding, atFunction, atResult, atReturn}[rand.IntN(5)]
		_, err := process.Run(ctx, pass, faulty{place: place, how: how}, process.In(p))
		var died *process.WorkerError
		if ours := curio.CheckCancellation(ctx); ours == nil && ctx.Err() == nil && !errors.As(err, &died) {
			if (err != nil) != (how != "") && !errors.Is(err, curio.ErrCancelled) && !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s at %s: %v", how, place, err)
			}
			return nil
		}
		return nil
	}
}
