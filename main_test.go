package curio_test

// Behaviours of the original that have no meaning in Go, and so no test:
//
//	K5, K8–K10  a wrong type of function is a compile-time error, and closures do
//	            what partial application and instantiated coroutines did; what is
//	            left of K5, the nil function, is in misuse_test.go
//	K6, K7      there is no table of traps that a program could call wrongly
//	K11         goroutines cannot be stepped; that is for a test kernel
//	K13         a kernel with tasks is never garbage, one without owns nothing:
//	            there is nothing to report but failed tasks (log_test.go)
//	K14, K21    there is no SystemExit or TaskExit; runtime.Goexit is an end like
//	            any other (kernel_test.go)
//	K15         debug options are a package of their own
//	T9          every suspended activity is a goroutine: T8 covers it
//	C10, C11    an error class cannot be chosen, a reason can (C12)
//	C14         a pending timeout is not an object that could be dropped: see M8
//	C15         cancellation is level-triggered, so there is no interrupt: a
//	            timeout or a group around the call does it
//	D6–D8       nothing is raised by hand; returning a cancellation error from a
//	            shield is returning an error (shield_test.go)
//	D10         a cancellation cannot be cleared
//	D11, G23, G24  there are no async threads, every goroutine may block
//	L21         notify may come without the lock; wait may not (sync_misuse_test.go)
//	U3, U4      there are no foreign event loops: goroutines of no task and other
//	            kernels stand for them (lock_test.go, event_test.go, result_test.go)
//	U12         Do sets the result in any case: a function that returns has a value
//	U13         a Result is set once and cannot be cleared; printing is tested
//	X1, X2, X9, X10, A10  processes come later
//	B1, B6      a lock of ours is no sync.Locker; anything else does not compile
//	B4, B5      Go has no reentrant lock; SpawnThread keeps its thread
//	A11         is a call of Spawn
//	A15         no meaning
//	M10         each operation tests its own timeouts
//	M16         Go's results are the function's own variables: there is nothing
//	            to substitute

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/internal/wait"
)

// children are what the test binary does when it plays a child process.
var children = map[string]func(){}

func TestMain(m *testing.M) {
	if play, ok := children[os.Getenv("CURIO_TEST_CHILD")]; ok {
		play()
		os.Exit(0)
	}
	code := m.Run()
	if left := leftGoroutines(); left != "" {
		fmt.Fprintf(os.Stderr, "goroutines of ours are left after all tests:\n\n%s\n", left)
		code = 1
	}
	os.Exit(code)
}

var created = regexp.MustCompile(`created by github\.com/curio-go/curio[./(]`)

// leftGoroutines returns the stacks of goroutines that have to do with this
// module, but for the caller's, once they have had their time to end.
func leftGoroutines() string {
	var left []string
	for range 200 {
		buf := make([]byte, 64<<20)
		stacks := strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n")
		left = slices.DeleteFunc(stacks[1:], func(s string) bool {
			return !strings.Contains(s, "github.com/curio-go/curio.") &&
				!strings.Contains(s, "github.com/curio-go/curio/") && !created.MatchString(s)
		})
		if len(left) == 0 {
			return ""
		}
		time.Sleep(10 * time.Millisecond)
	}
	return strings.Join(left, "\n\n")
}

// A fixture is what a test that runs in a kernel has at hand.
type fixture struct {
	*testing.T
	Kernel  *curio.Kernel
	Journal *journal
}

// must ends the test if err is not nil.
func (f *fixture) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

// threadsEnd waits for the functions in threads whose calls were abandoned: they end a moment
// later than what they waited for.
func (f *fixture) threadsEnd() {
	f.Helper()
	until(f, "the end of the functions in threads", func() bool { return len(f.Kernel.ThreadCalls()) == 0 })
}

// inKernel runs body as the main task of a kernel in a bubble. After that nothing
// may be left: no task, no scope, no waiter, and no line of the log that the test
// has not taken.
func inKernel(t *testing.T, body func(ctx context.Context, f *fixture), opts ...curio.KernelOption) {
	t.Helper()
	awaitEarlierTests(t)
	synctest.Test(t, func(t *testing.T) { withKernel(t, body, opts...) })
}

// awaitEarlierTests waits until nothing is left in the default kernel. A caller that joins
// a task may go on a moment before the task has left the kernel, and the next test looks at
// what is there.
func awaitEarlierTests(t *testing.T) {
	t.Helper()
	testutil.Await(t, "an empty default kernel", func() bool {
		return curio.Root(nil).Waiters()+curio.Root(nil).Children() == 0
	})
}

// withKernel is inKernel outside of a bubble.
func withKernel(t *testing.T, body func(ctx context.Context, f *fixture), opts ...curio.KernelOption) {
	t.Helper()
	awaitEarlierTests(t)
	f := &fixture{T: t, Journal: new(journal)}
	f.Kernel = curio.NewKernel(append(opts, curio.Logger(slog.New(f.Journal)))...)
	err := f.Kernel.Run(t.Context(), func(ctx context.Context) error {
		body(ctx, f)
		f.nothingUnder(ctx)
		return nil
	})
	if err != nil && !(errors.Is(err, curio.ErrGoexit) && t.Failed()) {
		t.Errorf("main task: %v", err)
	}
	f.close()
}

// close shuts the kernel down and looks for what is left.
func (f *fixture) close() {
	f.Helper()
	if err := f.Kernel.Shutdown(context.Background()); err != nil {
		f.Errorf("Shutdown: %v", err)
	}
	if tasks := f.Kernel.Tasks(); len(tasks) > 0 {
		f.Errorf("tasks are left after Shutdown: %v", tasks)
	}
	if w, c := curio.Root(f.Kernel).Waiters(), curio.Root(f.Kernel).Children(); w+c > 0 {
		f.Errorf("%d waiters and %d scopes are left in the kernel", w, c)
	}
	if w, c := curio.Root(nil).Waiters(), curio.Root(nil).Children(); w+c > 0 {
		f.Errorf("%d waiters and %d scopes are left in the default kernel", w, c)
	}
	if lines := f.Journal.lines(); len(lines) > 0 {
		f.Errorf("%d unexpected lines in the log, the first: %s", len(lines), lines[0])
	}
}

// nothingUnder checks that of ctx's own scope nothing hangs but tasks.
func (f *fixture) nothingUnder(ctx context.Context) {
	f.Helper()
	s := curio.ScopeOf(ctx)
	tasks := 0
	s.Tasks(func(o *wait.Owner) bool {
		if o.Parent() == s {
			tasks++
		}
		return true
	})
	if n := s.Children(); n > tasks {
		f.Errorf("%d scopes that are no tasks are left", n-tasks)
	}
	if n := s.Waiters(); n > 0 {
		f.Errorf("%d waiters are left", n)
	}
}

// onlyMain checks that no task but the main one is left.
func (f *fixture) onlyMain() {
	f.Helper()
	synctest.Wait()
	if tasks := f.Kernel.Tasks(); len(tasks) != 1 {
		f.Errorf("left are %v, want the main task alone", tasks)
	}
}

// elapsed checks how much virtual time has passed since start.
func (f *fixture) elapsed(start time.Time, want time.Duration) {
	f.Helper()
	if got := time.Since(start); got != want {
		f.Errorf("took %v, want %v", got, want)
	}
}

// A journal is a slog.Handler that keeps what was logged, one line a record:
// level, message, and attributes as key=value. Errors are errors, not their
// text, in attrs.
type journal struct {
	mu      sync.Mutex
	records []record
}

type record struct {
	level slog.Level
	text  string
	attrs map[string]any
}

func (r record) String() string { return fmt.Sprintf("%v %s %v", r.level, r.text, r.attrs) }

func (j *journal) Enabled(context.Context, slog.Level) bool { return true }
func (j *journal) WithAttrs([]slog.Attr) slog.Handler       { return j }
func (j *journal) WithGroup(string) slog.Handler            { return j }

func (j *journal) Handle(_ context.Context, r slog.Record) error {
	rec := record{r.Level, r.Message, map[string]any{}}
	r.Attrs(func(a slog.Attr) bool {
		rec.attrs[a.Key] = a.Value.Any()
		return true
	})
	j.mu.Lock()
	defer j.mu.Unlock()
	j.records = append(j.records, rec)
	return nil
}

func (j *journal) lines() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	var lines []string
	for _, r := range j.records {
		lines = append(lines, r.String())
	}
	return lines
}

// take removes and returns the records whose message contains text.
func (j *journal) take(text string) []record {
	j.mu.Lock()
	defer j.mu.Unlock()
	var taken []record
	j.records = slices.DeleteFunc(j.records, func(r record) bool {
		if strings.Contains(r.text, text) {
			taken = append(taken, r)
			return true
		}
		return false
	})
	return taken
}

// The messages of the log.
const (
	msgPanic    = "task panicked"
	msgGroup    = "panic in the function of a task group"
	msgUnseen   = "task failed and nobody joined it"
	msgLate     = "took longer than its timeout"
	msgStubborn = "do not react to the shutdown"
)

var errBoom = errors.New("boom")

// sleeper is a task that sleeps until it is cancelled.
func sleeper(ctx context.Context) error { return curio.Sleep(ctx, time.Hour) }

// sleeping is sleeper for groups of ints.
func sleeping(ctx context.Context) (int, error) { return 0, curio.Sleep(ctx, time.Hour) }

// returns is a task that returns v.
func returns[T any](v T) func(context.Context) (T, error) {
	return func(context.Context) (T, error) { return v, nil }
}

// fails is a task that fails at once.
func fails(context.Context) (int, error) { return 0, errBoom }

// after is a task that sleeps and then returns v and err.
func after[T any](d time.Duration, v T, err error) func(context.Context) (T, error) {
	return func(ctx context.Context) (T, error) {
		if err := curio.Sleep(ctx, d); err != nil {
			return v, err
		}
		return v, err
	}
}

// is checks of which of the errors err is one: exactly of those in want.
func is(t testing.TB, what string, err error, want ...error) {
	t.Helper()
	for _, target := range []error{
		curio.ErrCancelled, curio.ErrTaskCancelled, curio.ErrTaskTimeout, curio.ErrTimeoutCancellation,
		curio.ErrUncaughtTimeout, curio.ErrNotTerminated, curio.ErrNoTask, curio.ErrKernelShutdown,
		curio.ErrNotShielded, curio.ErrGoexit, context.Canceled, context.DeadlineExceeded,
		os.ErrDeadlineExceeded, errBoom,
	} {
		if got := errors.Is(err, target); got != slices.Contains(want, target) {
			t.Errorf("%s: errors.Is(%q, %q) = %v", what, fmt.Sprint(err), target, got)
		}
	}
}

// because is like is, for a cancellation. It also checks the reason, which WhoCancelled
// returns.
func because(t testing.TB, what string, err, reason error, want ...error) {
	t.Helper()
	is(t, what, err, want...)
	if who, ok := curio.WhoCancelled(err); !ok || !errors.Is(who.Reason, reason) {
		t.Errorf("%s: %v was cancelled because of %v, want %v", what, err, who.Reason, reason)
	}
	if !strings.Contains(fmt.Sprint(err), strings.TrimPrefix(reason.Error(), "curio: ")) {
		t.Errorf("%s: %q does not say %q", what, fmt.Sprint(err), reason)
	}
}

// What errors.Is is true for, of each error in the table of the design.
var (
	taskCancelled  = []error{curio.ErrTaskCancelled, curio.ErrCancelled, context.Canceled}
	taskTimeout    = []error{curio.ErrTaskTimeout, curio.ErrCancelled, context.DeadlineExceeded, os.ErrDeadlineExceeded}
	outerTimeout   = []error{curio.ErrTimeoutCancellation, curio.ErrCancelled, context.DeadlineExceeded}
	uncaught       = []error{curio.ErrUncaughtTimeout, context.DeadlineExceeded}
	scopeCancelled = []error{curio.ErrCancelled, context.Canceled}
	foreignTimeout = []error{curio.ErrCancelled, context.DeadlineExceeded, os.ErrDeadlineExceeded}
)

// here is the place so many lines after the call, as Cancellation.Where has it.
func here(offset int) string {
	_, file, line, _ := runtime.Caller(1)
	return fmt.Sprintf("%s:%d", file, line+offset)
}

// panics calls f, which must panic with a text that contains want.
func panics(t testing.TB, want string, f func()) {
	t.Helper()
	defer func() {
		t.Helper()
		v := recover()
		text, ok := v.(string)
		if !ok || !strings.HasPrefix(text, "curio: ") || !strings.Contains(text, want) {
			t.Errorf("panicked with %T %q, want a sentence of ours about %q", v, fmt.Sprint(v), want)
		}
	}()
	f()
}

// times is how often a race is run: n times, and a tenth of that with -short.
func times(n int) int {
	if testing.Short() {
		return n / 10
	}
	return n
}

// watch fails the program, with all stacks, if f has not returned in time. It is
// there to show a hang, and not to pass a test.
func watch(t testing.TB, f func()) {
	t.Helper()
	const limit = time.Minute
	dog := time.AfterFunc(limit, func() {
		buf := make([]byte, 16<<20)
		panic(fmt.Sprintf("%s: not done after %v\n\n%s", t.Name(), limit, buf[:runtime.Stack(buf, true)]))
	})
	defer dog.Stop()
	f()
}
