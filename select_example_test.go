package curio_test

import (
	"context"
	"fmt"
	"time"

	"github.com/curio-go/curio"
)

// A worker that takes jobs until it is told to stop, and says so when it has had nothing to do
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
