package subprocess_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/subprocess"
)

// P7 without a shell: input through several programs, with all outputs.
func TestPipeline(t *testing.T) {
	testutil.NoLeaks(t)
	large := pattern(3 << 20)
	cat := func() *subprocess.Cmd { return subprocess.Command("cat") }
	first, last := cat(), shell("echo last >&2; cat")
	first.Stdin = subprocess.Bytes(large)
	done, err := subprocess.RunPipeline(background, first, shell("echo middle >&2; cat"), cat(), last)
	check(t, err)
	if len(done) != 4 || !bytes.Equal(done[3].Stdout, large) || string(done[1].Stderr) != "middle\n" || string(done[3].Stderr) != "last\n" {
		t.Errorf("%d results", len(done))
	}
	for i, c := range done {
		if !c.Status.Success() || i < 3 && c.Stdout != nil {
			t.Errorf("%d: %v", i, c.Status)
		}
	}
	done, err = subprocess.RunPipeline(background, subprocess.Command("echo", "alone"))
	check(t, err)
	if string(done[0].Stdout) != "alone\n" {
		t.Errorf("%q", done[0].Stdout)
	}
}

// Traps 57 and 58: a command that has read enough ends those before it, and that is no error; a failure is, if it is not
// of that kind, and of several the last one counts.
func TestPipelineStatus(t *testing.T) {
	testutil.NoLeaks(t)
	for _, test := range []struct {
		scripts []string
		blamed  int // -1 for none
		code    int
	}{
		{[]string{"exec yes", "exec head -1"}, -1, 0},
		{[]string{"exec yes", "exec cat", "exec head -1"}, -1, 0},
		{[]string{"exec yes", "exec head -1; exit 0", "cat; exit 7"}, 2, 7},
		{[]string{"exit 3", "cat"}, 0, 3},
		{[]string{"exit 3", "exit 4", "cat"}, 1, 4},
		{[]string{"exit 3", "cat", "exit 5"}, 2, 5},
		{[]string{"true", "kill -PIPE $$"}, 1, -1},
		{[]string{"kill -PIPE $$", "cat"}, -1, 0},
		{[]string{"kill -TERM $$", "cat"}, 0, -1},
	} {
		t.Run(strings.Join(test.scripts, " | "), func(t *testing.T) {
			var cmds []*subprocess.Cmd
			for i, script := range test.scripts {
				cmds = append(cmds, shell(script+" #"+strconv.Itoa(i)))
			}
			done, err := subprocess.RunPipeline(background, cmds...)
			if len(done) != len(cmds) {
				t.Fatalf("%d results", len(done))
			}
			if test.blamed < 0 {
				check(t, err)
				return
			}
			exit := wantExit(t, err, test.code)
			if fmt.Sprint(exit.Args) != fmt.Sprint(cmds[test.blamed].Args) {
				t.Errorf("%v is blamed", exit.Args)
			}
		})
	}
}

// A command that cannot be started ends the others, wherever it is, and nothing is left open.
func TestPipelineStartFails(t *testing.T) {
	testutil.NoLeaks(t)
	for at := range 3 {
		cmds := []*subprocess.Cmd{subprocess.Command("yes"), subprocess.Command("cat"), subprocess.Command("cat")}
		cmds[at] = subprocess.Command("/no/such/program")
		done, err := subprocess.RunPipeline(background, cmds...)
		if wantError(t, err, fs.ErrNotExist); done != nil {
			t.Errorf("%v", done)
		}
		noChildren(t)
	}
}

// A cancellation in the middle ends all of them, and what has come is there.
func TestPipelineCancelled(t *testing.T) {
	testutil.NoLeaks(t)
	out := new(screen)
	last := subprocess.Command("cat")
	last.Stdout = subprocess.Writer(out)
	done, err := cut(t, func(ctx context.Context) ([]*subprocess.Completed, error) {
		return subprocess.RunPipeline(ctx, shell("sleep 1000 & echo $!; wait"), shell("echo cat >&2; exec cat"), last)
	}, func() { out.await(t, "\n") })
	wantError(t, err, curio.ErrTaskCancelled)
	if len(done) != 3 || string(done[1].Stderr) != "cat\n" {
		t.Fatalf("%v", done)
	}
	for _, c := range done {
		if c.Status.Signal == nil && !c.Status.Success() {
			t.Errorf("%+v", c)
		}
	}
	if done[0].Status.Signal != syscall.SIGTERM {
		t.Errorf("%+v", done[0])
	}
	pid, _ := strconv.Atoi(strings.TrimSpace(out.String()))
	awaitGone(t, pid)
	noChildren(t)
}

func TestPipelineRefused(t *testing.T) {
	testutil.NoLeaks(t)
	a, b := subprocess.Command("true"), subprocess.Command("true")
	a.Stdout = subprocess.Null
	_, err := subprocess.RunPipeline(background, a, b)
	wantError(t, err, errors.ErrUnsupported)
	a.Stdout, b.Stdin = nil, subprocess.Bytes(nil)
	_, err = subprocess.RunPipeline(background, a, b)
	wantError(t, err, errors.ErrUnsupported)
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	_, _ = subprocess.RunPipeline(background)
}
