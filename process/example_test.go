package process_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/process"
)

// Functions are registered in package variables, so that workers have them too. The main of a program, and
// the TestMain of this test, begins with process.Main.
var (
	nth = process.Register("example.fibonacci", func(_ context.Context, n int) (int, error) {
		a, b := 0, 1
		for range n {
			a, b = b, a+b
		}
		return a, nil
	})

	forever = process.Register("example.forever", func(context.Context, struct{}) (struct{}, error) {
		for n := 0; ; n++ {
		}
	})

	divide = process.Register("example.divide", func(_ context.Context, by int) (int, error) { return 100 / by, nil })

	search = process.Register("example.search", func(ctx context.Context, upTo int) (found int, err error) {
		for n := 1; n <= upTo; n++ {
			if n%25 == 0 {
				if err := process.Report(ctx, n); err != nil {
					return 0, err
				}
			}
			if n*n%1000 == 1 {
				found++
			}
		}
		return found, nil
	})
)

func ExampleRun() {
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		n, err := process.Run(ctx, nth, 50)
		fmt.Println(n, err)

		// A goroutine that computes forever could not be stopped. A worker can.
		late, err := curio.IgnoreAfter(ctx, 50*time.Millisecond, func(ctx context.Context) error {
			_, err := process.Run(ctx, forever, struct{}{})
			return err
		})
		fmt.Println("late:", late, err)

		_, err = process.Run(ctx, divide, 0)
		if failure, ok := errors.AsType[*process.RemoteError](err); ok {
			fmt.Println("panic:", failure.Panic, failure.Text)
		}
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// 12586269025 <nil>
	// late: true <nil>
	// panic: true runtime error: integer divide by zero
}

func ExampleMap() {
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		for n, err := range process.Map(ctx, divide, slices.Values([]int{1, 3, 0, 7})) {
			fmt.Println(n, err)
		}
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// 100 <nil>
	// 33 <nil>
	// 0 curio: item 2: process: example.divide: panic: runtime error: integer divide by zero
	// 14 <nil>
}

func ExampleProgress() {
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		show := process.Progress(func(n int) { fmt.Printf("%d%%\n", n) })
		found, err := process.Run(ctx, search, 100, show)
		fmt.Println("found:", found)
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// 25%
	// 50%
	// 75%
	// 100%
	// found: 1
}

func ExampleNewPool() {
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		p, err := process.NewPool(ctx, process.Config{Workers: 2, CallsPerWorker: 100})
		if err != nil {
			return err
		}
		n, err := process.Run(ctx, nth, 10, process.In(p))
		fmt.Println(n, err)
		return p.Close(ctx)
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// 55 <nil>
}
