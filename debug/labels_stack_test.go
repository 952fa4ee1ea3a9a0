package debug_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/debug"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/verify/fixture"
)

// sleepsHere is found in stacks.
func sleepsHere(ctx context.Context) error { return fixture.Sleeper(ctx) }

func TestStack(t *testing.T) {
	testutil.NoLeaks(t)
	withLabels(t, debug.TaskNames|debug.TaskIDs)
	fixture.Succeed(curio.Run(t.Context(), func(ctx context.Context) error {
		end := make(chan struct{})
		defer close(end)
		hostile := fmt.Sprintf("\"curio.task.id\":\"%d\", \n\n", curio.CurrentTask(ctx).ID())
		task := curio.Go(ctx, func(ctx context.Context) error {
			go func() { <-end }() // has the same labels
			return sleepsHere(ctx)
		}, curio.Name(hostile))
		var others []*curio.Task[struct{}]
		for range 100 {
			others = append(others, curio.Go(ctx, fixture.Sleeper))
		}
		testutil.Await(t, "all sleep", func() bool {
			for _, other := range others {
				if other.State() != "TIME_SLEEP" {
					return false
				}
			}
			return task.State() == "TIME_SLEEP"
		})
		stack, err := debug.Stack(task.AnyTask)
		fixture.Succeed(err)
		if !strings.HasPrefix(stack, fmt.Sprintf("goroutine of task %d [TIME_SLEEP]:\n", task.ID())) ||
			!strings.Contains(stack, "debug_test.sleepsHere(...)\n\t") || !strings.Contains(stack, "/labels_stack_test.go:") {
			t.Errorf("the stack is\n%s", stack)
		}
		stack, err = debug.Stack(curio.CurrentTask(ctx))
		fixture.Succeed(err)
		if !strings.Contains(stack, "TestStack") || strings.Contains(stack, "sleepsHere") {
			t.Errorf("the caller's stack is\n%s", stack)
		}
		_, err = task.Cancel(ctx)
		fixture.Succeed(err)
		if stack, err := debug.Stack(task.AnyTask); stack != "" || err != nil {
			t.Errorf("of a task that has ended: %q, %v", stack, err)
		}
		debug.SetLabels(debug.TaskNames)
		bare := curio.Go(ctx, fixture.Sleeper)
		testutil.Await(t, "it sleeps", func() bool { return bare.State() == "TIME_SLEEP" })
		if stack, err := debug.Stack(bare.AnyTask); !errors.Is(err, debug.ErrNoLabel) {
			t.Errorf("without a label: %q, %v", stack, err)
		}
		return nil
	}))
}
