package conformance

import (
	"errors"
	"fmt"

	"github.com/curio-go/curio"
)

// A verb is what a call asks of an object.
type verb string

const (
	acquire        verb = "Acquire"
	tryAcquire     verb = "TryAcquire"
	release        verb = "Release"
	acquireRead    verb = "AcquireRead"
	tryAcquireRead verb = "TryAcquireRead"
	releaseRead    verb = "ReleaseRead"
	locked         verb = "Locked"

	resize verb = "Resize"
	value  verb = "Value"
	size   verb = "Size"

	set       verb = "Set"
	unset     verb = "Clear"
	isSet     verb = "IsSet"
	waitForIt verb = "Wait"

	put      verb = "Put"
	tryPut   verb = "TryPut"
	get      verb = "Get"
	tryGet   verb = "TryGet"
	length   verb = "Len"
	full     verb = "Full"
	taskDone verb = "TaskDone"
	join     verb = "Join"
	shut     verb = "Close"
	readable verb = "poll(FD)"
)

// blocks reports whether v takes a context that can end it.
func (v verb) blocks() bool {
	switch v {
	case acquire, acquireRead, waitForIt, put, get, join:
		return true
	}
	_, ok := options[v]
	return ok
}

// A call is the input of one operation.
type call struct {
	verb verb
	n    int64 // units, or the item
	who  int64 // in whose name it is: a task, or a goroutine of no task

	hasty bool // it may have to wait for ever, so its context must end
	dead  bool // its context had ended before the call

	id         int         // of a call that can wait; set by markContenders
	contenders []contender // of a Try that failed
}

// An answer is the output of one operation.
type answer struct {
	end ending
	n   int64 // the item, the number, or 1 for true
	err error // of a call that failed or panicked
}

// An ending is how an operation ended.
type ending string

const (
	done      ending = "ok"
	refused   ending = "false"
	cancelled ending = "cancelled"
	closed    ending = "closed"
	isEmpty   ending = "empty"
	isFull    ending = "full"
	panicked  ending = "panic"
	wrong     ending = "wrong" // no model accepts this
)

func ended(err error) answer {
	switch {
	case err == nil:
		return answer{end: done}
	case errors.Is(err, curio.ErrCancelled):
		return answer{end: cancelled, err: err}
	case err == curio.ErrQueueClosed:
		return answer{end: closed}
	case err == curio.ErrQueueEmpty:
		return answer{end: isEmpty}
	case err == curio.ErrQueueFull:
		return answer{end: isFull}
	}
	return answer{end: wrong, err: err}
}

// tried is the answer of a TryAcquire.
func tried(ok bool) answer {
	if ok {
		return answer{end: done}
	}
	return answer{end: refused}
}

func number(n int64) answer { return answer{end: done, n: n} }

func truth(is bool) answer {
	if is {
		return number(1)
	}
	return number(0)
}

func (c call) String() string {
	text := fmt.Sprintf("%s(%d)", c.verb, c.n)
	if c.dead {
		text += " with an ended context"
	}
	return text
}

func (a answer) String() string {
	text := fmt.Sprintf("%s %d", a.end, a.n)
	if a.err != nil {
		text += ": " + a.err.Error()
	}
	return text
}
