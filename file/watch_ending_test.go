package file_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/curiotest"
	"github.com/curio-go/curio/file"
	"github.com/curio-go/curio/internal/testutil"
)

// watchOperations are all calls of a Watcher that wait. One that is added comes here.
var watchOperations = map[string]func(ctx context.Context, w *file.Watcher) (file.Change, error){
	"Next": func(ctx context.Context, w *file.Watcher) (file.Change, error) { return w.Next(ctx) },
	"NextCase": func(ctx context.Context, w *file.Watcher) (c file.Change, err error) {
		_, err = curio.Select(ctx, w.NextCase(&c))
		return c, err
	},
	"All": func(ctx context.Context, w *file.Watcher) (file.Change, error) {
		for c, err := range w.All(ctx) {
			return c, err
		}
		return file.Change{}, fs.ErrClosed
	},
}

// A watchEnding is a way to end one, and what the error is then and what not.
type watchEnding struct {
	end       func(t *testing.T, w *file.Watcher, run func(ctx context.Context) error) error
	is, isNot []error
}

func waitsForChange(t *testing.T, w *file.Watcher) {
	t.Helper()
	testutil.Await(t, "a task that waits", func() bool { return len(w.Snapshot().Waiters) == 1 })
}

var watchEndings = map[string]watchEnding{
	"cancelled before": {func(t *testing.T, _ *file.Watcher, run func(context.Context) error) error {
		ctx, cancel := context.WithCancel(background)
		cancel()
		return run(ctx)
	}, []error{curio.ErrCancelled, context.Canceled}, []error{context.DeadlineExceeded}},

	"cancelled": {func(t *testing.T, w *file.Watcher, run func(context.Context) error) error {
		task := curio.Go(background, run)
		waitsForChange(t, w)
		_, err := task.Cancel(background)
		check(t, err)
		return task.Err()
	}, []error{curio.ErrTaskCancelled, context.Canceled}, []error{context.DeadlineExceeded}},

	"cancelled by a foreign context": {func(t *testing.T, w *file.Watcher, run func(context.Context) error) error {
		ctx, cancel := context.WithCancel(background)
		defer cancel()
		ended := make(chan error, 1)
		go func() { ended <- run(ctx) }()
		waitsForChange(t, w)
		cancel()
		return testutil.Receive(t, "the end", ended)
	}, []error{curio.ErrCancelled, context.Canceled}, []error{context.DeadlineExceeded}},

	"timeout": {func(_ *testing.T, _ *file.Watcher, run func(context.Context) error) error {
		return curio.TimeoutAfter(background, time.Millisecond, run)
	}, []error{curio.ErrTaskTimeout, os.ErrDeadlineExceeded}, []error{context.Canceled}},

	"outer timeout": {func(_ *testing.T, _ *file.Watcher, run func(context.Context) error) error {
		var inner error
		_ = curio.TimeoutAfter(background, time.Millisecond, func(ctx context.Context) error {
			inner = curio.TimeoutAfter(ctx, time.Hour, run)
			return inner
		})
		return inner
	}, []error{curio.ErrTimeoutCancellation, context.DeadlineExceeded}, []error{curio.ErrTaskTimeout}},

	"foreign timeout": {func(_ *testing.T, _ *file.Watcher, run func(context.Context) error) error {
		ctx, cancel := context.WithTimeout(background, time.Millisecond)
		defer cancel()
		return run(ctx)
	}, []error{curio.ErrCancelled, context.DeadlineExceeded}, []error{context.Canceled}},

	"closed": {func(t *testing.T, w *file.Watcher, run func(context.Context) error) error {
		task := curio.Go(background, run)
		waitsForChange(t, w)
		w.Close()
		_, err := task.Join(background)
		return err
	}, []error{fs.ErrClosed}, []error{curio.ErrCancelled}},

	"closed before": {func(_ *testing.T, w *file.Watcher, run func(context.Context) error) error {
		w.Close()
		return run(background)
	}, []error{fs.ErrClosed}, []error{curio.ErrCancelled}},

	"the directory goes": {func(t *testing.T, w *file.Watcher, run func(context.Context) error) error {
		task := curio.Go(background, run)
		waitsForChange(t, w)
		check(t, os.Remove(rootOf(w)))
		_, err := task.Join(background)
		return err
	}, []error{fs.ErrNotExist}, []error{curio.ErrCancelled, fs.ErrClosed}},
}

// rootOf returns the path of a Watcher that nothing else is to be said about.
func rootOf(w *file.Watcher) string {
	var path string
	_, _ = fmt.Sscanf(w.String(), "file.Watcher(%s", &path)
	return path[:len(path)-1]
}

// Every operation × every way to end it: the error, that nothing was taken, and that the Watcher works
// as before.
func TestWatchEndings(t *testing.T) {
	testutil.NoLeaks(t)
	for operation, run := range watchOperations {
		for name, ending := range watchEndings {
			t.Run(operation+"/"+name, func(t *testing.T) {
				dir := t.TempDir() + "/dir"
				check(t, os.Mkdir(dir, 0o755))
				w := watch(t, dir)
				if got := rootOf(w); got != dir {
					t.Fatal(got)
				}
				err := ending.end(t, w, func(ctx context.Context) error {
					_, err := run(ctx, w)
					return err
				})
				for _, target := range ending.is {
					if !errors.Is(err, target) {
						t.Errorf("%v is not %v", err, target)
					}
				}
				for _, target := range ending.isNot {
					if errors.Is(err, target) {
						t.Errorf("%v is %v", err, target)
					}
				}
				if errors.Is(err, fs.ErrClosed) || errors.Is(err, fs.ErrNotExist) {
					return
				}
				write(t, dir+"/x", "")
				for operation, run := range watchOperations { // each takes the next one
					c, err := run(background, w)
					if err != nil || c.Path != dir+"/x" {
						t.Errorf("%s: %v, %v", operation, c, err)
					}
					write(t, dir+"/x", "x")
				}
			})
		}
	}
}

// Of changes and cancellations at the same moment nothing is lost: each change is taken once, by one
// of the tasks that go on.
func TestWatchTakenOnce(t *testing.T) {
	testutil.NoLeaks(t)
	dir := t.TempDir()
	w := watch(t, dir)
	n := testutil.Times(5000)
	seen := map[string]int{}
	var mu sync.Mutex
	take := func(ctx context.Context) error {
		for {
			c, err := w.Next(ctx)
			if err != nil {
				return err
			}
			if c.Kind == file.Created {
				mu.Lock()
				seen[c.Path]++
				mu.Unlock()
			}
		}
	}
	tasks := []*curio.Task[struct{}]{curio.Go(background, take), curio.Go(background, take)}
	for i := range n {
		check(t, os.Mkdir(fmt.Sprint(dir, "/", i), 0o755))
		_, err := tasks[i%2].Cancel(background)
		check(t, err)
		tasks[i%2] = curio.Go(background, take)
	}
	testutil.Await(t, "all of them", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(seen) == n
	})
	for _, task := range tasks {
		_, err := task.Cancel(background)
		check(t, err)
	}
	for path, times := range seen {
		if times != 1 {
			t.Errorf("%s was created %d times", path, times)
		}
	}
}

// A program over Watch, cancelled at each of its waits.
func TestWatchEverywhere(t *testing.T) {
	top := t.TempDir()
	n := 0
	curiotest.CancelEverywhere(t, func(ctx context.Context) error {
		n++
		dir := fmt.Sprint(top, "/", n)
		if err := os.MkdirAll(dir+"/a", 0o755); err != nil {
			return err
		}
		w, err := file.Watch(ctx, dir, file.Recursive())
		if err != nil {
			return err
		}
		defer w.Close()
		conf, err := file.Watch(ctx, dir+"/a")
		if err != nil {
			return err
		}
		defer conf.Close()
		if err := os.WriteFile(dir+"/a/x", nil, 0o644); err != nil {
			return err
		}
		for c, err := range w.All(ctx) {
			if err != nil {
				return err
			}
			if c.Kind == file.Closed {
				break
			}
		}
		var c file.Change
		if _, err := curio.Select(ctx, conf.NextCase(&c), w.NextCase(nil)); err != nil {
			return err
		}
		if c.Path != dir+"/a/x" {
			return fmt.Errorf("it was %v", c)
		}
		return nil
	})
}

// A log handler, a context and whatever else the caller brings may misbehave: others go on.
func TestWatchHostile(t *testing.T) {
	testutil.NoLeaks(t)
	dir := t.TempDir()
	w := watch(t, dir)
	for _, method := range testutil.HostileMethods {
		for act := range testutil.HostileActs(nil) {
			for n := 1; ; n++ {
				met := testutil.RunHostile(t, method, act, n, background,
					func() bool { return len(w.Snapshot().Waiters) == 1 },
					func(ctx context.Context) error { _, err := w.Next(ctx); return err },
					func() {
						write(t, dir+"/x", fmt.Sprint(n))
						for {
							c, err := nextOrError(w)
							if err != nil {
								t.Fatal(err)
							}
							if c.Kind == file.Closed {
								break
							}
						}
					})
				if !met {
					break
				}
			}
		}
	}
}
