package socket

import (
	"context"
	"io"
	"sync"
	"sync/atomic"

	"github.com/curio-go/curio/internal/poll"
)

// bufferSize is how much one RecvBuffer receives at most. Measured with an echo over
// loopback TCP: with messages of 64 B and of 16 KiB there is no difference between
// buffers of 16, 32, 64 and 128 KiB; with messages of 256 KiB, 64 take two thirds of the time of
// 16 and 32, and 128 are no better. Up to 64 KiB a receive is also cheaper for package
// poll, see there at direct.
const bufferSize = 64 << 10

// A Buffer has in it what RecvBuffer has received. It comes from a pool that all
// sockets share, and goes back there with Release. It is for one goroutine at a time.
type Buffer struct {
	pooled poll.Pooled
	n      int

	lent atomic.Bool // from RecvBuffer to Release; anybody's whose mistake it is to release twice
}

// buffers has the pooled fields of Buffers in it.
var buffers = sync.Pool{New: func() any {
	b := new(Buffer)
	b.pooled = poll.Pooled{Space: make([]byte, bufferSize), Of: b}
	return &b.pooled
}}

// Bytes returns what was received. It is valid until Release, and may be written to.
func (b *Buffer) Bytes() []byte {
	if !b.lent.Load() {
		panic("curio/socket: Bytes of a Buffer that has been released; copy what is needed for longer")
	}
	return b.pooled.Space[:b.n]
}

// Release gives the buffer back. What Bytes returned is somebody else's from then on. A
// Buffer that is not released is left to the garbage collector. A second Release panics,
// if nobody has got the buffer in between.
func (b *Buffer) Release() {
	if !b.lent.CompareAndSwap(true, false) {
		panic("curio/socket: Release of a Buffer that has been released")
	}
	buffers.Put(&b.pooled)
}

// RecvBufferSize is Recv into a buffer of its own, of 64 KiB: it waits until there is
// something to receive, and takes a buffer only then. So thousands of idle connections
// have none. It costs no system call more than Recv, and WaitRead before it would. When
// the other side has ended the stream it returns io.EOF. A datagram that is longer
// is cut off. A call that is cancelled has received nothing. The caller releases
// the buffer.
func (s *Socket) RecvBuffer(ctx context.Context) (*Buffer, error) {
	if err := s.usable(); err != nil {
		return nil, s.failed("recv", err)
	}
	p, n, err := s.fd.ReadPooled(ctx, &buffers)
	switch {
	case err == io.EOF:
		return nil, io.EOF
	case err != nil:
		return nil, s.failed("recv", err)
	case n == 0 && s.fd.Type() == SOCK_STREAM: // other types have empty messages
		buffers.Put(p)
		return nil, io.EOF
	}
	b := p.Of.(*Buffer)
	b.n = n
	b.lent.Store(true)
	return b, nil
}
