package process

import (
	"context"
	"fmt"
	"reflect"

	"github.com/curio-go/curio/internal/gobs"
	"github.com/curio-go/curio/internal/wait"
)

// Report sends v from a function that runs in a worker to its caller, which passes it to the
// function of [Progress]. ctx is the function's context, or belongs to a task that the function has
// spawned. Report returns when v has been sent. It waits while the caller has 16 values that it has
// not handled. If ctx is done first, it returns ctx's error and has sent nothing.
//
// If the caller does not use Progress, or the function was not called by Run or Map, as in a test,
// Report does nothing. Other errors are ErrUnsendable, an error if the caller's Progress is for
// another type, and an error if the call has ended. Report is safe for concurrent use.
//
// A task that waits is in the state PROCESS_REPORT.
func Report[P any](ctx context.Context, v P) error {
	_, err := report(ctx, v, true)
	return err
}

// TryReport sends v as [Report] does if that is possible without waiting. Otherwise it drops v, and
// sent is false. If ctx is done, it returns ctx's error. If the caller does not use Progress, sent
// is true. Use it for values of which only the latest matters.
func TryReport[P any](ctx context.Context, v P) (sent bool, err error) { return report(ctx, v, false) }

func report[P any](ctx context.Context, v P, waits bool) (sent bool, err error) {
	c, ok := theInvocation.Get(ctx)
	if !ok || c.head.listens == "" {
		_, err = wait.At(ctx)
		return err == nil, err
	}
	if of := reflect.TypeFor[P](); nameOf(of) != c.head.listens {
		return false, fmt.Errorf("process: Report by %s of a value of type %v, not of the type that Progress was given: %s", c.head.function, of, c.head.listens)
	}
	return c.progress(ctx, func(e *gobs.Encoder) ([]byte, error) { return e.Encode(&v) }, waits)
}
