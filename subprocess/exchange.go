package subprocess

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/stream"
)

// An exchange moves what goes in and out of one or several programs, and waits for their ends.
//
// One task does all of it, with a Select of all that may come next: a program ends, there is output, or
// room for input, or a Read or Write of the user's has returned. So it needs no goroutine for each pipe,
// and no output waits for another one. A Select that is cut short has done nothing, so run may be called
// again after a cancellation and goes on where it was.
//
// Once all programs have ended, only output is waited for, and that for as long as something comes:
// drain is how long nothing may come while all pipes are empty. A Write in progress stops that clock.
type exchange struct {
	exits []*exit
	in    *input // of the first program; nil for none
	outs  []*output
	ends  []*end        // to be closed at last, nil ones too
	drain time.Duration // negative for no bound

	shield context.Context // for all that is to be done when ctx may have ended, and that does not wait
	until  time.Time       // when the output ends, whatever comes; zero for no bound
	cases  []curio.Case    // of the next Select, and
	events []event         // what each is about
}

// An exit is the end of a program. running ──► ended  once
type exit struct {
	p      *Process
	stop   *curio.Task[stopped] // ends it; nil until then
	over   *curio.Case          // of p, and then of stop
	how    stopped
	status ExitStatus
	err    error // that it could not be ended
	ended  bool
}

// A stopped is the result of a Stop.
type stopped struct {
	status ExitStatus
	err    error
}

// An event is what a case of the Select is about. happened is called when the case has taken effect,
// with its error.
type event interface {
	happened(ctx context.Context, x *exchange, err error)
}

// run goes on until all is over, or enough returns true.
func (x *exchange) run(ctx context.Context, enough func() bool) error {
	for !enough() && x.gather() {
		i, err := curio.Select(ctx, x.cases...)
		if i < 0 {
			return err
		}
		x.events[i].happened(x.shield, x, err)
	}
	return nil
}

func never() bool { return false }

// gather makes the cases. It reports false if there are none.
func (x *exchange) gather() bool {
	x.cases, x.events = x.cases[:0], x.events[:0]
	running := false
	for _, e := range x.exits {
		if !e.ended {
			running = true
			x.add(e.ends(), e)
		}
	}
	if x.in != nil && x.exits[0].ended {
		x.in.abandon(x.shield)
	}
	if x.in != nil {
		if c, ok := x.in.next(x); ok {
			x.add(c, x.in)
		}
	}
	busy := false
	for _, o := range x.outs {
		if c, ok := o.next(running); ok {
			x.add(c, o)
			busy = busy || o.calls.busy()
		}
	}
	if len(x.cases) == 0 {
		return false
	}
	if !running && !busy && x.drain >= 0 {
		x.add(curio.AfterCase(x.drain), silence{})
	}
	if !running && !x.until.IsZero() {
		x.add(curio.AtCase(x.until), lateness{})
	}
	return true
}

func (x *exchange) add(c curio.Case, e event) {
	x.cases, x.events = append(x.cases, c), append(x.events, e)
}

// A silence is that nothing has come for long enough.
type silence struct{}

// happened looks once more: this task may not have run when something came.
func (silence) happened(ctx context.Context, x *exchange, _ error) {
	for _, o := range x.outs {
		if o.end != nil && o.receive(ctx, x) {
			return
		}
	}
	x.giveUp()
}

// A lateness is that the time for everything is over.
type lateness struct{}

func (lateness) happened(ctx context.Context, x *exchange, _ error) {
	x.sweep(ctx)
	x.giveUp()
}

// sweep takes what is in the pipes now, and does not wait. It reports whether all outputs have come to
// their end. A pipe into which others write all the time is left when its room has been read a few times.
func (x *exchange) sweep(ctx context.Context) (all bool) {
	const most = 64
	all = true
	for _, o := range x.outs {
		for n := 0; n < most && o.end != nil && !o.calls.busy() && o.receive(ctx, x); n++ {
		}
		all = all && o.end == nil && !o.calls.busy()
	}
	return all
}

// giveUp stops waiting for outputs that other processes have still open.
func (x *exchange) giveUp() {
	for _, o := range x.outs {
		o.giveUp(x.shield)
	}
}

// ended reports whether all programs have ended.
func (x *exchange) ended() bool {
	for _, e := range x.exits {
		if !e.ended {
			return false
		}
	}
	return true
}

// isOver is for when ctx is done: it reports whether all is over nevertheless, as it is if the programs
// had already ended by themselves and nobody has their outputs open.
func (x *exchange) isOver(ctx context.Context) bool {
	for _, e := range x.exits {
		if !e.ended {
			if e.status, e.ended = e.p.Poll(); !e.ended {
				return false
			}
		}
	}
	return x.sweep(ctx)
}

// stopAll ends the programs and all that they have started. Meanwhile it goes on reading, as a program
// that waits for somebody to read cannot end in order. ctx is a shield: no cancellation reaches it.
func (x *exchange) stopAll(ctx context.Context) {
	if x.in != nil {
		x.in.halted = true
	}
	for _, e := range x.exits {
		e.ended, e.over = false, nil // what it has started may go on
		e.stop = curio.Spawn(ctx, func(ctx context.Context) (stopped, error) {
			status, err := e.p.Stop(ctx)
			return stopped{status, err}, nil
		}, curio.Name("stop process "+strconv.Itoa(e.p.Pid())))
	}
	_ = x.run(ctx, x.ended)
	if x.drain < 0 {
		x.drain = defaultDrain
	}
	x.until = curio.Clock(ctx).Add(x.drain)
	_ = x.run(ctx, never)
}

// close lets go of everything. The tasks that call functions of the user's have ended when it returns.
func (x *exchange) close() {
	if x.in != nil {
		x.in.abandon(x.shield)
	}
	x.giveUp()
	for _, e := range x.ends {
		if e != nil {
			_ = e.Close() // which most are already
		}
	}
	for _, e := range x.exits {
		_ = e.p.Close() // what it may have left behind is not ours any more
	}
}

// copyError is what has gone wrong with the copying.
func (x *exchange) copyError() error {
	if x.in != nil && x.in.err != nil {
		return fmt.Errorf("%s: %w", places[stdin], x.in.err)
	}
	for _, o := range x.outs {
		if o.err != nil {
			return fmt.Errorf("output: %w", o.err)
		}
	}
	return nil
}

func (e *exit) ends() curio.Case {
	if e.over == nil {
		c := e.p.WaitCase(&e.status)
		if e.stop != nil {
			c = e.stop.JoinCase(&e.how)
		}
		e.over = &c
	}
	return *e.over
}

func (e *exit) happened(_ context.Context, x *exchange, err error) {
	e.ended = true
	if e.stop == nil {
		return
	}
	if err != nil { // the task could not run, as the kernel is being shut down
		e.how.status, e.how.err = e.p.Stop(x.shield)
	}
	e.status, e.err = e.how.status, e.how.err
	if _, ended := e.p.Poll(); !ended {
		e.status = ExitStatus{Code: -1, Unknown: true}
	}
}

// isCut reports whether err means that ctx is done. The next Select will fail with that, too.
func isCut(err error) bool { return errors.Is(err, curio.ErrCancelled) }

// closeEnd closes our end, or the stream over it.
func closeEnd(e *end, s *stream.Stream) {
	if s != nil {
		_ = s.Close()
		return
	}
	_ = e.Close()
}
