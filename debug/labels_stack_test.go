package debug_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
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

// A profile has the innermost 128 calls of a stack: a deep one is found all the same, unless another goroutine of the task's
// is as deep.
func TestDeepStack(t *testing.T) {
	testutil.NoLeaks(t)
	withLabels(t, debug.TaskIDs)
	fixture.Succeed(curio.Run(t.Context(), func(ctx context.Context) error {
		free := make(chan struct{})
		var ready sync.WaitGroup
		ready.Add(1)
		alone := curio.Go(ctx, func(context.Context) error { return deep(200, ready.Done, free) })
		ready.Wait()
		stack, err := debug.Stack(alone.AnyTask)
		fixture.Succeed(err)
		if !strings.Contains(stack, "debug_test.deep") || !strings.HasSuffix(stack, "...additional frames elided...\n") {
			t.Errorf("the stack is\n%s", stack)
		}
		ready.Add(2)
		both := curio.Go(ctx, func(context.Context) error {
			go elsewhere(200, ready.Done, free)
			return deep(200, ready.Done, free)
		})
		ready.Wait()
		if stack, err := debug.Stack(both.AnyTask); !errors.Is(err, debug.ErrNoLabel) {
			t.Errorf("of two that are as deep: %v\n%s", err, stack)
		}
		close(free)
		if _, err := alone.Join(ctx); err != nil {
			return err
		}
		_, err = both.Join(ctx)
		return err
	}))
}

// deep calls itself n times, and then waits for free.
func deep(n int, ready func(), free chan struct{}) error {
	if n > 0 {
		return deep(n-1, ready, free)
	}
	ready()
	<-free
	return nil
}

// elsewhere is deep with other lines in its stack: a profile has equal stacks once.
func elsewhere(n int, ready func(), free chan struct{}) {
	if n > 0 {
		elsewhere(n-1, ready, free)
		return
	}
	ready()
	<-free
}
