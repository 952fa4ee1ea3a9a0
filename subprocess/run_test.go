package subprocess_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/subprocess"
)

// Behaviours P1 to P4 and P12: output and status, of programs that succeed and of those that do not.
func TestRun(t *testing.T) {
	testutil.NoLeaks(t)
	c, err := subprocess.Run(background, subprocess.Command("echo", "hello"))
	check(t, err)
	if string(c.Stdout) != "hello\n" || len(c.Stderr) != 0 || !c.Status.Success() || c.Incomplete || fmt.Sprint(c.Args) != "[echo hello]" {
		t.Errorf("%+v", c)
	}
	out, err := subprocess.CheckOutput(background, subprocess.Command("echo", "hello"))
	gotBytes(t, out, err, "hello\n")

	c, err = subprocess.Run(background, shell("echo out; echo 'went wrong' >&2; exit 3"))
	exit := wantExit(t, err, 3)
	if string(c.Stdout) != "out\n" || string(c.Stderr) != "went wrong\n" || c.Status.Code != 3 || string(exit.Stderr) != "went wrong\n" {
		t.Errorf("%+v, %+v", c, exit)
	}
	wantText(t, err, "subprocess: /bin/sh: exit status 3: went wrong")
	out, err = subprocess.CheckOutput(background, shell("echo out; exit 4"))
	wantExit(t, err, 4)
	if string(out) != "out\n" {
		t.Errorf("the output is %q", out)
	}
	_, err = subprocess.CheckOutput(background, shell("kill -9 $$"))
	if exit := wantExit(t, err, -1); exit.Status.Signal != syscall.SIGKILL {
		t.Errorf("%+v", exit)
	}
	wantText(t, err, "signal: killed")
	if c, err := subprocess.Run(background, subprocess.Command("/no/such/program")); c != nil || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v, %v", c, err)
	}
}

// A Cmd is not changed, and can be run by several tasks at once.
func TestRunSameCmd(t *testing.T) {
	testutil.NoLeaks(t)
	cmd := shell("cat; echo $0")
	cmd.Stdin = subprocess.Bytes([]byte("in "))
	before := fmt.Sprintf("%+v", *cmd)
	outs, err := curio.Map(background, make([]int, 8), func(ctx context.Context, _ int) (string, error) {
		out, err := subprocess.CheckOutput(ctx, cmd)
		return string(out), err
	})
	check(t, err)
	for _, out := range outs {
		if out != "in /bin/sh\n" {
			t.Errorf("%q", out)
		}
	}
	if after := fmt.Sprintf("%+v", *cmd); after != before {
		t.Errorf("%s has become %s", before, after)
	}
}

// P8, W-P3: input, of every kind, and none.
func TestInput(t *testing.T) {
	testutil.NoLeaks(t)
	large := pattern(5 << 20)
	file := testutil.WriteFile(t, "in", large)
	f, err := os.Open(file)
	check(t, err)
	defer f.Close()
	for name, test := range map[string]struct {
		in   subprocess.Stdio
		want []byte
	}{
		"none":           {nil, nil},
		"Null":           {subprocess.Null, nil},
		"no bytes":       {subprocess.Bytes(nil), nil},
		"Bytes":          {subprocess.Bytes(large), large},
		"a known Reader": {subprocess.Reader(bytes.NewReader(large)), large},
		"any Reader":     {subprocess.Reader(io.MultiReader(bytes.NewReader(large))), large},
		"empty Reader":   {subprocess.Reader(io.MultiReader()), nil},
		"File":           {subprocess.File(f), large},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := subprocess.Command("cat")
			cmd.Stdin = test.in
			out, err := subprocess.CheckOutput(background, cmd)
			gotBytes(t, out, err, string(test.want))
		})
	}
}

// The output is larger than the pipe while the input is written, in both directions and on both outputs.
func TestMoreThanThePipe(t *testing.T) {
	testutil.NoLeaks(t)
	large := pattern(5 << 20)
	cmd := subprocess.Command("tee", "/dev/stderr")
	cmd.Stdin = subprocess.Bytes(large)
	c, err := subprocess.Run(background, cmd)
	check(t, err)
	if !bytes.Equal(c.Stdout, large) || !bytes.Equal(c.Stderr, large) {
		t.Errorf("%d and %d bytes, want %d", len(c.Stdout), len(c.Stderr), len(large))
	}
}

// A program that does not read its input to the end, or not at all.
func TestInputUnread(t *testing.T) {
	testutil.NoLeaks(t)
	for _, script := range []string{"exec <&-; echo done", "head -c 10 >/dev/null; exec <&-; echo done", "echo done"} {
		for _, in := range []subprocess.Stdio{
			subprocess.Bytes(make([]byte, 1<<20)), subprocess.Reader(bytes.NewReader(make([]byte, 1<<20))),
			subprocess.Reader(io.MultiReader(bytes.NewReader(make([]byte, 1<<20)))),
		} {
			cmd := shell(script)
			cmd.Stdin = in
			out, err := subprocess.CheckOutput(background, cmd)
			gotBytes(t, out, err, "done\n")
		}
	}
}

// A hanging reader: a Read that does not return until the test says so.
type hanging struct {
	reads atomic.Int32
	let   chan struct{}
}

func (h *hanging) Read([]byte) (int, error) {
	h.reads.Add(1)
	<-h.let
	return 0, io.EOF
}

func (h *hanging) Write(p []byte) (int, error) { return h.Read(p) }

// Trap 59: a reader that never ends is abandoned when the program has ended, and is seen until it returns.
func TestReaderAbandoned(t *testing.T) {
	testutil.NoLeaks(t)
	h := &hanging{let: make(chan struct{})}
	cmd := subprocess.Command("echo", "done")
	cmd.Stdin = subprocess.Reader(h)
	check(t, curio.Run(background, func(ctx context.Context) error {
		out, err := subprocess.CheckOutput(ctx, cmd)
		gotBytes(t, out, err, "done\n")
		if calls := curio.KernelOf(ctx).ThreadCalls(); h.reads.Load() > 0 && (len(calls) != 1 || !calls[0].Abandoned) {
			t.Errorf("the calls are %v", calls)
		}
		close(h.let)
		testutil.Await(t, "return of Read", func() bool { return len(curio.KernelOf(ctx).ThreadCalls()) == 0 })
		return nil
	}))
}

// What is wrong with a Reader or Writer is the error, and the program ends.
func TestCopyErrors(t *testing.T) {
	testutil.NoLeaks(t)
	broken := errors.New("broken")
	reads := func(f func(p []byte) (int, error)) subprocess.Stdio { return subprocess.Reader(readerFunc(f)) }
	for name, in := range map[string]subprocess.Stdio{
		"error":       reads(func(p []byte) (int, error) { return copy(p, "x"), broken }),
		"no progress": reads(func(p []byte) (int, error) { return 0, nil }),
		"impossible":  reads(func(p []byte) (int, error) { return len(p) + 1, nil }),
		"negative":    reads(func(p []byte) (int, error) { return -1, nil }),
		"goexit":      reads(func(p []byte) (int, error) { runtime.Goexit(); return 0, nil }),
	} {
		t.Run("Reader/"+name, func(t *testing.T) {
			cmd := subprocess.Command("cat")
			cmd.Stdin = in
			c, err := subprocess.Run(background, cmd)
			wantText(t, err, "cat", "standard input")
			if c == nil || !c.Status.Success() {
				t.Errorf("%+v", c)
			}
			if name == "error" && (!errors.Is(err, broken) || string(c.Stdout) != "x") {
				t.Errorf("%v, %q", err, c.Stdout)
			}
		})
	}
	writes := func(f func(p []byte) (int, error)) subprocess.Stdio { return subprocess.Writer(writerFunc(f)) }
	for name, test := range map[string]struct {
		out  subprocess.Stdio
		want error
	}{
		"error": {writes(func(p []byte) (int, error) { return 0, broken }), broken},
		"short": {writes(func(p []byte) (int, error) { return len(p) - 1, nil }), io.ErrShortWrite},
	} {
		t.Run("Writer/"+name, func(t *testing.T) {
			cmd := subprocess.Command("yes")
			cmd.Stdout = test.out
			c, err := subprocess.Run(background, cmd)
			wantError(t, err, test.want)
			wantExit(t, err, -1)
			wantText(t, err, "yes")
			if c.Status.Signal != syscall.SIGPIPE {
				t.Errorf("%+v", c)
			}
		})
	}
}

// A panic in user's code is the error, and the program does not outlive the call.
func TestCopyPanics(t *testing.T) {
	testutil.NoLeaks(t)
	log := testutil.CaptureLog(t)
	panics := func([]byte) (int, error) { panic("of the user's") }
	for name, set := range map[string]func(c *subprocess.Cmd){
		"Reader": func(c *subprocess.Cmd) { c.Stdin = subprocess.Reader(readerFunc(panics)) },
		"Writer": func(c *subprocess.Cmd) {
			c.Stdin, c.Stdout = subprocess.Bytes([]byte("x")), subprocess.Writer(writerFunc(panics))
		},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := subprocess.Command("cat")
			set(cmd)
			c, err := subprocess.Run(background, cmd)
			var of *curio.PanicError
			if !errors.As(err, &of) || of.Value != "of the user's" || c == nil {
				t.Errorf("%v, %v", c, err)
			}
			if len(log.Take("panic")) == 0 {
				t.Error("nothing was logged")
			}
		})
	}
}

type (
	readerFunc func(p []byte) (int, error)
	writerFunc func(p []byte) (int, error)
)

func (f readerFunc) Read(p []byte) (int, error)  { return f(p) }
func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// Trap 66: the same Writer for both outputs is one pipe, and no two calls of it are made at once.
func TestSameWriter(t *testing.T) {
	testutil.NoLeaks(t)
	var inside atomic.Int32
	var all bytes.Buffer
	w := writerFunc(func(p []byte) (int, error) {
		if inside.Add(1) != 1 {
			t.Error("two calls at once")
		}
		defer inside.Add(-1)
		return all.Write(p)
	})
	const script = "for i in 1 2 3 4 5 6 7 8 9; do echo $i; echo e$i >&2; done"
	const want = "1\ne1\n2\ne2\n3\ne3\n4\ne4\n5\ne5\n6\ne6\n7\ne7\n8\ne8\n9\ne9\n"
	cmd := shell(script)
	shared := subprocess.Writer(&struct{ io.Writer }{w})
	cmd.Stdout, cmd.Stderr = shared, shared
	_, err := subprocess.Run(background, cmd)
	gotBytes(t, all.Bytes(), err, want)

	var buf bytes.Buffer
	cmd.Stdout, cmd.Stderr = subprocess.Writer(&buf), subprocess.Writer(&buf)
	_, err = subprocess.Run(background, cmd)
	gotBytes(t, buf.Bytes(), err, want)

	cmd.Stdout, cmd.Stderr = nil, subprocess.Merge
	c, err := subprocess.Run(background, cmd)
	gotBytes(t, c.Stdout, err, want)
	if c.Stderr != nil {
		t.Errorf("standard error is %q", c.Stderr)
	}

	// Writers that cannot be compared are different ones.
	cmd.Stdout, cmd.Stderr = subprocess.Writer(uncomparable{nil}), subprocess.Writer(uncomparable{nil})
	_, err = subprocess.Run(background, cmd)
	check(t, err)
}

type uncomparable struct{ _ []int }

func (uncomparable) Write(p []byte) (int, error) { return len(p), nil }

// W-P2, P13, trap 18: a grandchild that holds the pipe does not keep us for longer than Drain, and the
// result says that it is incomplete.
func TestGrandchildHoldsPipe(t *testing.T) {
	testutil.NoLeaks(t)
	cmd := shell("sleep 1000 & echo $!; echo out; echo err >&2")
	cmd.Drain = 10 * time.Millisecond
	c, err := subprocess.Run(background, cmd)
	check(t, err)
	pid, out, _ := strings.Cut(string(c.Stdout), "\n")
	defer killPid(t, pid)
	if !c.Incomplete || out != "out\n" || string(c.Stderr) != "err\n" || !c.Status.Success() {
		t.Errorf("%+v", c)
	}
	again, err := subprocess.CheckOutput(background, cmd)
	wantError(t, err, subprocess.ErrIncomplete)
	wantText(t, err, "/bin/sh", "open")
	pid, out, _ = strings.Cut(string(again), "\n")
	defer killPid(t, pid)
	if out != "out\n" {
		t.Errorf("%q", again)
	}
}

func killPid(t testing.TB, pid string) {
	t.Helper()
	n, err := strconv.Atoi(pid)
	check(t, err)
	check(t, syscall.Kill(n, syscall.SIGKILL))
	awaitGone(t, n)
}

// The bound on the drain counts only while nothing comes: what the grandchild writes, at intervals that are
// shorter, arrives, and its end is the end.
func TestDrainCountsSilence(t *testing.T) {
	testutil.NoLeaks(t)
	cmd := shell("(for i in 1 2 3; do sleep 0.03; echo $i; done) & echo 0")
	cmd.Drain = 20 * time.Second
	c, err := subprocess.Run(background, cmd)
	check(t, err)
	if c.Incomplete || string(c.Stdout) != "0\n1\n2\n3\n" {
		t.Errorf("%+v", c)
	}
	cmd.Drain = -1
	c, err = subprocess.Run(background, cmd)
	check(t, err)
	if c.Incomplete || string(c.Stdout) != "0\n1\n2\n3\n" {
		t.Errorf("%+v", c)
	}
}

// Trap 61: a slow Writer gets all that was in the pipe when the program ended, however short Drain is.
func TestDrainSlowWriter(t *testing.T) {
	testutil.NoLeaks(t)
	const size = 200_000 // more than a pipe and a piece
	var got bytes.Buffer
	w := writerFunc(func(p []byte) (int, error) {
		testutil.Rest()
		testutil.Rest()
		return got.Write(p)
	})
	for _, script := range []string{"head -c 200000 /dev/zero", "sleep 1000 & echo $! >&2; head -c 200000 /dev/zero"} {
		got.Reset()
		cmd := shell(script)
		cmd.Stdout = subprocess.Writer(w)
		cmd.Drain = time.Millisecond
		c, err := subprocess.Run(background, cmd)
		check(t, err)
		if pid := strings.TrimSpace(string(c.Stderr)); pid != "" {
			killPid(t, pid)
		}
		if got.Len() != size {
			t.Errorf("%s: %d bytes", script, got.Len())
		}
	}
}

// P5: a timeout has what came until then, the program is gone, and its error is the timeout's own.
func TestTimeout(t *testing.T) {
	testutil.NoLeaks(t)
	var c *subprocess.Completed
	var inner error
	err := curio.Run(background, func(ctx context.Context) error {
		var scope curio.CancelScope
		seen := new(screen)
		cmd := shell("echo out; echo err >&2; echo $$ >&2; exec sleep 1000")
		cmd.Stderr = subprocess.Writer(writerFunc(func(p []byte) (int, error) {
			if n, _ := seen.Write(p); strings.Count(seen.String(), "\n") == 2 {
				scope.SetTimeout(0)
				return n, nil
			}
			return len(p), nil
		}))
		err := scope.Run(ctx, func(ctx context.Context) error {
			c, inner = subprocess.Run(ctx, cmd)
			return inner
		})
		pid, _ := strconv.Atoi(strings.Fields(seen.String())[1])
		if runs(pid) {
			t.Errorf("process %d still runs", pid)
		}
		expired, err := scope.Ignore(err)
		if !expired {
			t.Errorf("the timeout does not know its ending: %v", err)
		}
		return err
	})
	check(t, err)
	wantError(t, inner, curio.ErrTaskTimeout)
	wantError(t, inner, context.DeadlineExceeded)
	wantText(t, inner, "subprocess: run /bin/sh")
	if string(c.Stdout) != "out\n" || c.Status.Signal != syscall.SIGTERM {
		t.Errorf("%+v", c)
	}
	err = curio.TimeoutAfter(background, time.Millisecond, func(ctx context.Context) error {
		_, err := subprocess.Run(ctx, subprocess.Command("sleep", "1000"))
		return err
	})
	if wantError(t, err, curio.ErrTaskTimeout); errors.Is(err, curio.ErrUncaughtTimeout) {
		t.Errorf("%v", err)
	}
}

// P13, W-P2, W-P4: a cancellation ends the shell with what it has started.
func TestCancelTree(t *testing.T) {
	testutil.NoLeaks(t)
	out := new(screen)
	cmd := shell("sleep 1000 & echo $!; echo ready; wait")
	cmd.Stdout = subprocess.Writer(out)
	c, err := cut(t, func(ctx context.Context) (*subprocess.Completed, error) {
		return subprocess.Run(ctx, cmd)
	}, func() { out.await(t, "ready") })
	wantError(t, err, curio.ErrTaskCancelled)
	if c.Containment != subprocess.ContainedGroup || c.Incomplete {
		t.Errorf("%+v", c)
	}
	pid, _ := strconv.Atoi(strings.Fields(out.String())[0])
	awaitGone(t, pid)
	noChildren(t)
}

// A program that says goodbye is heard, also when that is more than the pipe has room for, and its status
// of 0 is not taken for success.
func TestLastWords(t *testing.T) {
	testutil.NoLeaks(t)
	err1 := new(screen)
	cmd := shell("trap 'head -c 300000 /dev/zero; echo bye; exit 0' TERM; echo ready >&2; while :; do sleep 0.01; done")
	cmd.Stderr = subprocess.Writer(err1)
	cmd.Grace = testutil.Patience
	c, err := cut(t, func(ctx context.Context) (*subprocess.Completed, error) {
		return subprocess.Run(ctx, cmd)
	}, func() { err1.await(t, "ready") })
	wantError(t, err, curio.ErrTaskCancelled)
	if !c.Status.Success() || len(c.Stdout) != 300004 || !bytes.HasSuffix(c.Stdout, []byte("bye\n")) {
		t.Errorf("%v, %d bytes", c.Status, len(c.Stdout))
	}
}

// One that ignores the polite signal is killed after the grace time.
func TestCancelDeaf(t *testing.T) {
	testutil.NoLeaks(t)
	out := new(screen)
	cmd := shell("trap '' TERM; echo ready; while :; do sleep 0.01; done")
	cmd.Stdout, cmd.Grace = subprocess.Writer(out), 10*time.Millisecond
	c, err := cut(t, func(ctx context.Context) (*subprocess.Completed, error) {
		return subprocess.Run(ctx, cmd)
	}, func() { out.await(t, "ready") })
	wantError(t, err, curio.ErrTaskCancelled)
	if c.Status.Signal != syscall.SIGKILL {
		t.Errorf("%+v", c.Status)
	}
}

// A Writer that hangs does not keep a cancelled Run for ever. It is seen until it returns.
func TestCancelHangingWriter(t *testing.T) {
	testutil.NoLeaks(t)
	h := &hanging{let: make(chan struct{})}
	defer close(h.let)
	cmd := subprocess.Command("yes")
	cmd.Stdout, cmd.Drain = subprocess.Writer(h), time.Millisecond
	c, err := cut(t, func(ctx context.Context) (*subprocess.Completed, error) {
		return subprocess.Run(ctx, cmd)
	}, func() { testutil.Await(t, "Write", func() bool { return h.reads.Load() > 0 }) })
	wantError(t, err, curio.ErrTaskCancelled)
	if !c.Incomplete {
		t.Errorf("%+v", c)
	}
}

// Somebody who has left the group and writes for ever does not keep a cancelled Run.
func TestCancelEscaped(t *testing.T) {
	testutil.NoLeaks(t)
	testutil.Need(t, "setsid")
	err1 := new(screen)
	cmd := shell("setsid sh -c 'echo $$ >&2; exec yes' & wait")
	var written atomic.Int64
	cmd.Stdout = subprocess.Writer(writerFunc(func(p []byte) (int, error) {
		written.Add(int64(len(p)))
		return len(p), nil
	}))
	cmd.Stderr, cmd.Drain = subprocess.Writer(err1), 10*time.Millisecond
	c, err := cut(t, func(ctx context.Context) (*subprocess.Completed, error) {
		return subprocess.Run(ctx, cmd)
	}, func() { testutil.Await(t, "output", func() bool { return written.Load() > 100_000 }) })
	wantError(t, err, curio.ErrTaskCancelled)
	if !c.Incomplete {
		t.Errorf("%+v", c)
	}
	pid, _ := strconv.Atoi(strings.TrimSpace(err1.String()))
	awaitGone(t, pid) // by SIGPIPE
}

// A context that has ended starts nothing.
func TestCancelledBefore(t *testing.T) {
	testutil.NoLeaks(t)
	ctx, cancel := context.WithCancel(background)
	cancel()
	name := nameIn(t, "made")
	c, err := subprocess.Run(ctx, subprocess.Command("touch", name))
	wantError(t, err, context.Canceled)
	if _, statErr := os.Stat(name); c != nil || statErr == nil {
		t.Errorf("%v, %v", c, statErr)
	}
}

// A cancellation does not end the input, so half of it does not look like a whole one.
func TestInputNotEnded(t *testing.T) {
	testutil.NoLeaks(t)
	name := nameIn(t, "committed")
	out := new(screen)
	cmd := shell("trap '' TERM; echo ready >&2; cat >/dev/null; echo committed > $OUT")
	cmd.Env = append(os.Environ(), "OUT="+name)
	cmd.Stderr, cmd.Grace = subprocess.Writer(out), 20*time.Millisecond
	r, w := io.Pipe()
	defer w.Close()
	cmd.Stdin = subprocess.Reader(r)
	c, err := cut(t, func(ctx context.Context) (*subprocess.Completed, error) {
		return subprocess.Run(ctx, cmd)
	}, func() {
		out.await(t, "ready")
		_, err := w.Write([]byte("half of it"))
		check(t, err)
	})
	wantError(t, err, curio.ErrTaskCancelled)
	if _, err := os.Stat(name); c.Status.Signal != syscall.SIGKILL || err == nil {
		t.Errorf("%+v, %v", c, err)
	}
}

// A cancellation while only what the program has left behind is waited for ends that, and the status is
// the program's own.
func TestCancelDraining(t *testing.T) {
	testutil.NoLeaks(t)
	out := new(screen)
	cmd := shell("sleep 1000 & echo $!; exit 3")
	cmd.Stdout, cmd.Drain = subprocess.Writer(out), -1
	var task *curio.AnyTask
	at := make(chan *curio.AnyTask, 1)
	c, err := cut(t, func(ctx context.Context) (*subprocess.Completed, error) {
		at <- curio.CurrentTask(ctx)
		return subprocess.Run(ctx, cmd)
	}, func() {
		out.await(t, "\n")
		task = testutil.Receive(t, "task", at)
		testutil.Await(t, "end of the shell", func() bool {
			return task.State() == "SELECT" && !anyChild()
		})
	})
	wantError(t, err, curio.ErrTaskCancelled)
	if c.Status.Code != 3 {
		t.Errorf("%+v", c)
	}
	pid, _ := strconv.Atoi(strings.TrimSpace(out.String()))
	awaitGone(t, pid)
}

// anyChild reports whether this process has a child, and collects nothing. Where that is not to be found
// out it has none.
func anyChild() bool {
	threads, _ := os.ReadDir("/proc/self/task")
	for _, thread := range threads {
		children, _ := os.ReadFile("/proc/self/task/" + thread.Name() + "/children")
		if len(children) > 0 {
			return true
		}
	}
	return false
}

// A program that runs costs a goroutine, which is the caller's, and no thread.
func TestRunCosts(t *testing.T) {
	testutil.NoLeaks(t)
	const n = 40
	goroutines := func() (ours int) {
		return strings.Count(testutil.Stacks(), "curio-go/curio/subprocess.(*exchange).run(")
	}
	before := runtime.NumGoroutine()
	var tasks []*curio.AnyTask
	for range n {
		cmd := shell("exec sleep 1000")
		cmd.Stdin = subprocess.Bytes(make([]byte, 1<<20)) // which waits, too
		task := curio.Go(background, func(ctx context.Context) error {
			_, err := subprocess.Run(ctx, cmd)
			return err
		})
		tasks = append(tasks, task.AnyTask)
	}
	testutil.Await(t, "all to run", func() bool {
		if goroutines() < n {
			return false
		}
		for _, task := range tasks {
			if task.State() != "SELECT" {
				return false
			}
		}
		return true
	})
	after := runtime.NumGoroutine()
	pollers := strings.Contains(testutil.Stacks(), "poll.watchByGoroutine")
	for _, task := range tasks {
		task.CancelNow()
	}
	for _, task := range tasks {
		joined(t, task)
	}
	t.Logf("%d goroutines for %d programs", after-before, n)
	if pollers {
		t.Skip("the runtime's poller cannot watch several descriptors without goroutines")
	}
	if after-before > 2*n+8 { // one of the caller's, and that which collects the status
		t.Errorf("%d goroutines for %d programs", after-before, n)
	}
}

// The shutdown of a kernel ends the programs that its tasks run, and waits for them.
func TestShutdown(t *testing.T) {
	testutil.NoLeaks(t)
	for name, run := range map[string]func(ctx context.Context, cmd *subprocess.Cmd) error{
		"Run": func(ctx context.Context, cmd *subprocess.Cmd) error { _, err := subprocess.Run(ctx, cmd); return err },
		"RunPipeline": func(ctx context.Context, cmd *subprocess.Cmd) error {
			_, err := subprocess.RunPipeline(ctx, subprocess.Command("yes"), cmd)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			out := new(screen)
			cmd := shell("echo $$ >&2; exec sleep 1000")
			cmd.Stderr = subprocess.Writer(out)
			k := curio.NewKernel()
			result := make(chan error, 1)
			ran := make(chan error, 1)
			go func() {
				ran <- k.Run(background, func(ctx context.Context) error {
					err := run(ctx, cmd)
					result <- err
					return err
				})
			}()
			out.await(t, "\n")
			check(t, k.Shutdown(background))
			wantError(t, testutil.Receive(t, "result", result), curio.ErrTaskCancelled)
			testutil.Receive(t, "return of the kernel's Run", ran)
			noChildren(t)
		})
	}
}

// Trap 36: a program that ends as Run is cancelled has its own result, or the cancellation's, and never a
// mixture; all that it has written is there if it is its own.
func TestCancelAtTheEnd(t *testing.T) {
	testutil.NoLeaks(t)
	cmd := shell("echo out; exit 3")
	own, short := 0, 0
	for range testutil.Times(400) {
		pause := time.Duration(rand.IntN(4000)) * time.Microsecond
		c, err := cut(t, func(ctx context.Context) (*subprocess.Completed, error) {
			return subprocess.Run(ctx, cmd)
		}, func() { check(t, curio.Sleep(background, pause)) })
		var exit *subprocess.ExitError
		switch {
		case errors.Is(err, curio.ErrTaskCancelled):
			short++
			if errors.As(err, &exit) {
				t.Fatalf("%v", err)
			}
		case errors.As(err, &exit) && exit.Status.Code == 3 && string(c.Stdout) == "out\n" && !c.Incomplete:
			own++
		default:
			t.Fatalf("%+v, %v", c, err)
		}
	}
	t.Logf("%d with a result of their own, %d cut short", own, short)
	noChildren(t)
}

// A lateContext is done when it has been asked n times, but only when no program runs any more.
type lateContext struct {
	context.Context
	cancel context.CancelFunc
	n      int32
	asked  atomic.Int32
}

func (c *lateContext) Done() <-chan struct{} {
	if c.asked.Add(1) == c.n {
		testutil.Eventually(func() bool { return !anyChild() })
		c.cancel()
	}
	return c.Context.Done()
}

// The same at the worst moment: the program has ended before its task looks, which finds ctx done. Its own
// result counts.
func TestCancelAfterTheEnd(t *testing.T) {
	testutil.NoLeaks(t)
	if runtime.GOOS != "linux" {
		t.Skip("there is no /proc here")
	}
	own := 0
	for n := int32(1); n < 100; n++ {
		base, cancel := context.WithCancel(background)
		ctx := &lateContext{Context: base, cancel: cancel, n: n}
		c, err := subprocess.Run(ctx, shell("echo out; exit 3"))
		cancel()
		var exit *subprocess.ExitError
		switch {
		case c == nil: // not started
			wantError(t, err, context.Canceled)
		case errors.As(err, &exit) && exit.Status.Code == 3 && string(c.Stdout) == "out\n":
			if own++; ctx.asked.Load() < n {
				n = 100 // it has not been done at all
			}
		case !errors.Is(err, context.Canceled): // its status may be collected a moment too late
			t.Fatalf("%d: %+v, %v", n, c, err)
		}
	}
	if own < 2 {
		t.Error("no program has had a result of its own")
	}
}

// Nothing waits for the garbage collector to be closed: not what a failed start has opened, not what belongs
// to a program that has left somebody behind.
func TestNothingForTheCollector(t *testing.T) {
	testutil.NoLeaks(t)
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	before := len(testutil.Descriptors(os.Getpid()))
	missing := piped(subprocess.Command("/no/such/program"))
	behind := shell("sleep 1000 & echo $!")
	behind.Drain = time.Millisecond
	for range 5 {
		_, err := subprocess.Popen(background, missing)
		wantError(t, err, fs.ErrNotExist)
		_, err = subprocess.RunPipeline(background, subprocess.Command("yes"), subprocess.Command("cat"), subprocess.Command("/no/such/program"))
		wantError(t, err, fs.ErrNotExist)
		out, err := subprocess.CheckOutput(background, behind)
		wantError(t, err, subprocess.ErrIncomplete)
		defer killPid(t, strings.TrimSpace(string(out)))
		p, err := subprocess.Popen(background, piped(subprocess.Command("true")))
		check(t, err)
		_, _, err = p.Communicate(background, nil)
		check(t, err)
		check(t, p.Close())
	}
	testutil.NoMoreDescriptors(t, before)
}

// Trap 62: of output over the limit the beginning and the end are kept, the rest is counted, and the
// program is not held up.
func TestOutputLimit(t *testing.T) {
	testutil.NoLeaks(t)
	cmd := shell("echo begin; head -c 1000000 /dev/zero; echo end; (echo begin; head -c 1000000 /dev/zero; echo fin) >&2")
	cmd.OutputLimit = 100
	c, err := subprocess.Run(background, cmd)
	check(t, err)
	for name, got := range map[string][]byte{"begin end": c.Stdout, "begin fin": c.Stderr} {
		first, last, _ := strings.Cut(name, " ")
		if len(got) != 100 || !bytes.HasPrefix(got, []byte(first+"\n\x00")) || !bytes.HasSuffix(got, []byte("\x00"+last+"\n")) {
			t.Errorf("%s: %q", name, got)
		}
	}
	if want := int64(1000000 + len("begin\nend\n") - 100); c.StdoutDropped != want || c.StderrDropped != want || c.Incomplete {
		t.Errorf("%d and %d dropped, want %d", c.StdoutDropped, c.StderrDropped, want)
	}
	out, err := subprocess.CheckOutput(background, cmd)
	wantError(t, err, subprocess.ErrIncomplete)
	wantText(t, err, "999910 bytes")
	if len(out) != 100 {
		t.Errorf("%q", out)
	}
	cmd.OutputLimit = -1
	c, err = subprocess.Run(background, cmd)
	check(t, err)
	if len(c.Stdout) != 1000010 || c.StdoutDropped != 0 {
		t.Errorf("%d bytes", len(c.Stdout))
	}
}

// Text that a program has written gets no further into an error than a line of it, and with nothing in it
// that a terminal would obey.
func TestExitErrorText(t *testing.T) {
	for _, test := range []struct{ stderr, want string }{
		{"", "subprocess: x: exit status 1"},
		{"\n plain: text \n", "subprocess: x: exit status 1: plain: text"},
		{"two\nlines\x1b[2J", `subprocess: x: exit status 1: "two\nlines\x1b[2J"`},
		{strings.Repeat("é", 200), "subprocess: x: exit status 1: ..." + strings.Repeat("é", 128)},
		{"a" + strings.Repeat("é", 128), "subprocess: x: exit status 1: ..." + strings.Repeat("é", 128)},
		{"\xff", `subprocess: x: exit status 1: "\xff"`},
	} {
		e := &subprocess.ExitError{Name: "x", Status: subprocess.ExitStatus{Code: 1}, Stderr: []byte(test.stderr)}
		if got := e.Error(); got != test.want {
			t.Errorf("%q: %s, want %s", test.stderr, got, test.want)
		}
	}
	unknown := &subprocess.ExitError{Name: "x", Status: subprocess.ExitStatus{Code: -1, Unknown: true}}
	wantText(t, unknown, "status unknown")
	dumped := &subprocess.ExitError{Name: "x", Status: subprocess.ExitStatus{Code: -1, Signal: syscall.SIGSEGV, CoreDumped: true}}
	wantText(t, dumped, "segmentation fault (core dumped)")
}
