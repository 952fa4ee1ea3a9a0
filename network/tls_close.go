package network

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"

	"github.com/curio-go/curio"
)

// Close closes c and the connection below. If no other task is sending, Close first sends data that
// an interrupted SendAll has left, and then close_notify, which ends the stream. It does not wait
// for room to send; only if there is no socket below, it waits for up to 100 ms. If something could
// not be sent, the peer misses it, and Close returns an error that says how many bytes of records
// are missing, or that close_notify is. The error wraps [io.ErrShortWrite] or the error of the
// connection below. To wait for room, use CloseContext.
//
// Operations in progress and all later ones fail with net.ErrClosed, including a second Close. A
// second Close also makes a CloseContext in progress return.
func (c *TLSConn) Close() error { return c.close(noWait) }

// noWait is passed instead of a context by a Close, which has none.
var noWait context.Context

// CloseContext closes c and the connection below as Close does, but waits for room to send until
// ctx is done. If ctx is done before all is sent, the connection is closed all the same, and the
// error wraps ctx's error and says what was not sent. Like Close, it does not wait for a SendAll in
// progress.
func (c *TLSConn) CloseContext(ctx context.Context) error { return c.close(ctx) }

// A politeCloser is a Conn that has something to say before it is closed, for which it may
// have to wait.
type politeCloser interface {
	CloseContext(ctx context.Context) error
}

// closeConn closes conn: by CloseContext if conn has that and ctx is not nil, or else by
// Close.
func closeConn(ctx context.Context, conn Conn) error {
	if c, ok := conn.(politeCloser); ok && ctx != nil {
		return c.CloseContext(ctx)
	}
	return conn.Close()
}

// close is CloseContext, or Close if ctx is nil.
func (c *TLSConn) close(ctx context.Context) (err error) {
	first := !c.closed.Swap(true)
	if !first {
		c.hurried.Store(true)
	}
	var missing error
	defer func() { // even if the Conn below panics
		err = closeConn(ctx, c.wire.below)
		switch {
		case missing != nil:
			err = c.failed("close", missing)
		case first && c.hurried.Load() && causeOf(err) == net.ErrClosed:
			err = nil // another Close has done the rest
		case !first && err == nil:
			err = c.failed("close", net.ErrClosed)
		case err != nil:
			err = c.failed("close", &wireError{err})
		}
	}()
	if first && c.done.Load() {
		missing = c.farewell(ctx)
	}
	return nil
}

// farewell sends what is left, and close_notify, and returns an error if not all was sent.
func (c *TLSConn) farewell(ctx context.Context) error {
	taken, pushing := c.takeOver()
	if !taken {
		if pushing {
			return c.missing(nil)
		}
		return nil // the task that is sending will be told
	}
	defer c.senders.Release(nobody)
	_ = c.endStream() // an error means that there was a fatal alert, which is enough
	err := c.wire.push(nobody, ctx == nil)
	if err != nil && ctx != nil {
		err = c.wire.flush(ctx)
	}
	switch {
	case err == nil:
		return nil
	case ctx == nil && (goesOn(err) || errors.Is(err, syscall.EAGAIN)):
		err = nil
	}
	return c.missing(err)
}

// endStream puts close_notify into the wire, unless it is there already. Nothing comes
// after it. The caller holds senders.
func (c *TLSConn) endStream() error {
	before := c.wire.unsent.Load()
	err := c.tls.CloseWrite()
	c.notify.Add(c.wire.unsent.Load() - before)
	return err
}

// takeOver takes senders for Close, even from the goroutine that is pushing on behalf of a
// receiver.
func (c *TLSConn) takeOver() (taken, pushing bool) {
	if !c.wire.pusher.close() {
		return c.senders.TryAcquire(nobody), false
	}
	ctx, cancel := curio.WithTimeout(nobody, lastWords) // a net.Conn may be slow to notice
	defer cancel()
	return c.senders.Acquire(ctx) == nil, true
}

// missing returns the error of a Close that could not send all. err is what has kept it
// from that; nil means that there was no room.
func (c *TLSConn) missing(err error) error {
	why := err
	if why == nil {
		why = io.ErrShortWrite
	}
	unsent := c.wire.unsent.Load()
	switch data := unsent - min(unsent, c.notify.Load()); {
	case data > 0:
		return &unsentError{data, plain(why)}
	case err == nil || goesOn(err):
		return fmt.Errorf("tls: close_notify has not been sent: %w", plain(why))
	}
	return nil // the peer has gone, and got all there was for it
}

// finish ends the stream of a connection whose handler has returned. It waits for room, as
// the peer may still be reading what was sent before: without the end, all of that would
// look cut off.
func finish(ctx context.Context, conn Conn) {
	if c, ok := conn.(*TLSConn); ok {
		ctx, cancel := curio.WithTimeout(ctx, goodBye)
		defer cancel()
		_ = c.CloseWrite(ctx)
	}
}

// An unsentError says how much of what SendAll has encrypted has not been sent.
type unsentError struct {
	bytes int64
	err   error // why not
}

// cut is the error of an operation that sends.
func (c *TLSConn) cut(op string, err error) error {
	err = plain(err)
	if left := c.wire.unsent.Load(); left > 0 {
		err = &unsentError{left, err}
	}
	return opError(op, c, err)
}

func (e *unsentError) Error() string {
	return fmt.Sprintf("tls: %d bytes of records have not been sent: %v", e.bytes, e.err)
}

func (e *unsentError) Unwrap() error { return e.err }

// Timeout is for package net, which does not look at wrapped errors.
func (e *unsentError) Timeout() bool {
	timeout, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](e.err)
	return ok && timeout.Timeout()
}
