package curiotest

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"
)

// CancelEverywhere checks that fn survives being cancelled at every point at which it waits. It is
// Canceller.Everywhere with the default settings.
func CancelEverywhere(t testing.TB, fn func(ctx context.Context) error) {
	t.Helper()
	Canceller{}.Everywhere(t, fn)
}

// A Canceller has the settings of CancelEverywhere. Its zero value has the defaults.
type Canceller struct {
	// Patience is how long fn may take before it is cancelled, and how long it may go on afterwards.
	// In a bubble of testing/synctest, where time costs nothing, fn may take a week before it is
	// cancelled. What fn leaves to end by itself, such as a task that it has cancelled and not
	// joined, gets a fifth of Patience. 0 means 10 seconds.
	Patience time.Duration

	// MaxWaits is how many waits fn may have. A function with more waits is taken for one that never
	// ends. 0 means 10,000.
	MaxWaits int
}

// Everywhere runs fn as the main task of a kernel of its own, again and again. In the first run
// nothing disturbs it, and it must succeed. After that, run n cancels it at its wait n, until a run
// has had fewer waits than that. A wait is a call of Curio that may block, in fn's task, in a task
// that it has started, or in a goroutine that has its context. It is always fn's task that is
// cancelled. There are four such rounds:
//
//   - the task is cancelled when the operation begins
//   - the task is cancelled when the operation has begun to block
//   - a timeout around fn expires when the operation begins
//   - a timeout around fn expires when the operation has begun to block
//
// Every run must end as a cancelled function should:
//
//   - fn returns, in time
//   - its error says that it was cancelled; it may be nil if the cancellation came too late, but not
//     if the cancellation ended one of its task's own operations (CheckCancellation only reports it,
//     and so does not count)
//   - nothing panics, and no task fails unnoticed
//   - no task is left running except daemons, and these end with the kernel
//   - no goroutine, descriptor or child process is left
//   - no lock and no unit of a semaphore is left taken
//
// At the end fn is run undisturbed once more, and must succeed.
//
// Each round stops at the first run that fails. It is reported by t.Errorf, with the wait at which
// fn was cancelled. fn must do the same in each run as far as it can, starting from nothing: what
// lasts longer than a run should be made in it. fn is called in another goroutine than the test's,
// so it should return errors and not call t.FailNow. A fn that never waits fails the test, because
// nothing would be tested.
//
// If fn talks to a task of its own, which is cancelled with it, it may see that task end first, for
// example by a connection that is reset. It can then call curio.CheckCancellation with its own
// context, which is cancelled before the contexts of its tasks.
//
// If fn never returns, the test fails and fn's goroutine is left behind. In a bubble
// that is noticed only if all that fn waits for is in the bubble.
func (c Canceller) Everywhere(t testing.TB, fn func(ctx context.Context) error) {
	t.Helper()
	if fn == nil {
		panic("curiotest: CancelEverywhere of a nil function")
	}
	if c.Patience <= 0 {
		c.Patience = 10 * time.Second
	}
	if c.MaxWaits <= 0 {
		c.MaxWaits = 10_000
	}
	e := &everywhere{TB: t, Canceller: c, fn: fn}

	// What is made once in a process, as the runtime's poller, is made in the first
	// run. So that one does not look for what is left of such things; the others do.
	e.undisturbed("for the first time", false)
	e.undisturbed("for the second time", true)
	if e.most[entering] == 0 {
		t.Fatal("curiotest: the function never waits in a call of Curio with its context: there is nothing to cancel")
	}
	for _, m := range []moment{{at: entering}, {at: parked}, {at: entering, expire: true}, {at: parked, expire: true}} {
		if !e.round(m) {
			e.undisturbed("after a run that failed", false)
		}
	}
	e.undisturbed("after all the others", true)
}

// everywhere is one call of Canceller.Everywhere.
type everywhere struct {
	testing.TB
	Canceller

	fn     func(context.Context) error
	most   [2]int // the waits of the undisturbed runs, at most, by stage
	before string // what was done to fn in the last run that was disturbed
	told   bool   // that descriptors are not compared
}

// round disturbs one run after the other. ok is false if one has failed.
func (e *everywhere) round(m moment) (ok bool) {
	e.Helper()
	for m.n = 1; ; m.n++ {
		r := e.run(m, true)
		// What the operation waits for may come first. That need not be so again.
		for again := 0; again < 2 && len(r.problems) == 0 && r.missed(); again++ {
			r = e.run(m, true)
		}
		if len(r.problems) > 0 {
			if !r.reached() {
				e.undisturbedFails(fmt.Sprintf("with too few waits to be %v", m), r)
			}
			e.Error(plain(fmt.Sprintf("curiotest: the function fails when it is %s\n%s", r.title(), bullets(r.problems))))
			if r.hangs {
				e.Fatal("curiotest: the function still runs, so that nothing more can be tested")
			}
			return false
		}
		// The waits of a function may vary from run to run, with the moment at
		// which something arrives. One run with fewer is not the end.
		if !r.reached() && m.n > e.most[m.at] {
			return true
		}
	}
}

// undisturbed is a run that must succeed.
func (e *everywhere) undisturbed(title string, thorough bool) {
	e.Helper()
	r := e.run(moment{at: never}, thorough)
	if len(r.problems) > 0 {
		e.undisturbedFails(title, r)
	}
}

func (e *everywhere) undisturbedFails(title string, r *run) {
	e.Helper()
	if e.before != "" {
		title += "\nThe run disturbed last was " + e.before
	}
	e.Fatal(plain(fmt.Sprintf("curiotest: the function fails when it runs undisturbed, %s\n%s", title, bullets(r.problems))))
}

// run runs fn once, and finds out what is wrong.
func (e *everywhere) run(m moment, thorough bool) *run {
	e.Helper()
	failed := e.Failed()
	r := newRun(e, m, thorough)
	r.do()
	waits, endless := r.counted()
	if endless {
		e.Fatalf("curiotest: the function has had more than %d waits: it does not seem to end (MaxWaits of a Canceller is how many it may have)", e.MaxWaits)
	}
	if !r.reached() {
		for at, n := range waits {
			e.most[at] = max(e.most[at], n)
		}
	} else {
		e.before = r.title()
	}
	if !failed && e.Failed() {
		r.problems = append(r.problems, "it has failed the test by itself, or another part of the test has, during this run")
	}
	if thorough && r.inventory.disturbed() && !e.told {
		e.told = true
		e.Logf("curiotest: another test that looks for leaks ran at the same time: descriptors and child processes are not compared in all runs")
	}
	return r
}

func bullets(problems []string) string {
	var b strings.Builder
	for _, p := range problems {
		fmt.Fprintf(&b, "\t- %s\n", strings.ReplaceAll(strings.TrimSuffix(p, "\n"), "\n", "\n\t  "))
	}
	return strings.TrimSuffix(b.String(), "\n")
}
