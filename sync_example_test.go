package curio_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/curio-go/curio"
)

// Waiting for a lock can be given up. The lock knows who holds it.
func ExampleLock() {
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		var l curio.Lock
		holder := curio.Go(ctx, func(ctx context.Context) error {
			return l.Do(ctx, func(ctx context.Context) error { return curio.Sleep(ctx, time.Hour) })
		}, curio.Name("holder"))
		for !l.Locked() {
			if err := curio.Sleep(ctx, time.Millisecond); err != nil {
				return err
			}
		}
		err := curio.TimeoutAfter(ctx, time.Millisecond, l.Acquire)
		fmt.Println("timeout:", errors.Is(err, curio.ErrTaskTimeout))
		fmt.Println("held by:", l.Snapshot().Holders[0].Task.Name())

		_, _ = holder.Cancel(ctx) // Do releases it
		fmt.Println("then:", l.Acquire(ctx))
		l.Release(ctx)
		return nil
	})
	fmt.Println(err)
	// Output:
	// timeout: true
	// held by: holder
	// then: <nil>
	// <nil>
}

// A function that takes a lock can call another one that takes it.
func ExampleRLock() {
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		var l curio.RLock
		balance := 100
		withdraw := func(ctx context.Context, n int) error {
			return l.Do(ctx, func(context.Context) error { balance -= n; return nil })
		}
		return l.Do(ctx, func(ctx context.Context) error {
			for balance > 30 {
				if err := withdraw(ctx, 20); err != nil {
					return err
				}
			}
			fmt.Println("left:", balance)
			return nil
		})
	})
	fmt.Println(err)
	// Output:
	// left: 20
	// <nil>
}

// Any number read at once; who writes is alone.
func ExampleRWLock() {
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		var l curio.RWLock
		prices := map[string]int{"tea": 3}
		return l.DoRead(ctx, func(ctx context.Context) error {
			// Another reader comes in at once. A writer has to wait.
			reader := curio.Spawn(ctx, func(ctx context.Context) (price int, err error) {
				err = l.DoRead(ctx, func(context.Context) error { price = prices["tea"]; return nil })
				return price, err
			})
			price, err := reader.Join(ctx)
			fmt.Println("tea:", price, err)
			fmt.Println("write:", l.TryAcquire(ctx))
			return nil
		})
	})
	fmt.Println(err)
	// Output:
	// tea: 3 <nil>
	// write: false
	// <nil>
}

// Two licences: a third user waits, or asks again later.
func ExampleSemaphore() {
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		licences := curio.NewSemaphore(2)
		if err := licences.AcquireN(ctx, 2); err != nil {
			return err
		}
		fmt.Println("a third one:", licences.TryAcquire(ctx))
		user := curio.Go(ctx, func(ctx context.Context) error {
			return licences.Do(ctx, func(context.Context) error {
				fmt.Println("used by another task")
				return nil
			})
		})
		licences.Release(ctx)
		_, err := user.Join(ctx)
		licences.Release(ctx)
		fmt.Println(licences)
		return err
	})
	fmt.Println(err)
	// Output:
	// a third one: false
	// used by another task
	// Semaphore(2 of 2 free)
	// <nil>
}

// What is released without having been acquired is a mistake.
func ExampleNewBoundedSemaphore() {
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		s := curio.NewBoundedSemaphore(3)
		if err := s.AcquireN(ctx, 2); err != nil {
			return err
		}
		fmt.Println(s.Value(), "of", s.Size())
		s.ReleaseN(ctx, 2)
		defer func() { fmt.Println(strings.Contains(fmt.Sprint(recover()), "of which 0 are held")) }()
		s.Release(ctx)
		return nil
	})
	fmt.Println(err)
	// Output:
	// 1 of 3
	// true
	// <nil>
}

// A stack from which several tasks take, when there is something.
func ExampleCondition() {
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		var c curio.Condition
		var stack []string
		pop := func(ctx context.Context) (top string, err error) {
			err = c.Do(ctx, func(ctx context.Context) error {
				if err := c.WaitFor(ctx, func() bool { return len(stack) > 0 }); err != nil {
					return err
				}
				top = stack[len(stack)-1]
				stack = stack[:len(stack)-1]
				return nil
			})
			return top, err
		}
		taker := curio.Spawn(ctx, pop)
		err := c.Do(ctx, func(context.Context) error {
			stack = append(stack, "plate")
			c.Notify(1)
			return nil
		})
		if err != nil {
			return err
		}
		fmt.Println(taker.Join(ctx))

		_, err = curio.IgnoreAfter(ctx, time.Millisecond, func(ctx context.Context) error {
			_, err := pop(ctx)
			return err
		})
		fmt.Println("none left, and the lock is free:", c.Locker().Snapshot().Holders == nil)
		return err
	})
	fmt.Println(err)
	// Output:
	// plate <nil>
	// none left, and the lock is free: true
	// <nil>
}

// Tasks that start together.
func ExampleEvent() {
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		var start curio.Event
		runners := make([]*curio.Task[int], 3)
		for i := range runners {
			runners[i] = curio.Spawn(ctx, func(ctx context.Context) (int, error) {
				return i, start.Wait(ctx)
			})
		}
		fmt.Println(runners[0].Terminated(), start.IsSet())
		start.Set()
		for _, runner := range runners {
			fmt.Println(runner.Join(ctx))
		}
		return nil
	})
	fmt.Println(err)
	// Output:
	// false false
	// 0 <nil>
	// 1 <nil>
	// 2 <nil>
	// <nil>
}

// Each waits until all have done the first part.
func ExampleBarrier() {
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		b := curio.NewBarrier(3)
		parts := make([]int, b.Size())
		return curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[struct{}]) error {
			for i := range parts {
				g.Spawn(func(ctx context.Context) (struct{}, error) {
					parts[i] = i * i
					last, err := b.Wait(ctx)
					if last {
						fmt.Println(parts)
					}
					return struct{}{}, err
				})
			}
			return nil
		})
	})
	fmt.Println(err)
	// Output:
	// [0 1 4]
	// <nil>
}

// A value that is worked out once, by whoever comes first.
func ExampleResult() {
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		var r curio.Result[string]
		waiting := curio.Spawn(ctx, r.Get)
		fmt.Println(r.Do(ctx, func(context.Context) (string, error) { return "first", nil }))
		fmt.Println(r.SetValue("second"))
		fmt.Println(waiting.Join(ctx))
		return nil
	})
	fmt.Println(err)
	// Output:
	// true
	// false
	// first <nil>
	// <nil>
}

// requestID is what the log of a request says, however deep down it is written.
var requestID curio.Local[string]

func ExampleLocal() {
	logf := func(ctx context.Context, text string) {
		id, _ := requestID.Get(ctx)
		fmt.Printf("[%s] %s\n", id, text)
	}
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		requestID.Set(ctx, "r1")
		child := curio.Go(ctx, func(ctx context.Context) error {
			logf(ctx, "inherited")
			requestID.Set(ctx, "r2")
			logf(ctx, "changed")
			return nil
		})
		_, err := child.Join(ctx)
		logf(ctx, "still the same here")
		return err
	})
	fmt.Println(err)
	// Output:
	// [r1] inherited
	// [r2] changed
	// [r1] still the same here
	// <nil>
}
