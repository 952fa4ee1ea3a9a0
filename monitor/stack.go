package monitor

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/labelled"
)

// Looking for stacks stops all goroutines, for longer the more of them there are. So over all monitors of the process
// there is one look at a time, and there is a second between two.

// mostGoroutines is with how many goroutines stacks are printed. 20,000 are stopped for some tens of milliseconds, and
// 100,000 for hundreds. The profile by labels, which has one task's stack, stops them for a tenth of that or less.
const mostGoroutines = 20_000

// A tooManyError says that looking for stacks would stop the program for too long.
type tooManyError int

func (e tooManyError) Error() string {
	return fmt.Sprintf("there are %d goroutines; to find a stack among more than %d would stop the program for too long, "+
		"except for a task that has the label of its ID, by debug.SetLabels", int(e), mostGoroutines)
}

// tooMany returns a tooManyError if there are too many goroutines to print their stacks.
func tooMany() error {
	if n := runtime.NumGoroutine(); n > mostGoroutines {
		return tooManyError(n)
	}
	return nil
}

// A tooSoonError says when the next look at stacks is allowed.
type tooSoonError time.Duration

func (e tooSoonError) Error() string {
	return "stacks are looked at once a second at most: try again in " + max(time.Duration(e), time.Millisecond).Round(time.Millisecond).String()
}

// A stackLimit allows one look at stacks at a time, and none within a second of the last.
type stackLimit struct {
	mu     sync.Mutex
	busy   bool
	before time.Time // no look before this
}

// stacks is the limit of the process.
var stacks stackLimit

const betweenStacks = time.Second

// takeAll begins a look at the stacks of several tasks. Its error is a tooManyError or a tooSoonError.
func (l *stackLimit) takeAll() error {
	if err := tooMany(); err != nil {
		return err
	}
	return l.take()
}

// take begins a look. If none is allowed, it returns a tooSoonError.
func (l *stackLimit) take() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.busy {
		return tooSoonError(betweenStacks)
	}
	if left := time.Until(l.before); left > 0 {
		return tooSoonError(left)
	}
	l.busy = true
	return nil
}

// await calls take or takeAll, for a client that can wait for its turn.
func await(ctx context.Context, take func() error) error {
	for tries := 0; ; tries++ {
		err := take()
		var soon tooSoonError
		if !errors.As(err, &soon) || tries == 3 {
			return err
		}
		if !rest(ctx, time.Duration(soon)) {
			return context.Cause(ctx)
		}
	}
}

// done ends a look.
func (l *stackLimit) done() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.busy, l.before = false, time.Now().Add(betweenStacks)
}

// rest waits for d. The result is false if ctx is done before.
func rest(ctx context.Context, d time.Duration) bool {
	timeout, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	<-timeout.Done()
	return ctx.Err() == nil
}

// A look is the stack of a task.
type look struct {
	stack string
	where string
	pause time.Duration // how long the program was stopped, at most; 0 if only for a moment
}

// stackOf looks for the stack of t. Its caller has taken the limit.
func stackOf(t *curio.AnyTask) (look, error) {
	var l look
	if many := tooMany(); many == nil {
		began := time.Now()
		l.stack = t.Traceback()
		l.pause = time.Since(began)
	} else {
		stack, err := labelled.Stack(t)
		if errors.Is(err, labelled.ErrNone) {
			return l, many
		}
		if err != nil {
			return l, err
		}
		l.stack = stack
	}
	if l.stack != "" {
		l.where = placeIn(l.stack, t)
	}
	return l, nil
}
