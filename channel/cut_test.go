package channel_test

import (
	"context"
	"errors"
	"io"
	"maps"
	"net"
	"strings"
	"syscall"
	"testing"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/channel"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/internal/wait"
)

// What a cancellation in the middle of a message does, at each byte of it.

// Cancelled before the first byte, a Send has done nothing, and the connection goes on. Cancelled after it, it
// has closed the connection, and says so; so do all later calls, which were not cancelled themselves.
func TestSendCancelledAtEachByte(t *testing.T) {
	message := []byte("a message")
	for room := range 4 + len(message) {
		v := newValve(room)
		c := over(t, v, nil)
		err := during(t, func(ctx context.Context) error { return c.SendBytes(ctx, message) })
		same(t, v.wasSent(), []byte(frame(string(message)))[:room])
		if room == 0 {
			isNot(t, err, channel.ErrCut, net.ErrClosed)
			v.change(func() { v.room = 1000 })
			check(t, c.SendBytes(background, message))
			same(t, v.wasSent(), []byte(frame(string(message))))
			continue
		}
		want(t, err, channel.ErrCut, context.Canceled)
		if !v.closed {
			t.Errorf("after %d bytes the transport is open", room)
		}
		for way, call := range allCalls() {
			err := call(background, c)
			want(t, err, channel.ErrCut, net.ErrClosed)
			isNot(t, err, curio.ErrCancelled, context.Canceled, io.EOF)
			if !strings.Contains(err.Error(), "only in part") {
				t.Errorf("%s: %v", way, err)
			}
		}
		check(t, c.Close())
	}
}

// allCalls are all that a connection can do.
func allCalls() map[string]func(ctx context.Context, c *channel.Conn) error {
	calls := map[string]func(ctx context.Context, c *channel.Conn) error{
		"Send":       func(ctx context.Context, c *channel.Conn) error { return c.Send(ctx, 1) },
		"SendBytes":  func(ctx context.Context, c *channel.Conn) error { return c.SendBytes(ctx, nil) },
		"CloseWrite": func(ctx context.Context, c *channel.Conn) error { return c.CloseWrite(ctx) },
	}
	maps.Copy(calls, receivers)
	return calls
}

// A long message, cut in its second piece. Those that wait to send or to receive are told at once, and were not
// cancelled.
func TestCutWakesAll(t *testing.T) {
	for _, room := range []int{1, 4, 16<<10 + 4, 16<<10 + 5, 99_999} {
		v := newValve(room)
		c := over(t, v, nil)
		o, join := in(t, func(ctx context.Context) error { return c.SendBytes(ctx, make([]byte, 100_000)) })
		testutil.Await(t, "a full transport", func() bool { return len(v.wasSent()) == room })
		awaitParked(t, o)
		var joins []func() error
		for _, call := range allCalls() {
			other, join := in(t, func(ctx context.Context) error { return call(ctx, c) })
			awaitParked(t, other)
			joins = append(joins, join)
		}
		cancel(o)
		want(t, join(), channel.ErrCut, wait.ErrTaskCancelled)
		for _, join := range joins {
			err := join()
			want(t, err, channel.ErrCut, net.ErrClosed)
			isNot(t, err, curio.ErrCancelled)
		}
	}
}

// The other side of a message that was cut sees that it is incomplete, and no other message in its place.
func TestPeerSeesCut(t *testing.T) {
	a, b := pair(t, nil)
	err := during(t, func(ctx context.Context) error { return a.SendBytes(ctx, make([]byte, 8<<20)) })
	want(t, err, channel.ErrCut)
	want(t, a.SendBytes(background, []byte("another")), channel.ErrCut)
	for range 2 {
		_, err := b.RecvBytes(background)
		want(t, err, io.ErrUnexpectedEOF)
	}
}

// With Gob, a value that was not sent is sent again with all that the other side needs to understand it, and so
// are those that come after it.
func TestGobSendCancelled(t *testing.T) {
	gob := &channel.Config{Codec: channel.Gob}
	v := newValve(0)
	c := over(t, v, gob)
	err := during(t, func(ctx context.Context) error { return c.Send(ctx, person{Name: "lost"}) })
	isNot(t, err, channel.ErrCut)
	v.change(func() { v.room = 1 << 20 })
	check(t, c.Send(background, person{Name: "first"}))
	v.change(func() { v.room = 0 })
	_ = during(t, func(ctx context.Context) error { return c.Send(ctx, person{Name: "lost"}) })
	v.change(func() { v.room = 1 << 20 })
	check(t, c.Send(background, person{Name: "second"}))
	w := newValve(0)
	w.have = v.wasSent()
	d := over(t, w, gob)
	for _, name := range []string{"first", "second"} {
		var p person
		check(t, d.Recv(background, &p))
		if p.Name != name {
			t.Errorf("%+v, want %s", p, name)
		}
	}
}

// A Recv that is cancelled at any byte keeps what has come, and the next one goes on, whichever it is.
func TestRecvCancelledAtEachByte(t *testing.T) {
	message := `"0123"`
	for _, whole := range []string{frame(message), longFrame(message)} {
		for n := range len(whole) {
			for way, receive := range receivers {
				for then, finish := range finishers {
					v := newValve(0)
					c := over(t, v, nil)
					o, join := in(t, func(ctx context.Context) error { return receive(ctx, c) })
					v.give(whole[:n])
					awaitTaken(t, v, o)
					cancel(o)
					want(t, join(), wait.ErrTaskCancelled)
					v.give(whole[n:] + frame(`"next"`))
					if text, err := finish(c); err != nil || text != message {
						t.Fatalf("%s, cancelled after %d bytes of %q, and then %s: %q, %v", way, n, whole, then, text, err)
					}
					text, err := finish(c)
					got(t, []byte(text), err, `"next"`)
				}
			}
		}
	}
}

// finishers receive a message that is a string in JSON.
var finishers = map[string]func(c *channel.Conn) (string, error){
	"Recv": func(c *channel.Conn) (string, error) {
		var text string
		err := c.Recv(background, &text)
		return `"` + text + `"`, err
	},
	"RecvBytes": func(c *channel.Conn) (string, error) {
		b, err := c.RecvBytes(background)
		return string(b), err
	},
	"RecvBytesInto": func(c *channel.Conn) (string, error) {
		buf := make([]byte, 100)
		n, err := c.RecvBytesInto(background, buf)
		return string(buf[:n]), err
	},
}

// awaitTaken waits until a task has received all that there is, and waits for more.
func awaitTaken(t testing.TB, v *valve, o *wait.Owner) {
	t.Helper()
	testutil.Await(t, "all to be received", func() bool {
		v.mu.Lock()
		defer v.mu.Unlock()
		return len(v.have) == 0
	})
	awaitParked(t, o)
}

// Each message is cancelled at several places, by one Recv after another, and comes as a whole all the same.
func TestRecvCancelledAgainAndAgain(t *testing.T) {
	v := newValve(0)
	c := over(t, v, nil)
	large := numbered(50_000)
	text := frame(string(large))
	for i, n := 0, 0; n < len(text); i++ {
		o, join := in(t, func(ctx context.Context) error {
			if i%2 == 0 {
				_, err := c.RecvBytesInto(ctx, make([]byte, len(large)))
				return err
			}
			_, err := c.RecvBytes(ctx)
			return err
		})
		next := min(n+1+i*i*10, len(text)-1)
		v.give(text[n:next])
		awaitTaken(t, v, o)
		cancel(o)
		want(t, join(), wait.ErrTaskCancelled)
		if n = next; n == len(text)-1 {
			break
		}
	}
	v.give(text[len(text)-1:])
	b, err := c.RecvBytes(background)
	check(t, err)
	same(t, b, large)
}

// A peer that has gone while something is sent to it has perhaps sent something before, which can still be
// received.
func TestPeerGoneWhileSending(t *testing.T) {
	a, b := socketPair(t)
	c := over(t, a, nil)
	put(t, b, frame("farewell"))
	_, join := in(t, func(ctx context.Context) error { return c.SendBytes(ctx, make([]byte, 8<<20)) })
	exactly(t, b, 100_000)
	check(t, b.Close())
	err := join()
	want(t, err, channel.ErrCut)
	if !errors.Is(err, syscall.EPIPE) && !errors.Is(err, syscall.ECONNRESET) {
		t.Error(err)
	}
	m, err := c.RecvBytes(background)
	got(t, m, err, "farewell")
	want(t, c.SendBytes(background, nil), channel.ErrCut)
	check(t, c.Close())
}
