package file_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/curio-go/curio/file"
	"github.com/curio-go/curio/internal/testutil"
)

// A context whose methods panic or end the goroutine, in any of their calls, leaves no lock, no draft and
// no descriptor behind.
func TestHostileContexts(t *testing.T) {
	testutil.NoLeaks(t)
	dir := memory(t)
	write(t, in(dir, "f"), poem)
	lock := file.NewLock(in(dir, "l"))
	check(t, lock.Do(background, func(context.Context) error { return nil }))
	ops := map[string]func(ctx context.Context) error{
		"Lock":            func(ctx context.Context) error { return lock.Do(ctx, func(context.Context) error { return nil }) },
		"WriteFile":       func(ctx context.Context) error { return file.WriteFile(ctx, in(dir, "f"), []byte(poem), 0o644) },
		"WriteFileAtomic": func(ctx context.Context) error { return file.WriteFileAtomic(ctx, in(dir, "f"), []byte(poem), 0o644) },
		"Copy":            func(ctx context.Context) error { return errOf(file.Copy(ctx, in(dir, "g"), in(dir, "f"))) },
		"Walk": func(ctx context.Context) (err error) {
			for _, err = range file.Walk(ctx, dir) {
				if err != nil {
					break
				}
			}
			return err
		},
		"CreateTemp": func(ctx context.Context) error {
			f, err := file.CreateTemp(ctx, dir, "temp")
			if err == nil {
				err = errors.Join(f.Close(), os.Remove(f.Name()))
			}
			return err
		},
		"ReadFile": func(ctx context.Context) error { return errOf(file.ReadFile(ctx, in(dir, "f"))) },
		"Watch": func(ctx context.Context) error {
			w, err := file.Watch(ctx, dir)
			if err == nil {
				err = w.Close()
			}
			return err
		},
	}
	for name, op := range ops {
		for how, act := range map[string]func(){"panics": func() { panic("hostile") }, "exits": runtime.Goexit} {
			for _, method := range testutil.HostileMethods {
				for n := 1; n < 8; n++ {
					what := fmt.Sprintf("%s: call %d of %s %s", name, n, method, how)
					ctx, cancel := context.WithCancel(background)
					h := testutil.NewHostile()
					h.Context = ctx
					h.At(method, n, act)
					ended := make(chan error, 1)
					go func() {
						defer close(ended)
						defer func() { _ = recover() }()
						ended <- op(h)
					}()
					err := testutil.Receive(t, what, ended)
					cancel()
					if err != nil && !errors.Is(err, context.Canceled) && !strings.Contains(err.Error(), "panic") && !strings.Contains(err.Error(), "exit") {
						t.Errorf("%s: %v", what, err)
					}
					if !h.HasActed() {
						break
					}
					if name == "Lock" {
						testutil.Await(t, what+": the lock is free", func() bool {
							ok, err := lock.TryAcquire(background)
							check(t, err)
							if ok {
								check(t, lock.Release(background))
							}
							return ok
						})
					}
				}
			}
		}
	}
	settled(t)
	for _, name := range names(t, dir) {
		if strings.HasPrefix(name, ".curio-") || strings.HasPrefix(name, "temp") {
			t.Errorf("there is still %s", name)
		}
	}
}
