package curio_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/curio-go/curio"
)

// A task, a timeout around its end, and what becomes of it.
func Example() {
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		var waiting curio.Event
		countdown := curio.Go(ctx, func(ctx context.Context) error {
			for n := 3; n > 0; n-- {
				fmt.Println("T minus", n)
				if err := curio.Sleep(ctx, time.Millisecond); err != nil {
					return err
				}
			}
			fmt.Println("waiting for the weather")
			waiting.Set()
			return curio.Sleep(ctx, time.Hour)
		})
		if err := waiting.Wait(ctx); err != nil {
			return err
		}
		err := curio.TimeoutAfter(ctx, 10*time.Millisecond, countdown.Wait)
		if errors.Is(err, curio.ErrTaskTimeout) {
			fmt.Println("calling it off")
			_, err = countdown.Cancel(ctx)
		}
		return err
	})
	fmt.Println(err)
	// Output:
	// T minus 3
	// T minus 2
	// T minus 1
	// waiting for the weather
	// calling it off
	// <nil>
}

func ExampleRun() {
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		curio.Go(ctx, func(ctx context.Context) error {
			err := curio.Sleep(ctx, time.Hour) // ends when main has returned
			fmt.Println("background task:", errors.Is(err, curio.ErrTaskCancelled))
			return err
		})
		return curio.Sleep(ctx, time.Millisecond)
	})
	fmt.Println("main:", err)
	// Output:
	// background task: true
	// main: <nil>
}

func ExampleStart() {
	_ = curio.Run(context.Background(), func(ctx context.Context) error {
		answers := curio.NewQueue[int](1)
		task, question, err := curio.Start(ctx, func(ctx context.Context, ready func(string) error) error {
			if err := ready("six times seven"); err != nil { // after all that may fail
				return err
			}
			answer, err := answers.Get(ctx)
			fmt.Println("got", answer)
			return err
		})
		if err != nil {
			return err
		}
		fmt.Println(question)
		if err := answers.Put(ctx, 42); err != nil {
			return err
		}
		_, err = task.Join(ctx)
		return err
	})
	// Output:
	// six times seven
	// got 42
}

func ExampleEssential() {
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		curio.Go(ctx, func(context.Context) error {
			return errors.New("no more disk space")
		}, curio.Name("journal"), curio.Essential())
		return curio.Sleep(ctx, time.Hour)
	})
	fmt.Println(err)
	// Output: curio: task journal: no more disk space
}

func ExampleTaskGroup_SpawnWait() {
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		return curio.Group(ctx, func(ctx context.Context, g *curio.Tasks) error {
			for range 5 { // or five million
				if _, err := g.GoWait(ctx, func(ctx context.Context) error {
					return curio.Sleep(ctx, time.Millisecond)
				}); err != nil {
					return err
				}
			}
			fmt.Println("all have begun, and never more than two at once")
			return nil
		}, curio.Limit(2))
	})
	fmt.Println(err)
	// Output:
	// all have begun, and never more than two at once
	// <nil>
}

func ExampleCancelScope() {
	_ = curio.Run(context.Background(), func(ctx context.Context) error {
		var download curio.CancelScope
		curio.Go(ctx, func(ctx context.Context) error { // somebody presses a button
			download.Cancel(errors.New("the user has changed her mind"))
			return nil
		})
		err := download.Run(ctx, func(ctx context.Context) error {
			return curio.Sleep(ctx, time.Hour)
		})
		who, _ := curio.WhoCancelled(err)
		fmt.Println(errors.Is(err, curio.ErrCancelled), who.Reason)

		cancelled, err := download.Ignore(err)
		fmt.Println(cancelled, err)
		return err
	})
	// Output:
	// true the user has changed her mind
	// true <nil>
}

func ExampleSpawn() {
	_ = curio.Run(context.Background(), func(ctx context.Context) error {
		length := curio.Spawn(ctx, func(context.Context) (int, error) { return len("hello"), nil })
		n, err := length.Join(ctx)
		fmt.Println(n, err)
		return nil
	})
	// Output: 5 <nil>
}

func ExampleGo() {
	_ = curio.Run(context.Background(), func(ctx context.Context) error {
		greeter := curio.Go(ctx, func(ctx context.Context) error {
			fmt.Println("I am", curio.CurrentTask(ctx).Name())
			return nil
		}, curio.Name("greeter"))
		return greeter.Wait(ctx)
	})
	// Output: I am greeter
}

// A caller that joins a failed task gets its error, and knows which task it came from.
func ExampleTask_Join() {
	_ = curio.Run(context.Background(), func(ctx context.Context) error {
		lookup := curio.Spawn(ctx, func(context.Context) (string, error) {
			return "", errors.New("no such host")
		}, curio.Name("lookup"))
		_, err := lookup.Join(ctx)
		var failed *curio.TaskError
		fmt.Println(errors.As(err, &failed))
		fmt.Println(err)
		return nil
	})
	// Output:
	// true
	// curio: task lookup: no such host
}

// Cancel returns when the task has ended, clean-up and all.
func ExampleAnyTask_Cancel() {
	_ = curio.Run(context.Background(), func(ctx context.Context) error {
		started := make(chan struct{})
		task := curio.Go(ctx, func(ctx context.Context) error {
			defer fmt.Println("cleaned up")
			close(started)
			return curio.Sleep(ctx, time.Hour)
		})
		<-started
		did, err := task.Cancel(ctx)
		fmt.Println(did, err)
		return nil
	})
	// Output:
	// cleaned up
	// true <nil>
}

func square(n int) func(context.Context) (int, error) {
	return func(context.Context) (int, error) { return n * n, nil }
}

// Every task of the group has ended when Group returns. Results are in the order of
// spawning.
func ExampleGroup() {
	_ = curio.Run(context.Background(), func(ctx context.Context) error {
		return curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
			for n := range 5 {
				g.Spawn(square(n))
			}
			if err := g.Join(ctx); err != nil {
				return err
			}
			squares, err := g.Results()
			fmt.Println(squares, err)
			return nil
		}, curio.WaitAll)
	})
	// Output: [0 1 4 9 16] <nil>
}

// The first that finds something wins; the others are cancelled.
func ExampleGroup_waitObject() {
	search := func(d time.Duration, found *string) func(context.Context) (*string, error) {
		return func(ctx context.Context) (*string, error) { return found, curio.Sleep(ctx, d) }
	}
	treasure := "treasure"
	_ = curio.Run(context.Background(), func(ctx context.Context) error {
		return curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[*string]) error {
			g.Spawn(search(0, nil))
			g.Spawn(search(time.Hour, &treasure))
			g.Spawn(search(time.Millisecond, &treasure), curio.Name("lucky"))
			if err := g.Join(ctx); err != nil {
				return err
			}
			found, err := g.Completed().Result()
			fmt.Println(*found, err, "by", g.Completed().Name())
			return nil
		}, curio.WaitObject)
	})
	// Output: treasure <nil> by lucky
}

func ExampleTaskGroup_Done() {
	_ = curio.Run(context.Background(), func(ctx context.Context) error {
		return curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[string]) error {
			tortoise := g.Spawn(func(ctx context.Context) (string, error) { return "tortoise", nil })
			g.Spawn(func(ctx context.Context) (string, error) { return "hare", tortoise.Wait(ctx) }) // it overslept
			for task, err := range g.Done(ctx) {
				if err != nil {
					return err // ctx is done
				}
				fmt.Println(task.Result())
			}
			return nil
		})
	})
	// Output:
	// tortoise <nil>
	// hare <nil>
}

func ExampleTimeoutAfter() {
	_ = curio.Run(context.Background(), func(ctx context.Context) error {
		err := curio.TimeoutAfter(ctx, time.Millisecond, func(ctx context.Context) error {
			err := curio.TimeoutAfter(ctx, time.Hour, func(ctx context.Context) error {
				return curio.Sleep(ctx, time.Hour)
			})
			fmt.Println("inner:", err)
			return err
		})
		fmt.Println("outer:", err)
		return nil
	})
	// Output:
	// inner: curio: cancelled by an outer timeout
	// outer: curio: timed out after 1ms
}

func ExampleIgnoreAfter() {
	_ = curio.Run(context.Background(), func(ctx context.Context) error {
		answer := "a guess"
		expired, err := curio.IgnoreAfter(ctx, time.Millisecond, func(ctx context.Context) error {
			if err := curio.Sleep(ctx, time.Hour); err != nil {
				return err
			}
			answer = "the truth"
			return nil
		})
		fmt.Println(answer, expired, err)
		return nil
	})
	// Output: a guess true <nil>
}

func ExampleWithTimeout() {
	_ = curio.Run(context.Background(), func(ctx context.Context) error {
		ctx, cancel := curio.WithTimeout(ctx, time.Millisecond)
		defer cancel()
		fmt.Println(curio.Sleep(ctx, time.Hour))
		fmt.Println(ctx.Err())
		return nil
	})
	// Output:
	// curio: timed out
	// context deadline exceeded
}

// Clean-up that has to block runs under a shield, and a timeout bounds it.
func ExampleDisableCancellation() {
	_ = curio.Run(context.Background(), func(ctx context.Context) error {
		started := make(chan struct{})
		task := curio.Go(ctx, func(ctx context.Context) error {
			defer func() {
				_ = curio.DisableCancellation(ctx, func(ctx context.Context) error {
					return curio.TimeoutAfter(ctx, time.Minute, func(ctx context.Context) error {
						fmt.Println("saying good-bye:", curio.Sleep(ctx, time.Millisecond))
						return nil
					})
				})
			}()
			close(started)
			return curio.Sleep(ctx, time.Hour)
		})
		<-started
		_, err := task.Cancel(ctx)
		return err
	})
	// Output: saying good-bye: <nil>
}

func ExampleSleep() {
	_ = curio.Run(context.Background(), func(ctx context.Context) error {
		start := curio.Clock(ctx)
		err := curio.Sleep(ctx, time.Millisecond)
		fmt.Println(curio.Clock(ctx).Sub(start) >= time.Millisecond, err)
		return nil
	})
	// Output: true <nil>
}

func ExampleWhoCancelled() {
	_ = curio.Run(context.Background(), func(ctx context.Context) error {
		started := make(chan struct{})
		task := curio.Go(ctx, func(ctx context.Context) error {
			close(started)
			return curio.Sleep(ctx, time.Hour)
		})
		<-started
		_, _ = task.Cancel(ctx, errors.New("out of patience"))
		who, ok := curio.WhoCancelled(task.Err())
		file, _, _ := strings.Cut(filepath.Base(who.Where), ":")
		fmt.Println(ok, who.Reason, "in", file)
		return nil
	})
	// Output: true out of patience in example_test.go
}

// Any descriptor can be waited for, such as one that a C library has opened.
func ExampleWaitRead() {
	var fds [2]int
	if err := syscall.Pipe(fds[:]); err != nil {
		log.Fatal(err)
	}
	defer syscall.Close(fds[0])
	defer syscall.Close(fds[1])
	_ = curio.Run(context.Background(), func(ctx context.Context) error {
		writer := curio.Go(ctx, func(context.Context) error {
			_, err := syscall.Write(fds[1], []byte("ping"))
			return err
		})
		if err := curio.WaitRead(ctx, fds[0]); err != nil {
			return err
		}
		buf := make([]byte, 10)
		n, err := syscall.Read(fds[0], buf)
		fmt.Println(string(buf[:n]), err)
		return writer.Wait(ctx)
	})
	// Output: ping <nil>
}

// A function that takes no context runs in a thread, and the task that waits for it can be
// cancelled.
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

// A library that works with only two callers at a time. Other functions in threads are not held up.
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

// A result that comes too late is not lost: late closes it.
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

// Any number of tasks can wait for a condition of another library, in a single goroutine.
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

// A pool with a method Submit is an Executor.
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

// The thread belongs to the task, and changes to it affect no other code.
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

// Waiting for a mutex of other code can be cancelled, too.
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

// A single slot: the functions of RunInThread run one after the other.
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

// ThreadCalls shows which functions run, and which of them were abandoned.
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

// Two questions at the same time. The answers are in the order of the questions.
func ExampleGather() {
	ask := func(question string, takes time.Duration) func(context.Context) (string, error) {
		return func(ctx context.Context) (string, error) {
			return "the answer to " + question, curio.Sleep(ctx, takes)
		}
	}
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		answers, err := curio.Gather(ctx, []func(context.Context) (string, error){
			ask("the first", 2*time.Millisecond), ask("the second", time.Millisecond),
		})
		fmt.Printf("%q\n", answers)
		return err
	})
	fmt.Println(err)
	// Output:
	// ["the answer to the first" "the answer to the second"]
	// <nil>
}

// The lengths of some pages, ten at a time. The first failure cancels what is still running.
func ExampleMap() {
	length := func(ctx context.Context, page string) (int, error) {
		if err := curio.Sleep(ctx, time.Millisecond); err != nil {
			return 0, err
		}
		if page == "" {
			return 0, errors.New("no such page")
		}
		return len(page), nil
	}
	_ = curio.Run(context.Background(), func(ctx context.Context) error {
		fmt.Println(curio.Map(ctx, []string{"one", "three", "eleven"}, length, curio.Limit(10)))

		_, err := curio.Map(ctx, []string{"one", "", "eleven"}, length, curio.Limit(10))
		fmt.Println(err)
		return nil
	})
	// Output:
	// [3 5 6] <nil>
	// curio: item 1: no such page
}

// With KeepGoing all items are worked on. The error says which of them have failed.
func ExampleItemError() {
	half := func(_ context.Context, n int) (int, error) {
		if n%2 != 0 {
			return 0, fmt.Errorf("%d is odd", n)
		}
		return n / 2, nil
	}
	_ = curio.Run(context.Background(), func(ctx context.Context) error {
		numbers := []int{4, 5, 6, 7}
		halves, err := curio.Map(ctx, numbers, half, curio.KeepGoing)
		fmt.Println(halves)
		if all, ok := err.(interface{ Unwrap() []error }); ok {
			for _, err := range all.Unwrap() {
				var item *curio.ItemError
				if errors.As(err, &item) {
					fmt.Println("once more:", numbers[item.Index], "because", item.Err)
				}
			}
		}
		return nil
	})
	// Output:
	// [2 0 3 0]
	// once more: 5 because 5 is odd
	// once more: 7 because 7 is odd
}

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

// Any number of tasks may read at once; a writer is alone.
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

// A value that is worked out once, by the first caller.
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

// requestID is in each log line of a request, however deep in the code it is written.
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

// A bounded queue between a producer and its consumers, who stop when it is closed.
func ExampleQueue() {
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		jobs := curio.NewQueue[int](2)
		sum := curio.Spawn(ctx, func(ctx context.Context) (sum int, err error) {
			for n, err := range jobs.All(ctx) {
				if err != nil {
					return sum, err
				}
				sum += n
				jobs.TaskDone()
			}
			return sum, nil
		})
		for n := range 10 {
			if err := jobs.Put(ctx, n); err != nil { // waits while two are in the queue
				return err
			}
		}
		if err := jobs.Join(ctx); err != nil { // all of them are done
			return err
		}
		jobs.Close()
		total, err := sum.Join(ctx)
		fmt.Println(total)
		return err
	})
	fmt.Println(err)
	// Output:
	// 45
	// <nil>
}

// Several producers. The last one that ends closes the queue, and with that the consumer's loop
// ends.
func ExampleQueue_Producers() {
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		return curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[struct{}]) error {
			numbers := curio.NewQueue[int](2)
			for first, p := range numbers.Producers(3) {
				g.Go(func(ctx context.Context) error {
					defer p.Close()
					for n := first; n < 10; n += 3 {
						if err := p.Put(ctx, n); err != nil {
							return err
						}
					}
					return nil
				})
			}
			sum := 0
			for n, err := range numbers.All(ctx) {
				if err != nil {
					return err
				}
				sum += n
			}
			fmt.Println(sum)
			return nil
		})
	})
	fmt.Println(err)
	// Output:
	// 45
	// <nil>
}

// To avoid waiting for ever, put a timeout around the call, or do not wait at all.
func ExampleQueue_Get() {
	_ = curio.Run(context.Background(), func(ctx context.Context) error {
		mail := curio.NewQueue[string](0)
		err := curio.TimeoutAfter(ctx, time.Millisecond, func(ctx context.Context) error {
			_, err := mail.Get(ctx)
			return err
		})
		fmt.Println(errors.Is(err, curio.ErrTaskTimeout))

		_, err = mail.TryGet()
		fmt.Println(err)

		_ = mail.Put(ctx, "hello")
		letter, err := mail.Get(ctx)
		fmt.Println(letter, err)
		return nil
	})
	// Output:
	// true
	// curio: queue is empty
	// hello <nil>
}

func ExampleNewPriorityQueue() {
	type job struct {
		priority int
		what     string
	}
	jobs := curio.NewPriorityQueue(0, func(a, b job) int { return cmp.Compare(a.priority, b.priority) })
	ctx := context.Background() // queues are for any goroutine
	for _, j := range []job{{3, "sweep"}, {1, "extinguish the fire"}, {2, "cook"}, {1, "call for help"}} {
		_ = jobs.Put(ctx, j)
	}
	jobs.Close()
	for j, err := range jobs.All(ctx) {
		fmt.Println(j.priority, j.what, err)
	}
	// Output:
	// 1 extinguish the fire <nil>
	// 1 call for help <nil>
	// 2 cook <nil>
	// 3 sweep <nil>
}

func ExampleNewLIFOQueue() {
	plates := curio.NewLIFOQueue[string](2)
	fmt.Println(plates.TryPut("bottom"))
	fmt.Println(plates.TryPut("top"))
	fmt.Println(plates.TryPut("one too many"))
	fmt.Println(plates.TryGet())
	fmt.Println(plates.TryGet())
	// Output:
	// <nil>
	// <nil>
	// curio: queue is full
	// top <nil>
	// bottom <nil>
}

// An event loop that waits for descriptors only, here played by WaitRead, gets items out
// of a queue that tasks fill.
func ExampleQueue_FD() {
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		events := curio.NewUniversalQueue[string](0)
		fd, err := events.FD()
		if err != nil {
			return err
		}
		defer events.CloseFD()
		producer := curio.Go(ctx, func(ctx context.Context) error {
			defer events.Close()
			for _, e := range []string{"key pressed", "key released"} {
				if err := events.Put(ctx, e); err != nil {
					return err
				}
			}
			return nil
		})
		for !errors.Is(err, curio.ErrQueueClosed) {
			if err := curio.WaitRead(ctx, fd); err != nil { // the loop's poll(2)
				return err
			}
			var e string
			for e, err = events.TryGet(); err == nil; e, err = events.TryGet() {
				fmt.Println(e)
			}
		}
		_, err = producer.Join(ctx)
		return err
	})
	fmt.Println(err)
	// Output:
	// key pressed
	// key released
	// <nil>
}

// A worker that takes jobs until it is told to stop, and reports when it has had nothing to do
// for some time.
func ExampleSelect() {
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		jobs, stop := curio.NewQueue[string](10), new(curio.Event)
		worker := curio.Go(ctx, func(ctx context.Context) error {
			var job string
			for {
				i, err := curio.Select(ctx, jobs.GetCase(&job), stop.WaitCase(), curio.AfterCase(time.Minute))
				switch {
				case err != nil:
					return err
				case i == 0:
					fmt.Println("does", job)
					stop.Set()
				case i == 1:
					fmt.Println("stops")
					return nil
				case i == 2:
					fmt.Println("has nothing to do")
				}
			}
		})
		if err := jobs.Put(ctx, "the dishes"); err != nil {
			return err
		}
		_, err := worker.Join(ctx)
		return err
	})
	fmt.Println(err)
	// Output:
	// does the dishes
	// stops
	// <nil>
}

func ExampleTrySelect() {
	var l curio.Lock
	ready := make(chan string, 1)
	ready <- "a value"
	ctx := context.Background()

	var v string
	i, err := curio.TrySelect(ctx, new(curio.Event).WaitCase(), curio.ReceiveCase(ready, &v))
	fmt.Println(i, err, v)
	i, err = curio.TrySelect(ctx, new(curio.Event).WaitCase(), curio.ReceiveCase(ready, &v), l.AcquireCase())
	fmt.Println(i, err, l.Locked())
	i, err = curio.TrySelect(ctx, l.AcquireCase())
	fmt.Println(i, err)
	l.Release(ctx)
	// Output:
	// 1 <nil> a value
	// 2 <nil> true
	// -1 curio: none of the cases is ready
}

// Two servers that hold the same: the answer of the faster one is enough.
func ExampleRace() {
	ask := func(server string, answersIn time.Duration) func(context.Context) (string, error) {
		return func(ctx context.Context) (string, error) {
			if err := curio.Sleep(ctx, answersIn); err != nil {
				fmt.Println(server, "is cancelled")
				return "", err
			}
			return "the answer of " + server, nil
		}
	}
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		answer, err := curio.Race(ctx, []func(context.Context) (string, error){
			ask("the original", time.Hour), ask("the mirror", time.Millisecond),
		})
		fmt.Println(answer)
		return err
	})
	fmt.Println(err)
	// Output:
	// the original is cancelled
	// the answer of the mirror
	// <nil>
}

// A clock that several displays follow: each of them sees every tick.
func ExampleBroadcast() {
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		var ticks curio.Broadcast[int]
		display := func(name string) *curio.Task[string] {
			seen := ticks.Subscribe(ctx, 10, curio.SlowWait) // before the task starts, so that it misses nothing
			return curio.Spawn(ctx, func(ctx context.Context) (string, error) {
				defer seen.Close()
				var text strings.Builder
				text.WriteString(name + ":")
				for tick, err := range seen.All(ctx) {
					if err != nil {
						return "", err
					}
					text.WriteString(fmt.Sprint(" ", tick))
				}
				return text.String(), nil
			})
		}
		one, other := display("hall"), display("kitchen")
		for tick := range 3 {
			if err := ticks.Send(ctx, tick); err != nil {
				return err
			}
		}
		ticks.Close()
		for _, d := range []*curio.Task[string]{one, other} {
			text, err := d.Join(ctx)
			if err != nil {
				return err
			}
			fmt.Println(text)
		}
		return nil
	})
	fmt.Println(err)
	// Output:
	// hall: 0 1 2
	// kitchen: 0 1 2
	// <nil>
}

// A subscriber that would rather miss values than hold up the others.
func ExampleBroadcast_Subscribe() {
	ctx := context.Background()
	var prices curio.Broadcast[int]
	s := prices.Subscribe(ctx, 2, curio.SlowSkip)
	defer s.Close()
	for price := range 5 {
		_ = prices.Send(ctx, price)
	}
	prices.Close()
	for price, err := range s.All(ctx) {
		if lagged, ok := errors.AsType[*curio.LaggedError](err); ok {
			fmt.Println("missed", lagged.Skipped)
			continue
		}
		fmt.Println(price, err)
	}
	// Output:
	// missed 3
	// 3 <nil>
	// 4 <nil>
}

// A worker that goes on with new settings as soon as there are any.
func ExampleWatch() {
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		var settings curio.Watch[string]
		settings.Set("quiet")
		applied := new(curio.Event)
		worker := curio.Go(ctx, func(ctx context.Context) error {
			for s, err := range settings.Changes(ctx) {
				if err != nil {
					return err
				}
				fmt.Println("works with", s)
				applied.Set()
				if s == "loud" {
					break
				}
			}
			return nil
		})
		if err := applied.Wait(ctx); err != nil {
			return err
		}
		settings.Set("loud")
		return worker.Wait(ctx)
	})
	fmt.Println(err)
	// Output:
	// works with quiet
	// works with loud
	// <nil>
}

// A task that names the version it has seen misses no change between two calls.
func ExampleWatch_Wait() {
	ctx := context.Background()
	var leader curio.Watch[string]
	leader.Set("ada")
	name, version := leader.Get()
	fmt.Println(name, version)
	leader.Set("ada") // nobody is waiting yet, and the value is the same
	name, version, err := leader.Wait(ctx, version)
	fmt.Println(name, version, err)
	// Output:
	// ada 1
	// ada 2 <nil>
}

// A latch opens when it has been counted down, for all who wait. It needs only a mutex, a number
// and a WaitList.
type latch struct {
	mu   sync.Mutex
	left int
	line curio.WaitList[struct{}]
}

func newLatch(n int) *latch {
	l := &latch{left: n}
	l.line.Mutex, l.line.State, l.line.Object, l.line.Serve = &l.mu, "LATCH_WAIT", l, l.serve
	return l
}

func (l *latch) serve() {
	if l.left == 0 {
		l.line.HandAll(struct{}{})
	}
}

func (l *latch) Wait(ctx context.Context) error {
	_, err := l.line.Wait(ctx, struct{}{})
	return err
}

func (l *latch) WaitCase() curio.Case { return l.line.Case(struct{}{}, nil) }

func (l *latch) CountDown() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.left = max(0, l.left-1)
	l.serve()
}

// A primitive built on a WaitList can be cancelled, timed out, selected and inspected like the
// primitives of this package.
func ExampleWaitList() {
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		l := newLatch(2)
		fmt.Println("in time:", curio.TimeoutAfter(ctx, time.Millisecond, l.Wait))

		waiter := curio.Go(ctx, l.Wait)
		for waiter.State() != "LATCH_WAIT" {
			if err := curio.Sleep(ctx, time.Millisecond); err != nil {
				return err
			}
		}
		fmt.Println("the waiter is in", waiter.State())

		l.CountDown()
		l.CountDown()
		_, err := waiter.Join(ctx)
		fmt.Println("the waiter:", err)

		i, err := curio.Select(ctx, curio.AfterCase(time.Hour), l.WaitCase())
		fmt.Println("selected:", i, err)
		return nil
	})
	fmt.Println(err)
	// Output:
	// in time: curio: timed out after 1ms
	// the waiter is in LATCH_WAIT
	// the waiter: <nil>
	// selected: 1 <nil>
	// <nil>
}

// Tasks that ask for different things are served one by one. A large request at the front holds up
// the small ones behind it until it is served, or gives up.
func ExampleWaitList_All() {
	var mu sync.Mutex
	free := 2
	line := &curio.WaitList[int]{Mutex: &mu, State: "SEATS"}
	line.Serve = func() {
		for w := range line.All() {
			if w.Ask() > free {
				return // nobody overtakes it
			}
			if w.Grant(w.Ask()) { // else it has given up
				free -= w.Ask()
			}
		}
	}
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		large := curio.Go(ctx, func(ctx context.Context) error { _, err := line.Wait(ctx, 3); return err })
		for large.State() != "SEATS" {
			if err := curio.Sleep(ctx, time.Millisecond); err != nil {
				return err
			}
		}
		_, ok := line.TryWait(ctx, 1)
		fmt.Println("overtaken:", ok)

		_, _ = large.Cancel(ctx)
		n, err := line.Wait(ctx, 2)
		fmt.Println("then:", n, err)
		return nil
	})
	fmt.Println(err)
	// Output:
	// overtaken: false
	// then: 2 <nil>
	// <nil>
}

// Two tasks take the same locks in different orders, each the one that the other has.
func ExampleKernel_Deadlocks() {
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		var accounts, journal curio.Lock
		var one, other curio.Event
		transfer := curio.Go(ctx, func(ctx context.Context) error {
			return accounts.Do(ctx, func(ctx context.Context) error {
				one.Set()
				if err := other.Wait(ctx); err != nil {
					return err
				}
				return journal.Acquire(ctx)
			})
		}, curio.Name("transfer"))
		audit := curio.Go(ctx, func(ctx context.Context) error {
			return journal.Do(ctx, func(ctx context.Context) error {
				other.Set()
				if err := one.Wait(ctx); err != nil {
					return err
				}
				return accounts.Acquire(ctx)
			})
		}, curio.Name("audit"))

		for { // a watchdog
			if err := curio.Sleep(ctx, 10*time.Millisecond); err != nil {
				return err
			}
			for _, d := range curio.KernelOf(ctx).Deadlocks() {
				for _, s := range d.Circle {
					fmt.Println(s.Task.Name(), s.Op)
				}
				_, _ = transfer.Cancel(ctx)
				_, _ = audit.Cancel(ctx)
				return nil
			}
		}
	})
	fmt.Println(err)
	// Output:
	// transfer LOCK_ACQUIRE
	// audit LOCK_ACQUIRE
	// <nil>
}
