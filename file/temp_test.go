package file_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/file"
	"github.com/curio-go/curio/internal/testutil"
)

func TestTemp(t *testing.T) {
	testutil.NoLeaks(t)
	dir := t.TempDir()
	for _, pattern := range []string{"", "a", "a*b", "a*b*c"} {
		path, err := file.MkdirTemp(background, dir, pattern)
		check(t, err)
		name, err := createTemp(background, dir, pattern)
		check(t, err)
		prefix, suffix := pattern, ""
		if i := strings.LastIndexByte(pattern, '*'); i >= 0 {
			prefix, suffix = pattern[:i], pattern[i+1:]
		}
		for _, got := range []string{path, name} {
			if base := filepath.Base(got); filepath.Dir(got) != dir || !strings.HasPrefix(base, prefix) || !strings.HasSuffix(base, suffix) {
				t.Errorf("%q: %q", pattern, got)
			}
		}
		if modeOf(t, path).Perm() != 0o700 || modeOf(t, name).Perm() != 0o600 {
			t.Errorf("%v, %v", modeOf(t, path), modeOf(t, name))
		}
	}
	path, err := file.MkdirTemp(background, "", "curio")
	check(t, err)
	if filepath.Dir(path) != filepath.Clean(os.TempDir()) {
		t.Errorf("%q", path)
	}
	check(t, os.Remove(path))
}

// What is made too late is removed.
func TestTempCancelled(t *testing.T) {
	for call, f := range map[string]func(ctx context.Context, dir, pattern string) (string, error){
		"mkdirtemp": file.MkdirTemp, "createtemp": createTemp,
	} {
		t.Run(call, func(t *testing.T) {
			testutil.NoLeaks(t)
			dir := t.TempDir()
			s := stalled(t, call)
			err := cutShort(t, s, func(ctx context.Context) error { return second(f(ctx, dir, "x")) })
			want(t, err, context.Canceled)
			if errors.Is(err, file.ErrOutcomeUnknown) {
				t.Errorf("%v, but there will be nothing", err)
			}
			s.goOn()
			workersEnd(t)
			only(t, dir)
		})
	}
}

// The folder is removed however the function ends, and only then.
func TestWithTempDir(t *testing.T) {
	broken := errors.New("broken")
	for name, f := range map[string]func(ctx context.Context, cancel func()) error{
		"return":    func(context.Context, func()) error { return nil },
		"error":     func(context.Context, func()) error { return broken },
		"panic":     func(context.Context, func()) error { panic(broken) },
		"Goexit":    func(context.Context, func()) error { runtime.Goexit(); return nil },
		"cancelled": func(ctx context.Context, cancel func()) error { cancel(); return curio.Sleep(ctx, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			testutil.NoLeaks(t)
			dir := t.TempDir()
			ctx, cancel := context.WithCancel(background)
			defer cancel()
			ended := make(chan error, 1)
			go func() {
				defer close(ended)
				defer func() { _ = recover() }()
				ended <- file.WithTempDir(ctx, dir, "x", func(ctx context.Context, path string) error {
					check(t, os.MkdirAll(in(path, "a/b"), 0o755))
					write(t, in(path, "a/f"), "")
					return f(ctx, cancel)
				})
			}()
			switch err := <-ended; {
			case name == "error" && err != broken, name == "cancelled" && !errors.Is(err, context.Canceled), name == "return" && err != nil:
				t.Errorf("%v", err)
			}
			only(t, dir)
		})
	}
}

// A removal that fails, and one that does not end, are told.
func TestWithTempDirFails(t *testing.T) {
	testutil.NoLeaks(t)
	dir := t.TempDir()
	broken, failing := errors.New("broken"), errors.New("failing")
	faulty(t, func(call, _ string) error {
		if call == "cleanup" {
			return failing
		}
		return nil
	})
	err := file.WithTempDir(background, dir, "x", func(context.Context, string) error { return broken })
	want(t, err, broken, failing)
	if !testutil.Long {
		return
	}
	s := stalled(t, "cleanup")
	err = cutShort(t, s, func(ctx context.Context) error {
		return file.WithTempDir(ctx, dir, "x", func(context.Context, string) error { return broken })
	})
	want(t, err, broken, file.ErrOutcomeUnknown)
	if errors.Is(err, curio.ErrTaskTimeout) {
		t.Errorf("%v is a timeout that the caller does not know", err)
	}
	s.goOn()
	workersEnd(t)
}

// createTemp is CreateTemp of a file that is not written.
func createTemp(ctx context.Context, dir, pattern string) (string, error) {
	f, err := file.CreateTemp(ctx, dir, pattern)
	if err != nil {
		return "", err
	}
	return f.Name(), f.Close()
}

// A call that was given up may still be making files in the directory that is removed.
func TestWithTempDirBusy(t *testing.T) {
	testutil.NoLeaks(t)
	for range testutil.Times(200) {
		var writer sync.WaitGroup
		err := file.WithTempDir(background, memory(t), "x", func(_ context.Context, dir string) error {
			begun := make(chan struct{})
			writer.Go(func() {
				for i := range 200 {
					if os.WriteFile(in(dir, fmt.Sprint(i)), nil, 0o600) != nil {
						break // it is gone
					}
					if i == 0 {
						close(begun)
					}
				}
			})
			<-begun
			return nil
		})
		writer.Wait()
		if err != nil {
			t.Fatal(err)
		}
	}
}
