package channel_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/channel"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/internal/wait"
	"github.com/curio-go/curio/socket"
)

// traps 88: Python's connection has no lock. Here each message of several senders comes to one of several
// receivers as a whole and once, and the messages of one sender come in order.
func TestManySendersAndReceivers(t *testing.T) {
	testutil.NoLeaks(t)
	const senders, receivers = 4, 3
	each := testutil.Times(2000)
	a, b := pair(t, nil)
	check(t, socket.SendBufferSize.Set(a.Transport().(*socket.Socket), 1<<14))
	var mu sync.Mutex
	last := map[byte]uint32{}
	count := 0
	err := curio.Run(background, func(ctx context.Context) error {
		return curio.Group(ctx, func(ctx context.Context, g *curio.Tasks) error {
			for range receivers {
				g.Go(func(ctx context.Context) error {
					for {
						// Under the lock, messages are checked in the order in which they came.
						mu.Lock()
						m, err := b.RecvBytes(ctx)
						if err != nil {
							mu.Unlock()
							if err == io.EOF {
								err = nil
							}
							return err
						}
						who, n := m[0], binary.BigEndian.Uint32(m[1:])
						err = sound(m)
						if err == nil && n != last[who] {
							err = fmt.Errorf("message %d of sender %d comes after %d", n, who, last[who])
						}
						last[who]++
						count++
						mu.Unlock()
						if err != nil {
							return err
						}
					}
				})
			}
			var sending sync.WaitGroup
			for who := range senders {
				sending.Add(1)
				g.Go(func(ctx context.Context) error {
					defer sending.Done()
					for n := range each {
						if err := a.SendBytes(ctx, message(byte(who), uint32(n))); err != nil {
							return err
						}
					}
					return nil
				})
			}
			sending.Wait()
			return a.CloseWrite(ctx)
		})
	})
	check(t, err)
	if count != senders*each {
		t.Errorf("%d messages of %d", count, senders*each)
	}
}

// message returns a message that shows its sender, its number, and whether it is whole.
func message(who byte, n uint32) []byte {
	m := binary.BigEndian.AppendUint32([]byte{who}, n)
	for i := range int(n*7919) % 40_000 {
		m = append(m, byte(uint32(i)+n)^who)
	}
	return m
}

func sound(m []byte) error {
	who, n := m[0], binary.BigEndian.Uint32(m[1:])
	if string(m) != string(message(who, n)) {
		return fmt.Errorf("message %d of sender %d is not what was sent: %d bytes", n, who, len(m))
	}
	return nil
}

// Receivers that are cancelled again and again, wherever they are, lose nothing.
func TestReceiversCancelled(t *testing.T) {
	testutil.NoLeaks(t)
	messages := testutil.Times(3000)
	a, b := pair(t, nil)
	_, join := in(t, func(ctx context.Context) error {
		for n := range messages {
			if err := a.SendBytes(ctx, message(1, uint32(n))); err != nil {
				return err
			}
		}
		return a.Close()
	})
	buf := make([]byte, 50_000)
	for n, i := 0, 0; ; i++ {
		var m []byte
		o, received := in(t, func(ctx context.Context) (err error) {
			if i%2 == 0 {
				m, err = b.RecvBytes(ctx)
				return err
			}
			k, err := b.RecvBytesInto(ctx, buf)
			m = buf[:k]
			return err
		})
		if i%3 != 0 {
			cancel(o)
		}
		err := received()
		if err == io.EOF {
			if n != messages {
				t.Fatalf("%d messages of %d", n, messages)
			}
			break
		}
		if errors.Is(err, wait.ErrTaskCancelled) {
			continue
		}
		check(t, err)
		check(t, sound(m))
		if got := binary.BigEndian.Uint32(m[1:]); int(got) != n {
			t.Fatalf("message %d, want %d", got, n)
		}
		n++
	}
	check(t, join())
}

// A Send is cancelled at the moment when there is room for it: then the message has come, or the connection is
// as it was, or it is closed and the message is incomplete.
func TestSendCancelledAsRoomComes(t *testing.T) {
	seen := map[string]int{}
	for i := range testutil.Times(2000) {
		func() {
			a, b, err := socket.SocketPair(socket.SOCK_STREAM)
			check(t, err)
			defer a.Close()
			defer b.Close()
			c := over(t, a, nil)
			peer := over(t, b, nil)
			filled := fill(t, a)
			m := message(2, uint32(i))
			o, join := in(t, func(ctx context.Context) error { return c.SendBytes(ctx, m) })
			awaitParked(t, o)
			go cancel(o)
			exactly(t, b, filled)
			err = join()
			switch {
			case err == nil:
				seen["sent"]++
				check(t, c.Close())
				got, err := peer.RecvBytes(background)
				check(t, err)
				same(t, got, m)
			case errors.Is(err, channel.ErrCut):
				seen["cut"]++
				want(t, c.SendBytes(background, nil), net.ErrClosed)
				_, err := peer.RecvBytes(background)
				want(t, err, io.ErrUnexpectedEOF)
			default:
				seen["nothing"]++
				want(t, err, wait.ErrTaskCancelled)
				check(t, c.SendBytes(background, []byte("next")))
				got, err := peer.RecvBytes(background)
				check(t, err)
				same(t, got, []byte("next"))
			}
		}()
	}
	t.Log(seen)
}

// Close at any moment ends what goes on, and nothing but net.ErrClosed comes of it.
func TestCloseWhileInUse(t *testing.T) {
	testutil.NoLeaks(t)
	for i := range testutil.Times(500) {
		a, b := pair(t, nil)
		var all []func() error
		var answered atomic.Int32
		for range 2 {
			_, sending := in(t, func(ctx context.Context) error {
				for {
					if err := a.SendBytes(ctx, make([]byte, 100)); err != nil {
						return err
					}
				}
			})
			_, receiving := in(t, func(ctx context.Context) error {
				for {
					if _, err := a.RecvBytes(ctx); err != nil {
						return err
					}
				}
			})
			all = append(all, sending, receiving)
		}
		_, join := in(t, func(ctx context.Context) error { // keeps them busy
			for {
				m, err := b.RecvBytes(ctx)
				if err == nil {
					err = b.SendBytes(ctx, m)
				}
				if err != nil {
					return nil
				}
				answered.Add(1)
			}
		})
		if i%2 == 0 {
			testutil.Await(t, "an answer", func() bool { return answered.Load() > 0 })
		}
		go a.Close()
		check(t, a.Close())
		for _, join := range all {
			want(t, join(), net.ErrClosed)
		}
		check(t, join())
		check(t, b.Close())
	}
}

// An Accept that is cancelled when a connection is ready loses none.
func TestAcceptCancelledAsConnectionComes(t *testing.T) {
	testutil.NoLeaks(t)
	l, err := channel.Listen(background, "unix", filepath.Join(t.TempDir(), "s"), &channel.Config{Backlog: 2})
	check(t, err)
	defer l.Close()
	for i := range testutil.Times(1000) {
		o, join := in(t, func(ctx context.Context) error {
			c, err := l.Accept(ctx)
			if err == nil {
				defer c.Close()
				return c.SendBytes(background, nil)
			}
			return err
		})
		client, err := channel.Connect(background, "unix", l.LocalAddr().String(), nil)
		check(t, err)
		cancel(o)
		if err := join(); err != nil {
			isNot(t, err, channel.ErrCut)
			c, err := l.Accept(background)
			check(t, err)
			check(t, c.SendBytes(background, nil))
			c.Close()
		}
		if _, err := client.RecvBytes(background); err != nil && !errors.Is(err, io.EOF) {
			t.Fatalf("round %d: %v", i, err)
		}
		client.Close()
	}
}

// A Listener that is closed as connections come leaves none open.
func TestListenerClosedAsConnectionsCome(t *testing.T) {
	testutil.NoLeaks(t)
	dir := t.TempDir()
	key := &channel.Config{Key: []byte("secret"), HandshakeTimeout: testutil.Patience}
	for range testutil.Times(300) {
		l, err := channel.Listen(background, "unix", filepath.Join(dir, "s"), key)
		check(t, err)
		var clients []func() error
		for range 3 {
			conn, err := socketTo(l.LocalAddr())
			check(t, err)
			_, join := in(t, func(ctx context.Context) error {
				c, err := channel.Client(ctx, conn, key)
				if err == nil {
					_, err = c.RecvBytes(ctx)
					c.Close()
				}
				return err
			})
			clients = append(clients, join)
		}
		_, accepting := in(t, func(ctx context.Context) error {
			for {
				c, err := l.Accept(ctx)
				if err != nil {
					return err
				}
				c.Close()
			}
		})
		check(t, l.Close())
		want(t, accepting(), net.ErrClosed)
		for _, join := range clients {
			if err := join(); err == nil {
				t.Fatal("a client has received something")
			}
		}
	}
}

// socketTo connects with a Unix socket.
func socketTo(addr net.Addr) (*socket.Socket, error) {
	s, err := socket.New(socket.AF_UNIX, socket.SOCK_STREAM, 0)
	if err == nil {
		err = s.Connect(background, addr)
	}
	return s, err
}
