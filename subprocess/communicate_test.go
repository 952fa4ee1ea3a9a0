package subprocess_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/stream"
	"github.com/curio-go/curio/subprocess"
)

func piped(c *subprocess.Cmd) *subprocess.Cmd {
	c.Stdin, c.Stdout, c.Stderr = subprocess.Pipe, subprocess.Pipe, subprocess.Pipe
	return c
}

// P10, P14, W-P3: input and output beyond the pipe, the end of input without any input, and the status.
func TestCommunicate(t *testing.T) {
	testutil.NoLeaks(t)
	large := pattern(5 << 20)
	p := popen(t, piped(subprocess.Command("tee", "/dev/stderr")))
	out, errs, err := p.Communicate(background, large)
	check(t, err)
	if !bytes.Equal(out, large) || !bytes.Equal(errs, large) {
		t.Errorf("%d and %d bytes", len(out), len(errs))
	}
	if status, ended := p.Poll(); !ended || !status.Success() {
		t.Errorf("%v, %v", status, ended)
	}
	again, _, err := p.Communicate(background, nil)
	gotBytes(t, again, err, string(large))
	if _, _, err := p.Communicate(background, []byte("more")); !errors.Is(err, os.ErrClosed) {
		t.Errorf("%v", err)
	}

	p = popen(t, piped(subprocess.Command("cat")))
	out, errs, err = p.Communicate(background, nil)
	if check(t, err); len(out)+len(errs) != 0 {
		t.Errorf("%q, %q", out, errs)
	}

	p = popen(t, piped(shell("cat >&2; exit 3")))
	_, errs, err = p.Communicate(background, []byte("to stderr"))
	gotBytes(t, errs, err, "to stderr")
	if status := waitFor(t, p); status.Code != 3 {
		t.Errorf("%v", status)
	}

	c := shell("echo out")
	c.Stdout = subprocess.Pipe
	p = popen(t, c)
	out, errs, err = p.Communicate(background, nil)
	gotBytes(t, out, err, "out\n")
	if errs != nil || p.Stdin != nil || p.Stderr != nil {
		t.Errorf("%q", errs)
	}
	if _, _, err := p.Communicate(background, []byte("x")); !errors.Is(err, os.ErrInvalid) {
		t.Errorf("%v", err)
	}
}

// P9, P14, W-P1: cut short, Communicate returns what there was; called again it goes on where it was, with
// the rest of the input, also when one pipe had already ended.
func TestCommunicateResumed(t *testing.T) {
	testutil.NoLeaks(t)
	large := pattern(1 << 20)

	type resumed struct {
		name, script string
		ended        func(p *subprocess.Process) *stream.Stream // nil for none
	}
	for _, test := range []resumed{
		{"nothing has ended", "read x; echo $x; until test -e $GO; do sleep 0.001; done; cat", nil},
		{
			"stderr has ended", "exec 2>&-; read x; echo $x; until test -e $GO; do sleep 0.001; done; cat",
			func(p *subprocess.Process) *stream.Stream { return p.Stderr },
		},
		{
			"stdout has ended", "exec 3>&2 >&-; read x; echo $x >&3; until test -e $GO; do sleep 0.001; done 2>&-; cat >&3",
			func(p *subprocess.Process) *stream.Stream { return p.Stdout },
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := piped(shell(test.script))
			name := nameIn(t, "go")
			c.Env = append(os.Environ(), "GO="+name)
			p := popen(t, c)
			at := make(chan *curio.AnyTask, 1)
			input := append([]byte("first\n"), large...)
			callers := bytes.Clone(input)
			out, err := cut(t, func(ctx context.Context) ([]byte, error) {
				at <- curio.CurrentTask(ctx)
				out, errs, err := p.Communicate(ctx, callers)
				return append(out, errs...), err
			}, func() {
				task := testutil.Receive(t, "task", at)
				if test.ended != nil { // Communicate closes a stream that has ended
					testutil.Await(t, "end of a stream", func() bool {
						_, err := test.ended(p).Read(background, nil)
						return errors.Is(err, net.ErrClosed)
					})
				}
				awaitState(t, task, "SELECT")
			})
			wantError(t, err, curio.ErrTaskCancelled)
			wantText(t, err, "communicate with")
			clear(callers) // it is the caller's again
			if !bytes.HasPrefix(input, out) {
				t.Errorf("%d bytes: %q", len(out), abridged(out))
			}
			check(t, os.WriteFile(name, nil, 0o600))
			out, errs, err := p.Communicate(background, nil)
			gotBytes(t, append(out, errs...), err, string(input))
		})
	}
}

// The same with each part of the input in a call of its own, each cut at some moment.
func TestCommunicateCutOften(t *testing.T) {
	testutil.NoLeaks(t)
	for range testutil.Times(100) {
		p := popen(t, piped(shell("sleep 0.005; tee /dev/stderr")))
		parts := pattern(300_000)
		said := 0
		for said < len(parts) {
			ctx, cancel := curio.WithTimeout(background, 200*time.Microsecond)
			n := min(len(parts)-said, 100_000)
			_, _, err := p.Communicate(ctx, parts[said:said+n])
			cancel()
			if errors.Is(err, os.ErrClosed) { // all before it has been written
				break
			}
			if err == nil || errors.Is(err, curio.ErrTaskTimeout) {
				said += n
			} else {
				t.Fatal(err)
			}
		}
		out, errs, err := p.Communicate(background, nil)
		check(t, err)
		if !bytes.HasPrefix(parts[:said], out) || !bytes.Equal(out, errs) || len(out) == 0 {
			t.Fatalf("%d and %d bytes of %d", len(out), len(errs), said)
		}
		_ = p.Close()
	}
}

// What a call has returned does not change when another one goes on.
func TestCommunicateReturned(t *testing.T) {
	testutil.NoLeaks(t)
	name := nameIn(t, "go")
	c := piped(shell("echo 123456; until test -e $GO; do sleep 0.001; done; echo abcdefgh"))
	c.Env, c.OutputLimit = append(os.Environ(), "GO="+name), 8
	p := popen(t, c)
	var out []byte
	for wait := time.Millisecond; len(out) < 7; wait *= 2 {
		var err error
		out, _, err = communicateFor(p, wait)
		wantError(t, err, curio.ErrTaskTimeout)
	}
	check(t, os.WriteFile(name, nil, 0o600))
	rest, _, err := p.Communicate(background, nil)
	wantError(t, err, subprocess.ErrIncomplete)
	if string(out) != "123456\n" || string(rest) != "1234fgh\n" {
		t.Errorf("%q, %q", out, rest)
	}
}

func communicateFor(p *subprocess.Process, d time.Duration) (out, errs []byte, err error) {
	ctx, cancel := curio.WithTimeout(background, d)
	defer cancel()
	return p.Communicate(ctx, nil)
}

// Killed in the middle of a Communicate, and after one that was cut short.
func TestCommunicateKilled(t *testing.T) {
	testutil.NoLeaks(t)
	if runtime.GOOS != "linux" {
		t.Skip("there is no /proc here")
	}
	p := popen(t, piped(shell("echo out; exec sleep 1000")))
	line, err := p.Stdout.ReadLine(background)
	check(t, err)
	task := curio.Spawn(background, func(ctx context.Context) ([]byte, error) {
		out, _, err := p.Communicate(ctx, make([]byte, 1<<20))
		return out, err
	})
	awaitState(t, task.AnyTask, "SELECT")
	check(t, p.Kill())
	joined(t, task.AnyTask)
	out, err := task.Result()
	gotBytes(t, out, err, "")
	if status, ended := p.Poll(); !ended || status.Signal != syscall.SIGKILL || line != "out\n" {
		t.Errorf("%v, %v, %q", status, ended, line)
	}

	p = popen(t, piped(shell("read x; echo $x; exec sleep 1000")))
	ctx, cancel := context.WithCancel(background)
	cancel()
	_, _, err = p.Communicate(ctx, append([]byte("hello\n"), make([]byte, 1<<20)...)) // is taken over nevertheless
	wantError(t, err, context.Canceled)
	task = curio.Spawn(background, func(ctx context.Context) ([]byte, error) {
		out, _, err := p.Communicate(ctx, nil)
		return out, err
	})
	awaitState(t, task.AnyTask, "SELECT")
	testutil.Await(t, "sleep", func() bool { return strings.HasPrefix(commandOf(p.Pid()), "sleep") })
	_, err = task.Cancel(background)
	check(t, err)
	check(t, p.Kill())
	out, _, err = p.Communicate(background, nil)
	gotBytes(t, out, err, "hello\n")
}

// commandOf returns the name of what a process executes.
func commandOf(pid int) string {
	name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	return string(name)
}

// P11, W-P5: a program that does not read.
func TestCommunicateUnread(t *testing.T) {
	testutil.NoLeaks(t)
	p := popen(t, piped(shell("exec <&-; echo done")))
	out, _, err := p.Communicate(background, make([]byte, 1<<20))
	gotBytes(t, out, err, "done\n")
	p = popen(t, piped(shell("exec <&-; echo closed; exec sleep 1000")))
	_, err = p.Stdout.ReadLine(background)
	check(t, err)
	_, err = p.Stdin.WriteString(background, "x")
	wantError(t, err, syscall.EPIPE) // who writes directly is told
	wantText(t, err, "standard input of /bin/sh")
}

// What has been read by a stream and not returned, or written and not flushed, is not lost.
func TestCommunicateAfterStreams(t *testing.T) {
	testutil.NoLeaks(t)
	p := popen(t, piped(shell("echo one; echo two; cat")))
	line, err := p.Stdout.ReadLine(background)
	check(t, err)
	testutil.Await(t, "the second line", func() bool { // in the buffer or in the pipe
		all, err := p.Stdout.Peek(background, 4)
		return err == nil && string(all) == "two\n"
	})
	p.Stdin.SetWriteBuffer(100)
	_, err = p.Stdin.WriteString(background, "three ")
	check(t, err)
	out, _, err := p.Communicate(background, []byte("four"))
	gotBytes(t, []byte(line+string(out)), err, "one\ntwo\nthree four")
}

// Closed meanwhile, by another task.
func TestCommunicateClosed(t *testing.T) {
	testutil.NoLeaks(t)
	p := popen(t, piped(subprocess.Command("cat")))
	task := curio.Spawn(background, func(ctx context.Context) ([]byte, error) {
		c := shell("exec sleep 1000")
		c.Stdout = subprocess.Pipe
		p2 := popen(t, c)
		curio.Go(ctx, func(ctx context.Context) error {
			_ = curio.Sleep(ctx, time.Millisecond)
			return p2.Close()
		})
		out, _, err := p2.Communicate(ctx, nil)
		return out, err
	})
	joined(t, task.AnyTask)
	if _, err := task.Result(); err != nil && !errors.Is(err, net.ErrClosed) {
		t.Errorf("%v", err)
	}
	check(t, p.Stdin.Close())
	out, _, err := p.Communicate(background, nil)
	gotBytes(t, out, err, "")
}

// A grandchild holds the pipe, and output over the limit: ErrIncomplete, with what there is.
func TestCommunicateIncomplete(t *testing.T) {
	testutil.NoLeaks(t)
	c := piped(shell("sleep 1000 & echo $!"))
	c.Drain = time.Millisecond
	out, _, err := popen(t, c).Communicate(background, nil)
	wantError(t, err, subprocess.ErrIncomplete)
	killPid(t, strings.TrimSpace(string(out)))
	c = piped(shell("seq 1000 >&2"))
	c.OutputLimit = 8
	_, errs, err := popen(t, c).Communicate(background, nil)
	wantError(t, err, subprocess.ErrIncomplete)
	if string(errs) != "1\n2\n000\n"[:4]+"000\n" && string(errs) != "1\n2\n1000\n"[:4]+"000\n" {
		t.Errorf("%q", errs)
	}
}

// Streams of a Process: both directions, their end, and what a waiting task is shown to wait for.
func TestPopenStreams(t *testing.T) {
	testutil.NoLeaks(t)
	p := popen(t, piped(subprocess.Command("cat")))
	for range 3 {
		_, err := p.Stdin.WriteString(background, "hello\n")
		check(t, err)
		line, err := p.Stdout.ReadLine(background)
		gotBytes(t, []byte(line), err, "hello\n")
	}
	_, err := cut(t, func(ctx context.Context) (string, error) { return p.Stdout.ReadLine(ctx) }, func() {})
	wantError(t, err, curio.ErrTaskCancelled)
	n, err := cut(t, func(ctx context.Context) (int, error) {
		return p.Stdin.Write(ctx, make([]byte, 1<<20)) // cat waits for its output to be read
	}, func() { testutil.Rest() })
	wantError(t, err, curio.ErrTaskCancelled)
	check(t, p.Stdin.CloseContext(background))
	all, err := p.Stdout.ReadAll(background, 1<<20)
	check(t, err)
	if len(all) != n {
		t.Errorf("%d bytes, %d were written", len(all), n)
	}
	_, err = p.Stdout.Read(background, make([]byte, 1))
	if err != io.EOF {
		t.Errorf("%v", err)
	}
	if text := p.Stdout.String(); text != "stream over standard output of cat" {
		t.Errorf("%q", text)
	}
}
