package file_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/curio-go/curio/file"
	"github.com/curio-go/curio/internal/testutil"
)

func init() {
	// full does everything with no descriptor left, and prints what has become of it.
	children["full"] = func() {
		dir := os.Args[2]
		full := operations(dir)
		var open []int
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 64, Max: 64}); err != nil {
			panic(err)
		}
		for {
			fd, err := syscall.Open("/dev/null", syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
			if err != nil {
				break
			}
			open = append(open, fd)
		}
		for _, o := range full {
			err := o.run()
			fmt.Println(o.name, errors.Is(err, syscall.EMFILE), strings.Contains(fmt.Sprint(err), dir))
		}
		for _, fd := range open {
			syscall.Close(fd)
		}
		for _, o := range full {
			fmt.Println(o.name, o.run())
		}
	}
}

type named struct {
	name string
	run  func() error
}

// operations are those that need a descriptor.
func operations(dir string) []named {
	name := in(dir, "f")
	l := file.NewLock(in(dir, "lock"))
	return []named{
		{"WriteFile", func() error { return file.WriteFile(background, in(dir, "g"), nil, 0o666) }},
		{"WriteFileAtomic", func() error { return file.WriteFileAtomic(background, name, []byte("new"), 0o666) }},
		{"WriteAtomic", func() error {
			return file.WriteAtomic(background, name, 0o666, func(context.Context, io.Writer) error { return nil })
		}},
		{"Copy", func() error { return second(file.Copy(background, in(dir, "copy"), name)) }},
		{"ReadDir", func() error { return second(file.ReadDir(background, dir)) }},
		{"Walk", func() (failed error) {
			for _, err := range file.Walk(background, dir) {
				failed = err
			}
			return failed
		}},
		{"Lock", func() error { return l.Do(background, func(context.Context) error { return nil }) }},
	}
}

// Without a free descriptor everything fails with EMFILE and the path; nothing is lost,
// and afterwards everything works.
func TestNoDescriptorsLeft(t *testing.T) {
	testutil.NoLeaks(t)
	dir := memory(t)
	write(t, in(dir, "f"), "old")
	child := testutil.Self(t, "full", dir)
	list := operations(dir)
	for _, o := range list {
		if got, want := child.Line(), o.name+" true true"; got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if got := child.Line(); got != "WriteFile <nil>" {
		t.Error(got)
	}
	for _, o := range list[1:] {
		if got, want := child.Line(), o.name+" <nil>"; got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	only(t, dir, "copy", "f", "g", "lock")
}
