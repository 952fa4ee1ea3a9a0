package file_test

import (
	"context"
	"errors"
	"os"
	"sync"
	"testing"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/file"
	"github.com/curio-go/curio/internal/testutil"
)

// What changes, copies, locks and watches files of a daemon that does not answer can be timed out, and
// nobody asks the daemon for something while the scheduler does not know it.
func TestStalledFUSEChanges(t *testing.T) {
	testutil.NoLeaks(t)
	d := newDaemon(t)
	d.stall(fusePoll) // nobody may ask that: see adopt
	dir := t.TempDir()
	write(t, in(dir, "source"), poem)
	calls := []struct {
		name   string
		opcode uint32 // where it is stalled
		call   func(ctx context.Context) error
	}{
		{"WriteFile", fuseWrite, func(ctx context.Context) error {
			return file.WriteFile(ctx, d.name(), []byte("x"), 0o644)
		}},
		{"WriteFileAtomic", fuseFsync, func(ctx context.Context) error {
			return file.WriteFileAtomic(ctx, d.name(), []byte("x"), 0o644)
		}},
		{"Copy to it", fuseCreate, func(ctx context.Context) error {
			return errOf(file.Copy(ctx, d.name(), in(dir, "source")))
		}},
		{"Copy from it", fuseRead, func(ctx context.Context) error {
			return errOf(file.Copy(ctx, in(dir, "copy"), d.name()))
		}},
		{"Lock", fuseOpen, func(ctx context.Context) error {
			return file.NewLock(d.name()).Do(ctx, func(context.Context) error { return nil })
		}},
		{"CreateTemp", fuseCreate, func(ctx context.Context) error {
			f, err := file.CreateTemp(ctx, d.dir, "temp")
			if err != nil {
				return err
			}
			return f.CloseContext(ctx)
		}},
		{"Watch", fuseOpendir, func(ctx context.Context) error {
			w, err := file.Watch(ctx, d.dir)
			if err != nil {
				return err
			}
			return w.Close()
		}},
	}
	for _, c := range calls {
		t.Run(c.name, func(t *testing.T) {
			d.stall(fusePoll)
			check(t, c.call(background))
			d.stall(c.opcode)
			inKernel(t, func(ctx context.Context) error {
				is(t, c.name, curio.TimeoutAfter(ctx, 10*short, c.call), context.DeadlineExceeded)
				return nil
			})
			d.answerAll()
			settled(t)
		})
	}
	if n := d.count(fusePoll); n != 0 {
		t.Errorf("the daemon was asked %d times whether a file is ready", n)
	}
}

// Files that come too late are closed by the workers that have opened them, also if there are no others
// left.
func TestStalledFUSELateOpens(t *testing.T) {
	testutil.NoLeaks(t)
	for name, c := range map[string]struct {
		opcode uint32
		call   func(ctx context.Context, d *daemon) error
	}{
		"Open": {fuseOpen, func(ctx context.Context, d *daemon) error { return errOf(file.Open(ctx, d.name())) }},
		"CreateTemp": {fuseCreate, func(ctx context.Context, d *daemon) error {
			return errOf(file.CreateTemp(ctx, d.dir, "temp"))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDaemon(t)
			_, err := file.Stat(background, d.name())
			check(t, err)
			d.stall(c.opcode)
			ctx, cancel := context.WithCancel(background)
			defer cancel()
			var all sync.WaitGroup
			for range 2 * file.MaxWorkers {
				all.Go(func() {
					if err := c.call(ctx, d); !errors.Is(err, context.Canceled) {
						t.Error(err)
					}
				})
			}
			testutil.Await(t, "all workers at work", func() bool { return len(file.Calls()) == 2*file.MaxWorkers })
			d.await(c.opcode, 1) // a folder in which a file is made lets in one at a time
			cancel()
			all.Wait()
			d.answerAll()
			settled(t)
			_, err = file.ReadFile(background, d.name())
			check(t, err)
		})
	}
}

// What is about a mount that hangs takes no workers of another one, whichever side that is on.
func TestStalledFUSEAndAnother(t *testing.T) {
	testutil.NoLeaks(t)
	d := newDaemon(t)
	dir := t.TempDir()
	write(t, in(dir, "source"), poem)
	_, err := file.Stat(background, d.name())
	check(t, err)
	for _, opcode := range []uint32{fuseOpen, fuseCreate, fuseMkdir, fuseLookup, fuseGetattr} {
		d.stall(opcode)
	}
	t.Chdir(dir)
	for name, call := range map[string]func(ctx context.Context) error{
		"Copy from": func(ctx context.Context) error { return errOf(file.Copy(ctx, in(dir, "copy"), d.name())) },
		"Copy to":   func(ctx context.Context) error { return errOf(file.Copy(ctx, d.name(), in(dir, "source"))) },
		"Rename":    func(ctx context.Context) error { return file.Rename(ctx, d.dir+"/a/b", in(dir, "new")) },
		"Link":      func(ctx context.Context) error { return file.Link(ctx, d.dir+"/a/b", in(dir, "new")) },
		"MkdirTemp": func(ctx context.Context) error { return errOf(file.MkdirTemp(ctx, d.dir, "temp")) },
	} {
		ctx, cancel := context.WithCancel(background)
		var all sync.WaitGroup
		for range 2 * file.MaxWorkers {
			all.Go(func() {
				if err := call(ctx); !errors.Is(err, context.Canceled) {
					t.Errorf("%s: %v", name, err)
				}
			})
		}
		testutil.Await(t, name, func() bool { return len(file.Calls()) >= 2*file.MaxWorkers })
		cancel()
		all.Wait()
		check(t, file.WriteFile(background, "healthy", []byte(poem), 0o644))
		check(t, os.Remove("healthy"))
	}
}
