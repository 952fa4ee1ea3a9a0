package process

import (
	"context"
)

// Run calls fn with arg in a worker, and returns its result. It waits until a worker is free, or has been
// started.
//
// If ctx is done first, or already, the error is ctx's error. If the call was being served, its worker is told
// to end, and Run does not wait for that. A result that comes at the same moment is dropped.
//
// Other errors are *RemoteError for what the function has failed with, *WorkerError if the worker has died or
// could not be started, ErrUnsendable for an argument that cannot be encoded, ErrPoolClosed, ErrNoMain and
// ErrInWorker. Run panics if fn is nil.
//
// It is Curio's run_in_process. A waiting task is in the state PROCESS_WORKER until it has a worker, and then
// in PROCESS_CALL.
func Run[A, R any](ctx context.Context, fn *Func[A, R], arg A, opts ...Option) (R, error) {
	o := newOptions(opts)
	if o.unordered {
		panic("process: Run with Unordered, which is for Map")
	}
	return run(ctx, mustBeRegistered("Run", fn), arg, o)
}
