package curio_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"path/filepath"
	"strings"
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

// Who joins a task that failed gets its error, and knows whose it is.
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

// Any descriptor can be waited for, as one that a C library has opened.
func ExampleWaitRead() {
	var fds [2]int
	if err := syscall.Pipe(fds[:]); err != nil {
		log.Fatal(err)
	}
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
