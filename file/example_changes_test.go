package file_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/file"
)

// A reader finds either the old settings or the new ones, never a part of them.
func ExampleWriteFileAtomic() {
	ctx := context.Background()
	err := file.WithTempDir(ctx, "", "example", func(ctx context.Context, dir string) error {
		name := filepath.Join(dir, "settings.json")
		if err := file.WriteFileAtomic(ctx, name, []byte(`{"level": 1}`), 0o644); err != nil {
			return err
		}
		if err := file.WriteFileAtomic(ctx, name, []byte(`{"level": 2}`), 0o644); err != nil {
			return err
		}
		data, err := os.ReadFile(name)
		fmt.Printf("%s\n", data)
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: {"level": 2}
}

// If the function fails, the file does not change.
func ExampleWriteAtomic() {
	ctx := context.Background()
	err := file.WithTempDir(ctx, "", "example", func(ctx context.Context, dir string) error {
		name := filepath.Join(dir, "report")
		for _, last := range []int{3, 0} {
			err := file.WriteAtomic(ctx, name, 0o644, func(_ context.Context, w io.Writer) error {
				if last == 0 {
					return fmt.Errorf("nothing to report")
				}
				for i := range last {
					if _, err := fmt.Fprintln(w, "line", i); err != nil {
						return err
					}
				}
				return nil
			})
			fmt.Println("error:", err)
		}
		data, err := os.ReadFile(name)
		fmt.Printf("%s", data)
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// error: <nil>
	// error: nothing to report
	// line 0
	// line 1
	// line 2
}

func ExampleWalk() {
	ctx := context.Background()
	err := file.WithTempDir(ctx, "", "example", func(ctx context.Context, dir string) error {
		for _, path := range []string{"cmd/tool", ".git/objects"} {
			if err := file.MkdirAll(ctx, filepath.Join(dir, path), 0o755); err != nil {
				return err
			}
		}
		if err := file.WriteFile(ctx, filepath.Join(dir, "cmd/tool/main.go"), []byte("package main\n"), 0o644); err != nil {
			return err
		}
		for e, err := range file.Walk(ctx, dir) {
			if err != nil {
				return err
			}
			if e.Name() == ".git" {
				e.Skip()
			}
			path, err := filepath.Rel(dir, e.Path())
			if err != nil {
				return err
			}
			fmt.Println(e.Type(), path)
		}
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// d--------- .
	// d--------- .git
	// d--------- cmd
	// d--------- cmd/tool
	// ---------- cmd/tool/main.go
}

// A lock on a file makes sure that only one instance of a program works at a time.
func ExampleLock() {
	ctx := context.Background()
	err := file.WithTempDir(ctx, "", "example", func(ctx context.Context, dir string) error {
		lock := file.NewLock(filepath.Join(dir, "lock"))
		return lock.Do(ctx, func(ctx context.Context) error {
			another := file.NewLock(filepath.Join(dir, "lock")) // another process does the same
			expired, err := curio.IgnoreAfter(ctx, 10*time.Millisecond, another.Acquire)
			fmt.Println("at work; the other timed out:", expired)
			return err
		})
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: at work; the other timed out: true
}

func ExampleCopy() {
	ctx := context.Background()
	err := file.WithTempDir(ctx, "", "example", func(ctx context.Context, dir string) error {
		from, to := filepath.Join(dir, "from"), filepath.Join(dir, "to")
		if err := file.WriteFile(ctx, from, []byte("content"), 0o600); err != nil {
			return err
		}
		n, err := file.Copy(ctx, to, from)
		fmt.Println(n, "bytes")
		_, again := file.Copy(ctx, from, from)
		fmt.Println("onto itself:", again != nil)
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// 7 bytes
	// onto itself: true
}
