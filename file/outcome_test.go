package file_test

import (
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/file"
	"github.com/curio-go/curio/internal/testutil"
)

// What a call has made is left to the caller or to the worker, never to both and never to nobody, when
// the call ends and is cancelled at once.
func TestWorkRace(t *testing.T) {
	testutil.NoLeaks(t)
	var made, kept, disposed atomic.Int64
	lost := 0
	for i := range testutil.Times(20_000) {
		ctx, cancel := context.WithCancel(background)
		begun := make(chan struct{})
		go func() {
			if i%3 > 0 { // else before it begins
				<-begun
			}
			for range i % 7 {
				runtime.Gosched()
			}
			cancel()
		}()
		v, orphaned, err := file.Work(ctx, i%2 == 0, func() int {
			close(begun)
			for range rand.IntN(7) {
				runtime.Gosched()
			}
			made.Add(1)
			return 1
		}, func(v int) { disposed.Add(int64(v)) })
		kept.Add(int64(v))
		switch {
		case err == nil:
			if v != 1 || orphaned {
				t.Fatalf("%d, %v without an error", v, orphaned)
			}
		case !errors.Is(err, context.Canceled):
			t.Fatal(err)
		case errors.Is(err, file.ErrOutcomeUnknown):
			lost++
			if !orphaned || i%2 != 0 {
				t.Fatal("the outcome of what has changed nothing is unknown, or nobody has it")
			}
		}
		cancel()
	}
	workersEnd(t)
	if made.Load() != kept.Load()+disposed.Load() {
		t.Errorf("%d were made, %d kept and %d disposed of", made.Load(), kept.Load(), disposed.Load())
	}
	t.Logf("%d made, %d kept, %d disposed of, %d unknown", made.Load(), kept.Load(), disposed.Load(), lost)
}

// A change that is abandoned says that it may still happen, and it does.
func TestOutcomeUnknown(t *testing.T) {
	testutil.NoLeaks(t)
	dir := t.TempDir()
	write(t, in(dir, "a"), "a")
	s := stalled(t, "rename")
	err := cutShort(t, s, func(ctx context.Context) error { return file.Rename(ctx, in(dir, "a"), in(dir, "b")) })
	want(t, err, context.Canceled, file.ErrOutcomeUnknown)
	var link *os.LinkError
	if !errors.As(err, &link) || link.Old != in(dir, "a") || link.New != in(dir, "b") {
		t.Errorf("%#v does not name both", err)
	}
	only(t, dir, "a")
	s.goOn()
	workersEnd(t)
	only(t, dir, "b")
}

// A scope takes its own ending out of such an error, and then nothing is left of it.
func TestOutcomeUnknownInAScope(t *testing.T) {
	testutil.NoLeaks(t)
	s, dir, begun := stalled(t, "mkdir"), t.TempDir(), false
	for d := time.Millisecond; !begun; d *= 2 {
		expired, err := curio.IgnoreAfter(background, d, func(ctx context.Context) error {
			err := file.Mkdir(ctx, in(dir, "x"), 0o777)
			select {
			case <-s.reached:
				begun = true
			default:
				return err // a busy machine
			}
			want(t, err, file.ErrOutcomeUnknown, curio.ErrTaskTimeout, os.ErrDeadlineExceeded)
			if !os.IsTimeout(errors.Unwrap(err)) {
				t.Errorf("%v is no timeout", err)
			}
			return err
		})
		if !expired || err != nil {
			t.Errorf("expired %v, %v", expired, err)
		}
	}
	s.goOn()
	workersEnd(t)
}

// Calls that have not begun when they are cancelled do not happen, and say nothing of an unknown outcome.
func TestCancelledBefore(t *testing.T) {
	testutil.NoLeaks(t)
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(background)
	cancel()
	for name, f := range map[string]func() error{
		"Mkdir":           func() error { return file.Mkdir(ctx, in(dir, "x"), 0o777) },
		"WriteFile":       func() error { return file.WriteFile(ctx, in(dir, "x"), nil, 0o666) },
		"WriteFileAtomic": func() error { return file.WriteFileAtomic(ctx, in(dir, "x"), nil, 0o666) },
		"Symlink":         func() error { return file.Symlink(ctx, "y", in(dir, "x")) },
		"Acquire":         func() error { return file.NewLock(in(dir, "x")).Acquire(ctx) },
	} {
		err := f()
		if !errors.Is(err, context.Canceled) || errors.Is(err, file.ErrOutcomeUnknown) {
			t.Errorf("%s: %v", name, err)
		}
	}
	only(t, dir)
}

// EINTR is never shown (trap 22).
func TestInterrupted(t *testing.T) {
	dir := t.TempDir()
	interrupted := map[string]int{}
	faulty(t, func(call, _ string) error {
		if interrupted[call]++; interrupted[call] < 5 {
			return &fs.PathError{Op: call, Err: syscall.EINTR}
		}
		return nil
	})
	check(t, file.Mkdir(background, in(dir, "a"), 0o777))
	check(t, file.Symlink(background, "a", in(dir, "b")))
	if to, err := file.Readlink(background, in(dir, "b")); to != "a" || err != nil {
		t.Errorf("%q, %v", to, err)
	}
	check(t, file.Rename(background, in(dir, "a"), in(dir, "c")))
	check(t, file.Chmod(background, in(dir, "c"), 0o700))
	check(t, file.Remove(background, in(dir, "c")))
	path, err := file.MkdirTemp(background, dir, "t")
	check(t, err)
	check(t, os.Remove(path))
	only(t, dir, "b")
	for _, call := range []string{"mkdir", "symlink", "readlink", "rename", "chmod", "remove", "mkdirtemp"} {
		if interrupted[call] != 5 {
			t.Errorf("%s was called %d times", call, interrupted[call])
		}
	}
}

// A call that has ended when its caller is cancelled returns its result, and the task's next wait has the
// cancellation.
func TestCancellationIsNotSwallowed(t *testing.T) {
	testutil.NoLeaks(t)
	name := in(memory(t), "f")
	write(t, name, "")
	s := stalled(t, "settled")
	inKernel(t, func(ctx context.Context) error {
		task := curio.Go(ctx, func(ctx context.Context) error {
			check(t, file.Chmod(ctx, name, 0o600))
			return curio.CheckCancellation(ctx)
		})
		testutil.Receive(t, "the end of the call", s.reached)
		task.CancelNow()
		_, err := task.Join(ctx)
		want(t, err, context.Canceled)
		s.goOn()
		return nil
	})
}
