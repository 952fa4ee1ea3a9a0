package core_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/verify/fixture"
)

// M1–M7, M11–M13, M17 in every combination. Three timeouts, one inside of the
// other; each expires in every order, together with others, at once or never; each
// level does one of several things with the error that it sees; each is a
// TimeoutAfter or an IgnoreAfter. What comes out is compared with an oracle that
// knows the design's table and nothing of scopes.

// A level is one of the timeouts. Level 0 is the outermost.
type level struct {
	deadline int // seconds after the start
	react    reaction
	ignore   bool // IgnoreAfter instead of TimeoutAfter
}

type reaction int

const (
	propagate  reaction = iota // return what was seen
	swallow                    // return nil
	blockAgain                 // sleep again, and return what that says
	cleanUp                    // sleep a second under a shield, and then return what was seen
	reactions
)

const never = 1 << 20

// A sight is an error as the design's table has it. The zero sight is no error.
type sight struct {
	kind string // "", "own", "outer", "uncaught"
	of   int    // whose deadline it was
}

func (s sight) errors() []error {
	switch s.kind {
	case "own":
		return fixture.TaskTimeout
	case "outer":
		return fixture.OuterTimeout
	case "uncaught":
		return fixture.Uncaught
	}
	return nil
}

// oracle predicts what a nest of timeouts does. It plays the program with a clock of
// whole seconds.
type oracle struct {
	levels  []level
	now     int
	seen    []sight // what each level saw, in order; and what it saw when it blocked again
	expired []bool  // what each IgnoreAfter said
	late    int     // functions that were late and succeeded
}

// sleep is a sleep of an hour directly in level l: the earliest deadline ends it, and
// of those that have passed then, the outermost counts.
func (o *oracle) sleep(l int) sight {
	first := never
	for _, level := range o.levels[:l+1] {
		first = min(first, level.deadline)
	}
	if o.now+3600 < first {
		o.now += 3600
		return sight{}
	}
	o.now = max(o.now, first)
	return o.passed(l)
}

// passed is what is seen in level l when a deadline has passed there.
func (o *oracle) passed(l int) sight {
	for i, level := range o.levels[:l+1] {
		if level.deadline <= o.now {
			if i == l {
				return sight{"own", i}
			}
			return sight{"outer", i}
		}
	}
	panic("no deadline has passed")
}

// play is what level l returns.
func (o *oracle) play(l int) sight {
	got := sight{}
	if l == len(o.levels)-1 {
		got = o.sleep(l)
	} else {
		got = o.play(l + 1)
	}
	o.seen = append(o.seen, got)
	switch o.levels[l].react {
	case swallow:
		got = sight{}
	case blockAgain:
		got = o.sleep(l)
		o.seen = append(o.seen, got)
	case cleanUp:
		o.now++
	}
	gone := o.levels[l].deadline <= o.now
	switch {
	case got.kind == "" && gone:
		if d := o.levels[l].deadline; d > 0 && o.now > d {
			o.late++
		}
	case got.kind == "outer" && got.of == l:
		got = sight{"own", l}
	case got.kind == "own" && got.of > l && gone:
		got = o.passed(l)
	case got.kind == "own" && got.of > l:
		got = sight{"uncaught", got.of}
	}
	if o.levels[l].ignore {
		mine := got == sight{"own", l}
		o.expired = append(o.expired, mine)
		if mine {
			got = sight{}
		}
	}
	return got
}

// A nest plays the same program with the real thing.
type nest struct {
	levels  []level
	seen    []error
	expired []bool
}

func (n *nest) play(ctx context.Context, l int) error {
	fn := func(ctx context.Context) (err error) {
		if l == len(n.levels)-1 {
			err = fixture.Sleeper(ctx)
		} else {
			err = n.play(ctx, l+1)
		}
		n.seen = append(n.seen, err)
		switch n.levels[l].react {
		case swallow:
			return nil
		case blockAgain:
			err = fixture.Sleeper(ctx)
			n.seen = append(n.seen, err)
		case cleanUp:
			_ = curio.DisableCancellation(ctx, func(ctx context.Context) error { return curio.Sleep(ctx, time.Second) })
		}
		return err
	}
	d := time.Duration(n.levels[l].deadline) * time.Second
	if n.levels[l].deadline == never {
		d = curio.NoTimeout
	}
	if n.levels[l].ignore {
		expired, err := curio.IgnoreAfter(ctx, d, fn)
		n.expired = append(n.expired, expired)
		return err
	}
	return curio.TimeoutAfter(ctx, d, fn)
}

func checkNest(ctx context.Context, f *fixture.Fixture, levels ...level) {
	f.Helper()
	o := oracle{levels: levels}
	want := o.play(0)
	n := nest{levels: levels}
	start := time.Now()
	got := n.play(ctx, 0)

	what := fmt.Sprintf("%+v", levels)
	fixture.Is(f, what+": returned", got, want.errors()...)
	if len(n.seen) != len(o.seen) {
		f.Fatalf("%s: saw %v, want %v", what, n.seen, o.seen)
	}
	for i := range o.seen {
		fixture.Is(f, fmt.Sprintf("%s: sight %d", what, i), n.seen[i], o.seen[i].errors()...)
		if who, ok := curio.WhoCancelled(n.seen[i]); ok && (!who.Expired || who.By != "" || who.Where != "") {
			f.Errorf("%s: sight %d: %+v", what, i, who)
		}
	}
	if fmt.Sprint(n.expired) != fmt.Sprint(o.expired) {
		f.Errorf("%s: the ignoring ones said %v, want %v", what, n.expired, o.expired)
	}
	if d := time.Since(start); d != time.Duration(o.now)*time.Second {
		f.Errorf("%s: took %v, want %d s", what, d, o.now)
	}
	if late := f.Journal.Take(fixture.MsgLate); len(late) != o.late {
		f.Errorf("%s: %d lines about late functions, want %d", what, len(late), o.late)
	}
}

func TestNestedTimeouts(t *testing.T) {
	deadlines := []int{0, 1, 2, 3, never}
	if !testutil.Long {
		deadlines = []int{1, 2, 3}
	}
	for _, outer := range deadlines {
		for _, middle := range deadlines {
			t.Run(fmt.Sprintf("outer=%d/middle=%d", outer, middle), func(t *testing.T) {
				fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
					for _, inner := range deadlines {
						for code := range int(reactions * reactions * reactions * 8) {
							c := reaction(code / 8)
							checkNest(ctx, f,
								level{outer, c % reactions, code&1 != 0},
								level{middle, c / reactions % reactions, code&2 != 0},
								level{inner, c / reactions / reactions, code&4 != 0})
							if f.Failed() {
								return
							}
						}
					}
					f.NothingUnder(ctx)
				})
			})
		}
	}
}

// The oracle itself, against the sentences of the original's tests.
func TestNestedTimeoutsAsInTheOriginal(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		// M1, M2: the expiry of the outer one cuts a second operation too.
		err := curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) error {
			err := curio.TimeoutAfter(ctx, 5*time.Second, func(ctx context.Context) error {
				fixture.Is(f, "M1 first", fixture.Sleeper(ctx), fixture.OuterTimeout...)
				fixture.Is(f, "M1 second", fixture.Sleeper(ctx), fixture.OuterTimeout...)
				return nil
			})
			if err != nil {
				f.Errorf("M1: swallowed, and it is %v", err)
			}
			return fixture.Sleeper(ctx)
		})
		fixture.Is(f, "M1 outer", err, fixture.TaskTimeout...)

		// M3, M4: 0.1, 15, 10 seconds.
		err = curio.TimeoutAfter(ctx, 100*time.Millisecond, func(ctx context.Context) error {
			err := curio.TimeoutAfter(ctx, 15*time.Second, func(ctx context.Context) error {
				err := curio.TimeoutAfter(ctx, 10*time.Second, fixture.Sleeper)
				fixture.Is(f, "M3 innermost", err, fixture.OuterTimeout...)
				return err
			})
			fixture.Is(f, "M3 middle", err, fixture.OuterTimeout...)
			return err
		})
		fixture.Is(f, "M3 outer", err, fixture.TaskTimeout...)

		// M5, M6.
		err = curio.TimeoutAfter(ctx, 10*time.Second, func(ctx context.Context) error {
			return curio.TimeoutAfter(ctx, time.Second, fixture.Sleeper)
		})
		fixture.Is(f, "M5", err, fixture.Uncaught...)

		// M11.
		err = curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) error {
			err := curio.TimeoutAfter(ctx, time.Second, fixture.Sleeper)
			fixture.Is(f, "M11 inner", err, fixture.OuterTimeout...)
			return err
		})
		fixture.Is(f, "M11 outer", err, fixture.TaskTimeout...)
	})
}

// The same in straight-line code: M2, M3, M6 in block form.
func TestNestedWithTimeout(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		for _, d := range [][3]int{{1, 2, 3}, {3, 2, 1}, {2, 1, 3}, {2, 3, 1}, {1, 1, 1}, {3, 1, 2}, {1, 3, 2}, {2, 2, 1}} {
			contexts := make([]context.Context, 3)
			inner := ctx
			for i, seconds := range d {
				var cancel context.CancelFunc
				inner, cancel = curio.WithTimeout(inner, time.Duration(seconds)*time.Second)
				defer cancel()
				contexts[i] = inner
			}
			o := oracle{levels: []level{{deadline: d[0]}, {deadline: d[1]}, {deadline: d[2]}}}
			for l := 2; l >= 0; l-- {
				fixture.Is(f, fmt.Sprintf("%v: in level %d", d, l), fixture.Sleeper(contexts[l]), o.sleep(l).errors()...)
			}
			for l := range 3 { // all have passed: only the outermost sees its own
				fixture.Is(f, fmt.Sprintf("%v: late in level %d", d, l), fixture.Sleeper(contexts[l]), o.passed(l).errors()...)
			}
		}
	})
}

// A task in a timeout is cancelled by it: a timeout is its own task's affair. The
// same for timeouts of the child around its operation.
func TestTimeoutOfTheParent(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		err := curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) error {
			child := curio.Go(ctx, func(ctx context.Context) error {
				err := curio.TimeoutAfter(ctx, time.Minute, func(ctx context.Context) error {
					expired, err := curio.IgnoreAfter(ctx, time.Minute, fixture.Sleeper)
					if expired {
						f.Error("ignored")
					}
					fixture.Is(f, "in the child", err, fixture.TaskCancelled...)
					return err
				})
				fixture.Is(f, "in the child's outer timeout", err, fixture.TaskCancelled...)
				if err := ctx.Err(); err != context.Canceled {
					f.Errorf("the child's context says %v", err)
				}
				who, _ := curio.WhoCancelled(err)
				if !who.Expired {
					f.Errorf("the child does not know that it was a deadline: %+v", who)
				}
				return err
			})
			_, err := child.Join(ctx)
			fixture.Is(f, "Join", err, fixture.TaskTimeout...)
			return err
		})
		fixture.Is(f, "outside", err, fixture.TaskTimeout...)
	})
}

// C8 and its kind: a task that is cancelled inside of timeouts reports that, at each
// level, and its clean-up is not disturbed by them.
func TestCancelInsideTimeouts(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		task := curio.Go(ctx, func(ctx context.Context) error {
			err := curio.TimeoutAfter(ctx, 5*time.Second, func(ctx context.Context) error {
				err := curio.TimeoutAfter(ctx, 2*time.Second, func(ctx context.Context) error {
					err := fixture.Sleeper(ctx)
					fixture.Is(f, "operation", err, fixture.TaskCancelled...)
					err2 := curio.DisableCancellation(ctx, func(ctx context.Context) error { return curio.Sleep(ctx, 10*time.Second) })
					if err2 != nil {
						f.Errorf("clean-up: %v", err2)
					}
					fixture.Is(f, "operation when the timeouts have passed", fixture.Sleeper(ctx), fixture.TaskCancelled...)
					return err
				})
				fixture.Is(f, "inner", err, fixture.TaskCancelled...)
				return err
			})
			fixture.Is(f, "outer", err, fixture.TaskCancelled...)
			return err
		})
		synctest.Wait()
		start := time.Now()
		_, _ = task.Cancel(ctx)
		f.Elapsed(start, 10*time.Second)
		fixture.Is(f, "task", task.Err(), fixture.TaskCancelled...)
	})
}

// C19: a cancellation arrives while a timeout is handled, and cuts that short.
func TestCancelWhileTimeoutIsHandled(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		task := curio.Go(ctx, func(ctx context.Context) error {
			err := curio.TimeoutAfter(ctx, time.Second, fixture.Sleeper)
			fixture.Is(f, "timeout", err, fixture.TaskTimeout...)
			return fixture.Sleeper(ctx)
		})
		_ = curio.Sleep(ctx, 2*time.Second)
		_, _ = task.Cancel(ctx)
		fixture.Is(f, "handler", task.Err(), fixture.TaskCancelled...)
	})
}

// The expiry of a timeout that was cancelled from further out first is nobody's: the
// task was cancelled, whichever came first.
func TestTimeoutThenCancelBeforeTheErrorIsReturned(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var first, second error
		task := curio.Go(ctx, func(ctx context.Context) error {
			return curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) error {
				first = fixture.Sleeper(ctx)
				time.Sleep(2 * time.Second) // cancelled meanwhile
				second = curio.Sleep(ctx, 0)
				return second
			})
		})
		_ = curio.Sleep(ctx, 2*time.Second)
		_, _ = task.Cancel(ctx)
		fixture.Is(f, "before", first, fixture.TaskTimeout...)
		fixture.Is(f, "after", second, fixture.TaskCancelled...)
		fixture.Is(f, "outside", task.Err(), fixture.TaskCancelled...)
	})
}

// Shields between timeouts: what is outside of the shield is not seen in it, and is
// in force after it.
func TestNestedTimeoutsWithShield(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		start := time.Now()
		err := curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) error {
			err := curio.DisableCancellation(ctx, func(ctx context.Context) error {
				err := curio.TimeoutAfter(ctx, 3*time.Second, func(ctx context.Context) error {
					err := curio.TimeoutAfter(ctx, 4*time.Second, fixture.Sleeper)
					fixture.Is(f, "innermost", err, fixture.OuterTimeout...)
					return err
				})
				fixture.Is(f, "directly in the shield", err, fixture.TaskTimeout...)
				return nil
			})
			if err != nil {
				f.Error(err)
			}
			return curio.Sleep(ctx, 0)
		})
		fixture.Is(f, "outermost", err, fixture.TaskTimeout...)
		f.Elapsed(start, 3*time.Second)

		// One that escapes from the shield is uncaught, or overtaken.
		err = curio.TimeoutAfter(ctx, 5*time.Second, func(ctx context.Context) error {
			return curio.DisableCancellation(ctx, func(ctx context.Context) error {
				return curio.TimeoutAfter(ctx, time.Second, fixture.Sleeper)
			})
		})
		fixture.Is(f, "escaped", err, fixture.Uncaught...)
		err = curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) error {
			return curio.DisableCancellation(ctx, func(ctx context.Context) error {
				return curio.TimeoutAfter(ctx, 2*time.Second, fixture.Sleeper)
			})
		})
		fixture.Is(f, "overtaken", err, fixture.TaskTimeout...)
	})
}

// What was uncaught once stays so further out.
func TestUncaughtThroughTwoLevels(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		err := curio.TimeoutAfter(ctx, 3*time.Hour, func(ctx context.Context) error {
			err := curio.TimeoutAfter(ctx, 2*time.Hour, func(ctx context.Context) error {
				return curio.TimeoutAfter(ctx, time.Second, fixture.Sleeper)
			})
			fixture.Is(f, "middle", err, fixture.Uncaught...)
			return fmt.Errorf("wrapped: %w", err)
		})
		fixture.Is(f, "outer", err, fixture.Uncaught...)
		expired, err := curio.IgnoreAfter(ctx, time.Hour, func(context.Context) error { return err })
		if expired {
			f.Error("ignored")
		}
		fixture.Is(f, "ignoring", err, fixture.Uncaught...)
	})
}
