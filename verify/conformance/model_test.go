package conformance

import (
	"hash/maphash"
	"slices"

	"github.com/anishathalye/porcupine"
)

var hashSeed = maphash.MakeSeed()

// model makes a checker's model of a state and what a call does to it. step returns the
// state after the call, and whether the call can have ended with this answer.
//
// All models are deterministic: given the answer there is one next state at most. What is
// left open, as when a Try may fail, is which answers are accepted, not what they do.
// So porcupine's NondeterministicModel, which carries sets of states, is not needed.
//
// A call whose context had ended before it should have been cancelled.
func model[S comparable](start S, step func(S, call, answer) (S, bool)) porcupine.Model {
	return modelOfAll(start, func(s S, c call, a answer) (S, bool) {
		if c.dead {
			return s, false
		}
		return step(s, c, a)
	})
}

// modelOfAll is model for an object that may answer although a context has ended.
func modelOfAll[S comparable](start S, step func(S, call, answer) (S, bool)) porcupine.Model {
	return porcupine.Model{
		Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
			return [][]porcupine.Operation{effective(history)}
		},
		Init: func() any { return start },
		Step: func(state, input, output any) (bool, any) {
			next, ok := step(state.(S), input.(call), output.(answer))
			return ok, next
		},
		Hash: func(state any) uint64 { return maphash.Comparable(hashSeed, state.(S)) },
	}
}

// effective leaves out what was cancelled. A model would accept such a call anywhere, as
// one that does nothing, so it constrains nothing; but the checker would try it at every
// place. There is no other way to partition a history: its calls are of one object.
func effective(history []porcupine.Operation) []porcupine.Operation {
	return slices.DeleteFunc(slices.Clone(history), func(o porcupine.Operation) bool {
		return o.Output.(answer).end == cancelled
	})
}

// A contender is a call that stood in the queue, or may have, while a Try failed.
//
// The locks and semaphores whose queue nobody overtakes may refuse a Try although there
// is room: because somebody waits. It may be somebody whose wait has just been cancelled
// and who has not returned. From outside one sees only that such a call was under way.
// So a Try may fail without another reason while a call is under way that can wait, whose
// context was alive, and that has not had its effect yet.
//
// The state of such an object keeps which calls have had their effect. That costs the
// checker nothing: it tells states apart by the calls that it has placed anyway.
type contender struct {
	id   int   // in the state
	n    int64 // how much it wants
	fail bool  // it was cancelled, so it may have stood in the queue to its end
}

// waits reports whether the contender can be in the queue when the calls in taken have
// had their effect.
func (c contender) waits(taken callSet) bool { return c.fail || !taken.has(c.id) }

// A callSet is a set of those calls of a history that can wait. It is an array, so that
// states can be compared.
type callSet [mostClients * mostCalls / 64]uint64

func (s callSet) has(id int) bool { return s[id/64]&(1<<(id%64)) != 0 }

func (s callSet) with(id int) callSet {
	s[id/64] |= 1 << (id % 64)
	return s
}

// markContenders numbers the calls of a history that can wait, and notes with each Try
// that failed which of them were under way.
func markContenders(history []porcupine.Operation) {
	var waiting []int
	for i, o := range history {
		if c := o.Input.(call); (c.verb == acquire || c.verb == acquireRead) && !c.dead {
			c.id = len(waiting)
			history[i].Input = c
			waiting = append(waiting, i)
		}
	}
	for i, o := range history {
		if o.Output.(answer).end != refused {
			continue
		}
		c := o.Input.(call)
		for _, j := range waiting {
			if w := history[j]; w.Call < o.Return && o.Call < w.Return {
				in := w.Input.(call)
				c.contenders = append(c.contenders, contender{in.id, in.n, w.Output.(answer).end == cancelled})
			}
		}
		history[i].Input = c
	}
}
