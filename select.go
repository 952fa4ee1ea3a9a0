package curio

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"

	"github.com/curio-go/curio/internal/wait"
)

// A Case is one of the things that a Select waits for. Methods and functions whose names end in Case
// make them, such as [Queue.GetCase], [Event.WaitCase] and [ReceiveCase]. The zero Case never takes
// effect: assign it to switch a case off.
//
// A Case has no state of its own. It may be used for one Select after another, but not for two at
// once if it has a destination for what is received.
type Case struct{ of selectable }

// A selectable is an operation that Select may choose. Each uses its object's mutex.
type selectable interface {
	// try does it for me, if it can be done at once. began is when the Select began. err is
	// what the operation itself returns.
	try(me *wait.Owner, began int64) (done bool, err error)

	// list puts w on the object's list. ok is false if it might be done at once; then w is not
	// on the list.
	list(w *wait.Waiter, began int64) (ok bool)

	// leave takes w, which has not won, off the list, and does what is due for those behind it.
	leave(w *wait.Waiter)

	// take is for w, which has won: err is what the operation itself returns. done is false if
	// there is nothing after all.
	take(w *wait.Waiter) (done bool, err error)
}

// A checker is a selectable that some tasks must not wait for. check panics if me is one.
type checker interface{ check(me *wait.Owner) }

// A finisher is a selectable with something to do when it has been chosen and nothing is held
// any more, as it calls methods of ctx. If own is true, err is the operation's error. If own is
// false, err is ctx's error, and the operation has not taken effect.
type finisher interface {
	finish(ctx context.Context) (own bool, err error)
}

// ErrNotReady is the error of a TrySelect if none of the cases can take effect at once.
var ErrNotReady = errors.New("curio: none of the cases is ready")

// Select waits until one of the cases can take effect, and lets exactly that one take effect:
// nothing is taken from, put into or acquired for the others. It returns the case's index, and the
// error that the operation itself would have returned, such as ErrQueueClosed. If ctx is done first,
// or already, the index is -1, the error is ctx's error, and none of the cases has taken effect.
// Check the index to find that out, because a task's error may be a cancellation, too.
//
//	var job Job
//	switch i, err := curio.Select(ctx, jobs.GetCase(&job), stop.WaitCase()); {
//	case err != nil:
//		return err
//	case i == 0:
//		work(job)
//	case i == 1:
//		return nil
//	}
//
// If several cases are ready, Select chooses one of them at random. A case whose object is closed,
// set or has ended is always ready: in a loop, switch it off by the zero Case. To check whether a
// case is ready without waiting, use TrySelect. Select panics if there are no cases. If there are
// only zero ones, it waits until ctx is done.
//
// Arguments are evaluated when the cases are made: a value for a PutCase is put or dropped. The wait
// for a lock, a semaphore or a queue is in order of arrival, but the place in the line is lost when
// another case takes effect. If there is a Go channel among the cases, other than nil, there is no
// place in a line: other tasks that wait for the same object come first, so a request for many
// units, or for writing, may wait for ever while others come and go.
//
// It does for the operations of this package what a select statement does for channels. A task
// that waits is in the state SELECT.
func Select(ctx context.Context, cases ...Case) (index int, err error) {
	p, err := wait.At(ctx)
	if err != nil {
		return -1, err
	}
	began := begin("Select", p.Owner(), cases)
	index, err = tryCases(p.Owner(), began, cases)
	switch {
	case index >= 0:
	case p.Untrusted():
		cases := slices.Clone(cases) // only these escape
		err = p.Follow(func(p wait.Place) (err error) {
			index, err = choose(p, began, cases)
			return err
		})
	default:
		index, err = choose(p, began, cases)
	}
	if endedWith(p, err) {
		return -1, p.Failure()
	}
	return finish(ctx, cases, index, err)
}

// TrySelect lets one of the cases that can take effect at once do so, and returns what Select
// returns. If there is none, the index is -1 and the error is ErrNotReady. A lock is acquired for
// the task of ctx; TrySelect does not check whether ctx is done. It looks at one case after another,
// so it may miss one that becomes ready while it looks at the others. It panics if there are no
// cases.
func TrySelect(ctx context.Context, cases ...Case) (index int, err error) {
	me := wait.CurrentTask(ctx)
	if index, err = tryCases(me, begin("TrySelect", me, cases), cases); index < 0 {
		return -1, ErrNotReady
	}
	return finish(ctx, cases, index, err)
}

// begin checks the cases, and returns when the call begins, if one of the cases asks for that.
func begin(call string, me *wait.Owner, cases []Case) (now int64) {
	if len(cases) == 0 {
		panic("curio: " + call + " without cases; if some may be switched off, pass zero Cases for them")
	}
	for _, c := range cases {
		switch c := c.of.(type) {
		case afterCase:
			now = wait.Now()
		case checker:
			c.check(me)
		}
	}
	return now
}

// finish does what the chosen case has left to do.
func finish(ctx context.Context, cases []Case, index int, err error) (int, error) {
	if index < 0 {
		return index, err
	}
	f, ok := cases[index].of.(finisher)
	if !ok {
		return index, err
	}
	own, err := f.finish(ctx)
	if !own {
		return -1, err
	}
	return index, err
}

// tryCases tries the cases in random order, until one takes effect. If none does, the index is
// -1.
func tryCases(me *wait.Owner, began int64, cases []Case) (index int, err error) {
	var few [8]int32
	order := few[:]
	if len(cases) > len(few) {
		order = make([]int32, len(cases))
	}
	order = order[:len(cases)]
	for i := range order {
		order[i] = int32(i)
	}
	for n := len(order); n > 0; n-- {
		at := 0
		if n > 1 {
			at = int(rand.Uint32N(uint32(n)))
		}
		i := order[at]
		order[at] = order[n-1]
		if of := cases[i].of; of != nil {
			if done, err := of.try(me, began); done {
				return int(i), err
			}
		}
	}
	return -1, nil
}

// A selection is a Select that has to wait. The cases are not in it, as they would escape to the
// heap with the rest.
type selection struct {
	p        wait.Place
	began    int64
	channels int // how many cases on Go channels there are
	channel  int // the index of one
}

// choose waits for one of the cases.
func choose(p wait.Place, began int64, cases []Case) (index int, err error) {
	s := selection{p: p, began: began}
	s.channels, s.channel = channelsIn(cases)
	for {
		index, ok, err := s.wait(cases)
		switch {
		case !ok:
			return -1, p.Failure()
		case index >= 0:
			return index, err
		}
		if p.Ended() {
			return -1, p.Failure()
		}
		if index, err := tryCases(p.Owner(), began, cases); index >= 0 {
			return index, err
		}
	}
}

// wait waits once. ok is false if the scope has ended the wait. If index is negative, the cases
// are to be tried again. That is so, too, if a case is found ready while the waiters are being
// listed: one that is listed may be claimed at any time, so it is tried when they are off the
// lists.
func (s *selection) wait(cases []Case) (index int, ok bool, err error) {
	c := s.p.Choose("SELECT", s.channels > 0)
	var winner *wait.Waiter
	left := false
	leave := func() {
		left = true
		leaveLists(cases, c.Nodes(), winner)
	}
	defer c.Release()
	defer func() {
		if !left { // a send has panicked, or a foreign context, or the Serve of a WaitList
			c.GiveUp()
			leave()
		}
	}()
	passed := -1
	switch {
	case !s.list(c, cases):
		winner, ok = c.GiveUp(), true
	case s.channels > 0:
		passed, winner, ok, err = s.waitOutside(c, cases)
	default:
		winner, ok = c.Wait()
	}
	if passed >= 0 {
		winner = nil
	}
	leave()
	switch {
	case passed >= 0:
		if !ok {
			s.p.Survived()
		}
		return passed, true, err
	case winner == nil:
		return -1, ok, nil
	}
	done, err := cases[winner.Index()].of.take(winner)
	if !done {
		return -1, true, nil
	}
	return winner.Index(), true, err
}

// leaveLists takes all nodes but the winner off their lists, even if the Serve of a WaitList
// panics meanwhile.
func leaveLists(cases []Case, nodes []*wait.Waiter, winner *wait.Waiter) {
	left := 0
	defer func() {
		if left < len(nodes) {
			leaveLists(cases, nodes[left:], winner)
		}
	}()
	for left < len(nodes) {
		w := nodes[left]
		left++
		if w != winner {
			cases[w.Index()].of.leave(w)
		}
	}
}

// list lists a waiter for each case. ok is false if one of them might take effect at once.
func (s *selection) list(c *wait.Choice, cases []Case) (ok bool) {
	for i, cs := range cases {
		if cs.of != nil && !cs.of.list(c.Node(i), s.began) {
			return false
		}
	}
	return true
}
