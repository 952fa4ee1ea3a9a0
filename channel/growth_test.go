package channel_test

import (
	"context"
	"runtime"
	"testing"

	"github.com/curio-go/curio/channel"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/internal/wait"
)

// Whatever length is announced, memory is used for what has arrived: a hostile peer gets no more than it sends.
func TestHostileLengthAllocatesWhatHasArrived(t *testing.T) {
	if testutil.Race {
		t.Skip("the race detector allocates")
	}
	for way, receive := range receivers {
		if way == "RecvBytesInto" {
			continue // which allocates nothing, as the buffer is there
		}
		for _, arrives := range []int{0, 1, 1000, 100_000, 1 << 20} {
			v := newValve(0)
			c := over(t, v, &channel.Config{MaxMessage: -1})
			o, join := in(t, func(ctx context.Context) error { return receive(ctx, c) })
			awaitParked(t, o)
			used := allocated(func() {
				v.give(announced(1 << 30))
				awaitTaken(t, v, o)
			})
			if used > 32<<10 {
				t.Errorf("%s: %d bytes are allocated for a header", way, used)
			}
			body := string(make([]byte, arrives))
			used = allocated(func() {
				v.give(body)
				awaitTaken(t, v, o)
			})
			// What arrives is kept once in the valve, and once or twice while the buffer of the connection
			// grows.
			if most := uint64(6*arrives + 64<<10); used > most {
				t.Errorf("%s: %d bytes are allocated for %d that have arrived of 1 GiB", way, used, arrives)
			}
			if v.asked > max(2*arrives, 16<<10) {
				t.Errorf("%s: room for %d bytes when %d have arrived", way, v.asked, arrives)
			}
			cancel(o)
			want(t, join(), wait.ErrTaskCancelled)
		}
	}
}

// allocated is how many bytes are allocated while fn runs, by all that runs.
func allocated(fn func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	fn()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// An idle connection has no buffers: a thousand of them take what their sockets take, and little more.
func TestIdleConnectionsHaveNoBuffers(t *testing.T) {
	if testutil.Race {
		t.Skip("the race detector allocates")
	}
	const n = 200
	testutil.NoLeaks(t)
	var conns []*channel.Conn
	defer func() {
		for _, c := range conns {
			c.Close()
		}
	}()
	before := inUse()
	for range n / 2 {
		a, b := pair(t, nil)
		conns = append(conns, a, b)
		check(t, a.SendBytes(background, make([]byte, 30_000)))
		_, err := b.RecvBytes(background)
		check(t, err)
	}
	if each := (int64(inUse()) - int64(before)) / n; each > 8<<10 {
		t.Errorf("an idle connection takes %d bytes", each)
	}
}

func inUse() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse
}

// Sending allocates nothing, and receiving no more than the message.
func TestAllocations(t *testing.T) {
	if testutil.Race {
		t.Skip("the race detector allocates")
	}
	a, b := pair(t, nil)
	m, buf := make([]byte, 1000), make([]byte, 1000)
	for name, ctx := range map[string]context.Context{"task": &newTask(t).Scope, "none": background} {
		for way, test := range map[string]struct {
			receive func() error
			most    float64
		}{
			"RecvBytes":     {func() error { _, err := b.RecvBytes(ctx); return err }, 1},
			"RecvBytesInto": {func() error { _, err := b.RecvBytesInto(ctx, buf); return err }, 0},
		} {
			if n := testing.AllocsPerRun(500, func() {
				if err := a.SendBytes(ctx, m); err != nil {
					t.Error(err)
				}
				if err := test.receive(); err != nil {
					t.Error(err)
				}
			}); n > test.most {
				t.Errorf("%s, %s: %v allocations for a message, want %v", name, way, n, test.most)
			}
		}
	}
}

// Room is made at once for as much as has come before on the connection, and no more.
func TestRoomForAsMuchAsBefore(t *testing.T) {
	v := newValve(0)
	c := over(t, v, nil)
	long := string(numbered(1 << 20))
	for i, message := range []string{long, long[:1000], long} {
		v.give(frame(message))
		m, err := c.RecvBytes(background)
		got(t, m, err, message)
		if i == 2 && v.asked < len(long)-64<<10 {
			t.Errorf("room for %d bytes at most, and not for the whole message", v.asked)
		}
		v.change(func() { v.asked = 0 })
	}
	o, join := in(t, func(ctx context.Context) error { _, err := c.RecvBytes(ctx); return err })
	v.give(announced(32 << 20))
	awaitTaken(t, v, o)
	if v.asked > 2<<20 {
		t.Errorf("room for %d bytes when 1 MiB has come before", v.asked)
	}
	cancel(o)
	want(t, join(), wait.ErrTaskCancelled)
}
