package subprocess_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/subprocess"
)

// long is a grace time that no test lets pass.
const long = testutil.Patience

// short is one that passes.
const short = 20 * time.Millisecond

func TestStopPolitely(t *testing.T) {
	inEachWay(t, func(t *testing.T) {
		for _, sig := range []os.Signal{nil, syscall.SIGINT} {
			c := shell(`trap 'exit 7' TERM; trap 'exit 8' INT; echo ready; while :; do sleep 0.01; done`)
			c.Grace, c.StopSignal = long, sig
			p, out := speaking(t, c)
			out.expect("ready")
			status, err := p.Stop(background)
			check(t, err)
			if want := map[os.Signal]int{nil: 7, syscall.SIGINT: 8}[sig]; status.Code != want {
				t.Errorf("stopped by %v: %+v", sig, status)
			}
		}
	})
}

// A program that ignores the polite signal is killed after the grace time, or at once if there is none.
func TestStopIgnored(t *testing.T) {
	inEachWay(t, func(t *testing.T) {
		for _, grace := range []time.Duration{short, -1} {
			c := shell(`trap '' TERM; echo ready; while :; do sleep 0.01; done`)
			c.Grace = grace
			p, out := speaking(t, c)
			out.expect("ready")
			began := time.Now()
			status, err := p.Stop(background)
			check(t, err)
			if status.Signal != syscall.SIGKILL || status.Code != -1 {
				t.Errorf("%+v", status)
			}
			if took := time.Since(began); took < grace {
				t.Errorf("it was killed after %v", took)
			}
		}
	})
}

// One that is stopped gets the polite signal only with SIGCONT.
func TestStopStopped(t *testing.T) {
	inEachWay(t, func(t *testing.T) {
		c := shell(`trap 'exit 7' TERM; echo ready; while :; do sleep 0.01; done`)
		c.Grace = long
		p, out := speaking(t, c)
		out.expect("ready")
		check(t, p.SendSignal(syscall.SIGSTOP))
		testutil.Await(t, "stop", p.Stopped)
		status, err := p.Stop(background)
		check(t, err)
		if status.Code != 7 {
			t.Errorf("%+v", status)
		}
	})
}

// When the program ends politely, what it has started is ended too, even if that ignores the signal.
func TestStopTree(t *testing.T) {
	inEachWay(t, func(t *testing.T) {
		c := shell(`trap 'exit 7' TERM
			sh -c 'trap "" TERM; echo $$; while :; do sleep 0.01; done' &
			wait; wait`)
		c.Grace = short
		p, out := speaking(t, c)
		grandchild := out.number()
		status, err := p.Stop(background)
		check(t, err)
		if status.Code != 7 {
			t.Errorf("%+v", status)
		}
		awaitGone(t, grandchild)
		if p.Containment() != subprocess.ContainedGroup {
			t.Errorf("contained: %v", p.Containment())
		}
	})
}

// What the program has started has the grace time as well, where that can be.
func TestStopTreeInTime(t *testing.T) {
	ways := subprocess.Ways()
	if ways[len(ways)-1].Name != "by pidfd" {
		t.Skip("the group cannot be signalled by its pidfd here, and is killed with its leader")
	}
	testutil.NoLeaks(t)
	c := shell(`trap 'exit 7' TERM
		sh -c 'trap "echo tidied; exit" TERM; echo ready; while :; do sleep 0.05; done' &
		wait; wait`)
	c.Grace = long
	p, out := speaking(t, c)
	out.expect("ready")
	_, err := p.Stop(background)
	check(t, err)
	if rest := out.all(); !strings.Contains(rest, "tidied\n") {
		t.Errorf("what was started has said %q", rest)
	}
	if p.HasDescriptor() {
		t.Error("the pidfd is still open")
	}
}

// Stop ends what a program has left behind.
func TestStopAfterTheEnd(t *testing.T) {
	ways := subprocess.Ways()
	if ways[len(ways)-1].Name != "by pidfd" {
		t.Skip("the group cannot be signalled by its pidfd here, and nobody can tell whose number it is")
	}
	testutil.NoLeaks(t)
	for _, ctx := range []context.Context{background, cancelled()} {
		c := shell(`sleep 1000 >/dev/null 2>&1 & echo $!`)
		c.Grace = long
		p, out := speaking(t, c)
		left := out.number()
		waitFor(t, p)
		status, err := p.Stop(ctx)
		if !status.Success() || !errors.Is(err, ctx.Err()) {
			t.Errorf("%+v, %v", status, err)
		}
		awaitGone(t, left)
	}
}

// One that leaves the group is not ended, and nobody says that it was.
func TestStopSetsid(t *testing.T) {
	testutil.Need(t, "setsid")
	inEachWay(t, func(t *testing.T) {
		c := shell(`setsid sh -c 'echo $$; exec sleep 1000 >/dev/null 2>&1' & wait`)
		c.Grace = long
		p, out := speaking(t, c)
		away := out.number()
		defer func() { _ = syscall.Kill(away, syscall.SIGKILL) }()
		status, err := p.Stop(background)
		check(t, err)
		if status.Signal != syscall.SIGTERM || p.Containment() != subprocess.ContainedGroup {
			t.Errorf("%+v, contained: %v", status, p.Containment())
		}
		if !runs(away) {
			t.Error("it was ended all the same")
		}
	})
}

// One whose leader has left the group that it led is still ended.
func TestStopLeaderInAnotherGroup(t *testing.T) {
	inEachWay(t, func(t *testing.T) {
		c := self(t, "regroup")
		c.Grace = long
		p, out := speaking(t, c)
		out.expect("regrouped")
		status, err := p.Stop(background)
		check(t, err)
		if status.Signal != syscall.SIGTERM {
			t.Errorf("%+v", status)
		}
	})
}

func init() {
	children["regroup"] = func([]string) error {
		parent, err := syscall.Getpgid(os.Getppid())
		if err != nil {
			return err
		}
		if err := syscall.Setpgid(0, parent); err != nil {
			return err
		}
		os.Stdout.WriteString("regrouped\n")
		select {}
	}
}

// In our own group only the program itself is ended.
func TestStopShared(t *testing.T) {
	inEachWay(t, func(t *testing.T) {
		c := shell(`sleep 1000 >/dev/null 2>&1 & echo $!; wait`)
		c.Group, c.Grace = subprocess.GroupShared, long
		p, out := speaking(t, c)
		left := out.number()
		defer func() { _ = syscall.Kill(left, syscall.SIGKILL) }()
		if subprocess.Listed() != 0 {
			t.Error("it would be killed when this process dies")
		}
		status, err := p.Stop(background)
		check(t, err)
		if status.Signal != syscall.SIGTERM || p.Containment() != subprocess.ContainedNone || !runs(left) {
			t.Errorf("%+v, contained: %v", status, p.Containment())
		}
	})
}

// If ctx is done, the program is killed at once, and the status is SIGKILL.
func TestStopCut(t *testing.T) {
	inEachWay(t, func(t *testing.T) {
		c := shell(`trap 'echo term' TERM; echo ready; while :; do sleep 0.01; done`)
		c.Grace = long
		p, out := speaking(t, c)
		out.expect("ready")
		var status subprocess.ExitStatus
		check(t, curio.Run(background, func(ctx context.Context) error {
			task := curio.Go(ctx, func(ctx context.Context) (err error) {
				status, err = p.Stop(ctx)
				return err
			})
			out.expect("term")
			_, err := task.Cancel(ctx)
			check(t, err)
			wantError(t, task.Err(), curio.ErrTaskCancelled)
			return nil
		}))
		if status.Signal != syscall.SIGKILL {
			t.Errorf("%+v", status)
		}
		q, out := speaking(t, c)
		out.expect("ready")
		status, err := q.Stop(cancelled())
		wantError(t, err, context.Canceled)
		if strings.Contains(err.Error(), "\n") {
			t.Errorf("more than ctx's error: %q", err)
		}
		if status.Signal != syscall.SIGKILL {
			t.Errorf("%+v", status)
		}
	})
}

// Several tasks stop the program, which gets one polite signal.
func TestStopTogether(t *testing.T) {
	inEachWay(t, func(t *testing.T) {
		c := shell(`n=0; trap 'n=$((n+1)); echo term' TERM; trap 'echo usr1' USR1; trap 'exit $n' USR2
			echo ready; while :; do sleep 0.01; done`)
		c.Grace = long
		p, out := speaking(t, c)
		out.expect("ready")
		var all sync.WaitGroup
		stop := func() {
			status, err := p.Stop(background)
			if err != nil || status.Code != 1 {
				t.Errorf("%+v, %v", status, err)
			}
		}
		all.Go(stop)
		out.expect("term")
		all.Go(stop)
		all.Go(stop)
		testutil.Await(t, "all waiting", func() bool { return p.Waiting() == 3 })
		check(t, p.SendSignal(syscall.SIGUSR1)) // with which a second SIGTERM would come
		out.expect("usr1")
		check(t, p.SendSignal(syscall.SIGUSR2))
		all.Wait()
	})
}

// A program that may not be signalled is an error at once, and is waited for all the same.
func TestStopForbidden(t *testing.T) {
	inEachWay(t, func(t *testing.T) {
		subprocess.SetKillBound(t, short)
		c := shell("read line")
		c.Grace = long
		p := start(t, c, stdin(t, nil))
		subprocess.Inject(t, func(step string) error {
			if step == "signal" {
				return syscall.EPERM
			}
			return nil
		})
		_, err := p.Stop(background)
		wantError(t, err, syscall.EPERM)
		wantText(t, err, "stop /bin/sh", "still there")
		_, err = p.Stop(cancelled()) // which does not hide that it is still there
		wantError(t, err, context.Canceled)
		wantError(t, err, syscall.EPERM)
		wantText(t, err, "stop /bin/sh", "still there")
		wantError(t, p.Kill(), syscall.EPERM)
		wantError(t, p.Close(), syscall.EPERM)
		subprocess.InjectNone()
		check(t, p.Kill())
		if status := waitFor(t, p); status.Signal != syscall.SIGKILL {
			t.Errorf("%+v", status)
		}
	})
}

// One that the system holds is an error after a bound. Here it is held by a tracer: it has ended, its
// pidfd can be read, and its status is not there until the tracer has seen it. Nobody spins meanwhile.
func TestStopHeld(t *testing.T) {
	needTracing(t)
	inEachWay(t, func(t *testing.T) {
		subprocess.SetKillBound(t, short)
		c := shell("read line")
		c.Grace = -1
		p := start(t, c, stdin(t, nil))
		tracer := traceIt(t, p.Pid())
		var looks subprocess.Counter
		subprocess.Inject(t, func(step string) error {
			if step == "collect" {
				looks.Add(1)
			}
			return nil
		})
		_, err := p.Stop(background)
		wantText(t, err, "stop /bin/sh", "still there after SIGKILL")
		var failed *subprocess.Error
		if !errors.As(err, &failed) || failed.Pid != p.Pid() {
			t.Errorf("the error is %v", err)
		}
		if n := looks.Load(); n > 50 {
			t.Errorf("it was looked for %d times within %v", n, short)
		}
		tracer.letGo()
		if status := waitFor(t, p); status.Signal != syscall.SIGKILL {
			t.Errorf("%+v", status)
		}
	})
}
