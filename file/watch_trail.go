package file

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// A watchTrail is the way from "/" to what is at the end of a path: each directory on it, with the name
// in it that leads on, and those which symbolic links lead through. When one of these names is changed,
// the path may have come to lead elsewhere.
type watchTrail struct {
	w     *Watcher
	mask  uint32 // what matters at the last step
	steps []*watchSpot
}

// A watchSight is what there is at the end of a trail.
type watchSight struct {
	id    watchID
	entry watchEntry
	err   error // why there is nothing
}

// maxLinks is how many symbolic links a path may have, as in the kernel.
const maxLinks = 40

// follow walks along the trail, and has the kernel watch each step before it takes it. err says that
// this is not possible; that there is nothing at the end is the sight's error.
func (t *watchTrail) follow(ctx context.Context) (watchSight, error) {
	type walked struct {
		steps []*watchSpot
		sight watchSight
	}
	result, err := inThread(ctx, t.w.root, func() (walked, error) {
		steps, sight, err := t.walk()
		if err != nil {
			forgetSteps(steps)
		}
		return walked{steps, sight}, err
	})
	if err != nil {
		return watchSight{}, err
	}
	t.take(result.steps)
	return result.sight, nil
}

// take replaces the steps. A spot that is the same as before stays, as there may be events for it.
func (t *watchTrail) take(steps []*watchSpot) {
	before := t.steps
	for i, s := range steps {
		same := slices.IndexFunc(before, func(o *watchSpot) bool {
			return o.heard == s.heard && o.only == s.only && o.mask == s.mask
		})
		if same >= 0 {
			steps[i] = before[same]
			before = slices.Delete(before, same, same+1)
			s.forget()
		}
	}
	forgetSteps(before) // what came before has been seen
	t.steps = steps
}

func forgetSteps(steps []*watchSpot) {
	for _, s := range steps {
		s.forget()
	}
}

func (t *watchTrail) walk() (steps []*watchSpot, sight watchSight, err error) {
	at, seen, rest, links := "/", "", strings.Split(t.w.root, "/"), 0
	for len(rest) > 0 {
		name := rest[0]
		rest = rest[1:]
		switch name {
		case "", ".":
			continue
		case "..":
			at = filepath.Dir(at) // there are no links in it
			continue
		}
		last := !slices.ContainsFunc(rest, func(name string) bool { return name != "" && name != "." })
		if steps, err = t.step(steps, at, name, last); err != nil {
			return steps, sight, err
		}
		next := joinPath(at, name)
		info, err := os.Lstat(next)
		switch {
		case err != nil:
			return steps, watchSight{err: withoutPath(err)}, nil
		case info.Mode()&fs.ModeSymlink == 0 && !last && !info.IsDir():
			return steps, watchSight{err: syscall.ENOTDIR}, nil
		case info.Mode()&fs.ModeSymlink == 0:
			sight, seen, at = watchSightOf(info), next, next
			continue
		}
		target, err := os.Readlink(next)
		if links++; links > maxLinks {
			err = syscall.ELOOP
		}
		if err != nil {
			return steps, watchSight{err: withoutPath(err)}, nil
		}
		if strings.HasPrefix(target, "/") {
			at = "/"
		}
		rest = append(strings.Split(target, "/"), rest...)
	}
	if seen != at { // the path is "/", or ends with ".."
		info, err := os.Lstat(at)
		if err != nil {
			return steps, watchSight{err: withoutPath(err)}, nil
		}
		sight = watchSightOf(info)
	}
	return steps, sight, nil
}

// step has the kernel watch name in the directory at.
func (t *watchTrail) step(steps []*watchSpot, at, name string, last bool) ([]*watchSpot, error) {
	if t.w.interval > 0 {
		return steps, nil
	}
	s := &watchSpot{w: t.w, only: name, mask: wasHere | wasSelfDelete | wasSelfMove}
	if last {
		s.mask |= t.mask
	}
	var err error
	switch s.heard, err = s.add(at, false); {
	case err == nil:
		return append(steps, s), nil
	case last && t.mask&wasModified != 0, isWatchLimit(err), err == fs.ErrClosed:
		return steps, err
	}
	return steps, nil // for example a directory that may be passed and not read: what happens there is not seen
}

// concerns reports whether an event is about the trail as it is now, and something may have changed.
func (t *watchTrail) concerns(ev *watchEvent) bool {
	return ev.mask&(wasHere|selfRemoved|wasLost) != 0 && slices.Contains(t.steps, ev.spot)
}

func watchSightOf(info fs.FileInfo) watchSight {
	return watchSight{id: watchIDOf(info), entry: watchEntryOf(info)}
}

// withoutPath returns the error inside of an *fs.PathError.
func withoutPath(err error) error {
	if path, ok := err.(*fs.PathError); ok {
		return path.Err
	}
	return err
}

func isWatchLimit(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) || errors.Is(err, syscall.ENOMEM)
}
