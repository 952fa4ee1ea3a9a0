package monitor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/origin"
	"github.com/curio-go/curio/internal/quote"
	"github.com/curio-go/curio/internal/signals"
)

// A view is what a monitor shows, and what it can change. Both the lines and the JSON are made from it.
type view struct {
	*settings

	program string
	logging atomic.Int32 // goroutines that log; see note
}

func newView(s *settings) *view {
	return &view{settings: s, program: filepath.Base(os.Args[0])}
}

func (v *view) kernelsNow() []*curio.Kernel {
	if v.kernels != nil {
		return v.kernels
	}
	return curio.Kernels()
}

// tasks returns the tasks that run, the oldest first.
func (v *view) tasks() (tasks []*curio.AnyTask) {
	for _, k := range v.kernelsNow() {
		tasks = append(tasks, k.Tasks()...)
	}
	slices.SortFunc(tasks, func(a, b *curio.AnyTask) int { return cmp.Compare(a.ID(), b.ID()) })
	return tasks
}

// task returns the task with the given number, nil if there is none.
func (v *view) task(id uint64) *curio.AnyTask {
	for _, k := range v.kernelsNow() {
		for _, t := range k.Tasks() {
			if t.ID() == id {
				return t
			}
		}
	}
	return nil
}

// A query chooses tasks.
type query struct {
	after  uint64 // only the ones with higher numbers
	limit  int
	filter string // only the ones with this in their name or state, in letters of either case, or with this number
}

// choose returns the tasks that q asks for, how many there are in all, and how many it has left off.
func (v *view) choose(q query) (chosen []*curio.AnyTask, total, leftOff int) {
	tasks := v.tasks()
	filter := strings.ToLower(q.filter)
	for _, t := range tasks {
		switch {
		case t.ID() <= q.after:
		case filter != "" && !matches(t, filter):
		case len(chosen) == q.limit:
			leftOff++
		default:
			chosen = append(chosen, t)
		}
	}
	return chosen, len(tasks), leftOff
}

func matches(t *curio.AnyTask, filter string) bool {
	return strings.Contains(strings.ToLower(t.Name()), filter) || strings.Contains(strings.ToLower(t.State()), filter) ||
		strconv.FormatUint(t.ID(), 10) == filter
}

// mostNames is how many names of a path are shown. A chain of tasks can be as long as memory allows.
const mostNames = 16

// path returns the innermost names of the path of t.
func path(t *curio.AnyTask) string {
	var names []string
	for ; t != nil && len(names) < mostNames; t = t.Parent() {
		names = append(names, t.Name())
	}
	if t != nil {
		names = append(names, "…")
	}
	slices.Reverse(names)
	return strings.Join(names, "/")
}

// place returns a line of code as people say it: with the directory, and not with the whole path.
func place(file string, line int) string {
	if file == "" {
		return ""
	}
	return filepath.Base(filepath.Dir(file)) + "/" + filepath.Base(file) + ":" + strconv.Itoa(line)
}

// placeIn returns the line of the user's in a stack of the task, or else where it was spawned.
func placeIn(stack string, t *curio.AnyTask) string {
	if file, line := origin.Innermost(stack); file != "" {
		return place(file, line)
	}
	return t.Inspect().Spawned
}

// haveText are the types of errors that have their text, and call nothing for it.
var haveText = typesOf(
	errors.New(""), fmt.Errorf("%d", 0), fmt.Errorf("%w", errOff), fmt.Errorf("%w, %w", errOff, errOff), context.DeadlineExceeded, syscall.Errno(0),
)

func typesOf(errs ...error) map[reflect.Type]bool {
	types := make(map[reflect.Type]bool, len(errs))
	for _, err := range errs {
		types[reflect.TypeOf(err)] = true
	}
	return types
}

// errorText is the text of an error, without running code of the program's: that may hang on the very thing that everything
// hangs on. The text of an error of another type is its type.
func errorText(err error) string {
	switch t := reflect.TypeOf(err); {
	case err == nil:
		return ""
	case haveText[t]:
		return err.Error()
	default:
		return "a " + t.String()
	}
}

// keyText is the text of a key of BlockInThread.
func keyText(key any) string {
	if key == nil {
		return ""
	}
	return quote.Value(key)
}

// What cannot be done, and why.
var (
	errOff     = errors.New("changes are switched off: the program has to use monitor.AllowChanges")
	errNoLevel = errors.New("the monitor cannot set the level of the log: the program has to use monitor.LogLevel")
)

// A noTaskError says that there is no such task.
type noTaskError uint64

func (e noTaskError) Error() string { return fmt.Sprintf("no task %d", uint64(e)) }

// errBy is the reason that a cancelled task is given.
var errBy = errors.New("cancelled through the monitor")

// cancel cancels t, in the name of somebody at the given address.
func (v *view) cancel(t *curio.AnyTask, from string) (whom string, err error) {
	if !v.changes {
		return "", errOff
	}
	whom = path(t)
	did := t.CancelNow(errBy)
	if !did && t.Terminated() { // it has been quick
		return "", noTaskError(t.ID())
	}
	v.note("curio/monitor: task cancelled", "task", quote.Text(whom, longestText), "id", t.ID(), "client", from, "before", !did)
	return whom, nil
}

// signal sends the process a signal.
func (v *view) signal(name, from string) (its string, err error) {
	if !v.changes {
		return "", errOff
	}
	sig, ok := signals.Named(name)
	if !ok {
		return "", fmt.Errorf("unknown signal %s", name)
	}
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		return "", err
	}
	// The signal may end the program at once.
	logged := v.note("curio/monitor: signal sent", "signal", signals.Name(sig), "client", from)
	bound, cancel := context.WithTimeout(context.Background(), logTime)
	defer cancel()
	select {
	case <-logged:
	case <-bound.Done():
	}
	return signals.Name(sig), self.Signal(sig)
}

// log sets the level of the log.
func (v *view) log(level, from string) (its string, err error) {
	switch {
	case !v.changes:
		return "", errOff
	case v.level == nil:
		return "", errNoLevel
	}
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return "", fmt.Errorf("unknown level %s", level)
	}
	v.level.Set(l)
	v.note("curio/monitor: level of the log set", "level", l, "client", from)
	return l.String(), nil
}

// mostLogging bounds the goroutines that wait for a log handler that hangs.
const mostLogging = 16

// logTime is how long a signal waits until it is logged.
var logTime = 100 * time.Millisecond

// note logs what somebody has done. The log's handler is code of the program's, which may hang with all the rest: so it is
// called in a goroutine of its own. logged is closed when the handler has returned, or panicked, or is not called because
// too many calls of it hang.
func (v *view) note(text string, args ...any) (logged <-chan struct{}) {
	done := make(chan struct{})
	if v.logging.Add(1) > mostLogging {
		v.logging.Add(-1)
		close(done)
		return done
	}
	go func() {
		defer close(done)
		defer v.logging.Add(-1)
		defer func() { _ = recover() }() // a monitor harms nobody
		v.say(slog.LevelInfo, text, args...)
	}()
	return done
}

func (v *view) say(level slog.Level, text string, args ...any) {
	l := v.logger
	if l == nil {
		l = slog.Default()
	}
	l.Log(context.Background(), level, text, args...)
}

// deadlocks returns the deadlocks of all kernels.
func (v *view) deadlocks() (all []curio.Deadlock) {
	for _, k := range v.kernelsNow() {
		all = append(all, k.Deadlocks()...)
	}
	return all
}

// threadCalls returns the calls in threads of all kernels, the oldest first.
func (v *view) threadCalls() (all []curio.ThreadCall) {
	for _, k := range v.kernelsNow() {
		all = append(all, k.ThreadCalls()...)
	}
	slices.SortFunc(all, func(a, b curio.ThreadCall) int { return a.Since.Compare(b.Since) })
	return all
}

// seconds returns d for JSON, to the microsecond.
func seconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1e6 }

func goroutines() int { return runtime.NumGoroutine() }
