package process

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/gobs"
	"github.com/curio-go/curio/internal/wait"
)

// An invocation is a call, seen from inside the worker. Whatever the function does, exactly one frame
// answers it, and nothing comes after that.
type invocation struct {
	server *server
	number uint32
	head   callHead
	scope  curio.CancelScope // of the function and of all tasks that it spawns
	over   curio.Event       // it has been answered, or will not be

	answered bool        // guarded by server.writing
	overran  atomic.Bool // it has used up its processor time

	mu     sync.Mutex
	room   int // how many progress values may be sent
	closed bool
	line   curio.WaitList[struct{}]
}

// String is for monitors.
func (c *invocation) String() string { return "call of " + c.head.function }

// theInvocation is the invocation in whose function a task runs.
var theInvocation curio.Local[*invocation]

// run calls the function and sends what comes of it.
func (c *invocation) run(ctx context.Context, arg []byte) {
	defer c.over.Set()
	defer func() { // if the function, or encoding its result, has ended the goroutine
		c.answer(ctx, nil, &RemoteError{Text: curio.ErrGoexit.Error(), Type: fmt.Sprintf("%T", curio.ErrGoexit)})
	}()
	if c.head.anew {
		c.beginAnew(ctx)
	}
	result, failure := c.call(ctx, arg)
	c.answer(ctx, result, failure)
}

// call calls the function, and returns a pointer to its result or what it has failed with.
func (c *invocation) call(ctx context.Context, arg []byte) (result any, failure *RemoteError) {
	f := functions.find(c.head.function)
	switch {
	case f == nil:
		return nil, &RemoteError{Text: "the worker has no such function; register functions in variables of a package, or before Main"}
	case f.signature != c.head.signature:
		return nil, &RemoteError{Text: fmt.Sprintf("the worker has it as %s, and not as %s", f.signature, c.head.signature)}
	}
	defer func() {
		if v := recover(); v != nil {
			result, failure = nil, &RemoteError{Panic: true, Text: fmt.Sprint(v), Type: fmt.Sprintf("%T", v), Stack: string(debug.Stack())}
		}
	}()
	var err error
	_ = c.scope.Run(ctx, func(ctx context.Context) error {
		theInvocation.Set(ctx, c)
		defer c.server.limits.allow(func() {
			c.overran.Store(true)
			c.server.end(dieOverCPUTime)
		})()
		result, err = f.call(ctx, &c.server.dec, arg)
		return nil
	})
	if err != nil {
		return nil, &RemoteError{Text: fmt.Sprint(err), Type: fmt.Sprintf("%T", err)}
	}
	return result, nil
}

// beginAnew makes the table of types begin anew.
func (c *invocation) beginAnew(ctx context.Context) {
	c.write(ctx, func(context.Context) error { c.server.enc.Reset(); return nil })
}

// write calls fn with server.writing held, and nothing cuts that short.
func (c *invocation) write(ctx context.Context, fn func(ctx context.Context) error) {
	_ = curio.DisableCancellation(ctx, func(ctx context.Context) error { return c.server.writing.Do(ctx, fn) })
}

// answer sends the answer, unless that has been done. When the process is about to end, a failure is not
// sent: that it ends is the likely reason, and what the caller has to know. Nor is a result of a call that has
// used up its processor time: with it the caller would hand this process the next call, which would die of that;
// and the same goes for one whose main task has been cancelled: see loop.
func (c *invocation) answer(ctx context.Context, result any, failure *RemoteError) {
	c.write(ctx, func(ctx context.Context) error {
		if c.answered {
			return nil
		}
		if failure == nil {
			body, err := c.encode(func(e *gobs.Encoder) ([]byte, error) { return e.Encode(result) })
			if err == nil {
				return c.last(ctx, aResult, body)
			}
			failure = &RemoteError{Text: "its result cannot be sent: " + err.Error(), Type: fmt.Sprintf("%T", err)}
		}
		return c.last(ctx, aFailure, failure.pack())
	})
}

// encode encodes something. It may be code of the user's that does so, and that ends the goroutine.
func (c *invocation) encode(do func(e *gobs.Encoder) ([]byte, error)) (body []byte, err error) {
	done := false
	defer func() {
		if !done {
			c.server.enc.Reset()
		}
	}()
	body, err = do(&c.server.enc)
	done = true
	return body, err
}

// last sends the answer, with server.writing held. The next call may come as soon as it has been sent.
func (c *invocation) last(ctx context.Context, k kind, body []byte) error {
	c.answered = true
	c.mu.Lock()
	c.closed = true
	c.serveLocked()
	c.mu.Unlock()
	s := c.server
	s.mu.Lock()
	s.current = nil
	stopping := s.stopping
	s.mu.Unlock()
	if stopping && k == aFailure || c.overran.Load() || curio.CheckCancellation(s.ctx) != nil {
		return nil
	}
	return s.link.send(ctx, k, c.number, nil, body)
}

// progress sends a value that encode encodes.
func (c *invocation) progress(ctx context.Context, encode func(e *gobs.Encoder) ([]byte, error), waits bool) (sent bool, err error) {
	if waits {
		_, err = c.line.Wait(ctx, struct{}{})
	} else if _, err = wait.At(ctx); err == nil {
		if _, ok := c.line.TryWait(ctx, struct{}{}); !ok {
			return false, nil
		}
	}
	if err != nil {
		return false, err
	}
	defer func() {
		if !sent {
			c.give(1)
		}
	}()
	lock := c.server.writing
	if waits {
		if err := lock.Acquire(ctx); err != nil {
			return false, err
		}
	} else if !lock.TryAcquire(ctx) {
		return false, nil
	}
	defer lock.Release(ctx)
	if c.answered {
		return false, fmt.Errorf("process: Report for a call of %s that has ended", c.head.function)
	}
	body, err := c.encode(encode)
	if err != nil {
		return false, fmt.Errorf("process: Report by %s: %w: %w", c.head.function, ErrUnsendable, err)
	}
	err = curio.DisableCancellation(ctx, func(ctx context.Context) error { // half a frame would be the end of the link
		return c.server.link.send(ctx, aProgress, c.number, nil, body)
	})
	return err == nil, err
}

// give makes room for n more progress values.
func (c *invocation) give(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.room = min(c.room+n, window)
	c.serveLocked()
}

// serveLocked lets values go for which there is room. When the call has ended, it lets all go, to learn that.
func (c *invocation) serveLocked() {
	for (c.room > 0 || c.closed) && c.line.Hand(struct{}{}) {
		c.room--
	}
}
