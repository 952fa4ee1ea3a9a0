package debug

import (
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
)

// A batch is calls of the user's code that a goroutine makes one after the other.
type batch struct {
	calls []func()
	next  atomic.Int64  // of calls
	cut   atomic.Bool   // no more are wanted
	done  chan struct{} // closed when all have been made
}

func startBatch(calls []func()) *batch {
	b := &batch{calls: calls, done: make(chan struct{})}
	go b.run()
	return b
}

func (b *batch) run() {
	finished := false
	defer func() {
		if !finished {
			go b.run() // a call has ended the goroutine
		}
	}()
	for int(b.next.Load()) < len(b.calls) && !b.cut.Load() {
		call := b.calls[b.next.Add(1)-1]
		guard(call)
	}
	finished = true
	close(b.done)
}

// guard calls f. If f panics, guard prints that, but only once in a program, because the log might panic again, and
// the next call too.
func guard(f func()) {
	defer func() {
		if v := recover(); v != nil {
			complained.Do(func() {
				fmt.Fprintf(os.Stderr, "curio: a function or a log handler that package debug has called panicked: %v\n", v)
			})
		}
	}()
	f()
}

var complained sync.Once

func (b *batch) over() bool {
	select {
	case <-b.done:
		return true
	default:
		return false
	}
}

// wait waits until all calls have been made. The result is false if there is no progress for some time, or if the calls
// have not been made after the given number of such times, 0 for any number.
func (b *batch) wait(most int) bool {
	for round := 1; ; round++ {
		before := b.next.Load()
		bound, cancel := context.WithTimeout(context.Background(), patience)
		select {
		case <-b.done:
			cancel()
			return true
		case <-bound.Done():
		}
		cancel()
		if b.next.Load() == before || round == most {
			return false
		}
	}
}
