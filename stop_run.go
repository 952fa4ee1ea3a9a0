package curio

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/curio-go/curio/internal/events"
	"github.com/curio-go/curio/internal/signals"
	"github.com/curio-go/curio/internal/wait"
)

// This file is about how Run ends when its context is done, or a signal has come. It goes one way, and
// takes each step once:
//
//	running ──► announced ──► asked ──► cancelled
//	       wish        Pause      Grace, or a second signal
//
// A third signal ends the process.

// isGradual reports whether the kernel's Runs end step by step.
func (k *Kernel) isGradual() bool { return k.grace != 0 || k.pause != 0 || len(k.stopOn) > 0 }

// Grace makes Run ask tasks to stop before it cancels them. When Run's context is done, or a signal
// of StopOnSignals has come, the contexts of UntilStop are done. The main task goes on for up to d
// with its own context, which is not done yet. When main has returned, the other tasks have the rest
// of d. What has not ended then is cancelled, and named in the log and in a *GraceError that Run
// joins with main's error. So everything has been cancelled when Pause and Grace are over. Choose
// them so that together they are shorter than the time that an orchestrator gives the process.
//
// The same holds when main returns by itself: Run asks the tasks that are left to stop, and waits
// for up to d. (Kernel.Run leaves them alone.) Run does not wait for daemons and services. A
// negative d means no limit. Without Grace, everything is cancelled at once.
func Grace(d time.Duration) KernelOption { return kernelOption(func(k *Kernel) { k.grace = d }) }

// Pause makes Run wait for d between the signal, or the end of its context, and the request to stop.
// Until then everything goes on, and only Stopping reports it. Pause is for servers behind a load
// balancer, which still sends connections until it has seen a health check fail. It has no effect
// when main returns by itself.
func Pause(d time.Duration) KernelOption { return kernelOption(func(k *Kernel) { k.pause = d }) }

// StopOnSignals makes Run stop when the process gets one of the given signals, or SIGINT or SIGTERM
// if none is given. The first signal starts the stop that Pause and Grace define; without them it
// cancels the main task. A second signal cuts these times short: everything is cancelled. A third
// one ends the process, as Exit does after a signal, even if Run is shutting its kernel down by
// then. Signals less than a fifth of a second apart count as one, because a terminal and a parent
// process often both send one.
//
// If a signal has come, Run returns a *SignalError. If SIGINT or SIGHUP was ignored when the program
// was started, as for a command that a shell runs in the background, it stays ignored. (Go does not
// provide this for other signals.) StopOnSignals is for programs, and for one Run at a time.
//
// Before the third signal ends the process, the process groups of the programs that package
// subprocess has started are killed, because no deferred function runs then.
func StopOnSignals(sigs ...os.Signal) KernelOption {
	if len(sigs) == 0 {
		sigs = signals.Stopping
	}
	list := make([]signals.Signal, len(sigs))
	for i, sig := range sigs {
		s, err := signals.Check(sig)
		if err != nil {
			panic(fmt.Sprintf("curio: StopOnSignals: %v", err))
		}
		list[i] = s
	}
	return kernelOption(func(k *Kernel) { k.stopOn = list })
}

// A SignalError is the error of a Run that a signal has stopped.
type SignalError struct {
	Signal os.Signal
	Err    error // what else Run would have returned, nil for nothing
}

// Error names the signal, and adds the text of Err.
func (e *SignalError) Error() string {
	text := "curio: stopped by the signal " + e.name()
	if e.Err != nil {
		text += ": " + plainText(e.Err)
	}
	return text
}

// Unwrap returns Err.
func (e *SignalError) Unwrap() error { return e.Err }

func (e *SignalError) name() string {
	if sig, err := signals.Check(e.Signal); err == nil {
		return signals.Name(sig)
	}
	return fmt.Sprint(e.Signal)
}

// Exit ends the process as err, the error of Run, requires:
//
//	func main() {
//		curio.Exit(curio.Run(context.Background(), run, curio.StopOnSignals(), curio.Grace(8*time.Second)))
//	}
//
// If err is nil, the status is 0. After a *SignalError with SIGINT, SIGTERM or SIGHUP, the process
// ends by that signal, with the system's default action, so that a shell sees it: one Ctrl-C then
// also ends the loop of a script. Where that cannot work, the status is 128 plus the signal's
// number, as a shell shows it. This is the case for process 1, for a signal that was ignored at the
// start, and for other signals, some of which Go ignores, or answers by printing all stacks. With
// any other error, the status is 1. The text of the error is first written to standard error, except
// for a *SignalError without an Err.
//
// Like os.Exit, Exit runs no deferred functions. If the process ends by a signal, the process groups
// of the programs that package subprocess has started are killed first.
func Exit(err error) {
	var stopped *SignalError
	bySignal := errors.As(err, &stopped)
	events.Settle()
	switch {
	case err == nil:
		os.Exit(0)
	case !bySignal || err != stopped || stopped.Err != nil:
		fmt.Fprintln(os.Stderr, err)
	}
	if bySignal {
		if sig, err := signals.Check(stopped.Signal); err == nil {
			die(sig)
		}
	}
	os.Exit(1)
}

// For tests: signals from outside do not reach a bubble, and one does not survive die.
var (
	subscribe   = signals.Subscribe
	unsubscribe = signals.Unsubscribe
	die         = signals.Die
)

// wishes counts the signals of StopOnSignals.
type wishes struct {
	first, second Event
	sig           signals.Signal // the first; written before first is set
	count         int            // of a Deliver
	last          int64          // when one was counted
}

// oneWish is how long signals count as one.
const oneWish = 200 * time.Millisecond

// Deliver is called for one signal after another.
func (w *wishes) Deliver(sig signals.Signal) {
	now := wait.Now()
	if w.count > 0 && now-w.last < int64(oneWish) {
		return
	}
	w.count, w.last = w.count+1, now
	switch w.count {
	case 1:
		w.sig = sig
		w.first.Set()
	case 2:
		w.second.Set()
	case 3:
		go die(sig)
	}
}

// A descent is the way of one Run from the wish to its end.
type descent struct {
	k      *Kernel
	wishes *wishes // nil without StopOnSignals
	why    error   // the reason of the request, nil before the wish
	signal os.Signal
	due    int64 // when the grace time is over; 0 before the request
	hurry  bool  // it is over, or was cut short
	whole  bool  // it belongs to the package's Run, which ends the kernel
	late   *GraceError
	named  map[*wait.Scope]bool // the tasks in late
}

// runGradually is Run, by steps. If end is not nil, it is the package's Run, and end shuts the kernel down;
// signals count until that is done.
func (k *Kernel) runGradually(ctx context.Context, main func(context.Context) error, pc uintptr, end func()) (err error) {
	d := k.descend()
	defer func() { err = d.end(err) }()
	if d.whole = end != nil; d.whole {
		defer end()
	}
	err = k.run(ctx, main, pc, d)
	if d.whole {
		d.others(ctx)
	}
	return d.verdict(err)
}

// another is the case of one of the signals, which never takes effect without StopOnSignals.
func (d *descent) another(which func(*wishes) *Event) Case {
	if d.wishes == nil {
		return AfterCase(NoTimeout)
	}
	return which(d.wishes).WaitCase()
}

// descend begins a descent, which end ends.
func (k *Kernel) descend() *descent {
	d := &descent{k: k}
	if len(k.stopOn) > 0 {
		d.wishes = new(wishes)
		subscribe(d.wishes, k.stopOn...)
	}
	return d
}

// end lets go of the signals. It returns err, the error of Run, with a signal that had nothing to stop any
// more, as main had ended by itself or been stopped by its context.
func (d *descent) end(err error) error {
	if d.wishes == nil {
		return err
	}
	unsubscribe(d.wishes)
	if d.signal == nil && d.wishes.first.IsSet() {
		return &SignalError{Signal: d.wishes.sig, Err: err}
	}
	return err
}

// main waits for the main task t to end, under the context that Run was called with.
func (d *descent) main(ctx context.Context, t *AnyTask) {
	i, err := Select(ctx, t.WaitCase(), d.another(func(w *wishes) *Event { return &w.first }))
	switch {
	case err == nil && i == 0:
		return
	case err == nil:
		d.signal = d.wishes.sig
		d.why = &SignalError{Signal: d.signal}
	default:
		d.why = err
	}
	ctx = context.WithoutCancel(ctx)
	asked := &t.owner.Scope
	if d.whole {
		asked = d.k.root
	}
	d.rest(ctx, t, asked)
	if d.k.grace != 0 { // else nobody would have time to do as asked
		c := asked.Ask(stopCause(asked, nil, 0, []error{d.why}))
		d.begin()
		if d.wait(ctx, t) {
			return
		}
		d.tooLate(ctx, []*AnyTask{t}, c)
	}
	cancel := wait.NewCause(&t.owner.Scope, wait.Cancelled, d.why)
	t.owner.Scope.Cancel(cancel)
	_ = t.waitFor(ctx, opJoin)
}

// rest is the Pause, in which t may end, and which a second signal cuts short.
func (d *descent) rest(ctx context.Context, t *AnyTask, asked *wait.Scope) {
	if d.k.pause <= 0 {
		return
	}
	asked.Announce()
	i, _ := Select(ctx, t.WaitCase(), d.another(func(w *wishes) *Event { return &w.second }), AfterCase(d.k.pause))
	d.hurry = i == 1
}

// begin lets the grace time begin.
func (d *descent) begin() {
	switch {
	case d.due != 0:
	case d.k.grace < 0:
		d.due = wait.After(NoTimeout)
	default:
		d.due = wait.After(d.k.grace)
	}
}

// wait waits for t to end within the grace time.
func (d *descent) wait(ctx context.Context, t *AnyTask) (inTime bool) {
	if t.Terminated() {
		return true
	}
	if d.hurry || wait.Now() >= d.due {
		return false
	}
	i, _ := Select(ctx, t.WaitCase(), d.another(func(w *wishes) *Event { return &w.second }), AtCase(wait.Time(d.due)))
	d.hurry = i != 0
	return !d.hurry
}

// others asks the tasks that the main task has left behind, and waits for them within the grace time, if
// there is one.
func (d *descent) others(ctx context.Context) {
	if d.k.grace == 0 {
		return
	}
	ctx = context.WithoutCancel(ctx)
	c := d.k.root.Ask(stopCause(d.k.root, nil, 0, nil))
	d.begin()
	for {
		running := d.k.stragglers()
		for _, t := range running {
			if !d.wait(ctx, t) {
				d.tooLate(ctx, d.k.stragglers(), c)
				return
			}
		}
		if len(running) == 0 {
			return
		}
	}
}

// tooLate reports the ones among tasks that still run, and what is below them, once each.
func (d *descent) tooLate(ctx context.Context, tasks []*AnyTask, c *wait.Cause) {
	if d.k.grace == 0 {
		return
	}
	if d.named == nil {
		d.named = make(map[*wait.Scope]bool)
	}
	late := newGraceError(withBelow(tasks, d.named), c)
	if late == nil {
		return
	}
	late.log(ctx, d.k, d.k.grace)
	d.late = d.late.and(late)
}

// outcome returns err, what the main task t has ended with, without what says only that t has stopped
// as it was asked to, or was cancelled because of a signal, which a SignalError says already.
func (d *descent) outcome(t *AnyTask, err error) error {
	if errors.As(err, new(*GraceError)) {
		return err // this is news, whatever it wraps
	}
	err = t.withoutRequest(err)
	if c := t.owner.Cause(); d.signal != nil && c != nil && c.Reason == d.why {
		err, _ = ending{cause: c}.rest(err)
	}
	return err
}

// verdict returns what Run returns, where err is the main task's error.
func (d *descent) verdict(err error) error {
	if d.late != nil {
		err = errors.Join(err, d.late)
	}
	if d.signal == nil {
		return err
	}
	return &SignalError{Signal: d.signal, Err: err}
}
