package process_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/process"
)

// soon waits for up to d, about as long as a call takes. Where as many goroutines do so as there are processors,
// they sleep: while they only yield, nobody looks at the poller.
func soon(d time.Duration) {
	all := int(spinning.Add(1)) >= runtime.GOMAXPROCS(0)
	defer spinning.Add(-1)
	d = rand.N(d + 1)
	for began := time.Now(); time.Since(began) < d; {
		if all {
			time.Sleep(time.Microsecond)
		} else {
			runtime.Gosched()
		}
	}
}

var spinning atomic.Int32 // how many are in soon

// A result, a cancellation and the death of the worker at the same moment: each call ends with one of
// them, and it is never the next one that pays for it.
func TestRaces(t *testing.T) {
	for _, race := range []struct {
		name           string
		cancels, kills bool
	}{{"cancelled", true, false}, {"killed", false, true}, {"cancelled and killed", true, true}} {
		t.Run(race.name, func(t *testing.T) {
			inKernel(t, func(ctx context.Context) error {
				p, err := process.NewPool(ctx, process.Config{Workers: 1, Grace: -1})
				if err != nil {
					return err
				}
				var results, cancelled, died int
				rounds := testutil.Starts(400) // a worker that is cancelled is replaced
				if race.kills {
					rounds = testutil.Starts(150) // as is one that is killed, in each of them
				}
				next := 100 * time.Microsecond // is moved to where either may come first
				for i := range rounds {
					one, err := process.Run(ctx, pid, struct{}{}, process.In(p)) // nobody has anything against this one
					if err != nil {
						t.Fatalf("round %d: an undisturbed call fails: %v", i, err)
					}
					var ready atomic.Bool
					moment := next
					var killer *curio.Task[struct{}]
					if race.kills {
						killer = curio.Go(ctx, func(context.Context) error {
							for !ready.Load() {
								soon(time.Microsecond)
							}
							soon(moment)
							return syscall.Kill(one, syscall.SIGKILL)
						})
					}
					task := curio.Spawn(ctx, func(ctx context.Context) (int, error) {
						ready.Store(true)
						return process.Run(ctx, takesTime, i, process.In(p))
					}, curio.ReportCrash(false))
					if race.cancels {
						for !ready.Load() {
							soon(time.Microsecond)
						}
						soon(moment)
						task.CancelNow()
					}
					if err := task.Wait(ctx); err != nil {
						return err
					}
					n, err := task.Result()
					var dead *process.WorkerError
					switch {
					case err == nil && n == 2*i:
						results++
						next = max(moment-moment/16, time.Microsecond)
					case race.cancels && errors.Is(err, curio.ErrTaskCancelled):
						cancelled++
						next = moment + moment/16
					case race.kills && errors.As(err, &dead) && dead.Status.Signal == syscall.SIGKILL && dead.Pid == one:
						died++
						next = moment + moment/16
					default:
						t.Errorf("round %d: the call gives %d, %v", i, n, err)
					}
					if killer != nil {
						if _, err := killer.Join(ctx); err != nil {
							if !errors.Is(err, syscall.ESRCH) { // ended by the cancellation before
								return err
							}
						}
					}
				}
				t.Logf("%d results, %d cancellations, %d deaths", results, cancelled, died)
				return p.Close(ctx)
			})
		})
	}
}

type record struct {
	N    int
	Text string
}

var records = process.Register("records", func(ctx context.Context, n int) (record, error) {
	return record{n, "x"}, process.Report(ctx, n)
})

// takesTime doubles a number, but not at once.
var takesTime = process.Register("takesTime", func(_ context.Context, n int) (int, error) {
	for began := time.Now(); time.Since(began) < 50*time.Microsecond; {
	}
	return 2 * n, nil
})

// A cancellation that comes when the result has been received, but not been taken, leaves the worker alone.
func TestCancelAfterResult(t *testing.T) {
	inKernel(t, func(ctx context.Context) error {
		p, err := process.NewPool(ctx, process.Config{Workers: 1})
		if err != nil {
			return err
		}
		before, err := process.Run(ctx, pid, struct{}{}, process.In(p))
		if err != nil {
			return err
		}
		var scope curio.CancelScope
		err = scope.Run(ctx, func(ctx context.Context) error {
			_, err := process.Run(ctx, records, 1, process.In(p), process.Progress(func(int) {
				// The result follows. When it is there, nobody waits for the call any more but this task.
				testutil.Eventually(func() bool { return process.Answered(p) })
				scope.Cancel()
			}))
			return err
		})
		wantError(t, err, curio.ErrCancelled)
		after, err := process.Run(ctx, pid, struct{}{}, process.In(p))
		if before != after {
			t.Errorf("the worker was %d and is %d", before, after)
		}
		// Of the same type as the lost one, with which the definition of the type has come.
		if got, err := process.Run(ctx, records, 4, process.In(p)); got != (record{4, "x"}) || err != nil {
			t.Errorf("the next call gives %v, %v", got, err)
		}
		return errors.Join(err, p.Close(ctx))
	})
}
