package curio_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
)

// conditions are one for each kind of lock.
var conditions = map[string]func() *curio.Condition{
	"its own": func() *curio.Condition { return new(curio.Condition) },
	"Lock":    func() *curio.Condition { return curio.NewCondition(new(curio.Lock)) },
	"RLock":   func() *curio.Condition { return curio.NewCondition(new(curio.RLock)) },
	"RWLock":  func() *curio.Condition { return curio.NewCondition(new(curio.RWLock)) },
}

func eachCondition(t *testing.T, body func(ctx context.Context, f *fixture, c *curio.Condition)) {
	for what, build := range conditions {
		t.Run(what, func(t *testing.T) {
			inKernel(t, func(ctx context.Context, f *fixture) {
				c := build()
				body(ctx, f, c)
				if s := c.Locker().Snapshot(); len(s.Holders)+len(s.Waiters)+len(c.Snapshot().Waiters) != 0 {
					f.Errorf("left are %v and %v", s, c)
				}
			})
		})
	}
}

// holds checks whether the task of ctx has the lock of c.
func holds(ctx context.Context, f *fixture, c *curio.Condition, want bool) {
	f.Helper()
	me := curio.CurrentTask(ctx)
	got := slices.ContainsFunc(c.Snapshot().Holders, func(h curio.Holder) bool { return h.Task == me })
	if got != want {
		f.Errorf("%v has the lock: %v; %v", me, got, c)
	}
}

// waiter spawns a task that waits for c, and then calls then with the lock held.
func waiter(ctx context.Context, f *fixture, c *curio.Condition, then func(error)) *curio.Task[struct{}] {
	task := curio.Go(ctx, func(ctx context.Context) error {
		return c.Do(ctx, func(ctx context.Context) error {
			err := c.Wait(ctx)
			holds(ctx, f, c, true)
			then(err)
			return err
		})
	})
	synctest.Wait()
	return task
}

// L16: Notify wakes exactly one, the one that has waited longest; two consumers take
// turns.
func TestConditionNotify(t *testing.T) {
	eachCondition(t, func(ctx context.Context, f *fixture, c *curio.Condition) {
		var items, got []int
		consumer := func(ctx context.Context) (who int, err error) {
			for range 3 {
				err = errors.Join(err, c.Do(ctx, func(ctx context.Context) error {
					for len(items) == 0 {
						if err := c.Wait(ctx); err != nil {
							return err
						}
					}
					got = append(got, items[0]*10+int(curio.CurrentTask(ctx).Name()[0]-'0'))
					items = items[1:]
					return nil
				}))
			}
			return 0, err
		}
		var tasks []*curio.Task[int]
		for i := range 2 {
			tasks = append(tasks, curio.Spawn(ctx, consumer, curio.Name(fmt.Sprint(i))))
			synctest.Wait()
		}
		for i := range 6 {
			succeed(c.Do(ctx, func(context.Context) error {
				items = append(items, i)
				c.Notify(1)
				return nil
			}))
			synctest.Wait()
		}
		for _, task := range tasks {
			if _, err := task.Join(ctx); err != nil {
				f.Error(err)
			}
		}
		if want := []int{0, 11, 20, 31, 40, 51}; !slices.Equal(got, want) {
			f.Errorf("got %v, want %v", got, want)
		}
	})
}

// L19, L27, W-L1: Notify of more than there are wakes those that there are, of none
// wakes none, without waiters it does nothing; NotifyAll wakes all.
func TestConditionNotifyMany(t *testing.T) {
	eachCondition(t, func(ctx context.Context, f *fixture, c *curio.Condition) {
		c.Notify(1)
		c.Notify(math.MaxInt)
		c.NotifyAll()
		left := 0
		come := func(n int) (tasks []*curio.Task[struct{}]) {
			for range n {
				left++
				tasks = append(tasks, waiter(ctx, f, c, func(err error) {
					left--
					if err != nil {
						f.Error(err)
					}
				}))
			}
			return tasks
		}
		tasks := come(10)
		for _, step := range []struct{ n, left int }{{0, 10}, {1, 9}, {3, 6}, {100, 0}, {1, 0}} {
			c.Notify(step.n)
			synctest.Wait()
			if left != step.left {
				f.Errorf("after Notify(%d) %d are left, want %d", step.n, left, step.left)
			}
			for i, task := range tasks {
				if task.Terminated() != (i < 10-step.left) {
					f.Errorf("with %d left, %d is %v", left, i, task)
				}
			}
		}
		come(10)
		c.NotifyAll()
		synctest.Wait()
		if left != 0 {
			f.Errorf("after NotifyAll %d are left", left)
		}
		f.onlyMain()
	})
}

// L20: WaitFor returns when it is true and not before; a notification before that is for
// nothing; it does not wait for what is true already.
func TestConditionWaitFor(t *testing.T) {
	eachCondition(t, func(ctx context.Context, f *fixture, c *curio.Condition) {
		n, asked := 0, 0
		task := curio.Go(ctx, func(ctx context.Context) error {
			return c.Do(ctx, func(ctx context.Context) error {
				for range 2 {
					err := c.WaitFor(ctx, func() bool {
						asked++
						holds(ctx, f, c, true)
						return n >= 3
					})
					if err != nil || n != 3 {
						f.Errorf("at %d: %v", n, err)
					}
				}
				return nil
			})
		})
		synctest.Wait()
		for range 3 {
			n++
			if s := task.State(); s != "CONDITION_WAIT" {
				f.Errorf("at %d it is %s", n, s)
			}
			c.Notify(1)
			synctest.Wait()
		}
		if _, err := task.Join(ctx); err != nil || asked != 5 {
			f.Errorf("%v, asked %d times, want 5", err, asked)
		}
	})
}

// L17, L18, L28, W-L2: who is cancelled while another one has the lock waits for it, in
// the state of that wait, and releases its own lock and nobody else's.
func TestConditionCancelledWhileTheLockIsTaken(t *testing.T) {
	eachCondition(t, func(ctx context.Context, f *fixture, c *curio.Condition) {
		for _, how := range []string{"cancel", "timeout"} {
			var seen error
			timed, cancel := curio.WithTimeout(ctx, time.Hour)
			task := waiter(timed, f, c, func(err error) { seen = err })
			err := c.Do(ctx, func(ctx context.Context) error {
				if how == "cancel" {
					task.CancelNow()
				} else {
					_ = curio.Sleep(ctx, time.Hour)
				}
				synctest.Wait()
				holds(ctx, f, c, true)
				if s := task.State(); s != "LOCK_ACQUIRE" && s != "RLOCK_ACQUIRE" && s != "WRITE_ACQUIRE" {
					f.Errorf("%s: it is %s, want it to wait for the lock", how, s)
				}
				if n := len(c.Snapshot().Waiters); n != 0 {
					f.Errorf("%s: %d still wait to be notified", how, n)
				}
				task.CancelNow() // cannot hurry it
				err := curio.Sleep(ctx, time.Second)
				holds(ctx, f, c, true)
				return err
			})
			if err != nil {
				f.Error(err)
			}
			_ = task.Wait(ctx)
			is(f, how, seen, taskCancelled...)
			cancel()
		}
	})
}

// L28: so it is with contexts of the standard library, for goroutines that are no tasks, and
// when a kernel is shut down meanwhile: nobody comes back without the lock.
func TestConditionEndsForeignWhileTheLockIsTaken(t *testing.T) {
	eachCondition(t, func(ctx context.Context, f *fixture, c *curio.Condition) {
		_, onlyTasks := c.Locker().(*curio.RLock)
		other := curio.NewKernel()
		for _, how := range []string{"derived", "plain", "shutdown"} {
			if onlyTasks && how == "plain" {
				continue
			}
			base, cancel := context.WithCancel(context.Background())
			ended := make(chan error)
			waits := func(ctx context.Context) error {
				return c.Do(ctx, func(ctx context.Context) error {
					err := c.Wait(ctx)
					holds(ctx, f, c, true)
					return err
				})
			}
			go func() {
				switch how {
				case "derived":
					ended <- curio.Go(context.WithoutCancel(ctx), func(ctx context.Context) error {
						derived, stop := context.WithCancel(ctx)
						context.AfterFunc(base, stop)
						is(f, how, waits(derived), scopeCancelled...)
						return nil
					}).Wait(context.Background())
				case "plain":
					is(f, how, waits(base), scopeCancelled...)
					ended <- nil
				case "shutdown":
					is(f, how, other.Run(context.Background(), waits), taskCancelled...)
					ended <- nil
				}
			}()
			synctest.Wait()
			succeed(c.Acquire(ctx))
			cancel()
			shut := make(chan error, 1)
			if how == "shutdown" {
				go func() { shut <- other.Shutdown(context.Background()) }()
			} else {
				shut <- nil
			}
			synctest.Wait()
			holds(ctx, f, c, true)
			if n := len(c.Locker().Snapshot().Waiters); n != 1 {
				f.Errorf("%s: %d wait for the lock", how, n)
			}
			c.Release(ctx)
			if err := errors.Join(<-ended, <-shut); err != nil {
				f.Errorf("%s: %v", how, err)
			}
		}
	})
}

// Who has been cancelled already fails at once, with the lock held all the time.
func TestConditionWaitOfTheCancelled(t *testing.T) {
	eachCondition(t, func(ctx context.Context, f *fixture, c *curio.Condition) {
		_ = c.Do(ctx, func(ctx context.Context) error {
			other := curio.Go(ctx, c.Acquire, curio.ReportCrash(false))
			synctest.Wait()
			dead, cancel := curio.WithTimeout(ctx, time.Hour)
			cancel()
			is(f, "Wait", c.Wait(dead), scopeCancelled...)
			is(f, "WaitFor", c.WaitFor(dead, func() bool { return false }), scopeCancelled...)
			holds(ctx, f, c, true)
			if other.Terminated() {
				f.Error("the lock was released meanwhile")
			}
			_, _ = other.Cancel(ctx)
			return nil
		})
	})
}

// A loop of WaitFor that never has to wait ends with its context too, as every operation
// does.
func TestConditionWaitForWhatIsTrueOfTheCancelled(t *testing.T) {
	eachCondition(t, func(ctx context.Context, f *fixture, c *curio.Condition) {
		_ = c.Do(ctx, func(ctx context.Context) error {
			dead, cancel := curio.WithTimeout(ctx, time.Hour)
			cancel()
			is(f, "WaitFor", c.WaitFor(dead, func() bool { return true }), scopeCancelled...)
			return nil
		})
	})
}

// A notification goes to one that can still be had: who was cancelled before it is
// skipped, also if it is still waiting for the lock.
func TestConditionNotifySkipsTheCancelled(t *testing.T) {
	eachCondition(t, func(ctx context.Context, f *fixture, c *curio.Condition) {
		var order []string
		first := waiter(ctx, f, c, func(err error) {
			is(f, "first", err, taskCancelled...)
			order = append(order, "first")
		})
		second := waiter(ctx, f, c, func(err error) {
			if err != nil {
				f.Errorf("second: %v", err)
			}
			order = append(order, "second")
		})
		succeed(c.Do(ctx, func(context.Context) error {
			first.CancelNow()
			c.Notify(1)
			return nil
		}))
		_, _ = first.Join(ctx)
		_, _ = second.Join(ctx)
		if len(order) != 2 {
			f.Errorf("came: %v", order)
		}
	})
}

// All levels of an RLock are released, and taken back.
func TestConditionOfADeepRLock(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		var l curio.RLock
		c := curio.NewCondition(&l)
		if c.Locker() != &l {
			f.Error("its lock is another one")
		}
		check := func(ctx context.Context) {
			f.Helper()
			if h := l.Snapshot().Holders; len(h) != 1 || h[0] != holderOf(curio.CurrentTask(ctx), 3) {
				f.Errorf("held by %v, want three times by the task", h)
			}
		}
		waits := func(ctx context.Context) error {
			for range 3 {
				succeed(l.Acquire(ctx))
			}
			err := c.Wait(ctx)
			check(ctx)
			for range 3 {
				l.Release(ctx)
			}
			return err
		}
		for _, end := range []func(*curio.Task[struct{}]){
			func(*curio.Task[struct{}]) { c.Notify(1) },
			func(t *curio.Task[struct{}]) { t.CancelNow() },
		} {
			task := curio.Go(ctx, waits, curio.ReportCrash(false))
			synctest.Wait()
			if l.Locked() {
				f.Errorf("while it waits: %v", &l)
			}
			succeed(l.Acquire(ctx)) // it has to wait for the lock
			end(task)
			synctest.Wait()
			if s := task.State(); s != "RLOCK_ACQUIRE" {
				f.Errorf("it is %s", s)
			}
			l.Release(ctx)
			_ = task.Wait(ctx)
			if l.Locked() {
				f.Errorf("left is %v", &l)
			}
		}
	})
}

// Notify need not hold the lock, and may come from anywhere.
func TestConditionBetweenTasksAndGoroutines(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		var c curio.Condition
		ready, done := false, make(chan error)
		go func() {
			done <- c.Do(context.Background(), func(ctx context.Context) error {
				return c.WaitFor(ctx, func() bool { return ready })
			})
		}()
		task := curio.Go(ctx, func(ctx context.Context) error {
			return c.Do(ctx, func(ctx context.Context) error { return c.WaitFor(ctx, func() bool { return ready }) })
		})
		synctest.Wait()
		go func() {
			succeed(c.Acquire(context.Background()))
			ready = true
			c.Release(context.Background())
			c.NotifyAll()
		}()
		if err := <-done; err != nil {
			f.Errorf("the goroutine: %v", err)
		}
		if _, err := task.Join(ctx); err != nil {
			f.Errorf("the task: %v", err)
		}
	})
}

// A condition passes Acquire, TryAcquire, Release and Do on to its lock; several can
// share one.
func TestConditionsShareALock(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		var l curio.Lock
		full, empty := curio.NewCondition(&l), curio.NewCondition(&l)
		succeed(full.Acquire(ctx))
		if !l.Locked() || empty.TryAcquire(ctx) {
			f.Errorf("%v", &l)
		}
		full.Release(ctx)
		if !empty.TryAcquire(ctx) {
			f.Error("could not be had")
		}
		l.Release(ctx)

		var slot []int
		producer := curio.Go(ctx, func(ctx context.Context) error {
			for i := range 100 {
				_ = empty.Do(ctx, func(ctx context.Context) error {
					_ = empty.WaitFor(ctx, func() bool { return len(slot) == 0 })
					slot = append(slot, i)
					full.Notify(1)
					return nil
				})
			}
			return nil
		})
		for i := range 100 {
			_ = full.Do(ctx, func(ctx context.Context) error {
				_ = full.WaitFor(ctx, func() bool { return len(slot) > 0 })
				if slot[0] != i {
					f.Errorf("got %d, want %d", slot[0], i)
				}
				slot = nil
				empty.Notify(1)
				return nil
			})
		}
		_, _ = producer.Join(ctx)
	})
}

// L22
func TestConditionString(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		var c curio.Condition
		says := func(want string) {
			f.Helper()
			if got := fmt.Sprint(&c); got != want {
				f.Errorf("it is %q, want %q", got, want)
			}
		}
		says("Condition()")
		task := waiter(ctx, f, &c, func(error) {})
		says("Condition(1 waiting)")
		if got, want := c.Snapshot().Waiters, []curio.Waiter{{Task: task.AnyTask, Op: "CONDITION_WAIT"}}; !slices.Equal(got, want) {
			f.Errorf("waiting are %v", got)
		}
		succeed(c.Acquire(ctx))
		says("Condition(held by task " + curio.CurrentTask(ctx).Path() + ", 1 waiting)")
		c.Release(ctx)
		_, _ = task.Cancel(ctx)
	})
}
