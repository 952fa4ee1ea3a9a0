package process_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/curio-go/curio/curiotest"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/process"
)

// All that waits, cancelled at each of its waits.
func TestEverywhere(t *testing.T) {
	values := 1
	if testutil.LongStarts {
		values = 9 // the worker is told that there is room again
	}
	for name, use := range map[string]func(ctx context.Context) error{
		"Run": func(ctx context.Context) error {
			n, err := process.Run(ctx, double, 21)
			if err == nil && n != 42 {
				err = fmt.Errorf("it is %d", n)
			}
			return err
		},
		"progress": func(ctx context.Context) error {
			seen := 0
			_, err := process.Run(ctx, counts, values, process.Progress(func(int) { seen++ }))
			if err == nil && seen != values {
				err = fmt.Errorf("there were %d values", seen)
			}
			return err
		},
		"Map": func(ctx context.Context) error {
			if err := process.Configure(ctx, process.Config{Workers: 1}); err != nil {
				return err
			}
			next := 0
			for n, err := range process.Map(ctx, double, slices.Values([]int{0, 1, 2})) { // one more than may have begun
				if err != nil {
					return err
				}
				if n != 2*next {
					return fmt.Errorf("result %d is %d", next, n)
				}
				next++
			}
			return nil
		},
		"a pool": func(ctx context.Context) error {
			p, err := process.NewPool(ctx, process.Config{Workers: 1, CallsPerWorker: 1})
			if err != nil {
				return err
			}
			_, err = process.Run(ctx, double, 1, process.In(p))
			return errors.Join(err, p.Close(ctx))
		},
	} {
		if !testutil.LongStarts && (name == "Map" || name == "Run") {
			continue // hundreds of processes
		}
		t.Run(name, func(t *testing.T) { curiotest.CancelEverywhere(t, use) })
	}
}
