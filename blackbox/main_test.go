package blackbox_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/blackbox"
	"github.com/curio-go/curio/internal/testutil"
	cs "github.com/curio-go/curio/signal"
	"github.com/curio-go/curio/verify/fixture"
)

func TestMain(m *testing.M) { testutil.Main(m, child) }

// child is what a child process of a test runs: a case, and a directory.
func child() {
	what, dir := os.Args[1], os.Args[2]
	o := blackbox.Options{Dir: dir}
	switch what {
	case "quit", "quit and stop", "quit handled once", "quit handled", "quit handled by others":
		o.Quit = true
	case "quit hangs":
		o.Quit, o.QuitLimit = true, time.Millisecond
		blackbox.SetBeforeWrite(func() { select {} })
	case "killed":
		o.Mapped, o.CrashOutput, o.Waits = true, true, true
	case "crash in a goroutine", "fatal error", "clean":
		o.Mapped, o.CrashOutput = true, true
	}
	stop, err := blackbox.On(o)
	fixture.Succeed(err)
	defer stop()
	stopBox = stop
	var opts []curio.KernelOption
	if what == "crash in a task" {
		opts = append(opts, curio.CrashOnPanic())
	}
	fixture.Succeed(curio.Run(context.Background(), func(ctx context.Context) error {
		curio.Go(ctx, fixture.Sleeper, curio.Name("sleeper"))
		return children[what](ctx)
	}, opts...))
}

// stopBox ends the black box of a child.
var stopBox func()

// children are the main tasks of the children.
var children = map[string]func(ctx context.Context) error{
	"quit":       waitToDie,
	"quit hangs": waitToDie,
	"killed":     waitToDie,
	"clean":      fixture.Nothing,
	"quit and stop": func(ctx context.Context) error {
		fixture.Succeed(syscall.Kill(os.Getpid(), syscall.SIGQUIT))
		stopBox()
		return fixture.Sleeper(ctx)
	},
	"quit handled once": func(ctx context.Context) error {
		q := cs.NewQueue(syscall.SIGQUIT)
		fmt.Println("ready")
		_, err := q.Get(ctx)
		fixture.Succeed(errors.Join(err, q.Close()))
		fmt.Println("ready again")
		return fixture.Sleeper(ctx)
	},
	"quit handled": func(ctx context.Context) error {
		q := cs.NewQueue(syscall.SIGQUIT)
		defer q.Close()
		fmt.Println("ready")
		sig, err := q.Get(ctx)
		fmt.Println("handled", sig)
		return err
	},
	"quit handled by others": func(context.Context) error {
		c := make(chan os.Signal, 2) // or the second is dropped while the first is there
		signal.Notify(c, syscall.SIGQUIT)
		fmt.Println("ready")
		fmt.Println("handled", <-c)
		fmt.Println("and again", <-c) // when the report has been written
		return nil
	},
	"crash in a task": func(ctx context.Context) error {
		return curio.Go(ctx, explode, curio.Name("bomb")).Wait(ctx)
	},
	"crash in a goroutine": func(ctx context.Context) error {
		go func() { panic("no task's") }()
		return fixture.Sleeper(ctx)
	},
	"fatal error": func(context.Context) error {
		debug.SetMaxStack(64 << 10)
		fmt.Println(overflow(0))
		return nil
	},
}

func waitToDie(ctx context.Context) error {
	for curio.CurrentTask(ctx) != nil && !asleep(ctx, "sleeper") {
		testutil.Rest()
	}
	fmt.Println("ready")
	return fixture.Sleeper(ctx)
}

// asleep reports whether a task of the given name sleeps.
func asleep(ctx context.Context, name string) bool {
	for _, t := range curio.KernelOf(ctx).Tasks() {
		if t.Name() == name && t.State() == "TIME_SLEEP" {
			return true
		}
	}
	return false
}

func overflow(i int) int {
	if i < 0 { // which does not come
		return 0
	}
	return overflow(i+1) + 1
}

func explode(context.Context) error { panic("boom") }
