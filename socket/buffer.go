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

// A Buffer holds the bytes that [Socket.RecvBuffer] received. It comes from a pool that all sockets
// share; Release returns it to the pool. A Buffer is not safe for concurrent use, and its zero
// value cannot be used.
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

// Bytes returns the received bytes. The slice may be modified, and is valid until Release. Bytes
// panics after Release.
func (b *Buffer) Bytes() []byte {
	if !b.lent.Load() {
		panic("curio/socket: Bytes of a Buffer that has been released; copy what is needed for longer")
	}
	return b.pooled.Space[:b.n]
}

// Release returns b to the pool. The slice that Bytes returned must not be used afterwards. A
// Buffer that is never released is garbage collected. A second Release panics, unless the pool has
// already lent the buffer to another caller.
func (b *Buffer) Release() {
	if !b.lent.CompareAndSwap(true, false) {
		panic("curio/socket: Release of a Buffer that has been released")
	}
	buffers.Put(&b.pooled)
}

// RecvBuffer receives up to 64 KiB into a buffer from a pool. It takes the buffer only when there
// is something to receive, so that thousands of idle connections need none. It makes no more system
// calls than Recv does, and fewer than WaitRead followed by Recv. The caller must call
// [Buffer.Release].
//
// At the end of the stream it returns io.EOF. A datagram longer than the buffer is truncated. If
// ctx is done first, RecvBuffer returns an error that wraps ctx's error and has received nothing.
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
