package curio_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/curio-go/curio"
)

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

// Whoever does not want to wait for ever has a timeout around the call, or does not wait
// at all.
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
