package file

import (
	"context"
	"io/fs"
)

// SetFault makes f be called before system calls, nil for none.
func SetFault(f func(call, path string) error) {
	if f == nil {
		fault.Store(nil)
		return
	}
	fault.Store(&f)
}

// Work is work for a call that commits if commit is set.
func Work(ctx context.Context, commit bool, fn func() int, orphan func(int)) (v int, orphaned bool, err error) {
	j := new(job)
	v, err = work(ctx, j, "work", "path", func() (int, error) {
		if commit && !j.commit() {
			return 0, errDeserted
		}
		return fn(), nil
	}, orphan)
	return v, j.orphaned(), err
}

// Bounds of a walk, of a clean-up and of a piece of a copy.
const (
	MostOpen     = mostOpen
	CleanUpBound = cleanUpBound
	RangePiece   = rangePiece
)

// Inodes is how many files somebody holds or wants a lock of.
func Inodes() int {
	inodes.mu.Lock()
	defer inodes.mu.Unlock()
	return len(inodes.m)
}

// A Listed is what a folder's list says of an entry.
type Listed struct {
	Name string
	Type fs.FileMode
}
