package subprocess_test

import (
	"context"
	"errors"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/subprocess"
)

func TestWait(t *testing.T) {
	for _, c := range []struct {
		script string
		want   subprocess.ExitStatus
	}{
		{"exit 0", subprocess.ExitStatus{}},
		{"exit 3", subprocess.ExitStatus{Code: 3}},
		{"exit 255", subprocess.ExitStatus{Code: 255}},
		{"kill -TERM $$", subprocess.ExitStatus{Code: -1, Signal: syscall.SIGTERM}},
		{"kill -KILL $$", subprocess.ExitStatus{Code: -1, Signal: syscall.SIGKILL}},
	} {
		t.Run(c.script, func(t *testing.T) {
			inEachWay(t, func(t *testing.T) {
				p := start(t, shell(c.script))
				got := waitFor(t, p)
				if got.MaxRSS < 1<<16 || got.UserTime < 0 || got.SystemTime < 0 || got.UserTime+got.SystemTime == 0 {
					t.Errorf("used: %+v", got)
				}
				got.UserTime, got.SystemTime, got.MaxRSS = 0, 0, 0
				if got != c.want {
					t.Errorf("it has ended with %+v, want %+v", got, c.want)
				}
				if again := waitFor(t, p); again.Code != got.Code || again.Signal != got.Signal {
					t.Errorf("later with %+v", again)
				}
				if status, ended := p.Poll(); !ended || status.Code != got.Code {
					t.Errorf("Poll: %+v %v", status, ended)
				}
				if got.Success() != (c.script == "exit 0") {
					t.Errorf("Success is %v", got.Success())
				}
				noChildren(t)
			})
		})
	}
}

// All who wait are told, tasks and goroutines of no task, also in the same Select.
func TestManyWait(t *testing.T) {
	inEachWay(t, func(t *testing.T) {
		p := start(t, shell("read line"), stdin(t, nil))
		var all sync.WaitGroup
		codes := make([]int, 20)
		err := curio.Run(background, func(ctx context.Context) error {
			return curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[struct{}]) error {
				for i := range codes {
					g.Go(func(ctx context.Context) error {
						var status subprocess.ExitStatus
						var err error
						if i%2 == 0 {
							status, err = p.Wait(ctx)
						} else {
							_, err = curio.Select(ctx, p.WaitCase(&status), curio.AfterCase(testutil.Patience))
						}
						codes[i] = status.Code
						return err
					})
				}
				all.Go(func() { waitFor(t, p) })
				testutil.Await(t, "all waiting", func() bool { return p.Waiting() == len(codes)+1 })
				return p.SendSignal(syscall.SIGHUP)
			})
		})
		check(t, err)
		all.Wait()
		for i, code := range codes {
			if code != -1 {
				t.Errorf("task %d was told %d", i, code)
			}
		}
	})
}

// stdin is a standard input: from a pipe with the given text, which stays open if text is nil.
func stdin(t testing.TB, text []byte) *os.File {
	t.Helper()
	r, w := blockingPipe(t)
	if text != nil {
		_, err := w.Write(text)
		check(t, errors.Join(err, w.Close()))
	}
	return r
}

func TestWaitCancelled(t *testing.T) {
	inEachWay(t, func(t *testing.T) {
		p := start(t, shell("read line"), stdin(t, nil))
		err := curio.Run(background, func(ctx context.Context) error {
			task := curio.Go(ctx, func(ctx context.Context) error {
				_, err := p.Wait(ctx)
				return err
			})
			testutil.Await(t, "the wait", func() bool { return task.State() == "PROCESS_WAIT" })
			_, err := task.Cancel(ctx)
			check(t, err)
			if !errors.Is(task.Err(), curio.ErrTaskCancelled) {
				t.Errorf("the wait has ended with %v", task.Err())
			}
			_, err = p.Wait(cancelled())
			wantError(t, err, context.Canceled)
			i, err := curio.Select(cancelled(), p.WaitCase(nil))
			wantError(t, err, context.Canceled)
			if i != -1 {
				t.Errorf("Select: %d", i)
			}
			return nil
		})
		check(t, err)
		if _, ended := p.Poll(); ended || !runs(p.Pid()) {
			t.Error("the program has not survived the cancellation of a Wait")
		}
	})
}

func cancelled() context.Context {
	ctx, cancel := context.WithCancel(background)
	cancel()
	return ctx
}

// After the end no signal is sent to anybody.
func TestSignalAfterEnd(t *testing.T) {
	inEachWay(t, func(t *testing.T) {
		p := start(t, shell("exit 4"))
		waitFor(t, p)
		wantError(t, p.SendSignal(syscall.SIGTERM), os.ErrProcessDone)
		wantError(t, p.SendSignal(syscall.Signal(0)), os.ErrProcessDone)
		wantError(t, p.Terminate(), os.ErrProcessDone)
		wantError(t, p.Kill(), os.ErrProcessDone)
		wantText(t, p.Kill(), "signal /bin/sh", "process")
		status, err := p.Stop(background)
		check(t, err)
		if status.Code != 4 {
			t.Errorf("Stop: %+v", status)
		}
		status, err = p.Stop(cancelled())
		wantError(t, err, context.Canceled)
		if status.Code != 4 {
			t.Errorf("Stop: %+v", status)
		}
		check(t, p.Close())
		check(t, p.Close())
		if p.Stopped() {
			t.Error("it is stopped")
		}
		testutil.Await(t, "closed pidfd", func() bool { return !p.HasDescriptor() })
	})
}

// otherSignal is a signal of another system.
type otherSignal struct{}

func (otherSignal) Signal()        {}
func (otherSignal) String() string { return "wink" }

func TestSignals(t *testing.T) {
	inEachWay(t, func(t *testing.T) {
		p, out := speaking(t, shell(`trap 'echo usr1' USR1; trap 'echo term' TERM; echo ready; while :; do read line; done`))
		out.expect("ready")
		check(t, p.SendSignal(syscall.SIGUSR1))
		out.expect("usr1")
		check(t, p.Terminate())
		out.expect("term")
		wantText(t, p.SendSignal(otherSignal{}), "not a signal of the system")
		if err := p.SendSignal(syscall.Signal(4711)); err == nil {
			t.Error("there is a signal 4711")
		}
		check(t, p.Kill())
		if status := waitFor(t, p); status.Signal != syscall.SIGKILL {
			t.Errorf("%+v", status)
		}
	})
}

// A program that its terminal or SIGSTOP has stopped has not ended, and is seen to be stopped.
func TestStopped(t *testing.T) {
	inEachWay(t, func(t *testing.T) {
		p := start(t, shell("read line"), stdin(t, nil))
		if p.Stopped() {
			t.Error("it is stopped from the beginning")
		}
		check(t, p.SendSignal(syscall.SIGSTOP))
		testutil.Await(t, "stop", p.Stopped)
		if !p.Stopped() || !strings.HasSuffix(p.String(), "(/bin/sh, stopped)") {
			t.Errorf("after one look: %v", p)
		}
		if _, ended := p.Poll(); ended {
			t.Error("it has ended")
		}
		check(t, p.SendSignal(syscall.SIGCONT))
		testutil.Await(t, "continuation", func() bool { return !p.Stopped() })
		check(t, p.Kill())
		waitFor(t, p)
		if !strings.HasSuffix(p.String(), "(/bin/sh, ended)") {
			t.Errorf("%v", p)
		}
	})
}

// Close kills the program and what it has started, and waits for neither.
func TestClose(t *testing.T) {
	inEachWay(t, func(t *testing.T) {
		p, out := speaking(t, shell(`trap '' TERM; sh -c 'trap "" TERM; echo $$; while :; do sleep 10; done' & wait`))
		grandchild := out.number()
		check(t, p.Close())
		check(t, p.Close())
		if status := waitFor(t, p); status.Signal != syscall.SIGKILL {
			t.Errorf("%+v", status)
		}
		awaitGone(t, grandchild)
	})
}

// Nobody keeps the Process, and there is no zombie.
func TestForgotten(t *testing.T) {
	inEachWay(t, func(t *testing.T) {
		for range 5 {
			_, err := subprocess.Start(background, shell("exit 1"))
			check(t, err)
		}
		runtime.GC()
		testutil.Await(t, "end of all", func() bool { return subprocess.Listed() == 0 })
		noChildren(t)
	})
}

// What a program leaves behind when it ends by itself is left alone, by Close too; its pidfd lasts as long
// as the Process, as Stop would need it, and ends with that.
func TestLeftBehind(t *testing.T) {
	inEachWay(t, func(t *testing.T) {
		r, in := blockingPipe(t)
		w, out := pipe(t)
		p := start(t, shell(`exec 3<&0; cat <&3 & echo left`), r, w)
		w.Close()
		r.Close()
		out.expect("left")
		waitFor(t, p)
		check(t, p.Close())
		_, err := in.WriteString("alive\n")
		check(t, err)
		out.expect("alive")
		in.Close()
		out.all()
	})
}

// A Process that is garbage gives back its pidfd, although the group still has members.
func TestLeftBehindAndForgotten(t *testing.T) {
	testutil.NoLeaks(t)
	left := leaveBehind(t)
	defer func() { _ = syscall.Kill(left, syscall.SIGKILL) }()
	testutil.Await(t, "end of its owner", func() bool { return subprocess.Listed() == 0 })
	runtime.GC() // and NoLeaks waits for the descriptor
	runtime.GC()
}

// leaveBehind runs a program that leaves a process behind, whose id it returns.
func leaveBehind(t *testing.T) (pid int) {
	w, out := pipe(t)
	p, err := subprocess.Start(background, shell(`sleep 1000 >/dev/null 2>&1 & echo $!`), nil, w)
	check(t, err)
	w.Close()
	waitFor(t, p)
	return out.number()
}
