package curio_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/curio-go/curio"
)

// A function that no context reaches is run beside the task, which can be cancelled.
func ExampleRunInThread() {
	_ = curio.Run(context.Background(), func(ctx context.Context) error {
		n, err := curio.RunInThread(ctx, func() (int, error) {
			return len("something that takes long"), nil
		})
		fmt.Println(n, err)
		return nil
	})
	// Output: 25 <nil>
}

// A library that bears only two callers at a time. Other functions in threads are not held up.
func ExampleRunInThreadLimited() {
	_ = curio.Run(context.Background(), func(ctx context.Context) error {
		slots := curio.NewSemaphore(2)
		squares, err := curio.Map(ctx, []int{1, 2, 3, 4}, func(ctx context.Context, n int) (int, error) {
			return curio.RunInThreadLimited(ctx, slots, func() (int, error) { return n * n, nil })
		})
		fmt.Println(squares, err, slots)
		return nil
	})
	// Output: [1 4 9 16] <nil> Semaphore(2 of 2 free)
}

// What comes too late is not lost: late closes it.
func ExampleRunInThread_late() {
	began, slow, closed := make(chan struct{}), make(chan struct{}), make(chan struct{})
	open := func() (*os.File, error) {
		close(began)
		<-slow // as on a network that does not answer
		return os.Open(os.DevNull)
	}
	_ = curio.Run(context.Background(), func(ctx context.Context) error {
		opens := curio.Go(ctx, func(ctx context.Context) error {
			_, err := curio.RunInThread(ctx, open, func(f *os.File, err error) {
				if err == nil {
					fmt.Println("opened too late; closing:", f.Close())
				}
				close(closed)
			})
			return err
		})
		<-began
		if _, err := opens.Cancel(ctx); err != nil {
			return err
		}
		fmt.Println("cancelled:", errors.Is(opens.Err(), curio.ErrTaskCancelled))
		close(slow)
		<-closed
		return nil
	})
	// Output:
	// cancelled: true
	// opened too late; closing: <nil>
}

// Any number of tasks wait for a condition of another library, in a single goroutine.
func ExampleBlockInThread() {
	var ready sync.WaitGroup // stands for something that knows no context
	ready.Add(1)
	_ = curio.Run(context.Background(), func(ctx context.Context) error {
		return curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
			for range 1000 {
				g.Spawn(func(ctx context.Context) (int, error) {
					return curio.BlockInThread(ctx, &ready, func() (int, error) { ready.Wait(); return 1, nil })
				})
			}
			ready.Done()
			if err := g.Join(ctx); err != nil {
				return err
			}
			results, err := g.Results()
			fmt.Println(len(results), err)
			return nil
		})
	})
	// Output: 1000 <nil>
}

// A pool is an executor by its method Submit.
type pool struct{ jobs chan func() }

func (p pool) Submit(fn func()) error { p.jobs <- fn; return nil }

func ExampleRunInExecutor() {
	p := pool{make(chan func())}
	defer close(p.jobs)
	go func() {
		for job := range p.jobs {
			job()
		}
	}()
	_ = curio.Run(context.Background(), func(ctx context.Context) error {
		v, err := curio.RunInExecutor(ctx, p, func() (string, error) { return "from the pool", nil })
		fmt.Println(v, err)
		return nil
	})
	// Output: from the pool <nil>
}

// The thread belongs to the task, and what it does to it stays there.
func ExampleSpawnThread() {
	_ = curio.Run(context.Background(), func(ctx context.Context) error {
		t := curio.SpawnThread(ctx, func(ctx context.Context) (string, error) {
			// Here one would enter a namespace, or call a library that
			// wants to be called from one and the same thread.
			if err := curio.Sleep(ctx, time.Millisecond); err != nil {
				return "", err
			}
			return "still on the same thread of " + runtime.Compiler, nil
		})
		fmt.Println(t.Join(ctx))
		return nil
	})
	// Output: still on the same thread of gc <nil>
}

// A mutex that belongs to somebody else is waited for as one of ours.
func ExampleAbide() {
	var mu sync.Mutex
	_ = curio.Run(context.Background(), func(ctx context.Context) error {
		release, err := curio.Abide(ctx, &mu)
		if err != nil {
			return err
		}
		second := curio.Go(ctx, func(ctx context.Context) error {
			return curio.TimeoutAfter(ctx, time.Minute, func(ctx context.Context) error {
				release, err := curio.Abide(ctx, &mu)
				if err != nil {
					return err
				}
				defer release()
				fmt.Println("second")
				return nil
			})
		})
		fmt.Println("first")
		release()
		_, err = second.Join(ctx)
		return err
	})
	// Output:
	// first
	// second
}

func ExampleReceive() {
	_ = curio.Run(context.Background(), func(ctx context.Context) error {
		ch := make(chan int)
		curio.Go(ctx, func(ctx context.Context) error {
			defer close(ch)
			for i := range 3 {
				if err := curio.Send(ctx, ch, i); err != nil {
					return err
				}
			}
			return nil
		})
		for {
			v, err := curio.Receive(ctx, ch)
			if err == curio.ErrChannelClosed {
				fmt.Println("closed")
				return nil
			}
			if err != nil {
				return err
			}
			fmt.Println(v)
		}
	})
	// Output:
	// 0
	// 1
	// 2
	// closed
}

func ExampleSend() {
	_ = curio.Run(context.Background(), func(ctx context.Context) error {
		nobody := make(chan int)
		expired, err := curio.IgnoreAfter(ctx, time.Millisecond, func(ctx context.Context) error {
			return curio.Send(ctx, nobody, 1)
		})
		fmt.Println(expired, err)
		return nil
	})
	// Output: true <nil>
}

// A single place: the functions of RunInThread run one after the other.
func ExampleMaxThreads() {
	_ = curio.Run(context.Background(), func(ctx context.Context) error {
		sum := 0 // needs no lock
		return curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
			for i := range 10 {
				g.Spawn(func(ctx context.Context) (int, error) {
					return curio.RunInThread(ctx, func() (int, error) { sum += i; return sum, nil })
				})
			}
			err := g.Join(ctx)
			fmt.Println(sum, err)
			return nil
		})
	}, curio.MaxThreads(1))
	// Output: 45 <nil>
}

// Whoever watches sees which functions run, and which of them nobody waits for.
func ExampleKernel_ThreadCalls() {
	k := curio.NewKernel()
	_ = k.Run(context.Background(), func(ctx context.Context) error {
		began, hangs := make(chan struct{}), make(chan struct{})
		prints := curio.Go(ctx, func(ctx context.Context) error {
			_, err := curio.BlockInThread(ctx, "printer", func() (int, error) { close(began); <-hangs; return 0, nil })
			return err
		})
		<-began
		if _, err := prints.Cancel(ctx); err != nil {
			return err
		}
		fmt.Println("cancelled:", errors.Is(prints.Err(), curio.ErrTaskCancelled))
		for _, c := range k.ThreadCalls() {
			fmt.Println(c.Op, c.Key, "abandoned:", c.Abandoned)
		}
		close(hangs)
		// The next one with this key waits until the function has returned.
		_, err := curio.BlockInThread(ctx, "printer", func() (int, error) { return 0, nil })
		return err
	})
	_ = k.Shutdown(context.Background())
	// Output:
	// cancelled: true
	// BlockInThread printer abandoned: true
}
