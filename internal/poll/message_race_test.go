package poll_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"

	"github.com/curio-go/curio/internal/poll"
)

// datagrams makes two connected datagram sockets.
func datagrams(t testing.TB) (a, b *poll.FD) {
	t.Helper()
	fds, err := poll.Socketpair(syscall.AF_UNIX, syscall.SOCK_DGRAM, 0)
	check(t, err)
	return own(t, fds[0], syscall.SOCK_DGRAM), own(t, fds[1], syscall.SOCK_DGRAM)
}

// catchUp takes, now and then, what cancelled calls have left, before there is no more
// room for it.
func catchUp(t *testing.T, f *poll.FD, i int, take func(ctx context.Context) error) {
	t.Helper()
	if i%2 == 0 {
		f.Sleepy()
	}
	for before := -1; i%32 == 0 && before != 0; {
		before = 0
		check(t, takeNow(f, func(ctx context.Context) error { before = 1; return take(ctx) }))
	}
}

// numbered sends datagrams with the numbers from 0 on.
func numbered(b *poll.FD) (send func(*rand.Rand) error, sent *uint32) {
	sent = new(uint32)
	return func(*rand.Rand) error {
		_, err := b.Write(context.Background(), binary.BigEndian.AppendUint32(nil, *sent))
		*sent++
		return err
	}, sent
}

// Every datagram that was sent is received once and in order, whatever is cancelled: by a
// call for one of them,
func TestMessageRace(t *testing.T) {
	a, b := datagrams(t)
	send, sent := numbered(b)
	received := uint32(0)
	var m poll.Message
	first, rest := make([]byte, 1), make([]byte, 8)
	m.Buffers, m.Control = [][]byte{first, rest}, make([]byte, 64)
	take := func(ctx context.Context) error {
		err := a.RecvMsg(ctx, &m)
		if err != nil {
			if m.N != 0 {
				return fmt.Errorf("%d bytes, and %w", m.N, err)
			}
			return err
		}
		if n := binary.BigEndian.Uint32(append(first[:1:1], rest...)); n != received || m.N != 4 {
			t.Fatalf("received %d, of %d bytes, want %d", n, m.N, received)
		}
		received++
		return nil
	}
	raceTimes(t, rounds()/5, send, func(ctx context.Context, i int) error {
		catchUp(t, a, i, take)
		return take(ctx)
	})
	for received != *sent {
		check(t, take(context.Background()))
	}
}

// and by one for several.
func TestBatchRace(t *testing.T) {
	a, b := datagrams(t)
	send, sent := numbered(b)
	received, several := uint32(0), 0
	var batch poll.Batch
	bufs := make([][1][8]byte, 4)
	take := func(ctx context.Context) error {
		batch.Grow(len(bufs))
		for i := range bufs {
			batch.Messages[i].SetBuffer(bufs[i][0][:])
		}
		err := a.RecvMMsg(ctx, &batch)
		if err != nil && batch.N != 0 {
			return fmt.Errorf("%d messages, and %w", batch.N, err)
		}
		if batch.N > 1 {
			several++
		}
		for i := range batch.N {
			if n := binary.BigEndian.Uint32(bufs[i][0][:]); n != received || batch.Messages[i].N != 4 {
				t.Fatalf("received %d, want %d", n, received)
			}
			received++
		}
		return err
	}
	twice := func(random *rand.Rand) error {
		if err := send(random); err != nil {
			return err
		}
		if random.IntN(2) == 0 {
			return nil
		}
		return send(random)
	}
	raceTimes(t, rounds()/5, twice, func(ctx context.Context, i int) error {
		catchUp(t, a, i, take)
		return take(ctx)
	})
	for received != *sent {
		check(t, take(context.Background()))
	}
	t.Logf("%d times several at once", several)
}

// What a call with All says it has received is what it has taken, and the next goes on
// from there.
func TestReceiveAllRace(t *testing.T) {
	a, b := pair(t)
	var sent, received byte
	var m poll.Message
	buf := make([]byte, 3)
	take := func(ctx context.Context, n int) error {
		m.SetBuffer(buf[:n])
		m.Stream, m.All = true, true
		err := a.RecvMsg(ctx, &m)
		if err == nil && m.N != n {
			t.Fatalf("%d bytes and no error", m.N)
		}
		for _, x := range buf[:m.N] {
			if x != received {
				t.Fatalf("received %d, want %d", x, received)
			}
			received++
		}
		return err
	}
	raceTimes(t, rounds()/5, func(random *rand.Rand) error {
		for range 3 {
			if _, err := b.Write(context.Background(), []byte{sent}); err != nil {
				return err
			}
			sent++
			hesitate(random)
		}
		return nil
	}, func(ctx context.Context, i int) error {
		catchUp(t, a, i, func(ctx context.Context) error { return take(ctx, 1) })
		return take(ctx, len(buf))
	})
	for received != sent {
		check(t, take(context.Background(), 1))
	}
}

// What SendMMsg says it has sent is what arrives, and the next goes on from there.
func TestSendBatchRace(t *testing.T) {
	a, b := datagrams(t)
	check(t, a.Control(func(fd int) error {
		return syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_SNDBUF, 4096)
	}))
	sent, received := uint32(0), uint32(0)
	buf := make([]byte, 8)
	take := func(ctx context.Context) error {
		_, err := b.Read(ctx, buf)
		if n := binary.BigEndian.Uint32(buf); err == nil && n != received {
			return fmt.Errorf("received %d, want %d", n, received)
		}
		received++
		return err
	}
	var batch poll.Batch
	raceTimes(t, rounds()/5, func(random *rand.Rand) error {
		for range random.IntN(10) {
			if err := takeNow(b, take); err != nil {
				return err
			}
		}
		return nil
	}, func(ctx context.Context, _ int) error {
		batch.Grow(5)
		for i := range batch.Messages {
			batch.Messages[i].SetBuffer(binary.BigEndian.AppendUint32(nil, sent+uint32(i)))
		}
		err := a.SendMMsg(ctx, &batch)
		if err == nil && batch.N != 5 {
			t.Fatalf("sent %d and no error", batch.N)
		}
		sent += uint32(batch.N)
		return err
	})
	for received < sent {
		check(t, take(context.Background()))
	}
	check(t, takeNow(b, func(context.Context) error { return fmt.Errorf("more than the %d that were sent", sent) }))
}
