package file

import (
	"context"

	"github.com/curio-go/curio/internal/wait"
)

// blocking calls fn, a system call about the file or the folder path that may have to wait for a
// device, in a worker, and returns what it returns. If ctx is done first, the error is ctx's own, as it
// is; the call is abandoned, and late gets its result, if it is not nil. A call that had not begun is
// not made any more, and late is not called.
//
// fn and late run in a goroutine of no task: they must not touch what the caller may use again, nor
// call functions of the user's.
func blocking[T any](ctx context.Context, op, path string, fn func() (T, error), late func(T, error)) (T, error) {
	v, _, err := onDevice(ctx, deviceOfPath(path), op, path, fn, late)
	return v, err
}

// onDevice is blocking for what is known to be on device d. It also says what has become of the call.
func onDevice[T any](ctx context.Context, d *device, op, path string, fn func() (T, error), late func(T, error)) (v T, become fate, err error) {
	v, err = at(ctx, func(_ context.Context, p wait.Place) (v T, err error) {
		v, become, err = inWorker(p, d, nil, op, path, fn, late)
		return v, err
	})
	return v, become, err
}

// at calls fn at the place of ctx. If fn returns errCut, it works out ctx's error, with nothing held.
// fn gets a context under which it can wait: ctx itself, or one of ours if ctx's methods may do
// anything. See internal/wait/follow.go.
func at[T any](ctx context.Context, fn func(ctx context.Context, p wait.Place) (T, error)) (v T, err error) {
	p, err := wait.At(ctx)
	if err != nil {
		return v, err
	}
	if p.Untrusted() {
		return wait.FollowFor(p, func(p wait.Place) (T, error) {
			v, err := fn(p.Scope(), p)
			return v, uncut(p, err)
		})
	}
	v, err = fn(ctx, p)
	return v, uncut(p, err)
}

// uncut returns the error of an operation at p that has ended with err.
func uncut(p wait.Place, err error) error {
	if err == errCut {
		return p.Failure()
	}
	return err
}
