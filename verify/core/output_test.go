package core_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/stream"
	"github.com/curio-go/curio/verify/fixture"
)

func init() {
	write := func(line func() error) func() {
		return func() {
			for {
				if err := line(); err != nil {
					fmt.Fprintln(os.Stderr, "broken pipe:", errors.Is(err, syscall.EPIPE))
					os.Exit(1)
				}
			}
		}
	}
	fixture.Children["writes to os.Stdout"] = write(func() error {
		_, err := fmt.Println("hello")
		return err
	})
	fixture.Children["writes to a stream"] = func() {
		out, err := stream.FromFile(os.Stdout)
		if err != nil {
			panic(err)
		}
		write(func() error {
			_, err := out.WriteString(context.Background(), "hello\n")
			return err
		})()
	}
}

// In a pipe to a program that has read enough, os.Stdout ends the process by SIGPIPE. A stream over it
// returns an error, as its documentation says.
func TestClosedOutput(t *testing.T) {
	testutil.Need(t, "sh")
	for child, want := range map[string]string{
		"writes to os.Stdout": "status 141\n", "writes to a stream": "broken pipe: true\nstatus 1\n",
	} {
		c := testutil.Shell(t, "sh", `{ "$0" "$@"; echo status $? >&2; } | read line`, child)
		if c.Wait() != 0 || c.Stderr() != want {
			t.Errorf("%s: %q", child, c.Stderr())
		}
	}
}
