package file_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/file"
)

// exampleDir makes a directory with a file "poem.txt", and returns it with a function that removes it.
func exampleDir() (dir string, remove func()) {
	dir, err := os.MkdirTemp("", "curio")
	if err != nil {
		panic(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "poem.txt"), []byte("roses\nviolets\n"), 0o644); err != nil {
		panic(err)
	}
	return dir, func() { os.RemoveAll(dir) }
}

func ExampleOpen() {
	dir, remove := exampleDir()
	defer remove()
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		f, err := file.Open(ctx, filepath.Join(dir, "poem.txt"))
		if err != nil {
			return err
		}
		defer f.Close()
		for line, err := range f.Lines(ctx) {
			if err != nil {
				return err
			}
			fmt.Printf("%q\n", line)
		}
		return nil
	})
	fmt.Println(err)
	// Output:
	// "roses\n"
	// "violets\n"
	// <nil>
}

// A FIFO without a writer would block package os forever. Here a timeout ends the wait.
func ExampleFile_ReadLine_timeout() {
	dir, remove := exampleDir()
	defer remove()
	name := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(name, 0o600); err != nil {
		panic(err)
	}
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		f, err := file.Open(ctx, name)
		if err != nil {
			return err
		}
		defer f.Close()
		return curio.TimeoutAfter(ctx, 10*time.Millisecond, func(ctx context.Context) error {
			_, err := f.ReadLine(ctx)
			return err
		})
	})
	fmt.Println(errors.Is(err, context.DeadlineExceeded))
	// Output: true
}

func ExampleReadFile() {
	dir, remove := exampleDir()
	defer remove()
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		text, err := file.ReadFile(ctx, filepath.Join(dir, "poem.txt"))
		fmt.Printf("%q\n", text)
		return err
	})
	fmt.Println(err)
	// Output:
	// "roses\nviolets\n"
	// <nil>
}

func ExampleFS() {
	dir, remove := exampleDir()
	defer remove()
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		return fs.WalkDir(file.FS(ctx, dir), ".", func(name string, _ fs.DirEntry, err error) error {
			fmt.Println(name)
			return err
		})
	})
	fmt.Println(err)
	// Output:
	// .
	// poem.txt
	// <nil>
}

func ExampleRoot() {
	dir, remove := exampleDir()
	defer remove()
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		r, err := file.OpenRoot(ctx, dir)
		if err != nil {
			return err
		}
		defer r.Close()
		text, err := r.ReadFile(ctx, "poem.txt")
		fmt.Printf("%q, %v\n", text, err)
		_, err = r.ReadFile(ctx, "../passwd")
		fmt.Println(err != nil)
		return nil
	})
	fmt.Println(err)
	// Output:
	// "roses\nviolets\n", <nil>
	// true
	// <nil>
}
