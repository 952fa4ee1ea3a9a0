package debug_test

import (
	"context"
	"fmt"
	"runtime/pprof"
	"strings"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/debug"
)

// The profiler sees the names of tasks, and what the user adds to them.
func ExampleSetLabels() {
	defer debug.SetLabels(debug.SetLabels(debug.TaskNames))
	_ = curio.Run(context.Background(), func(ctx context.Context) error {
		worker := curio.Go(ctx, func(ctx context.Context) error {
			pprof.Do(ctx, pprof.Labels("step", "parse"), func(ctx context.Context) {
				task, _ := pprof.Label(ctx, "curio.task")
				step, _ := pprof.Label(ctx, "step")
				fmt.Println(task, step)
			})
			return nil
		}, curio.Name("worker"))
		return worker.Wait(ctx)
	})
	// Output: worker parse
}

// The stack of one task, without stopping the program for as long as AnyTask.Traceback does.
func ExampleStack() {
	defer debug.SetLabels(debug.SetLabels(debug.TaskIDs))
	_ = curio.Run(context.Background(), func(ctx context.Context) error {
		stack, err := debug.Stack(curio.CurrentTask(ctx))
		fmt.Println(strings.Contains(stack, "ExampleStack"), err)
		return nil
	})
	// Output: true <nil>
}
