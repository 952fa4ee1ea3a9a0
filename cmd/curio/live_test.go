package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/monitor"
)

// monitored starts a monitor of k alone.
func monitored(t *testing.T, addr string, k *curio.Kernel, opts ...monitor.Option) *monitor.Server {
	t.Helper()
	server, err := monitor.On(addr, append(opts, monitor.Kernel(k), monitor.Logger(slog.New(slog.DiscardHandler)))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	return server
}

// runKernel runs main in a kernel of its own until the end of the test.
func runKernel(t *testing.T, main func(ctx context.Context) error) *curio.Kernel {
	t.Helper()
	k := curio.NewKernel(curio.Logger(slog.New(slog.DiscardHandler)))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- k.Run(ctx, main) }()
	t.Cleanup(func() {
		cancel()
		testutil.Receive(t, "the end of main", done)
		if err := k.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return k
}

// bank is a program in which the three tasks transfer, audit and print are stuck, over two locks and a queue.
func bank(ctx context.Context) error {
	var accounts, journal curio.Lock
	var one, other curio.Event
	var receipts curio.Queue[string]
	both := func(first, second *curio.Lock, mine, others *curio.Event) func(ctx context.Context) error {
		return func(ctx context.Context) error {
			return first.Do(ctx, func(ctx context.Context) error {
				mine.Set()
				if err := others.Wait(ctx); err != nil {
					return err
				}
				return second.Do(ctx, func(ctx context.Context) error { return receipts.Put(ctx, "done") })
			})
		}
	}
	curio.Go(ctx, both(&accounts, &journal, &one, &other), curio.Name("transfer"))
	curio.Go(ctx, both(&journal, &accounts, &other, &one), curio.Name("audit"))
	curio.Go(ctx, func(ctx context.Context) error {
		_, err := receipts.Get(ctx)
		return err
	}, curio.Name("print"))
	return curio.Sleep(ctx, time.Hour)
}

// hasStates waits until tasks are in states, NAME STATE each.
func hasStates(t *testing.T, k *curio.Kernel, want ...string) {
	t.Helper()
	testutil.Await(t, fmt.Sprintf("%q", want), func() bool {
		left := slices.Clone(want)
		for _, task := range k.Tasks() {
			if i := slices.Index(left, task.Name()+" "+task.State()); i >= 0 {
				left = slices.Delete(left, i, i+1)
			}
		}
		return len(left) == 0
	})
}

// At three in the morning: the program hangs, and its monitor says why, with lines of code.
func TestDeadlockOfARealProgram(t *testing.T) {
	testutil.NoLeaks(t)
	k := runKernel(t, bank)
	hasStates(t, k, "transfer LOCK_ACQUIRE", "audit LOCK_ACQUIRE", "print QUEUE_GET")
	dir, err := os.MkdirTemp("", "curio")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	addr := monitored(t, dir+"/%p", k, monitor.AllowChanges()).Addr()

	for _, c := range []struct {
		args   string
		status int
		want   string // as a regular expression, in which spaces stand for anything on one line
	}{
		{"ps", 0, `LOCK_ACQUIRE transfer Lock audit`},
		{"tree", 0, `LOCK_ACQUIRE Lock audit`},
		{"where transfer", 0, `spawned live_test.go:\d+`},
		{"where transfer", 0, `is at live_test.go:\d+`},
		{"where transfer", 0, `pause stopped for \d`},
		{"why transfer", 0, `transfer LOCK_ACQUIRE audit live_test.go:\d+`},
		{"why audit", 0, `audit LOCK_ACQUIRE transfer live_test.go:\d+`},
		{"why print", 0, `print QUEUE_GET`},
		{"deadlocks", 3, `audit LOCK_ACQUIRE live_test.go:\d+`},
		{"deadlocks -lines=false", 3, `transfer LOCK_ACQUIRE`},
	} {
		r := ask(t, c.args, addr)
		if want := strings.ReplaceAll(c.want, " ", ".*"); r.status != c.status || !regexp.MustCompile(want).MatchString(r.stdout) {
			t.Errorf("curio %s: status %d\n%s%s", c.args, r.status, r.stdout, r.stderr)
		}
	}
	if r := ask(t, "cancel -yes transfer", addr); r.status != 0 || !strings.HasPrefix(r.stdout, "cancelled ") {
		t.Errorf("%+v", r)
	}
	testutil.Await(t, "the end of the deadlock", func() bool { return len(k.Deadlocks()) == 0 })
	if r := ask(t, "deadlocks", addr); r.status != 0 || r.stdout != "no deadlock\n" {
		t.Errorf("%+v", r)
	}
}

// ask runs the program with an environment in which only the monitor is set.
func ask(t *testing.T, args, addr string) result {
	t.Helper()
	return program(t, []string{"CURIO_MONITOR=" + addr}, "", strings.Fields(args)...)
}

// On TCP a real monitor wants its token.
func TestRealTokens(t *testing.T) {
	testutil.NoLeaks(t)
	k := runKernel(t, func(ctx context.Context) error { return curio.Sleep(ctx, time.Hour) })
	server := monitored(t, "127.0.0.1:0", k)
	env := []string{"CURIO_MONITOR=" + server.Addr()}
	if r := program(t, env, "", "ps"); r.status != 1 || !strings.Contains(r.stderr, "asks for its token") {
		t.Errorf("%+v", r)
	}
	env = append(env, "CURIO_MONITOR_TOKEN="+server.Token())
	if r := program(t, env, "", "ps", "-filter", "sleep"); r.status != 0 || !strings.Contains(r.stdout, "TIME_SLEEP") {
		t.Errorf("%+v", r)
	}
	if r := program(t, env, "", "cancel", "-yes", "bank"); r.status != 1 || !strings.Contains(r.stderr, "there is no task bank") {
		t.Errorf("%+v", r)
	}
	main := k.Tasks()[0]
	if r := program(t, env, "", "cancel", "-yes", fmt.Sprint(main.ID())); r.status != 1 || !strings.Contains(r.stderr, "changes are switched off") {
		t.Errorf("%+v", r)
	}
	// The URL that the program prints is for browsers: the token in it must not be an argument.
	if r := program(t, nil, "", "ps", server.URL()); r.status != 1 || strings.Contains(r.stderr, server.Token()) {
		t.Errorf("%+v", r)
	}
}

// What the stub answers has the fields that the monitor has.
func TestStubIsLikeTheMonitor(t *testing.T) {
	testutil.NoLeaks(t)
	k := runKernel(t, bank)
	hasStates(t, k, "transfer LOCK_ACQUIRE", "audit LOCK_ACQUIRE", "print QUEUE_GET")
	addr := monitored(t, "127.0.0.1:0", k, monitor.OpenReading()).Addr()
	s := newStub(t)
	s.change(func() { s.deadlocks = deadlocked() })
	for _, args := range []string{"ps -json", "deadlocks -json"} {
		fields := func(addr string) map[string]bool {
			var v any
			r := ask(t, args, addr)
			if err := json.Unmarshal([]byte(r.stdout), &v); err != nil {
				t.Fatalf("%v: %+v", err, r)
			}
			all := make(map[string]bool)
			addFields(all, "", v)
			return all
		}
		ours, theirs := fields(s.address), fields(addr)
		for field := range theirs {
			if !ours[field] {
				t.Errorf("curio %s: the monitor has %s", args, field)
			}
		}
		for field := range ours {
			// What only some tasks have.
			if !theirs[field] && !strings.Contains(field, ".cancelled") && !strings.Contains(field, ".until") && !strings.Contains(field, ".deadline") {
				t.Errorf("curio %s: the monitor does not have %s", args, field)
			}
		}
	}
}

func addFields(all map[string]bool, path string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for name, field := range v {
			if field != nil {
				all[path+"."+name] = true
				addFields(all, path+"."+name, field)
			}
		}
	case []any:
		for _, item := range v {
			addFields(all, path, item)
		}
	}
}
