package channel

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
)

// Recv waits for the next message and decodes it, with the connection's [Codec], into the value
// that into points to. The value is replaced as a whole, or, after an error, not changed.
//
// If ctx is done first, Recv returns an error that wraps ctx's error and nothing is lost: the part
// of the message that has arrived is kept, and the next call continues with it. At the end of the
// connection the error is io.EOF, also for later calls. It wraps io.ErrUnexpectedEOF if the
// connection ended in the middle of a message, ErrTooLong or ErrProtocol if the data is not a valid
// message, ErrPickle for a pickle, and ErrKeyWanted for a challenge. A message that cannot be
// decoded is dropped, and the connection can still be used.
//
// Methods of the value that decode it are called in the caller's task, when other tasks can already
// receive. With Gob they are called in a separate goroutine, for which the task waits, and their
// panic is an error. No other task can receive meanwhile: such a method must not receive from the
// connection, and while it does not return, other tasks wait to receive; they can be cancelled.
//
// It is Curio's Connection.recv. The system call is recvfrom(2) or read(2). A task that waits is in
// the state LOCK_ACQUIRE while other tasks receive, and READ_WAIT.
func (c *Conn) Recv(ctx context.Context, into any) error {
	to, err := target(into)
	if err != nil {
		return c.failed("recv", err)
	}
	var b []byte
	if c.codec == Gob {
		err = c.recvGob(ctx, to)
	} else if b, err = c.recvMessage(ctx); err == nil {
		if err = refusePickle(b); err == nil {
			err = decodeJSON(b, to)
		}
	}
	return c.received(err)
}

// received returns the error of an operation that receives.
func (c *Conn) received(err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	return c.failed("recv", err)
}

// recvGob is Recv of a message of encoding/gob, which needs those that came before.
func (c *Conn) recvGob(ctx context.Context, to any) error {
	if err := c.start(ctx, &c.receiving); err != nil {
		return err
	}
	defer c.receiving.Release(ctx)
	b, err := c.next(ctx)
	if err != nil {
		return err
	}
	if err := refusePickle(b); err != nil {
		return err
	}
	if err := c.decoder.Decode(b, to); err != nil {
		return undecodable(b, err)
	}
	return nil
}

// RecvBytes waits for the next message and returns its bytes, which belong to the caller. It
// returns every message unchanged, including pickles. Cancellation and everything else is as for
// [Conn.Recv].
//
// It is Curio's Connection.recv_bytes.
func (c *Conn) RecvBytes(ctx context.Context) ([]byte, error) {
	b, err := c.recvMessage(ctx)
	return b, c.received(err)
}

func (c *Conn) recvMessage(ctx context.Context) ([]byte, error) {
	if err := c.start(ctx, &c.receiving); err != nil {
		return nil, err
	}
	defer c.receiving.Release(ctx)
	return c.next(ctx)
}

// RecvBytesInto waits for the next message, copies it into buf, and returns its length. It
// allocates no memory. If the message is longer than buf, the error wraps io.ErrShortBuffer, n is
// the message's length, and the message is left for the next call. With any other error, n is 0,
// and buf may have been overwritten. Cancellation and everything else is as for [Conn.RecvBytes].
//
// It is Curio's Connection.recv_bytes_into.
func (c *Conn) RecvBytesInto(ctx context.Context, buf []byte) (n int, err error) {
	n, err = c.recvInto(ctx, buf)
	return n, c.received(err)
}

func (c *Conn) recvInto(ctx context.Context, buf []byte) (int, error) {
	if err := c.start(ctx, &c.receiving); err != nil {
		return 0, err
	}
	defer c.receiving.Release(ctx)
	if err := c.nextHeader(ctx); err != nil {
		return 0, err
	}
	a := &c.arriving
	size := a.size
	if size > len(buf) {
		return size, fmt.Errorf("%w: a message of %d bytes does not fit into %d", io.ErrShortBuffer, size, len(buf))
	}
	for n := copy(buf, a.body); n < size; {
		k, err := c.in.Read(ctx, buf[n:size])
		if n += k; err != nil {
			a.body = append(a.body, buf[len(a.body):n]...)
			return 0, unexpected(err)
		}
	}
	if err := c.finish(buf[:size]); err != nil {
		return 0, err
	}
	return size, nil
}

// recvFrame is for the handshake.
func (c *Conn) recvFrame(ctx context.Context, limit int) ([]byte, error) {
	if err := c.start(ctx, &c.receiving); err != nil {
		return nil, err
	}
	defer c.receiving.Release(ctx)
	return c.read(ctx, limit)
}

// next receives a message, in turn.
func (c *Conn) next(ctx context.Context) ([]byte, error) {
	if err := c.nextHeader(ctx); err != nil {
		return nil, err
	}
	b, err := c.read(ctx, c.most)
	if err != nil {
		return nil, err
	}
	if err := c.finish(b); err != nil {
		return nil, err
	}
	return b, nil
}

// nextHeader receives the header of a message. If it cannot be that, the connection is of no use any more.
func (c *Conn) nextHeader(ctx context.Context) error {
	err := c.readHeader(ctx, c.most)
	if errors.Is(err, ErrTooLong) || errors.Is(err, ErrProtocol) {
		_ = c.close(err)
	}
	return err
}

// finish is for when a message has been received, which b is.
func (c *Conn) finish(b []byte) error {
	first := !c.begun
	c.begun, c.arriving, c.longest = true, arrival{}, max(c.longest, len(b))
	if first && c.keyless && isChallenge(b) {
		_ = c.close(ErrKeyWanted)
		return ErrKeyWanted
	}
	return nil
}

// An arrival is what has come of a frame.
type arrival struct {
	header [headerSize]byte
	n      int    // how many bytes of the header
	known  bool   // the header is complete
	size   int    // then it is this: the length of the body
	body   []byte // what has come of that
}

// read receives a frame of at most limit bytes, in turn.
func (c *Conn) read(ctx context.Context, limit int) ([]byte, error) {
	if err := c.readHeader(ctx, limit); err != nil {
		return nil, err
	}
	a := &c.arriving
	for len(a.body) < a.size {
		if len(a.body) == cap(a.body) {
			a.grow(max(c.in.Buffered(), c.longest-len(a.body)))
		}
		n, err := c.in.Read(ctx, a.body[len(a.body):min(cap(a.body), a.size)])
		a.body = a.body[:len(a.body)+n]
		if err != nil {
			return nil, unexpected(err)
		}
	}
	body := a.body
	if body == nil {
		body = []byte{}
	}
	*a = arrival{}
	return body, nil
}

// grow makes room for more in the body. The length is what the other side says, so there is no more room than
// for what has come, as much again, so that it is moved a few times at most. known is what can be counted on:
// it has been received already, or as much has on this connection before. A peer may send
// a long message so that room for it is made at the next one. That gains it no more than the long message has taken.
func (a *arrival) grow(known int) {
	a.body = slices.Grow(a.body, min(max(len(a.body), known, direct), a.size-len(a.body)))
}

// direct is the least that is asked for. A stream receives that much without a buffer of its own in between.
const direct = 4 << 10

// readHeader receives the header of a frame of at most limit bytes.
func (c *Conn) readHeader(ctx context.Context, limit int) error {
	a := &c.arriving
	for !a.known {
		need := 4
		if a.n >= 4 {
			size, long, err := short(a.header[:4])
			if err != nil {
				return err
			}
			if !long {
				a.size, a.known = size, true
				break
			}
			need = headerSize
		}
		if a.n == headerSize {
			size := binary.BigEndian.Uint64(a.header[4:])
			if size > math.MaxInt {
				return tooLong(size, limit)
			}
			a.size, a.known = int(size), true
			break
		}
		n, err := c.in.Read(ctx, a.header[a.n:need])
		a.n += n
		switch {
		case err == io.EOF && a.n == 0:
			return io.EOF
		case err != nil:
			return unexpected(err)
		}
	}
	if a.size > limit {
		return tooLong(uint64(a.size), limit)
	}
	return nil
}

// short reads a short header: a length, or a sign that a long one follows.
func short(header []byte) (size int, long bool, err error) {
	switch n := int32(binary.BigEndian.Uint32(header)); {
	case n >= 0:
		return int(n), false, nil
	case n == -1:
		return 0, true, nil
	default:
		return 0, false, fmt.Errorf("%w: the length is %d", ErrProtocol, n)
	}
}

func tooLong(size uint64, limit int) error {
	return fmt.Errorf("%w: %d bytes are announced, at most %d are allowed", ErrTooLong, size, limit)
}

// unexpected is the error for an end where there should be more.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// refusePickle returns ErrPickle if b is a pickle of protocol 2 or later. No JSON and no message of Gob begins
// so.
func refusePickle(b []byte) error {
	if len(b) >= 2 && b[0] == 0x80 && b[1] >= 2 && b[1] < 16 {
		return ErrPickle
	}
	return nil
}
