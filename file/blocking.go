// Package file is about files.
package file

import (
	"context"

	"github.com/curio-go/curio"
)

// blocking calls fn, a system call about the file or the folder path that may have to wait for a device,
// in a worker, and returns what it returns. If ctx is done first, the call is abandoned: late gets its
// result, if it is not nil.
func blocking[T any](ctx context.Context, op, path string, fn func() (T, error), late func(T, error)) (T, error) {
	if late == nil {
		return curio.RunInThread(ctx, fn)
	}
	return curio.RunInThread(ctx, fn, late)
}
