package curiotest_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/curiotest"
)

// An account is a sum of money, which one task at a time may change.
type account struct {
	curio.Lock
	sum int
}

// transfer moves an amount from one account to another.
func transfer(ctx context.Context, amount int, from, to *account) error {
	return from.Do(ctx, func(ctx context.Context) error {
		return to.Do(ctx, func(context.Context) error {
			if from.sum < amount {
				return errors.New("not enough")
			}
			from.sum -= amount
			to.sum += amount
			return nil
		})
	})
}

// A test in which a transfer is cancelled wherever it waits. Here the test is called as
// an ordinary function, to show what it prints.
func ExampleCancelEverywhere() {
	test := func(t testing.TB) {
		curiotest.CancelEverywhere(t, func(ctx context.Context) error {
			from, to := &account{sum: 10}, &account{}
			err := transfer(ctx, 10, from, to)
			if from.sum+to.sum != 10 {
				t.Errorf("money is lost: %d and %d are left", from.sum, to.sum)
			}
			return err
		})
	}

	t := &witness{TB: new(unnamed)}
	test(t)
	fmt.Println("failures:", len(t.failures))
	// Output: failures: 0
}

// unnamed is a test outside of any test.
type unnamed struct{ testing.TB }

func (*unnamed) Name() string { return "Example" }

// A Sequencer makes a race come out in one way: here the reader comes too late.
func ExampleSequencer() {
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		var seq curiotest.Sequencer
		box := "empty"
		reader := curio.Spawn(ctx, func(ctx context.Context) (got string, err error) {
			err = seq.Step(ctx, 1, func() error {
				got = box
				return nil
			})
			return got, err
		})
		if err := seq.Step(ctx, 0, func() error { box = "full"; return nil }); err != nil {
			return err
		}
		got, err := reader.Join(ctx)
		fmt.Println("the box was", got)
		return err
	})
	fmt.Println(err)
	// Output:
	// the box was full
	// <nil>
}
