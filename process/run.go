package process

import (
	"context"
	"fmt"

	"github.com/curio-go/curio/internal/gobs"
)

// Run calls fn with arg in a worker and returns its result. It waits until a worker is free or has
// been started.
//
// If ctx is done first, Run returns ctx's error. If a worker was serving the call, the worker is
// told to end, and Run does not wait for that. A result that arrives at the same moment is dropped.
//
// Other errors are a [*RemoteError] if the function failed, a [*WorkerError] if the worker died or
// ended before it called Main, the system's error if a worker cannot be started, ErrUnsendable if
// the argument cannot be encoded, ErrPoolClosed, ErrNoMain and ErrInWorker. The result is then R's
// zero value. Run panics if fn is nil.
//
// It is Curio's run_in_process. A task that waits is in the state PROCESS_WORKER until it has a
// worker, and then PROCESS_CALL.
func Run[A, R any](ctx context.Context, fn *Func[A, R], arg A, opts ...Option) (R, error) {
	o := newOptions(opts)
	if o.unordered {
		panic("process: Run with Unordered, which is for Map")
	}
	return run(ctx, mustBeRegistered("Run", fn), arg, o.pool, o.listener)
}

func run[A, R any](ctx context.Context, fn *Func[A, R], arg A, p *Pool, l *listener) (result R, err error) {
	r := &request{
		function: fn.of, pool: p, listener: l,
		encode: func(e *gobs.Encoder) ([]byte, error) { return e.Encode(&arg) },
		decode: func(d *gobs.Decoder, message []byte) error { return d.Decode(message, &result) },
	}
	if err := r.run(ctx); err != nil {
		var none R
		return none, err
	}
	return result, nil
}

// mustBeRegistered returns fn, unless that is none.
func mustBeRegistered[A, R any](call string, fn *Func[A, R]) *Func[A, R] {
	if fn == nil || fn.of == nil {
		panic(fmt.Sprintf("process: %s without a function; pass the result of Register", call))
	}
	return fn
}
