package blackbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"runtime/trace"
	"sync"
	"syscall"
	"time"

	"github.com/curio-go/curio/internal/events"
	"github.com/curio-go/curio/internal/quote"
	"github.com/curio-go/curio/internal/signals"
	"github.com/curio-go/curio/internal/trouble"
)

// Options set when files are written, and what is in them. With the zero value, a report is written
// when a task panics and when a kernel does not shut down.
type Options struct {
	// Dir is where files go. It is made if it does not exist. Other users must not be able to write
	// to it. If Dir is "", it is curio/blackbox below the user's cache directory (see
	// os.UserCacheDir).
	Dir string

	// Keep is how many sets of files of this program are kept in Dir. A report with the files beside
	// it is one set, and what a crash has left is another. The oldest are removed. 0 means 10.
	Keep int

	// MaxSize is the approximate size limit of a report in bytes. The report counts what had no
	// room. 0 means 16 MiB.
	MaxSize int64

	// Quit writes a report on SIGQUIT. Then the process ends as usual, with the stacks of all
	// goroutines and status 2, after QuitLimit at the latest; 0 means 5 seconds. If the program has
	// a handler for SIGQUIT of its own, that is left alone, and the process does not end: see On.
	Quit      bool
	QuitLimit time.Duration

	// Stacks adds the stacks of all goroutines to reports. The program is stopped while they are
	// printed, for some milliseconds with a thousand goroutines and for 150 to 400 with 100,000.
	Stacks bool

	// Waits adds the waits of tasks to the ring of events, which otherwise has only beginnings, ends
	// and cancellations. Each wait then takes about 0.1 µs longer.
	Waits bool

	// Mapped keeps the ring of events in a file that is mapped to memory, where they are still found
	// if the process is killed. The file takes 260 KiB.
	Mapped bool

	// CrashOutput makes the runtime also write its crash message to a file, by debug.SetCrashOutput,
	// for a panic in a goroutine that is not a task's, or for a fatal error. A process can have only
	// one such file, so one that the program has set is replaced.
	CrashOutput bool

	// FlightRecorder is the program's flight recorder, or nil. If it is enabled, what it has
	// recorded is written beside each report.
	FlightRecorder *trace.FlightRecorder

	// Logger logs each file that is written. nil means slog.Default().
	Logger *slog.Logger
}

// ErrOn is the error of On while the black box is on already.
var ErrOn = errors.New("curio/blackbox: it is on already")

// On turns the black box on: until stop is called, reports are written when something goes wrong.
// There is one black box for a process: a second call of On before stop fails with ErrOn. If there
// is an error, the black box is off.
//
// A report is written:
//   - when a task, or a function in a thread, panics. The report has the task's path, the stack, and
//     the value if it is a string, a number or an error of errors.New, fmt.Errorf or Go's runtime;
//     otherwise it has the type of the value. If the kernel has CrashOnPanic, the process ends when
//     the report has been written, or after 5 seconds.
//   - when Kernel.Shutdown logs that tasks do not react, or gives up. Writing the report delays
//     that by a second at most. The report has a line for each of these tasks.
//   - on SIGQUIT, with Options.Quit.
//
// For panics and shutdowns, at most one report is written per minute, even if a server panics again
// and again.
//
// When the report has been written, SIGQUIT is sent to the process once more, unless other code of
// this module handles the signal, such as package signal and curio.StopOnSignals. If SIGQUIT was
// ignored when the process was started, it stays ignored. A program that handles SIGQUIT with
// package os/signal would get it twice, because this package cannot find out about that handler:
// leave Quit off then, and call WriteFile in the handler.
//
// stop waits for a report that is being written, for 5 seconds at most. It removes the mapped file
// and, if the runtime has written nothing to it, the file for crashes. A process that ends without
// calling stop, for example by a crash, leaves them behind. stop may be called again.
func On(o Options) (stop func(), err error) {
	current.Lock()
	defer current.Unlock()
	if current.box != nil {
		return nil, ErrOn
	}
	b, err := newBox(o)
	if err != nil {
		return nil, err
	}
	current.box = b
	return func() {
		current.Lock()
		defer current.Unlock()
		if current.box == b {
			b.close()
			current.box = nil
		}
	}, nil
}

var current struct {
	sync.Mutex
	box *box
}

const (
	defaultKeep  = 10
	defaultLimit = 5 * time.Second
)

// lastLimit is how long somebody waits for a report after which the process may end. A Shutdown whose context is done
// has to return.
var lastLimit = map[trouble.Kind]time.Duration{trouble.Panic: 5 * time.Second, trouble.Shutdown: time.Second}

// between is how far apart reports of the same kind of trouble are. Tests change it.
var between = time.Minute

// A box is what On has switched on.
type box struct {
	options Options
	dir     *directory
	release func() // of the events that Options.Waits asks for; nil for none
	crash   *remains
	quit    *quitting

	mu      sync.Mutex
	last    map[trouble.Kind]time.Time // when the last report was begun
	closed  bool                       // no report is begun any more
	writing sync.WaitGroup             // is added to under mu
}

func newBox(o Options) (b *box, err error) {
	if o.Dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return nil, fmt.Errorf("curio/blackbox: Options.Dir is not set, and there is no default: %w", err)
		}
		o.Dir = filepath.Join(cache, "curio", "blackbox")
	}
	if o.Keep <= 0 {
		o.Keep = defaultKeep
	}
	if o.MaxSize <= 0 {
		o.MaxSize = maxSize
	}
	if o.QuitLimit <= 0 {
		o.QuitLimit = defaultLimit
	}
	b = &box{options: o, last: make(map[trouble.Kind]time.Time)}
	if b.dir, err = openDir(o.Dir); err != nil {
		return nil, err
	}
	if b.crash, err = newRemains(b.dir, o); err != nil {
		b.dir.Close()
		return nil, err
	}
	b.dir.prune(o.Keep)
	if o.Waits {
		b.release = events.Ask(events.Pauses)
	}
	if o.Quit {
		b.quit = newQuitting(b)
	}
	trouble.Listen(b.trouble)
	return b, nil
}

// close undoes newBox.
func (b *box) close() {
	trouble.Listen(nil)
	if b.quit != nil {
		b.quit.stop()
	}
	if b.release != nil {
		b.release()
	}
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	done := make(chan struct{})
	go func() { defer close(done); b.writing.Wait() }()
	within(defaultLimit, done) // a disk may hang
	b.crash.remove(b.dir)
	b.dir.Close()
}

// trouble is called by the goroutine that is in trouble.
func (b *box) trouble(t trouble.Trouble) {
	if !b.due(t) {
		return
	}
	c := cause{reason: string(t.Kind), detail: t.Lines}
	if t.Kind == trouble.Panic {
		c.detail = []string{panicText(t), string(t.Stack)}
	}
	written := b.begin(c)
	if t.Last {
		within(lastLimit[t.Kind], written)
	}
}

// due reports whether a report is to be written now. For a panic that ends the process it always is.
func (b *box) due(t trouble.Trouble) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	last, now := b.last[t.Kind], time.Now()
	if !last.IsZero() && now.Sub(last) < between && !(t.Last && t.Kind == trouble.Panic) {
		return false
	}
	b.last[t.Kind] = now
	return true
}

// begin writes a report in another goroutine: files may hang, and so may the log.
func (b *box) begin(c cause) (written <-chan struct{}) {
	done := make(chan struct{})
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		close(done)
		return done
	}
	b.writing.Go(func() {
		path, err := b.write(c)
		close(done)
		b.log(c, path, err)
	})
	return done
}

// beforeWrite is called before a report is written. Tests set it.
var beforeWrite func()

func (b *box) write(c cause) (path string, err error) {
	if beforeWrite != nil {
		beforeWrite()
	}
	base := newBase("")
	path, err = b.dir.write(base, c, limits{stacks: b.options.Stacks, size: b.options.MaxSize})
	if r := b.options.FlightRecorder; r != nil && r.Enabled() {
		_, e := b.dir.fill(base+traceSuffix, func(w io.Writer) error {
			_, err := r.WriteTo(w)
			return err
		})
		err = errors.Join(err, e)
	}
	b.dir.prune(b.options.Keep)
	return path, err
}

// log says where a report is. The handler is the user's, and may panic.
func (b *box) log(c cause, path string, err error) {
	defer func() { _ = recover() }()
	l := b.options.Logger
	if l == nil {
		l = slog.Default()
	}
	if err != nil {
		l.Error("curio: black box not written, or not all of it", "path", path, "reason", c.reason, "err", err)
	} else {
		l.Warn("curio: black box written", "path", path, "reason", c.reason)
	}
}

// within waits until done is closed, but no longer than d.
func within(d time.Duration, done <-chan struct{}) {
	bound, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	select {
	case <-done:
	case <-bound.Done():
	}
}

// panicText says what a panic was about, without a call of the user's methods.
func panicText(t trouble.Trouble) string {
	text := "panic: " + quote.Value(t.Value)
	if err, ok := t.Value.(error); ok && isGos(err) {
		text = "panic: " + err.Error()
	}
	if t.Task != "" {
		text = "task " + t.Task + ": " + text
	}
	return text
}

// isGos reports whether the text of err is made by Go alone: by the runtime, errors.New or fmt.Errorf.
func isGos(err error) bool {
	switch reflect.TypeOf(err) {
	case reflect.TypeOf(errors.New("")), reflect.TypeOf(fmt.Errorf("%w", ErrOn)):
		return true
	}
	if _, ok := err.(runtime.Error); !ok {
		return false
	}
	of := reflect.TypeOf(err)
	if of.Kind() == reflect.Pointer {
		of = of.Elem() // a failed type assertion is a pointer
	}
	return of.PkgPath() == "runtime"
}

// A quitting waits for SIGQUIT.
type quitting struct {
	b    *box
	come chan bool // whether somebody else in this module handles the signal that has come; has room for one
	end  chan struct{}
	over sync.WaitGroup

	// Of the signal that is being delivered. Shared and Deliver are called one after the other with a lock of package
	// signals held, so it needs none of its own.
	shared bool
}

func newQuitting(b *box) *quitting {
	q := &quitting{b: b, come: make(chan bool, 1), end: make(chan struct{})}
	signals.Subscribe(q, syscall.SIGQUIT)
	q.over.Go(q.run)
	return q
}

// Shared is part of signals.Sharer.
func (q *quitting) Shared() { q.shared = true }

// Deliver is part of signals.Subscriber. Nobody else sends to q.come, so there is room when it has been emptied.
func (q *quitting) Deliver(signals.Signal) {
	shared := q.shared
	q.shared = false
	select {
	case before := <-q.come:
		shared = shared && before // if one of the two is nobody else's, the process has to end
	default:
	}
	q.come <- shared
}

func (q *quitting) run() {
	for {
		select {
		case shared := <-q.come:
			if q.answer(shared) {
				return
			}
		case <-q.end:
			signals.Unsubscribe(q) // which delivers what the runtime has caught by now
			select {
			case shared := <-q.come:
				q.answer(shared)
			default:
			}
			return
		}
	}
}

// answer writes a report. If nobody else handles the signal, it is then sent once more, and ends the process.
func (q *quitting) answer(shared bool) (ends bool) {
	within(q.b.options.QuitLimit, q.b.begin(cause{reason: "SIGQUIT"}))
	if shared {
		return false
	}
	signals.Unsubscribe(q) // which brings back what the runtime does
	_ = syscall.Kill(os.Getpid(), syscall.SIGQUIT)
	return true
}

func (q *quitting) stop() {
	close(q.end)
	q.over.Wait()
}
