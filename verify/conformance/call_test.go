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

	send       verb = "Send"
	trySend    verb = "TrySend"
	receive    verb = "Receive"
	tryReceive verb = "TryReceive"
	leave      verb = "Close of a subscription"

	look    verb = "Get of what is there"
	produce verb = "Do"
	begin   verb = "begin"
	end     verb = "end"
)

// blocks reports whether v takes a context that can end it.
func (v verb) blocks() bool {
	switch v {
	case acquire, acquireRead, waitForIt, put, get, join, send, receive, produce:
		return true
	}
	_, ok := options[v]
	return ok
}

// A call is the input of one operation.
type call struct {
	verb verb
	n    int64 // units, the item, or the version
	at   int   // which subscription
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
	left      ending = "the subscription is closed"
	dropped   ending = "dropped"
	lagged    ending = "lagged"
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
	case err == curio.ErrQueueClosed, err == curio.ErrBroadcastClosed:
		return answer{end: closed}
	case err == curio.ErrQueueEmpty, err == curio.ErrSubscriptionEmpty:
		return answer{end: isEmpty}
	case err == curio.ErrQueueFull, err == curio.ErrBroadcastFull:
		return answer{end: isFull}
	case err == curio.ErrSubscriptionClosed:
		return answer{end: left}
	case err == curio.ErrSubscriptionDropped:
		return answer{end: dropped}
	}
	if lag, ok := errors.AsType[*curio.LaggedError](err); ok {
		return answer{end: lagged, n: int64(lag.Skipped)}
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
	text := fmt.Sprintf("%s(%d) at %d", c.verb, c.n, c.at)
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
