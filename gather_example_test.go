package curio_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/curio-go/curio"
)

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
