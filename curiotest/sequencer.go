package curiotest

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/curio-go/curio/internal/wait"
)

// ErrBroken is the error of a step of a Sequencer if an earlier step has been given up, so that its
// turn will never come.
var ErrBroken = errors.New("curiotest: the sequence is broken")

// A Sequencer makes tasks do things in a given order, whatever the order in which they are run. Each
// step has a number, starting from 0, and runs when all steps with lower numbers have ended. The
// zero value is ready for step 0. A Sequencer must not be copied after first use. It is safe for
// concurrent use.
//
//	var seq curiotest.Sequencer
//	curio.Go(ctx, func(ctx context.Context) error { return seq.Step(ctx, 1, reads) })
//	err := seq.Step(ctx, 0, writes)
//
// A task that waits for its turn is in the state SEQUENCER.
type Sequencer struct {
	mu      sync.Mutex
	next    int          // the step that runs, or is to run
	known   map[int]bool // the steps that have been called, next and later ones
	waiters wait.List    // each has its number in its slot
	broken  error        // why no step from gap on can run; nil if they can
	gap     int
}

// Step waits until all steps below n have ended, and calls fn. The error is fn's error. The step has
// ended when fn has, whether by a result, an error or a panic. A nil fn does nothing.
//
// If ctx is done before it is n's turn, the error is ctx's error, and the number is lost: later
// steps fail with ErrBroken, because they would have to wait for ever. Steps below n are not
// affected.
//
// Step panics if n is negative, or if there has been a step n already.
func (s *Sequencer) Step(ctx context.Context, n int, fn func() error) error {
	if err := s.turn(ctx, n); err != nil {
		return err
	}
	defer s.advance()
	if fn == nil {
		return nil
	}
	return fn()
}

// turn waits until it is n's turn.
func (s *Sequencer) turn(ctx context.Context, n int) (err error) {
	p, err := wait.At(ctx)
	if err == nil && p.Untrusted() {
		return p.Follow(func(p wait.Place) error { return s.turn(p.Scope(), n) })
	}
	s.mu.Lock()
	s.claimLocked(n)
	if err != nil {
		return s.giveUp(n, err)
	}
	if s.next != n && !s.isBrokenLocked(n) {
		w := p.Waiter("SEQUENCER", s)
		w.Slot = n
		s.waiters.Push(w)
		s.mu.Unlock()
		ok := w.Wait()
		s.mu.Lock()
		s.waiters.Remove(w)
		w.Slot = nil
		w.Free()
		if !ok {
			s.mu.Unlock()
			err = errors.New("its context panicked") // replaced below unless p.Failure panics
			defer func() {
				s.mu.Lock()
				_ = s.giveUp(n, err)
			}()
			err = p.Failure()
			return err
		}
	}
	isBroken, broken := s.isBrokenLocked(n), s.broken
	s.mu.Unlock()
	if !isBroken {
		return nil
	}
	// What gave up the other step may have reached this one as well: then that counts.
	if _, err := wait.At(ctx); err != nil {
		return err
	}
	return broken
}

// claimLocked makes n the caller's.
func (s *Sequencer) claimLocked(n int) {
	var why string
	switch {
	case n < 0:
		why = "steps are numbered from 0"
	case n < s.next || s.known[n]:
		why = "there has been such a step already; each needs a number of its own"
	default:
		if s.known == nil {
			s.known = make(map[int]bool)
		}
		s.known[n] = true
		return
	}
	s.mu.Unlock()
	panic(fmt.Sprintf("curiotest: step %d of a Sequencer: %s", n, why))
}

func (s *Sequencer) isBrokenLocked(n int) bool { return s.broken != nil && n > s.gap }

// giveUp notes that step n will never be, unlocks mu, and tells those that wait for it.
// It returns err, which is why.
func (s *Sequencer) giveUp(n int, err error) error {
	if s.broken == nil || n < s.gap {
		s.gap = n
		// Not wrapped: that somebody else was cancelled is no cancellation.
		s.broken = fmt.Errorf("%w: step %d was given up: %v", ErrBroken, n, err)
	}
	var woken wait.Batch
	for w := s.waiters.First(); w != nil; {
		later := s.waiters.Next(w)
		if w.Slot.(int) > n && s.waiters.Take(w) {
			woken.Add(w)
		}
		w = later
	}
	s.mu.Unlock()
	woken.Wake()
	return err
}

// advance ends the step that runs.
func (s *Sequencer) advance() {
	s.mu.Lock()
	delete(s.known, s.next)
	s.next++
	w := s.waiters.First()
	for w != nil && w.Slot.(int) != s.next {
		w = s.waiters.Next(w)
	}
	mine := w != nil && s.waiters.Take(w) // else it has been cancelled, and gives up
	s.mu.Unlock()
	if mine {
		w.Wake()
	}
}
