package file_test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/curiotest"
	"github.com/curio-go/curio/file"
)

// Small programs over files, which are cancelled at each of their waits.

// closing closes f whatever has become of ctx.
func closing(ctx context.Context, f *file.File) {
	_ = curio.DisableCancellation(ctx, f.CloseContext)
}

func TestEverywhereFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "data")
	curiotest.CancelEverywhere(t, func(ctx context.Context) error {
		f, err := file.Create(ctx, name)
		if err != nil {
			return err
		}
		defer closing(ctx, f)
		file.Forget(f)
		for range 3 {
			if _, err := f.WriteString(ctx, "a line\n"); err != nil {
				return err
			}
		}
		if err := f.Sync(ctx); err != nil {
			return err
		}
		if _, err := f.Seek(ctx, 0, 0); err != nil {
			return err
		}
		n := 0
		for line, err := range f.Lines(ctx) {
			if err != nil {
				return err
			}
			if line != "a line\n" {
				return fmt.Errorf("%q", line)
			}
			n++
		}
		p := make([]byte, 21)
		if _, err := f.ReadAt(ctx, p, 0); err != nil {
			return err
		}
		if n != 3 || string(p) != strings.Repeat("a line\n", 3) {
			return fmt.Errorf("%d lines, %q", n, p)
		}
		return f.Truncate(ctx, 0)
	})
	settled(t)
}

func TestEverywhereTree(t *testing.T) {
	dir := t.TempDir()
	check(t, os.MkdirAll(filepath.Join(dir, "sub"), 0o755))
	check(t, os.WriteFile(filepath.Join(dir, "sub", "a"), []byte(poem), 0o600))
	check(t, os.Symlink("sub/a", filepath.Join(dir, "link")))
	curiotest.CancelEverywhere(t, func(ctx context.Context) error {
		all, err := file.ReadFile(ctx, filepath.Join(dir, "link"))
		if err != nil {
			return err
		}
		if string(all) != poem {
			return fmt.Errorf("%q", all)
		}
		r, err := file.OpenRoot(ctx, dir)
		if err != nil {
			return err
		}
		defer r.Close()
		if err := r.WriteFile(ctx, "new", all, 0o600); err != nil {
			return err
		}
		return fs.WalkDir(r.FS(ctx), ".", func(name string, e fs.DirEntry, err error) error {
			if err == nil {
				_, err = e.Info()
			}
			return err
		})
	})
	settled(t)
}

func TestEverywhereFIFO(t *testing.T) {
	name := filepath.Join(t.TempDir(), "fifo")
	check(t, syscall.Mkfifo(name, 0o600))
	curiotest.CancelEverywhere(t, func(whole context.Context) error {
		return curio.Group(whole, func(_ context.Context, g *curio.TaskGroup[struct{}]) error {
			g.Go(func(ctx context.Context) error {
				r, err := file.Open(ctx, name)
				if err != nil {
					return err
				}
				defer closing(ctx, r)
				line, err := r.ReadLine(ctx)
				if err == nil && line != "a line\n" {
					err = fmt.Errorf("%q", line)
				}
				return err
			})
			g.Go(func(ctx context.Context) error {
				w, err := file.OpenFile(ctx, name, os.O_WRONLY, 0)
				if err != nil {
					return err
				}
				defer closing(ctx, w)
				_, err = w.WriteString(ctx, "a line\n")
				if cancelled := curio.CheckCancellation(whole); err != nil && cancelled != nil {
					return cancelled
				}
				return err
			})
			return nil
		})
	})
	settled(t)
}
