package file_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/file"
)

// Settings holds what a server reads from its configuration.
type Settings struct {
	Greeting string `json:"greeting"`
}

// maxSettings is the maximum size of the file in bytes.
const maxSettings = 1 << 20

func readSettings(path string) (*Settings, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxSettings+1))
	switch {
	case err != nil:
		return nil, err
	case len(text) > maxSettings:
		return nil, fmt.Errorf("%s has more than %d bytes, too many for settings", path, maxSettings)
	}
	s := new(Settings)
	if err := json.Unmarshal(text, s); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

// reload calls use with the settings at the start and after each change. If they cannot be read, it calls
// complain, and the previous settings stay in force. A program that saves a file changes it several times
// within some milliseconds, so reload waits until there has been no change for a while.
func reload(ctx context.Context, path string, use func(*Settings), complain func(error)) error {
	const calm = 50 * time.Millisecond
	w, err := file.Watch(ctx, path)
	if err != nil {
		return err
	}
	defer w.Close()
	for {
		// In a thread, as the disk may hang.
		s, err := curio.RunInThread(ctx, func() (*Settings, error) { return readSettings(path) }, func(*Settings, error) {})
		switch cancelled := curio.CheckCancellation(ctx); {
		case cancelled != nil:
			return cancelled
		case err != nil:
			complain(err)
		default:
			use(s)
		}
		if _, err := w.Next(ctx); err != nil {
			return err
		}
		for {
			i, err := curio.Select(ctx, w.NextCase(nil), curio.AfterCase(calm))
			if err != nil {
				return err
			}
			if i == 1 {
				break
			}
		}
	}
}

// A server reads its settings again after each change of the file, even if an editor saves it under
// another name and renames it, or it is a ConfigMap of Kubernetes.
func ExampleWatch() {
	dir, err := os.MkdirTemp("", "settings")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "settings.json")
	save := func(text string) { // as an editor does
		if err := errors.Join(os.WriteFile(path+"~", []byte(text), 0o600), os.Rename(path+"~", path)); err != nil {
			fmt.Println(err)
		}
	}
	save(`{"greeting": "hello"}`)
	err = curio.Run(context.Background(), func(ctx context.Context) error {
		current := curio.NewQueue[string](0)
		reloader := curio.Go(ctx, func(ctx context.Context) error {
			return reload(ctx, path,
				func(s *Settings) { _ = current.TryPut(s.Greeting) },
				func(error) { _ = current.TryPut("(the previous one stays in force)") })
		}, curio.Daemon())
		for _, next := range []string{`{"greeting": "good morning"}`, `{"greeting": `, `{"greeting": "good night"}`, ""} {
			greeting, err := current.Get(ctx)
			if err != nil {
				return err
			}
			fmt.Println(greeting)
			if next != "" {
				save(next)
			}
		}
		_, err := reloader.Cancel(ctx)
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// hello
	// good morning
	// (the previous one stays in force)
	// good night
}
