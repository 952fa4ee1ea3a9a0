package network

import (
	"context"

	"github.com/curio-go/curio/internal/poll"
)

// A splicer decides when a Copy splices. A receive that has filled its buffer is likely to be of a
// stream that has more to receive, of which it pays to splice large pieces. It does not pay to splice
// messages, and a Copy that waits for something small must not hold a pipe.
//
//	receiving ──► streaming   a receive has filled the buffer
//	streaming ──► receiving   a splice has moved little, or nothing
type splicer struct {
	from, to  poll.Stream // nil if these two cannot splice
	streaming bool
}

// enough is how much a splice has to move, for the next one to be worth it.
const enough = 64 << 10

// init looks whether dst and src are both stream sockets, with nothing above them, which would have to
// see the bytes.
func (s *splicer) init(dst, src Conn) {
	if from, to := poll.StreamOf(src), poll.StreamOf(dst); from != nil && to != nil {
		s.from, s.to = from, to
	}
}

// received is told of each receive.
func (s *splicer) received(n int) { s.streaming = s.from != nil && n >= blockSize }

// never is called if it turns out that the system cannot.
func (s *splicer) never() { *s = splicer{} }

// splice is piece, by splice(2). It leaves the end of src to the next receive.
func (c *copying) splice(ctx context.Context) error {
	pipe, err := c.splicer.from.FD().SpliceIn(ctx)
	switch {
	case err == poll.ErrNoSplice:
		c.splicer.never()
		return nil
	case err != nil:
		return &CopyError{Err: c.splicer.from.Failed("recv", err)}
	case pipe == nil:
		c.splicer.streaming = false
		return nil
	}
	defer pipe.Release()
	c.tell(pipe.Len())
	c.splicer.streaming = pipe.Len() >= enough
	n, err := c.splicer.to.FD().SpliceOut(ctx, pipe, c.moved)
	c.sent += int64(n)
	if err == nil {
		return nil
	}
	rest, lost := pipe.Drain()
	switch {
	case lost != nil:
		err = lost
	case err == poll.ErrNoSplice:
		c.splicer.never()
		return c.send(ctx, rest)
	}
	return &CopyError{Sending: true, Unsent: rest, Err: c.splicer.to.Failed("send", err)}
}
