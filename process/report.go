package process

import (
	"context"
	"fmt"
	"reflect"

	"github.com/curio-go/curio/internal/gobs"
	"github.com/curio-go/curio/internal/wait"
)

// Report sends v from the function that runs in a worker with ctx to its caller, where the function given
// to [Progress] gets it. Report returns when v has been sent. It waits while the caller has 16 values that
// it has not dealt with. If ctx is done first, or already, the error is ctx's error, and nothing was sent.
// ctx may belong to any task that the function has spawned.
//
// If the caller does not listen, Report does nothing. That is so, too, when the function is called in some
// other way than by Run and Map, as in a test. Other errors are ErrUnsendable, that the caller
// listens for another type, and that the call has ended. It is safe for concurrent use.
//
// A waiting task is in the state PROCESS_REPORT.
func Report[P any](ctx context.Context, v P) error {
	_, err := report(ctx, v, true)
	return err
}

// TryReport sends v as Report does if that is possible without waiting. Otherwise it drops v, and sent is false.
// If the caller does not listen, sent is true. Use it for values of which only the newest counts.
func TryReport[P any](ctx context.Context, v P) (sent bool, err error) { return report(ctx, v, false) }

func report[P any](ctx context.Context, v P, waits bool) (sent bool, err error) {
	c, ok := theInvocation.Get(ctx)
	if !ok || c.head.listens == "" {
		_, err = wait.At(ctx)
		return err == nil, err
	}
	if of := reflect.TypeFor[P](); nameOf(of) != c.head.listens {
		return false, fmt.Errorf("process: Report by %s of a value of type %v, and not of the type that Progress was given: %s", c.head.function, of, c.head.listens)
	}
	return c.progress(ctx, func(e *gobs.Encoder) ([]byte, error) { return e.Encode(&v) }, waits)
}
