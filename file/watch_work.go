package file

import (
	"context"
	"errors"
	"time"

	"github.com/curio-go/curio"
)

// The worker is a goroutine that each Watcher has. It alone looks at the file system and knows the
// target, and it may wait: for a disk, and for the user to take changes. Close cancels it.

// settleAfter is how long no event must have come until the second half of a rename is given up. Tests
// replace it.
var settleAfter = 10 * time.Millisecond

// errWatchEnded is for a target that has called Watcher.end.
var errWatchEnded = errors.New("internal error: the watch has ended")

func (w *Watcher) work(ctx context.Context) error {
	defer w.leaveKernel()
	if w.interval > 0 {
		return w.poll(ctx)
	}
	var batch []watchEvent
	for {
		var lost, quiet bool
		var err error
		if w.target.unsettled() {
			quiet, err = curio.IgnoreAfter(ctx, settleAfter, func(ctx context.Context) error {
				var err error
				batch, lost, err = w.raw.take(ctx, batch)
				return err
			})
		} else {
			batch, lost, err = w.raw.take(ctx, batch)
		}
		if err != nil {
			return err
		}
		if quiet {
			batch = nil
			if err := w.target.settle(ctx); err != nil {
				return err
			}
			continue
		}
		if err := w.target.events(ctx, batch); err != nil {
			return err
		}
		if lost {
			if err := w.catchUp(ctx); err != nil {
				return err
			}
		}
	}
}

// catchUp is for when events have been lost.
func (w *Watcher) catchUp(ctx context.Context) error {
	if err := w.target.rescan(ctx); err != nil {
		return err
	}
	return w.report(ctx, Change{Kind: Rescanned, Path: w.path})
}

func (w *Watcher) poll(ctx context.Context) error {
	for {
		if err := curio.Sleep(ctx, w.interval); err != nil {
			return err
		}
		if err := w.target.rescan(ctx); err != nil {
			return err
		}
	}
}
