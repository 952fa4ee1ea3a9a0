package file

import (
	"context"
	"io/fs"
)

// A watchedFile is a file that is watched by its path. It is the worker's. What matters is what is at
// the end of the path now, compared with what was there before: an event may be old by the time it is
// looked at.
type watchedFile struct {
	w     *Watcher
	trail watchTrail
	now   watchSight
}

func newWatchedFile(w *Watcher) *watchedFile {
	return &watchedFile{w: w, trail: watchTrail{w: w, mask: wasHere | wasModified | wasAttributed | wasClosed}}
}

func (f *watchedFile) start(ctx context.Context) error {
	sight, err := f.trail.follow(ctx)
	if err == nil {
		err = sight.err
	}
	f.now = sight
	return err
}

func (f *watchedFile) unsettled() bool { return false }

func (f *watchedFile) settle(context.Context) error { return nil }

func (f *watchedFile) rescan(ctx context.Context) error { return f.look(ctx, false) }

func (f *watchedFile) events(ctx context.Context, batch []watchEvent) error {
	for i := range batch {
		if err := f.event(ctx, &batch[i]); err != nil {
			return err
		}
	}
	return nil
}

func (f *watchedFile) event(ctx context.Context, ev *watchEvent) error {
	steps := f.trail.steps
	last := len(steps) > 0 && ev.spot == steps[len(steps)-1] && ev.name != ""
	kind := ChangeKind(0)
	switch {
	case f.trail.concerns(ev):
		return f.look(ctx, last)
	case !last || f.now.err != nil:
		return nil
	case ev.mask&wasModified != 0:
		kind = Changed
	case ev.mask&wasClosed != 0:
		kind = Closed
	case ev.mask&wasAttributed != 0:
		kind = Attributes
	default:
		return nil
	}
	f.now.entry.stale = true
	return f.report(ctx, kind)
}

func (f *watchedFile) report(ctx context.Context, kind ChangeKind) error {
	return f.w.report(ctx, Change{Kind: kind, Path: f.w.path})
}

// look follows the path again. renewed says that the name at its end has been given to a file, or
// taken from one: then a file that differs in anything is another one, even if it has the same inode
// number, which the system gives to the next file that is created.
func (f *watchedFile) look(ctx context.Context, renewed bool) error {
	before := f.now
	sight, err := f.trail.follow(ctx)
	switch {
	case err != nil && (ctx.Err() != nil || err == fs.ErrClosed):
		return err
	case err != nil: // what was watched before still is
		return f.w.reportPart(ctx, f.w.path, err)
	}
	f.now = sight
	if kind := before.difference(sight, renewed); kind != 0 {
		return f.report(ctx, kind)
	}
	return nil
}

func (s watchSight) difference(now watchSight, renewed bool) ChangeKind {
	switch {
	case s.err != nil && now.err != nil:
		return 0
	case s.err != nil:
		return Created
	case now.err != nil:
		return Removed
	case s.id != now.id:
		return Replaced
	case renewed && s.entry.ctime != now.entry.ctime:
		return Replaced
	}
	return s.entry.difference(now.entry, true)
}
