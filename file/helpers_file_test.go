package file_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/file"
	"github.com/curio-go/curio/internal/testutil"
)

// is checks that err is each of targets.
func is(t testing.TB, what string, err error, targets ...error) {
	t.Helper()
	for _, target := range targets {
		if !errors.Is(err, target) {
			t.Errorf("%s: %v, want %v", what, err, target)
		}
	}
}

func isNot(t testing.TB, what string, err error, targets ...error) {
	t.Helper()
	for _, target := range targets {
		if errors.Is(err, target) {
			t.Errorf("%s: %v, which is %v", what, err, target)
		}
	}
}

// inKernel runs fn as a main task.
func inKernel(t testing.TB, fn func(ctx context.Context) error) {
	t.Helper()
	if err := curio.Run(background, fn); err != nil {
		t.Error(err)
	}
}

// newFile makes a file with these contents, and opens it for reading and writing.
func newFile(t testing.TB, contents string) *file.File {
	t.Helper()
	return openFile(t, filepath.Join(t.TempDir(), "data"), contents)
}

func openFile(t testing.TB, name, contents string) *file.File {
	t.Helper()
	check(t, os.WriteFile(name, []byte(contents), 0o644))
	f, err := file.OpenFile(background, name, os.O_RDWR, 0)
	check(t, err)
	t.Cleanup(func() { _ = f.CloseContext(background) })
	return f
}

// contents is what a file has, as package os reads it.
func contents(t testing.TB, f *file.File) string {
	t.Helper()
	all, err := os.ReadFile(f.Name())
	check(t, err)
	return string(all)
}

// A blockade holds up system calls of one file in workers.
type blockade struct {
	t     testing.TB
	names sync.Map // path → true, for those that are held up
	open  chan struct{}
	held  chan string
	once  sync.Once
}

// newBlockade holds up the calls about path until it is opened, which the end of the test does.
func newBlockade(t testing.TB, paths ...string) *blockade {
	d := &blockade{t: t, open: make(chan struct{}), held: make(chan string, 1000)}
	for _, path := range paths {
		d.names.Store(path, true)
	}
	restore := file.Stall(func(op, path string) {
		if _, ok := d.names.Load(path); ok {
			d.held <- op
			<-d.open
		}
	})
	t.Cleanup(func() {
		restore()
		d.release()
	})
	return d
}

func (d *blockade) release() { d.once.Do(func() { close(d.open) }) }

// await waits until a call is held up.
func (d *blockade) await(op string) {
	d.t.Helper()
	if got := testutil.Receive(d.t, "a call that is held up", d.held); got != op {
		d.t.Errorf("held up is %s, want %s", got, op)
	}
}

// giveUp calls fn in a task, and cancels it when a call of it is held up. It returns fn's error.
func (d *blockade) giveUp(op string, fn func(ctx context.Context) error) error {
	d.t.Helper()
	ctx, cancel := context.WithCancel(background)
	defer cancel()
	result := make(chan error, 1)
	go func() { result <- fn(ctx) }()
	d.await(op)
	cancel()
	return testutil.Receive(d.t, "return", result)
}

// settled waits until no call is in a worker.
func settled(t testing.TB) {
	t.Helper()
	testutil.Await(t, "the end of all calls", func() bool { return len(file.Calls()) == 0 })
}

// inState waits until a task of k waits in that state.
func inState(t testing.TB, task interface{ State() string }, state string) {
	t.Helper()
	testutil.Await(t, state, func() bool { return task.State() == state })
}

func exists(name string) bool {
	_, err := os.Lstat(name)
	return !errors.Is(err, fs.ErrNotExist)
}

const short = time.Millisecond
