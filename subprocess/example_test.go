package subprocess_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/stream"
	"github.com/curio-go/curio/subprocess"
)

// A program works on data from an untrusted source. Its input, its output and its time are limited, and
// truncated output is detected.
func ExampleRun() {
	upload := strings.NewReader("some text\n")
	cmd := subprocess.Command("sort")
	cmd.Stdin = subprocess.Reader(io.LimitReader(upload, 1<<20))
	cmd.Env = []string{"PATH=/usr/bin:/bin", "LC_ALL=C"}
	cmd.OutputLimit = 1 << 20
	cmd.Grace = time.Second

	err := curio.TimeoutAfter(context.Background(), time.Minute, func(ctx context.Context) error {
		done, err := subprocess.Run(ctx, cmd)
		if err != nil {
			return err
		}
		if done.StdoutDropped > 0 {
			return fmt.Errorf("sort has written %d bytes too many", done.StdoutDropped)
		}
		fmt.Printf("%s", done.Stdout)
		return nil
	})
	if errors.Is(err, curio.ErrTaskTimeout) {
		fmt.Println("this takes too long")
	} else if err != nil {
		fmt.Println(err)
	}
	// Output: some text
}

// An ExitError has the status of a program that fails, and the end of its standard error.
func ExampleRun_status() {
	err := curio.TimeoutAfter(context.Background(), time.Minute, func(ctx context.Context) error {
		_, err := subprocess.Run(ctx, subprocess.Command("sh", "-c", "echo no such table >&2; exit 3"))
		return err
	})
	var exit *subprocess.ExitError
	if errors.As(err, &exit) {
		fmt.Printf("status %d: %s", exit.Status.Code, exit.Stderr)
	}
	// Output: status 3: no such table
}

func ExampleCheckOutput() {
	err := curio.TimeoutAfter(context.Background(), time.Minute, func(ctx context.Context) error {
		out, err := subprocess.CheckOutput(ctx, subprocess.Command("echo", "hello"))
		fmt.Printf("%s", out)
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: hello
}

// Popen starts a program to talk with. Close kills it if the function returns early.
func ExamplePopen() {
	talk := func(ctx context.Context) error {
		cmd := subprocess.Command("cat")
		cmd.Stdin, cmd.Stdout = subprocess.Pipe, subprocess.Pipe
		p, err := subprocess.Popen(ctx, cmd)
		if err != nil {
			return err
		}
		defer p.Close()
		for _, word := range []string{"one", "two"} {
			if _, err := p.Stdin.WriteString(ctx, word+"\n"); err != nil {
				return err
			}
			line, err := p.Stdout.ReadLine(ctx)
			if err != nil {
				return err
			}
			fmt.Print(line)
		}
		if err := p.Stdin.CloseContext(ctx); err != nil {
			return err
		}
		status, err := p.Wait(ctx)
		if err != nil {
			return err
		}
		fmt.Println("succeeded:", status.Success())
		return nil
	}
	if err := curio.TimeoutAfter(context.Background(), time.Minute, talk); err != nil {
		fmt.Println(err)
	}
	// Output:
	// one
	// two
	// succeeded: true
}

// When the time is over, Communicate returns what it has read, and the program goes on: it can be stopped
// or given more time.
func ExampleProcess_Communicate() {
	cmd := subprocess.Command("sh", "-c", "cat; echo bye; exec sleep 1000")
	cmd.Stdin, cmd.Stdout = subprocess.Pipe, subprocess.Pipe
	p, err := subprocess.Popen(context.Background(), cmd)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer p.Close()
	var out []byte
	input := []byte("hello\n")
	for wait := 10 * time.Millisecond; !bytes.HasSuffix(out, []byte("bye\n")); wait *= 2 {
		err = curio.TimeoutAfter(context.Background(), wait, func(ctx context.Context) (err error) {
			out, _, err = p.Communicate(ctx, input)
			return err
		})
		input = nil // it has been accepted
	}
	fmt.Printf("%s", out)
	fmt.Println("timed out:", errors.Is(err, curio.ErrTaskTimeout))
	if err := curio.TimeoutAfter(context.Background(), time.Minute, func(ctx context.Context) error {
		_, err := p.Stop(ctx)
		return err
	}); err != nil {
		fmt.Println(err)
	}
	// Output:
	// hello
	// bye
	// timed out: true
}

// Lines yields the lines of a program that may never end. Leaving the loop ends the program.
func ExampleLines() {
	err := curio.TimeoutAfter(context.Background(), time.Minute, func(ctx context.Context) error {
		n := 0
		for line, err := range subprocess.Lines(ctx, subprocess.Command("yes", "again")) {
			if errors.Is(err, stream.ErrLineTooLong) {
				continue // the next lines follow
			}
			if err != nil {
				return err
			}
			fmt.Print(line)
			if n++; n == 2 {
				break
			}
		}
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// again
	// again
}

// RunPipeline does what a shell does for `sort | uniq | head -1`, without a shell that could misinterpret
// an argument.
func ExampleRunPipeline() {
	err := curio.TimeoutAfter(context.Background(), time.Minute, func(ctx context.Context) error {
		sort := subprocess.Command("sort")
		sort.Stdin = subprocess.Bytes([]byte("pear\napple\npear\n"))
		done, err := subprocess.RunPipeline(ctx, sort, subprocess.Command("uniq"), subprocess.Command("head", "-1"))
		if err != nil {
			return err
		}
		fmt.Printf("%s", done[2].Stdout)
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: apple
}

// The standard output goes to a file, and the standard error to this process's own.
func ExampleFile() {
	f, err := os.CreateTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.Remove(f.Name())
	defer f.Close()
	cmd := subprocess.Command("echo", "hello")
	cmd.Stdout, cmd.Stderr = subprocess.File(f), subprocess.Inherit
	err = curio.TimeoutAfter(context.Background(), time.Minute, func(ctx context.Context) error {
		_, err := subprocess.Run(ctx, cmd)
		return err
	})
	text, _ := os.ReadFile(f.Name())
	fmt.Printf("%s%v\n", text, err)
	// Output:
	// hello
	// <nil>
}

// The output of a program is the input of another one, which is started later.
func ExampleStream() {
	err := curio.TimeoutAfter(context.Background(), time.Minute, func(ctx context.Context) error {
		echo := subprocess.Command("echo", "hello")
		echo.Stdout = subprocess.Pipe
		first, err := subprocess.Popen(ctx, echo)
		if err != nil {
			return err
		}
		defer first.Close()
		upper := subprocess.Command("tr", "a-z", "A-Z")
		upper.Stdin = subprocess.Stream(first.Stdout)
		out, err := subprocess.CheckOutput(ctx, upper)
		fmt.Printf("%s", out)
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: HELLO
}
