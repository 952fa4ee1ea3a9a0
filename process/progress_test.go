package process_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/process"
)

// With Map, too, progress values come in the task that runs the loop, and the values of a call come before its result.
func TestMapProgress(t *testing.T) {
	inKernel(t, func(ctx context.Context) error {
		for _, unordered := range []bool{false, true} {
			values, results := 0, 0
			opts := []process.Option{process.Progress(func(int) { values++ })} // without a lock
			if unordered {
				opts = append(opts, process.Unordered())
			}
			for n, err := range process.Map(ctx, counts, slices.Values([]int{20, 20, 20, 20, 20, 20, 20, 20}), opts...) {
				if n != 20 || err != nil {
					t.Errorf("a call gives %d, %v", n, err)
				}
				if results++; values < 20*results {
					t.Errorf("there are %d results, and %d values have come", results, values)
				}
			}
			if values != 20*8 || results != 8 {
				t.Errorf("there were %d values and %d results", values, results)
			}
		}
		return nil
	})
}

// A function of Progress that panics ends the call, and the panic goes on.
func TestProgressPanics(t *testing.T) {
	inKernel(t, func(ctx context.Context) error {
		p := newPool(ctx, t, process.Config{Workers: 1})
		before, err := process.Run(ctx, pid, struct{}{}, process.In(p))
		if err != nil {
			return err
		}
		for name, call := range map[string]func(o process.Option){
			"Run": func(o process.Option) { _, _ = process.Run(ctx, counts, 30, process.In(p), o) },
			"Map": func(o process.Option) {
				for range process.Map(ctx, counts, slices.Values([]int{30, 30}), process.In(p), o) {
				}
			},
		} {
			func() {
				defer func() {
					if v := fmt.Sprint(recover()); v != "enough" {
						t.Errorf("%s panics with %s", name, v)
					}
				}()
				call(process.Progress(func(n int) {
					if n == 10 {
						panic("enough")
					}
				}))
			}()
		}
		after, err := process.Run(ctx, pid, struct{}{}, process.In(p))
		if before == after {
			t.Errorf("the worker of a call that was not finished serves others: %v", err)
		}
		return p.Close(ctx)
	})
}

// A goroutine and a task of the function's may report at the same time, and nothing is lost or mixed up.
func TestManyReport(t *testing.T) {
	inKernel(t, func(ctx context.Context) error {
		seen := make(map[int]int)
		n, err := process.Run(ctx, manyReport, 50, process.Progress(func(n int) { seen[n]++ }))
		if n != 200 || len(seen) != 200 {
			t.Errorf("%d were sent, %d have come", n, len(seen))
		}
		for v, times := range seen {
			if times != 1 {
				t.Errorf("%d has come %d times", v, times)
			}
		}
		return err
	})
}

var manyReport = process.Register("manyReport", func(ctx context.Context, each int) (int, error) {
	errs := make(chan error, 2)
	send := func(ctx context.Context, from int) error {
		for i := range each {
			if err := process.Report(ctx, from*each+i); err != nil {
				return err
			}
		}
		return nil
	}
	for i := range 2 {
		go func() { errs <- send(ctx, i) }() // with the same context
	}
	_, err := curio.Map(ctx, []int{2, 3}, func(ctx context.Context, i int) (int, error) { return 0, send(ctx, i) })
	for range 2 {
		if failed := <-errs; failed != nil {
			err = failed
		}
	}
	return 4 * each, err
})
