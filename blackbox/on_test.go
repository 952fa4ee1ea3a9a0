package blackbox_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/trace"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/blackbox"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/verify/fixture"
)

// on switches the black box on for the time of a test.
func on(t testing.TB, o blackbox.Options) (stop func()) {
	t.Helper()
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	stop, err := blackbox.On(o)
	fixture.Succeed(err)
	t.Cleanup(stop)
	return stop
}

// quiet makes a kernel that logs nothing.
func quiet() curio.KernelOption { return curio.Logger(slog.New(slog.DiscardHandler)) }

// files returns the names of the files in dir that end with suffix.
func files(t testing.TB, dir, suffix string) (found []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	fixture.Succeed(err)
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), suffix) {
			found = append(found, filepath.Join(dir, e.Name()))
		}
	}
	return found
}

// only returns what is in the only file that ends with suffix.
func only(t testing.TB, dir, suffix string) []byte {
	t.Helper()
	found := files(t, dir, suffix)
	if len(found) != 1 {
		t.Fatalf("there are %q, want one %s", found, suffix)
	}
	data, err := os.ReadFile(found[0])
	fixture.Succeed(err)
	if info, err := os.Stat(found[0]); err != nil || info.Mode() != 0o600 {
		t.Errorf("%s has the mode %v", found[0], info.Mode())
	}
	return data
}

// A task panics: there is a report, and no second one soon after.
func TestPanic(t *testing.T) {
	testutil.NoLeaks(t)
	dir := t.TempDir()
	stop := on(t, blackbox.Options{Dir: dir, Stacks: true})
	if _, err := blackbox.On(blackbox.Options{Dir: dir}); !errors.Is(err, blackbox.ErrOn) {
		t.Errorf("a second time: %v", err)
	}
	fixture.Succeed(curio.Run(t.Context(), func(ctx context.Context) error {
		_ = curio.Go(ctx, explode, curio.ReportCrash(false)).Wait(ctx) // and is not reported
		for range 3 {
			_ = curio.Go(ctx, explode, curio.Name("bomb")).Wait(ctx)
		}
		return nil
	}, quiet()))
	stop()
	stop()
	r := read(t, only(t, dir, ".blackbox"))
	if r.Reason != "panic" || len(r.Detail) != 2 || !strings.HasSuffix(r.Detail[0], "/bomb: panic: boom") || !strings.Contains(r.Detail[1], "blackbox_test.explode") {
		t.Errorf("%s: %q", r.Reason, r.Detail)
	}
	if !strings.Contains(r.Stacks, "goroutine ") {
		t.Error("there are no stacks")
	}
	fixture.Succeed(curio.Run(t.Context(), func(ctx context.Context) error {
		return errors.Join(curio.Go(ctx, explode).Wait(ctx), curio.Go(ctx, explode).Wait(ctx))
	}, quiet()))
	only(t, dir, ".blackbox") // nobody has looked
}

// What the user has thrown is not asked for its text.
func TestPanicWithRudeValue(t *testing.T) {
	testutil.NoLeaks(t)
	dir := t.TempDir()
	stop := on(t, blackbox.Options{Dir: dir})
	fixture.Succeed(curio.Run(t.Context(), func(ctx context.Context) error {
		return curio.Go(ctx, func(context.Context) error { panic(rude{}) }).Wait(ctx)
	}, quiet()))
	stop()
	if r := read(t, only(t, dir, ".blackbox")); !strings.HasSuffix(r.Detail[0], ": panic: a blackbox_test.rude") {
		t.Errorf("%q", r.Detail[0])
	}
}

// What the runtime has thrown says what it is.
func TestPanicOfRuntime(t *testing.T) {
	for want, fn := range map[string]func(context.Context) error{
		"interface conversion: interface {} is int, not string": func(context.Context) error { fmt.Println(any(1).(string)); return nil },
		"index out of range [": func(context.Context) error { var s []int; s[len(t.Name())]++; return nil },
	} {
		dir := t.TempDir()
		stop := on(t, blackbox.Options{Dir: dir})
		fixture.Succeed(curio.Run(t.Context(), func(ctx context.Context) error { return curio.Go(ctx, fn).Wait(ctx) }, quiet()))
		stop()
		if r := read(t, only(t, dir, ".blackbox")); !strings.Contains(r.Detail[0], want) {
			t.Errorf("no %q in %q", want, r.Detail[0])
		}
	}
}

// A number of reports is bounded, however many there are, and so is their size.
func TestBounds(t *testing.T) {
	testutil.NoLeaks(t)
	defer blackbox.SetBetween(0)()
	dir := t.TempDir()
	stop := on(t, blackbox.Options{Dir: dir, Keep: 3, MaxSize: 2000})
	fixture.Succeed(curio.Run(t.Context(), func(ctx context.Context) error {
		for range 100 {
			curio.Go(ctx, fixture.Sleeper)
		}
		for range 10 {
			_ = curio.Go(ctx, explode).Wait(ctx)
		}
		return nil
	}, quiet()))
	stop()
	left := files(t, dir, ".blackbox")
	if len(left) > 3 || len(left) == 0 {
		t.Errorf("%d reports are left", len(left))
	}
	for _, path := range left {
		data, err := os.ReadFile(path)
		fixture.Succeed(err)
		if r := read(t, data); len(data) > 10_000 || r.LeftOff == 0 {
			t.Errorf("%d bytes, %d left off", len(data), r.LeftOff)
		}
	}
}

// A kernel that does not shut down, as one of its tasks heeds nothing.
func TestShutdown(t *testing.T) {
	testutil.NoLeaks(t)
	dir := t.TempDir()
	stop := on(t, blackbox.Options{Dir: dir})
	release := make(chan struct{})
	k := curio.NewKernel(quiet())
	began := make(chan struct{})
	fixture.Succeed(k.Run(t.Context(), func(ctx context.Context) error {
		curio.Go(ctx, func(context.Context) error { close(began); <-release; return nil }, curio.Name("stubborn"))
		<-began
		return nil
	}))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var late *curio.ShutdownError
	if err := k.Shutdown(ctx); !errors.As(err, &late) {
		t.Errorf("the shutdown: %v", err)
	}
	stop()
	close(release)
	fixture.Succeed(k.Shutdown(t.Context()))
	r := read(t, only(t, dir, ".blackbox"))
	if r.Reason != "shutdown" || !strings.Contains(strings.Join(r.Detail, "\n"), "stubborn") || task(t, r, "stubborn").Cancelled == "" {
		t.Errorf("%s: %q", r.Reason, r.Detail)
	}
}

// The flight recorder's window is beside the report.
func TestFlightRecorder(t *testing.T) {
	testutil.NoLeaks(t)
	recorder := trace.NewFlightRecorder(trace.FlightRecorderConfig{})
	fixture.Succeed(recorder.Start())
	defer recorder.Stop()
	dir := t.TempDir()
	stop := on(t, blackbox.Options{Dir: dir, FlightRecorder: recorder})
	fixture.Succeed(curio.Run(t.Context(), func(ctx context.Context) error {
		return curio.Go(ctx, explode).Wait(ctx)
	}, quiet()))
	stop()
	if data := only(t, dir, ".trace"); !bytes.HasPrefix(data, []byte("go 1.")) {
		t.Errorf("it is no trace: %.20q", data)
	}
	report, window := files(t, dir, ".blackbox")[0], files(t, dir, ".trace")[0]
	if strings.TrimSuffix(report, ".blackbox") != strings.TrimSuffix(window, ".trace") {
		t.Errorf("%s is not beside %s", window, report)
	}
}

// The log says where a report is, and a handler that panics harms nobody.
func TestLog(t *testing.T) {
	testutil.NoLeaks(t)
	dir := t.TempDir()
	var mu sync.Mutex
	var logged strings.Builder
	handler := slog.NewTextHandler(lockedWriter{&mu, &logged}, nil)
	stop := on(t, blackbox.Options{Dir: dir, Logger: slog.New(handler)})
	fixture.Succeed(curio.Run(t.Context(), func(ctx context.Context) error {
		return curio.Go(ctx, explode).Wait(ctx)
	}, quiet()))
	stop()
	path := files(t, dir, ".blackbox")[0]
	if !strings.Contains(logged.String(), "path="+path) {
		t.Errorf("%s is not in %s", path, logged.String())
	}
	stop = on(t, blackbox.Options{Dir: dir, Logger: slog.New(slog.NewTextHandler(lockedWriter{}, nil))})
	fixture.Succeed(curio.Run(t.Context(), func(ctx context.Context) error {
		return curio.Go(ctx, explode).Wait(ctx)
	}, quiet()))
	stop()
}

type lockedWriter struct {
	mu *sync.Mutex // nil for one that panics
	b  *strings.Builder
}

func (w lockedWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.Write(p)
}

// The ring moves into a file and back while tasks write to it.
func TestMappedRace(t *testing.T) {
	testutil.NoLeaks(t)
	dir := t.TempDir()
	fixture.Succeed(curio.Run(t.Context(), func(ctx context.Context) error {
		end := make(chan struct{})
		var busy sync.WaitGroup
		for range 4 {
			busy.Go(func() {
				for {
					select {
					case <-end:
						return
					default:
						_ = curio.Go(ctx, fixture.Nothing).Wait(ctx)
					}
				}
			})
		}
		for range testutil.Times(300) {
			stop := on(t, blackbox.Options{Dir: dir, Mapped: true, Waits: true})
			data := only(t, dir, ".ring")
			if r := read(t, data); r.Reason != "mapped" || r.PID != os.Getpid() {
				t.Errorf("%+v", r)
			}
			stop()
			if left, _ := os.ReadDir(dir); len(left) > 0 {
				t.Fatalf("%v is left", left)
			}
		}
		close(end)
		busy.Wait()
		return nil
	}))
}

// recent checks that the last event of a task is of the given kind.
func recent(t *testing.T, r *blackbox.Report, name, kind string) {
	t.Helper()
	id, last := uint64(0), ""
	for _, e := range r.Events {
		if e.Kind == "created" && e.Text == name {
			id = e.Task
		}
		if id != 0 && e.Task == id {
			last = e.Kind
			if since := time.Since(e.Time); since < 0 || since > time.Hour {
				t.Errorf("an event was %v ago", since)
			}
		}
	}
	if last != kind {
		t.Errorf("the last event of %s is %q, want %q; events: %+v", name, last, kind, r.Events)
	}
}

func start(t *testing.T, what string) (c *testutil.Child, dir string) {
	t.Helper()
	dir = t.TempDir()
	return testutil.Self(t, what, dir), dir
}

// SIGQUIT: a report, and then the end as ever.
func TestQuit(t *testing.T) {
	c, dir := start(t, "quit")
	c.After("ready")
	c.Signal(syscall.SIGQUIT)
	if status := c.Wait(); status != 2 {
		t.Errorf("the status is %d, want 2", status)
	}
	if said := c.Stderr(); !strings.Contains(said, "SIGQUIT: quit") || !strings.Contains(said, "goroutine ") {
		t.Errorf("the runtime has not printed the stacks:\n%s", said)
	}
	r := read(t, only(t, dir, ".blackbox"))
	if r.Reason != "SIGQUIT" || r.PID != c.PID() || task(t, r, "sleeper").State != "TIME_SLEEP" {
		t.Errorf("%s of %d", r.Reason, r.PID)
	}
}

// A disk that hangs does not keep the process from ending.
func TestQuitHangs(t *testing.T) {
	c, _ := start(t, "quit hangs")
	c.After("ready")
	c.Signal(syscall.SIGQUIT)
	if status := c.Wait(); status != 2 || !strings.Contains(c.Stderr(), "SIGQUIT: quit") {
		t.Errorf("the status is %d, want 2; %s", status, c.Stderr())
	}
}

// A program that handles SIGQUIT itself goes on.
func TestQuitHandled(t *testing.T) {
	for _, what := range []string{"quit handled", "quit handled by others"} {
		t.Run(what, func(t *testing.T) {
			c, dir := start(t, what)
			c.After("ready")
			c.Signal(syscall.SIGQUIT)
			printed, status := c.Rest()
			if status != 0 || !strings.Contains(printed, "handled quit") {
				t.Errorf("status %d, printed %q; %s", status, printed, c.Stderr())
			}
			read(t, only(t, dir, ".blackbox"))
		})
	}
}

// A program that has handled SIGQUIT, and does so no more, ends by the next one.
func TestQuitHandledOnce(t *testing.T) {
	c, dir := start(t, "quit handled once")
	c.After("ready")
	c.Signal(syscall.SIGQUIT)
	c.After("ready again")
	c.Signal(syscall.SIGQUIT)
	if status := c.Wait(); status != 2 || !strings.Contains(c.Stderr(), "SIGQUIT: quit") {
		t.Errorf("the status is %d, want 2; %s", status, c.Stderr())
	}
	if len(files(t, dir, ".blackbox")) == 0 {
		t.Error("there is no report")
	}
}

// A signal that comes while the black box is switched off is not lost: it ends the process, in one way or the other.
func TestQuitAndStop(t *testing.T) {
	for range testutil.Starts(50) {
		c, _ := start(t, "quit and stop")
		if status := c.Wait(); status != 2 || !strings.Contains(c.Stderr(), "SIGQUIT: quit") {
			t.Fatalf("the status is %d, want 2; %s", status, c.Stderr())
		}
	}
}

// Nobody can catch SIGKILL, and the ring is there all the same.
func TestKilled(t *testing.T) {
	c, dir := start(t, "killed")
	c.After("ready")
	c.Signal(syscall.SIGKILL)
	c.EndedBy(syscall.SIGKILL)
	r := read(t, only(t, dir, ".ring"))
	if r.PID != c.PID() {
		t.Errorf("it is of process %d, not %d", r.PID, c.PID())
	}
	recent(t, r, "sleeper", "sleeps")
	if words := only(t, dir, ".crash"); len(words) > 0 {
		t.Errorf("the last words are %q", words)
	}
	if shown := text(t, r); !strings.Contains(shown, "a mapped file") || !strings.Contains(shown, "sleeper: sleeps TIME_SLEEP") {
		t.Errorf("it is shown as\n%s", shown)
	}
	// The next process leaves what it finds.
	next := testutil.Self(t, "clean", dir)
	if status := next.Wait(); status != 0 {
		t.Errorf("status %d: %s", status, next.Stderr())
	}
	only(t, dir, ".ring")
}

func TestCrashInGoroutine(t *testing.T) {
	c, dir := start(t, "crash in a goroutine")
	if status := c.Wait(); status != 2 {
		t.Errorf("the status is %d", status)
	}
	if words := string(only(t, dir, ".crash")); !strings.Contains(words, "panic: no task's") {
		t.Errorf("the last words are %q", words)
	}
	recent(t, read(t, only(t, dir, ".ring")), "sleeper", "created")
}

// A stack overflow runs none of our code. What the runtime has said of it comes without its message: go.dev/issue/76859.
func TestFatalError(t *testing.T) {
	c, dir := start(t, "fatal error")
	if status := c.Wait(); status != 2 {
		t.Errorf("the status is %d", status)
	}
	if words := string(only(t, dir, ".crash")); !strings.Contains(words, "blackbox_test.overflow(") {
		t.Errorf("the last words are %.2000q", words)
	}
	recent(t, read(t, only(t, dir, ".ring")), "sleeper", "created")
}

// With CrashOnPanic, the report is written before the process ends.
func TestCrashInTask(t *testing.T) {
	c, dir := start(t, "crash in a task")
	if status := c.Wait(); status != 2 || !strings.Contains(c.Stderr(), "panic: boom") {
		t.Errorf("status %d: %s", status, c.Stderr())
	}
	r := read(t, only(t, dir, ".blackbox"))
	if r.Reason != "panic" || !strings.HasSuffix(r.Detail[0], "/bomb: panic: boom") {
		t.Errorf("%s: %q", r.Reason, r.Detail)
	}
}

func TestCleanEnd(t *testing.T) {
	c, dir := start(t, "clean")
	if status := c.Wait(); status != 0 {
		t.Errorf("status %d: %s", status, c.Stderr())
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
}
