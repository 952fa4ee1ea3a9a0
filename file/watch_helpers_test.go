package file_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/curio-go/curio/file"
	"github.com/curio-go/curio/internal/testutil"
)

// watch is file.Watch for a test.
func watch(t testing.TB, path string, opts ...file.WatchOption) *file.Watcher {
	t.Helper()
	w, err := file.Watch(background, path, opts...)
	check(t, err)
	t.Cleanup(func() { w.Close() })
	return w
}

// next takes a change, and ends the test if none comes.
func next(t testing.TB, w *file.Watcher) file.Change {
	t.Helper()
	c, err := nextOrError(w)
	if err != nil {
		t.Fatalf("%v\n%v", err, w)
	}
	return c
}

func nextOrError(w *file.Watcher) (file.Change, error) {
	ctx, cancel := context.WithTimeout(background, testutil.Patience)
	defer cancel()
	return w.Next(ctx)
}

// expectChanges takes changes until those have come which are listed, one after the other. Equal ones in a
// row count as one. A change is a kind and a path below dir; "renamed a b" has the old path first.
func expectChanges(t *testing.T, w *file.Watcher, dir string, list ...string) {
	t.Helper()
	last := ""
	for i := 0; i < len(list); {
		c := next(t, w)
		var got strings.Builder
		got.WriteString(c.Kind.String())
		for _, path := range []string{c.Old, c.Path} {
			if path != "" {
				rel, err := filepath.Rel(dir, path)
				check(t, err)
				got.WriteString(" " + rel)
			}
		}
		switch rest, changed := strings.CutPrefix(got.String(), "changed "); {
		case got.String() == list[i]:
			i++
		case changed && (last == "created "+rest || last == "replaced "+rest): // which say as much
		case got.String() != last:
			t.Fatalf("%s, want %s\n%v", got.String(), list[i], w)
		}
		last = got.String()
	}
}

// silent fails the test if there is something to take after what has happened so far: a file that is
// created at the end must be the next change.
func silent(t *testing.T, w *file.Watcher, dir string) {
	t.Helper()
	name := filepath.Join(dir, fmt.Sprint("the end ", ends.Add(1)))
	write(t, name, "")
	if c := next(t, w); c.Kind != file.Created || c.Path != name {
		t.Errorf("%v, want nothing", c)
	}
	for { // and what the write has brought
		if c := next(t, w); c.Kind == file.Closed {
			return
		}
	}
}

var ends atomic.Int64

// A picture is what a user of a Watcher believes to be in a directory: the contents of files, isFolder
// for directories.
type picture struct {
	text  map[string]string
	below map[string]int // how many entries there are in a directory
}

const (
	isFolder = "/"
	unknown  = "?"
)

func newPicture() *picture { return &picture{map[string]string{}, map[string]int{}} }

// pictureOf returns what there is.
func pictureOf(dir string) *picture {
	p := newPicture()
	_ = filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err == nil && path != dir {
			p.see(path)
		}
		return nil
	})
	return p
}

func (p *picture) set(path, text string) {
	if _, ok := p.text[path]; !ok {
		p.below[filepath.Dir(path)]++
	}
	p.text[path] = text
}

// see notes what is at path. If there is nothing, what was there before stays: something more is to come.
func (p *picture) see(path string) {
	info, err := os.Lstat(path)
	switch {
	case err != nil:
	case info.IsDir():
		p.set(path, isFolder)
	case info.Mode()&fs.ModeSymlink != 0:
		if target, err := os.Readlink(path); err == nil {
			p.set(path, "to "+target)
		}
	default:
		if text, err := os.ReadFile(path); err == nil {
			p.set(path, string(text))
		}
	}
}

// take removes path and what is below it, and returns what that was, by the rest of the path.
func (p *picture) take(path string) map[string]string {
	taken := map[string]string{}
	drop := func(path, rest, text string) {
		taken[rest] = text
		delete(p.text, path)
		if above := filepath.Dir(path); p.below[above] == 1 {
			delete(p.below, above)
		} else {
			p.below[above]--
		}
	}
	deep := p.below[path] > 0
	if text, ok := p.text[path]; ok {
		drop(path, "", text)
	}
	if deep {
		for other, text := range p.text {
			if rest, ok := strings.CutPrefix(other, path); ok && rest[0] == '/' {
				drop(other, rest, text)
			}
		}
	}
	return taken
}

// apply does what a user does with a change.
func (p *picture) apply(c file.Change) {
	switch c.Kind {
	case file.Removed:
		p.take(c.Path)
		return
	case file.Rescanned:
		for path, text := range p.text { // it may have been elsewhere when it was reported
			if text == unknown {
				p.see(path)
			}
		}
		return
	case file.Renamed:
		moved := p.take(c.Old)
		p.take(c.Path)
		for rest, text := range moved {
			p.set(c.Path+rest, text)
			p.see(c.Path + rest)
		}
		return
	case file.Replaced:
		p.take(c.Path)
		p.set(c.Path, unknown)
	case file.Created:
		p.set(c.Path, unknown)
	}
	if _, ok := p.text[c.Path]; ok { // otherwise it was removed, and what is there now will be reported
		p.see(c.Path)
	}
}

// A follower takes all changes and keeps a picture.
type follower struct {
	w *file.Watcher

	mu      sync.Mutex
	picture *picture
	kinds   map[file.ChangeKind]int
	journal []string
	err     error
	done    chan struct{}
}

// follow starts one. dir is watched by w, and as it was when the watch began.
func follow(t testing.TB, w *file.Watcher, dir string) *follower {
	return followFrom(t, w, pictureOf(dir))
}

// followFrom is follow with what there was when the watch began.
func followFrom(t testing.TB, w *file.Watcher, p *picture) *follower {
	f := &follower{w: w, picture: p, kinds: map[file.ChangeKind]int{}, done: make(chan struct{})}
	go func() {
		defer close(f.done)
		for c, err := range w.All(background) {
			f.mu.Lock()
			if err != nil {
				f.err = err
			} else {
				f.picture.apply(c)
				f.kinds[c.Kind]++
				if f.journal = append(f.journal, c.String()); len(f.journal) > 200 {
					f.journal = f.journal[100:]
				}
			}
			f.mu.Unlock()
		}
	}()
	t.Cleanup(func() {
		w.Close()
		<-f.done
	})
	return f
}

// differs says in what the picture differs from what is in dir, "" for in nothing.
func (f *follower) differs(dir string) string {
	real := pictureOf(dir).text
	f.mu.Lock()
	defer f.mu.Unlock()
	mine := f.picture.text
	var text strings.Builder
	for _, path := range slices.Sorted(maps.Keys(real)) {
		if got, ok := mine[path]; !ok || got != real[path] {
			text.WriteString("\nthere is " + path + " with " + real[path] + ", the picture has " + got)
		}
	}
	for _, path := range slices.Sorted(maps.Keys(mine)) {
		if _, ok := real[path]; !ok {
			text.WriteString("\nthere is no " + path)
		}
	}
	return text.String()
}

// catchesUp waits until the picture is right.
func (f *follower) catchesUp(t *testing.T, dir string) {
	t.Helper()
	if testutil.Eventually(func() bool { return len(f.w.Snapshot().Waiters) > 0 && f.differs(dir) == "" }) {
		return
	}
	text := f.differs(dir)
	f.mu.Lock()
	defer f.mu.Unlock()
	t.Fatalf("the picture is wrong: %.2000s\n%v, error %v, changes %v, the last ones\n%s", text, f.w, f.err, f.kinds, strings.Join(f.journal, "\n"))
}

func (f *follower) count(kind file.ChangeKind) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.kinds[kind]
}

// isPathError fails the test if err does not name the operation and the path.
func isPathError(t *testing.T, err error, path string) {
	t.Helper()
	var at *fs.PathError
	if !errors.As(err, &at) || at.Op != "watch" || at.Path != path {
		t.Errorf("%#v does not name watch and %s", err, path)
	}
}
