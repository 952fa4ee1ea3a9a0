package channel_test

import (
	"context"
	"io"
	"net"
	"os"
	"sync"
	"testing"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/channel"
	"github.com/curio-go/curio/stream"
)

// A valve is a Transport that takes as many bytes as there is room, and has as many to receive as it was given.
// Those that
// want more wait.
type valve struct {
	mu      sync.Mutex
	room    int    // what can be sent without waiting
	sent    []byte // what was
	sends   []int  // the length of each SendAll
	have    []byte // what can be received
	ended   bool   // and after that it is at the end
	closed  bool
	asked   int // the largest buffer of a Recv
	changed *curio.Event
}

func newValve(room int) *valve { return &valve{room: room, changed: new(curio.Event)} }

// change changes v, and wakes those that wait.
func (v *valve) change(change func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	change()
	v.changed.Set()
	v.changed = new(curio.Event)
}

// try calls do until it is done, or ctx is.
func (v *valve) try(ctx context.Context, do func() (done bool)) error {
	for {
		v.mu.Lock()
		switch {
		case v.closed:
			v.mu.Unlock()
			return net.ErrClosed
		case do():
			v.mu.Unlock()
			return nil
		}
		changed := v.changed
		v.mu.Unlock()
		if err := changed.Wait(ctx); err != nil {
			return err
		}
	}
}

func (v *valve) SendAll(ctx context.Context, buf []byte) (n int, err error) {
	v.mu.Lock()
	v.sends = append(v.sends, len(buf))
	v.mu.Unlock()
	err = v.try(ctx, func() bool {
		k := min(v.room, len(buf)-n)
		v.sent = append(v.sent, buf[n:n+k]...)
		v.room -= k
		n += k
		return n == len(buf)
	})
	return n, err
}

func (v *valve) Recv(ctx context.Context, buf []byte) (n int, err error) {
	failed := v.try(ctx, func() bool {
		v.asked = max(v.asked, len(buf))
		switch {
		case len(v.have) > 0:
			n = copy(buf, v.have)
			v.have = v.have[n:]
		case v.ended:
			err = io.EOF
		default:
			return false
		}
		return true
	})
	if failed != nil {
		return 0, failed
	}
	return n, err
}

func (v *valve) Close() error {
	v.change(func() { v.closed = true })
	return nil
}

// give makes more to receive.
func (v *valve) give(text string) { v.change(func() { v.have = append(v.have, text...) }) }

// wasSent is what was sent so far.
func (v *valve) wasSent() []byte {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.sent[:len(v.sent):len(v.sent)]
}

// pipes is a connection over two pipes.
func pipes(t *testing.T) (a, b *channel.Conn) {
	t.Helper()
	there, thither := pipe(t)
	back, hither := pipe(t)
	return over(t, channel.Streams(back, thither), nil), over(t, channel.Streams(there, hither), nil)
}

func pipe(t testing.TB) (r, w *stream.Stream) {
	t.Helper()
	source, sink, err := os.Pipe()
	check(t, err)
	return fromFile(t, source), fromFile(t, sink)
}

func fromFile(t testing.TB, f *os.File) *stream.Stream {
	t.Helper()
	s, err := stream.FromFile(f)
	check(t, err)
	t.Cleanup(func() { s.Close() })
	return s
}
