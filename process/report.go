package process

import "context"

// Report sends v to the caller of the function that runs in a worker with ctx, which gets it by the function
// given to [Progress]. It returns when v has been sent. It waits while the caller has 16 values that it has not dealt with. If ctx is
// done first, the error is ctx's error, and nothing was sent. ctx may belong to any task that the function has spawned.
//
// If the caller does not listen, Report does nothing. That is so, too, when the function is called in some
// other way than by Run and Map, as in a test. Other errors are that v cannot be encoded, that the caller
// listens for another type, and that the function has returned already. It is safe for concurrent use.
//
// A waiting task is in the state PROCESS_REPORT.
func Report[P any](ctx context.Context, v P) error {
	_, err := report(ctx, v, true)
	return err
}

// TryReport is Report for values that may be lost: if it would have to wait, it drops v, and sent is false. sent is true,
// too, if the caller does not listen.
func TryReport[P any](ctx context.Context, v P) (sent bool, err error) { return report(ctx, v, false) }
