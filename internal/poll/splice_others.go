//go:build !linux

package poll

import "context"

// Splice always fails with ErrNoSplice: there is no splice(2) here.
func (f *FD) Splice(context.Context, *FD, int) (n, lost int, receiving bool, err error) {
	return 0, 0, true, ErrNoSplice
}
