package file

import (
	"context"
	"fmt"
	"io/fs"
	"iter"

	"github.com/curio-go/curio"
)

// The side of a Watcher that its user sees. The worker adds to the queue and waits when that is full;
// then events pile up in w.raw, and when these are too many, they become a wish to rescan. So neither
// the kernel nor the reader of its events ever waits for the user.

// A delivery is what Next returns.
type delivery struct {
	change Change
	err    error
	last   bool // after it the stream has ended
}

// watchQueue is how many changes are kept for Next.
const watchQueue = 512

// A PartError reports that a [Watcher] cannot watch a part of its tree: a directory, with
// everything below it. The stream goes on. Err is the cause.
type PartError struct {
	Path string // the directory
	Err  error  // the cause
}

// Error returns the path and the text of Err.
func (e *PartError) Error() string {
	return fmt.Sprintf("%s is not watched, nor what is below it: %v", e.Path, e.Err)
}

// Unwrap returns Err.
func (e *PartError) Unwrap() error { return e.Err }

// Next waits for a change and removes it from the stream. If ctx is done first, it returns an error
// that wraps ctx's error and has removed no change.
//
// If a directory cannot be watched, Next returns an error that wraps a [*PartError], once for each
// such directory. A program that can do without that part calls Next again. When the path itself
// can no longer be watched, for example because it was removed, Next returns the remaining changes
// and then the reason. After Close the error wraps fs.ErrClosed. All errors are of type
// [*fs.PathError].
func (w *Watcher) Next(ctx context.Context) (Change, error) {
	d, err := w.takers.Wait(ctx, delivery{})
	return w.took(d, err)
}

func (w *Watcher) took(d delivery, err error) (Change, error) {
	if err == nil {
		err = d.err
	}
	if err != nil {
		return Change{}, w.wrap(w.path, err)
	}
	return d.change, nil
}

func (w *Watcher) wrap(path string, err error) error {
	return &fs.PathError{Op: "watch", Path: path, Err: err}
}

// NextCase returns a case for [curio.Select] that receives a change as Next does and stores it in
// *to, unless to is nil.
func (w *Watcher) NextCase(to *Change) curio.Case {
	return w.takers.Case(delivery{}, func(_ context.Context, d delivery) error {
		change, err := w.took(d, nil)
		if to != nil && err == nil {
			*to = change
		}
		return err
	})
}

// All returns an iterator over the changes as they come. It yields each error, except that of
// Close, and ends after any error other than a [*PartError]. If ctx is done first, that is such an
// error. It ends without an error when the Watcher is closed.
func (w *Watcher) All(ctx context.Context) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		for {
			d, err := w.takers.Wait(ctx, delivery{})
			if err == nil && d.err == fs.ErrClosed {
				return
			}
			if change, failed := w.took(d, err); !yield(change, failed) || err != nil || d.last {
				return
			}
		}
	}
}

// Close ends the watch. Next calls in progress fail with fs.ErrClosed, and changes that have not
// been received are dropped. When Close has returned, the kernel watches nothing for w any more.
// Close waits for no other task, so a task that handles a change may call it; closing the last
// Watcher takes some milliseconds in the kernel. A second Close does nothing. The error is always
// nil.
func (w *Watcher) Close() error {
	w.mu.Lock()
	w.closed, w.queue = true, nil
	w.serve()
	w.mu.Unlock()
	w.raw.close()
	w.scope.Cancel()
	w.leaveKernel()
	return nil
}

// Snapshot returns the tasks that are waiting in Next. A Watcher has no holders.
func (w *Watcher) Snapshot() curio.Snapshot {
	w.mu.Lock()
	defer w.mu.Unlock()
	return curio.Snapshot{Waiters: w.takers.Waiters()}
}

// String returns the path that is watched and the number of changes that have not been received.
func (w *Watcher) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	text := "file.Watcher(" + w.path
	if w.recursive {
		text += "; recursive"
	}
	if w.interval > 0 {
		text += fmt.Sprintf("; polls each %v", w.interval)
	}
	if len(w.queue) > 0 {
		text += fmt.Sprintf("; %d not taken", len(w.queue))
	}
	if n := w.takers.Len(); n > 0 {
		text += fmt.Sprintf("; %d waiting", n)
	}
	switch {
	case w.closed:
		text += "; closed"
	case w.failed != nil:
		text += "; ended: " + w.failed.Error()
	}
	return text + ")"
}

// serve hands out what there is, with w.mu held.
func (w *Watcher) serve() {
	for len(w.queue) > 0 && w.takers.Hand(w.queue[0]) {
		w.queue[0] = delivery{}
		if w.queue = w.queue[1:]; len(w.queue) == 0 {
			w.queue = nil
		}
	}
	switch {
	case w.closed:
		w.takers.HandAll(delivery{err: fs.ErrClosed, last: true})
	case len(w.queue) == 0 && w.failed != nil:
		w.takers.HandAll(delivery{err: w.failed, last: true})
	}
	w.serveRoom()
}

func (w *Watcher) serveRoom() {
	if len(w.queue) < watchQueue || w.closed {
		w.room.HandAll(struct{}{})
	}
}

// report puts a change into the queue, and waits until there is room. It is the worker's.
func (w *Watcher) report(ctx context.Context, c Change) error {
	return w.deliver(ctx, delivery{change: c})
}

// reportPart reports that the directory at path is not watched.
func (w *Watcher) reportPart(ctx context.Context, path string, err error) error {
	return w.deliver(ctx, delivery{err: &PartError{path, err}})
}

// keepPart is reportPart for the beginning: it does not wait.
func (w *Watcher) keepPart(path string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.queue = append(w.queue, delivery{err: &PartError{path, err}})
}

func (w *Watcher) deliver(ctx context.Context, d delivery) error {
	for {
		w.mu.Lock()
		switch {
		case w.closed:
			w.mu.Unlock()
			return errWatchEnded
		case len(w.queue) < watchQueue:
			if !w.saysNothingNew(d) {
				w.queue = append(w.queue, d)
				w.serve()
			}
			w.mu.Unlock()
			return nil
		}
		w.mu.Unlock()
		if _, err := w.room.Wait(ctx, struct{}{}); err != nil {
			return err
		}
	}
}

// saysNothingNew reports whether the last change in the queue implies d: the task that takes it looks at
// the file after all that has happened so far.
func (w *Watcher) saysNothingNew(d delivery) bool {
	if len(w.queue) == 0 || d.err != nil {
		return false
	}
	last := w.queue[len(w.queue)-1]
	if last.err != nil || last.change.Path != d.change.Path {
		return false
	}
	switch d.change.Kind {
	case Changed, Attributes:
		return last.change.Kind == d.change.Kind || last.change.Kind == Created || last.change.Kind == Replaced
	default:
		return last.change.Kind == d.change.Kind && d.change.Kind != Renamed
	}
}

// end ends the stream with err, when what is in the queue has been taken.
func (w *Watcher) end(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.failed = err
	w.serve()
}
