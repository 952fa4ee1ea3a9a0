package subprocess_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/stream"
	"github.com/curio-go/curio/subprocess"
)

// collect returns all lines, and the errors.
func collect(ctx context.Context, cmd *subprocess.Cmd) (lines []string, errs []error) {
	for line, err := range subprocess.Lines(ctx, cmd) {
		if err != nil {
			errs = append(errs, err)
		}
		if line != "" {
			lines = append(lines, line)
		}
	}
	return lines, errs
}

// Trap 64: lines are bytes, and the last one is delivered as it is.
func TestLines(t *testing.T) {
	testutil.NoLeaks(t)
	lines, errs := collect(background, shell(`printf 'one\n\ntwo\r\n\000\377\nlast'`))
	if want := []string{"one\n", "\n", "two\r\n", "\x00\xff\n", "last"}; !slices.Equal(lines, want) || errs != nil {
		t.Errorf("%q, %v, want %q", lines, errs, want)
	}
	lines, errs = collect(background, shell("true"))
	if lines != nil || errs != nil {
		t.Errorf("%q, %v", lines, errs)
	}
	cmd := shell("echo half; printf dies; echo why >&2; exit 5")
	lines, errs = collect(background, cmd)
	if want := []string{"half\n", "dies"}; !slices.Equal(lines, want) || len(errs) != 1 {
		t.Fatalf("%q, %v, want %q", lines, errs, want)
	}
	wantExit(t, errs[0], 5)
	wantText(t, errs[0], "exit status 5: why")
	again, _ := collect(background, cmd)
	if !slices.Equal(lines, again) {
		t.Errorf("%q the second time", again)
	}
}

// Lines come as they are written, while the program goes on, and input goes in meanwhile.
func TestLinesAsTheyCome(t *testing.T) {
	testutil.NoLeaks(t)
	r, w := io.Pipe()
	cmd := shell(`while read -r line; do echo "got $line"; done`)
	cmd.Stdin = subprocess.Reader(r)
	defer r.Close()
	go fmt.Fprintln(w, 0)
	n := 0
	for line, err := range subprocess.Lines(background, cmd) {
		check(t, err)
		if want := fmt.Sprintf("got %d\n", n); line != want {
			t.Fatalf("%q, want %q", line, want)
		}
		if n++; n == 100 {
			w.Close()
			continue
		}
		fmt.Fprintln(w, n)
	}
	if n != 100 {
		t.Errorf("%d lines", n)
	}
}

// Trap 63: a line that is too long is an error after which the iteration goes on.
func TestLinesTooLong(t *testing.T) {
	testutil.NoLeaks(t)
	const limit = stream.DefaultLineLimit
	for name, long := range map[string]string{
		"just over":     strings.Repeat("x", limit),
		"far over":      strings.Repeat("x", 3*limit),
		"at the end":    strings.Repeat("x", 3*limit),
		"just fits":     strings.Repeat("x", limit-1),
		"fits, the end": strings.Repeat("x", limit),
	} {
		t.Run(name, func(t *testing.T) {
			text := "before\n" + long + "\nafter\n"
			if strings.Contains(name, "end") {
				text = "before\n" + long
			}
			cmd := subprocess.Command("cat")
			cmd.Stdin = subprocess.Bytes([]byte(text))
			lines, errs := collect(background, cmd)
			want := strings.SplitAfter(text, "\n")
			want = slices.DeleteFunc(want, func(s string) bool { return s == "" })
			fits := strings.Contains(name, "fits")
			if !fits {
				want[1] = want[1][:limit]
			}
			if !slices.Equal(lines, want) {
				t.Errorf("%d lines", len(lines))
			}
			if fits && errs != nil || !fits && (len(errs) != 1 || !errors.Is(errs[0], stream.ErrLineTooLong)) {
				t.Errorf("the errors are %v", errs)
			}
		})
	}
}

// A chatty standard error, and more input than the pipe holds, do not hold up the lines.
func TestLinesChatty(t *testing.T) {
	testutil.NoLeaks(t)
	large := bytes.Repeat([]byte("0123456789abcde\n"), 20_000)
	cmd := subprocess.Command("tee", "/dev/stderr")
	cmd.Stdin = subprocess.Reader(io.MultiReader(bytes.NewReader(large)))
	lines, errs := collect(background, cmd)
	if len(lines) != 20_000 || errs != nil {
		t.Errorf("%d lines, %v", len(lines), errs)
	}
}

// A loop that is left ends the program, and what it has started.
func TestLinesLeft(t *testing.T) {
	for name, leave := range map[string]func(){
		"break":  nil,
		"panic":  func() { panic("leaving") },
		"Goexit": runtime.Goexit,
	} {
		t.Run(name, func(t *testing.T) {
			testutil.NoLeaks(t)
			cmd := shell("echo $$; sleep 1000 & echo $!; exec yes")
			var pids []int
			done := make(chan struct{})
			go func() {
				defer close(done)
				defer func() { _ = recover() }()
				for line := range subprocess.Lines(background, cmd) {
					pid, err := strconv.Atoi(strings.TrimSpace(line))
					if err == nil {
						pids = append(pids, pid)
						continue
					}
					if leave != nil {
						leave()
					}
					break
				}
			}()
			testutil.Receive(t, "end of the loop", done)
			for _, pid := range pids {
				awaitGone(t, pid)
			}
			if len(pids) != 2 {
				t.Errorf("%v", pids)
			}
			noChildren(t)
		})
	}
}

// A cancellation ends the loop with its error, and the program.
func TestLinesCancelled(t *testing.T) {
	testutil.NoLeaks(t)
	var task *curio.AnyTask
	started := make(chan *curio.AnyTask, 1)
	var last error
	_, err := cut(t, func(ctx context.Context) (int, error) {
		for line, err := range subprocess.Lines(ctx, shell("echo $$; exec sleep 1000")) {
			if err != nil {
				last = err
				continue // there is nothing more
			}
			pid, err := strconv.Atoi(strings.TrimSpace(line))
			if err != nil {
				return 0, err
			}
			defer awaitGone(t, pid)
			started <- curio.CurrentTask(ctx)
		}
		return 0, last
	}, func() {
		task = testutil.Receive(t, "a line", started)
		awaitState(t, task, "SELECT")
	})
	wantError(t, err, curio.ErrTaskCancelled)
	wantText(t, err, "/bin/sh")
	noChildren(t)
}

func TestLinesErrors(t *testing.T) {
	testutil.NoLeaks(t)
	lines, errs := collect(background, subprocess.Command("/no/such/program"))
	if lines != nil || len(errs) != 1 || !errors.Is(errs[0], syscall.ENOENT) {
		t.Errorf("%q, %v", lines, errs)
	}
	cmd := subprocess.Command("true")
	cmd.Stdout = subprocess.Inherit
	lines, errs = collect(background, cmd)
	if lines != nil || len(errs) != 1 || !errors.Is(errs[0], errors.ErrUnsupported) {
		t.Errorf("%q, %v", lines, errs)
	}
	cmd = shell("sleep 1000 & echo $!")
	cmd.Drain = time.Millisecond
	lines, errs = collect(background, cmd)
	if len(lines) != 1 || len(errs) != 1 || !errors.Is(errs[0], subprocess.ErrIncomplete) {
		t.Errorf("%q, %v", lines, errs)
	}
	killPid(t, strings.TrimSpace(lines[0]))
}
