package curiotest_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/curiotest"
	"github.com/curio-go/curio/internal/testutil"
)

// The four rounds, as messages begin.
var rounds = []string{
	"cancelled at the entry of wait ",
	"cancelled in wait ",
	"timed out at the entry of wait ",
	"timed out in wait ",
}

// caught checks that a fault is found in each round, and described with want.
func caught(t *testing.T, fn function, want ...string) {
	t.Helper()
	impatient := curiotest.Canceller{Patience: 2 * time.Second} // a test of a leak lasts as long as hope does
	w := observe(t, func(t testing.TB) { impatient.Everywhere(t, fn) })
	for _, round := range rounds {
		w.has(t, append([]string{round}, want...)...)
	}
	if len(w.failures) != len(rounds) {
		t.Errorf("%d failures, want one for each round:\n%s", len(w.failures), w.said())
	}
}

func TestLostToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var taken, slept string
		fn := func(ctx context.Context) error {
			tokens := curio.NewSemaphore(3)
			taken = line(1)
			if err := tokens.Acquire(ctx); err != nil {
				return err
			}
			slept = line(1)
			if err := curio.Sleep(ctx, time.Second); err != nil {
				return err
			}
			tokens.Release(ctx)
			return nil
		}
		caught(t, fn, "*curio.Semaphore", "2 of 3 free", "is left held", "by the main task in curio.(*Semaphore).Acquire at ")
		caught(t, fn, taken)
		caught(t, fn, "curio.Sleep at ", slept)
	})
}

// A token that is lost for good, as what it belongs to outlives the function.
func TestLostTokenOfAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tokens := make(chan bool, 1)
		tokens <- true
		w := observe(t, func(t testing.TB) {
			curiotest.CancelEverywhere(t, func(ctx context.Context) error {
				select {
				case <-tokens:
				case <-ctx.Done():
					return ctx.Err()
				}
				if err := curio.Sleep(ctx, time.Second); err != nil {
					return err
				}
				tokens <- true
				return nil
			})
		})
		w.has(t, "fails when it runs undisturbed", "disturbed last was cancelled at the entry of wait 1", "has not returned", "RUNNING")
	})
}

func TestLeakedTask(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var slept string
		fn := func(ctx context.Context) error {
			slept = line(2)
			helper := curio.Go(context.WithoutCancel(ctx), func(ctx context.Context) error {
				return curio.Sleep(ctx, time.Hour)
			}, curio.Name("helper"))
			if err := curio.Sleep(ctx, time.Second); err != nil {
				return err
			}
			helper.CancelNow()
			return helper.Wait(ctx)
		}
		caught(t, fn, "a task is left running: task helper: TIME_SLEEP")
		caught(t, fn, slept)
	})
}

func TestLeakedDescriptor(t *testing.T) {
	if _, err := os.ReadDir("/proc/self/fd"); err != nil {
		t.Skipf("no /proc here: %v", err)
	}
	both(t, func(t *testing.T) {
		var opened []*os.File // else the collector might close them
		caught(t, func(ctx context.Context) error {
			f, err := os.Open(os.DevNull)
			if err != nil {
				return err
			}
			opened = append(opened, f)
			if err := curio.Sleep(ctx, longEnough); err != nil {
				return err
			}
			return f.Close()
		}, "a descriptor is left open", os.DevNull)
		for _, f := range opened {
			f.Close()
		}
	})
}

func TestSwallowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var slept string
		fn := func(ctx context.Context) error {
			slept = line(1)
			_ = curio.Sleep(ctx, time.Second)
			return nil
		}
		caught(t, fn, "swallowed the cancellation", "curio.Sleep at ")
		caught(t, fn, slept)
	})
}

func TestSwallowedAtABarrier(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		caught(t, func(ctx context.Context) error {
			b := curio.NewBarrier(2)
			curio.Go(ctx, func(ctx context.Context) error {
				time.Sleep(time.Second) // in the bubble's time: it is always the second to come
				_, _ = b.Wait(ctx)
				return nil
			})
			_, _ = b.Wait(ctx)
			return nil
		}, "swallowed", "curio.(*Barrier).Wait at ")
	})
}

// What comes in the moment of the cancellation is not lost, and so nothing is swallowed
// by one who gets it.
func TestSavedIsNotSwallowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		curiotest.CancelEverywhere(t, func(ctx context.Context) error {
			values := make(chan int, 2)
			stop := context.AfterFunc(ctx, func() { values <- 1 })
			defer stop()
			sender := curio.Go(ctx, func(ctx context.Context) error {
				defer func() { values <- 2 }()
				return curio.Sleep(ctx, time.Second)
			})
			_, err := curio.Receive(ctx, values)
			_ = sender.Wait(context.WithoutCancel(ctx))
			return err
		})
	})
}

func TestLockLeftHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l curio.Lock
		w := observe(t, func(t testing.TB) {
			curiotest.CancelEverywhere(t, func(ctx context.Context) error {
				worker := curio.Go(ctx, func(ctx context.Context) error {
					if err := l.Acquire(ctx); err != nil {
						return err
					}
					if err := curio.Sleep(ctx, time.Second); err != nil {
						return err
					}
					l.Release(ctx)
					return nil
				}, curio.Name("worker"))
				_, err := worker.Join(ctx)
				return err
			})
		})
		w.has(t, rounds[0], "*curio.Lock", "left held", "taken by task worker in curio.(*Lock).Acquire")
		// The lock stays held, and nothing more can be tested.
		w.has(t, "after a run that failed", "has not returned", "LOCK_ACQUIRE")
	})
}

// A seat is a lock of the user's, built on a WaitList.
type seat struct {
	mu    sync.Mutex
	taken bool
	line  curio.WaitList[struct{}]
}

func newSeat() *seat {
	s := new(seat)
	s.line.Mutex, s.line.State, s.line.Object, s.line.Serve = &s.mu, "SEAT_TAKE", s, s.serve
	return s
}

func (s *seat) serve() {
	if !s.taken && s.line.Hand(struct{}{}) {
		s.taken = true
	}
}

func (s *seat) take(ctx context.Context) error {
	_, err := s.line.Wait(ctx, struct{}{})
	if err == nil {
		curio.NoteHeld(ctx, s, 1)
	}
	return err
}

func (s *seat) leave(ctx context.Context) {
	s.mu.Lock()
	s.taken = false
	s.serve()
	s.mu.Unlock()
	curio.NoteReleased(ctx, s, 1)
}

// What NoteHeld and NoteReleased say of a primitive of the user's counts like what ours say.
func TestOwnPrimitiveLeftHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		use := func(ctx context.Context, leave func(*seat)) error {
			s := newSeat()
			if err := s.take(ctx); err != nil {
				return err
			}
			defer leave(s)
			return curio.Sleep(ctx, time.Second)
		}
		caught(t, func(ctx context.Context) error {
			return use(ctx, func(s *seat) {
				if curio.CheckCancellation(ctx) == nil {
					s.leave(ctx)
				}
			})
		}, "*curiotest_test.seat", "is left held", "taken by the main task in curio.NoteHeld at ")
		curiotest.CancelEverywhere(t, func(ctx context.Context) error {
			return use(ctx, func(s *seat) { s.leave(context.Background()) })
		})
	})
}

func TestLocksLeftHeldInEachRound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, lock := range map[string]func() curio.Locker{
			"*curio.Lock":  func() curio.Locker { return new(curio.Lock) },
			"*curio.RLock": func() curio.Locker { return new(curio.RLock) },
		} {
			caught(t, func(ctx context.Context) error {
				l := lock()
				if err := l.Acquire(ctx); err != nil {
					return err
				}
				if err := curio.Sleep(ctx, time.Second); err != nil {
					return err
				}
				l.Release(ctx)
				return nil
			}, name, "left held")
		}
	})
}

func TestNeverReturns(t *testing.T) {
	both(t, func(t *testing.T) {
		release := make(chan struct{})
		w := observe(t, func(t testing.TB) {
			curiotest.Canceller{Patience: 2 * time.Second}.Everywhere(t, func(ctx context.Context) error { // a busy machine needs some of it
				if curio.Sleep(ctx, time.Millisecond) != nil {
					<-release
				}
				return nil
			})
		})
		close(release)
		w.has(t, rounds[0]+"1: curio.Sleep", "has not returned within 2s", "the main task: RUNNING at ", "faults_test.go")
		w.has(t, "the function still runs")
		if len(w.failures) != 2 {
			t.Errorf("it went on:\n%s", w.said())
		}
	})
}

func TestAnotherError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		caught(t, func(ctx context.Context) error {
			if curio.Sleep(ctx, time.Second) != nil {
				return errBoom
			}
			return nil
		}, "an error that is no cancellation: boom")
	})
}

func TestPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		caught(t, func(ctx context.Context) error {
			if curio.Sleep(ctx, time.Second) != nil {
				panic("boom")
			}
			return nil
		}, "it panicked: boom", "faults_test.go")
	})
}

// A panic that nobody hears of but the log.
func TestPanicOfAnotherTask(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		caught(t, func(ctx context.Context) error {
			curio.Go(ctx, func(ctx context.Context) error {
				if curio.Sleep(ctx, time.Second) != nil {
					panic("boom")
				}
				return nil
			}, curio.Name("worker"))
			return curio.Sleep(ctx, 2*time.Second)
		}, "the kernel had to log: task panicked", "worker", "boom", "faults_test.go")
	})
}

func TestUnseenError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		caught(t, func(ctx context.Context) error {
			curio.Go(ctx, func(ctx context.Context) error {
				if curio.Sleep(ctx, time.Second) != nil {
					return errBoom
				}
				return nil
			}, curio.Name("worker"))
			return curio.Sleep(ctx, 2*time.Second)
		}, "task failed and no caller received its error", "worker", "boom")
	})
}

// longEnough is how long a wait outside of a bubble takes, in the middle of which a function is to be cut short: it must not be over
// by itself before that, on a busy machine.
const longEnough = 200 * time.Millisecond

func TestLeakedGoroutine(t *testing.T) {
	both(t, func(t *testing.T) {
		release := make(chan struct{})
		w := observe(t, func(t testing.TB) {
			curiotest.Canceller{Patience: 2 * time.Second}.Everywhere(t, func(ctx context.Context) error {
				if err := curio.Sleep(ctx, longEnough); err != nil {
					go func() { <-release }()
					return err
				}
				return nil
			})
		})
		close(release)
		for _, round := range rounds {
			w.has(t, round, "a goroutine is left", "TestLeakedGoroutine")
		}
	})
}

func TestLeakedChild(t *testing.T) {
	testutil.Need(t, "sleep")
	if lists, _ := filepath.Glob("/proc/self/task/*/children"); len(lists) == 0 {
		t.Skip("/proc/self/task/*/children is missing here: child processes cannot be listed")
	}
	var started []*exec.Cmd
	caught(t, func(ctx context.Context) error {
		child := testutil.Command(t, "sleep", "1000")
		if err := child.Start(); err != nil {
			return err
		}
		started = append(started, child)
		if err := curio.Sleep(ctx, longEnough); err != nil {
			return err
		}
		_ = child.Process.Kill()
		_ = child.Wait() // that it was killed is known
		return nil
	}, "a child process is left", "(sleep)")
	for _, child := range started {
		_ = child.Process.Kill()
		_ = child.Wait()
	}
}

func TestDaemonThatDoesNotEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		caught(t, func(ctx context.Context) error {
			err := curio.Sleep(ctx, time.Second)
			if err != nil {
				curio.Go(ctx, func(context.Context) error {
					<-release
					return nil
				}, curio.Daemon(), curio.Name("stubborn"))
			}
			return err
		}, "do not end with the kernel", "stubborn: RUNNING at ")
		close(release)
	})
}

func TestNoWaits(t *testing.T) {
	w := observe(t, func(t testing.TB) {
		curiotest.CancelEverywhere(t, func(context.Context) error { return nil })
	})
	w.has(t, "never waits")
}

func TestFailsUndisturbed(t *testing.T) {
	w := observe(t, func(t testing.TB) {
		curiotest.CancelEverywhere(t, func(ctx context.Context) error {
			if err := curio.Sleep(ctx, 0); err != nil {
				return err
			}
			return errBoom
		})
	})
	w.has(t, "fails when it runs undisturbed", "nothing had disturbed it: boom")
	if len(w.failures) != 1 {
		t.Errorf("it went on:\n%s", w.said())
	}
}

func TestTooManyWaits(t *testing.T) {
	w := observe(t, func(t testing.TB) {
		curiotest.Canceller{MaxWaits: 100}.Everywhere(t, func(ctx context.Context) error {
			for {
				if err := curio.Sleep(ctx, 0); err != nil {
					return err
				}
			}
		})
	})
	w.has(t, "more than 100 waits")
}

func TestFailNow(t *testing.T) {
	w := observe(t, func(t testing.TB) {
		curiotest.CancelEverywhere(t, func(ctx context.Context) error {
			if err := curio.Sleep(ctx, 0); err != nil {
				t.Fatal("own complaint")
			}
			return nil
		})
	})
	w.has(t, "own complaint")
	w.has(t, rounds[0]+"1: curio.Sleep", "runtime.Goexit", "failed the test by itself")
}
