package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/curiotest"
)

// A lines is an output that puts what is written into a queue.
type lines struct{ *curio.Queue[string] }

func (l lines) Write(p []byte) (int, error) {
	for line := range bytes.Lines(p) {
		if err := l.TryPut(string(line)); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

// The log is rotated while it is followed, which is cancelled at each of its waits.
func TestCancelled(t *testing.T) {
	dir, n := t.TempDir(), 0
	curiotest.CancelEverywhere(t, func(ctx context.Context) error {
		n++
		path := fmt.Sprint(dir, "/log", n)
		if err := os.WriteFile(path, []byte("1\n2\n3\n"), 0o600); err != nil {
			return err
		}
		printed := lines{curio.NewQueue[string](0)}
		task := curio.Go(ctx, func(ctx context.Context) error { return tail(ctx, path, 1, 0, printed) })
		for _, want := range []string{"3\n", "4\n", "5\n"} {
			switch got, err := printed.Get(ctx); {
			case err != nil:
				return err
			case got != want:
				return fmt.Errorf("it printed %q, want %q", got, want)
			}
			err := errors.Join(os.WriteFile(path+"~", []byte{want[0] + 1, '\n'}, 0o600), os.Rename(path+"~", path))
			if err != nil {
				return err
			}
		}
		_, err := task.Cancel(ctx)
		return err
	})
}
