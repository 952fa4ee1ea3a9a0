package poll_test

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/curio-go/curio/internal/poll"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/internal/wait"
)

func newPool(size int) (pool *sync.Pool, made *atomic.Int32) {
	made = new(atomic.Int32)
	return &sync.Pool{New: func() any {
		made.Add(1)
		return &poll.Pooled{Space: make([]byte, size)}
	}}, made
}

func TestReadPooled(t *testing.T) {
	a, b := pair(t)
	pool, _ := newPool(4)
	ctx := context.Background()
	_, err := b.Write(ctx, []byte("hello"))
	check(t, err)
	for _, part := range []string{"hell", "o"} {
		p, n, err := a.ReadPooled(ctx, pool)
		check(t, err)
		if string(p.Space[:n]) != part {
			t.Errorf("%q, want %q", p.Space[:n], part)
		}
	}
	o, join := in(t, func(ctx context.Context) error {
		p, _, err := a.ReadPooled(ctx, pool)
		if p != nil {
			t.Error("a buffer with an error")
		}
		return err
	})
	await(t, parked(o))
	cancel(o)
	want(t, join(), wait.ErrTaskCancelled)
	check(t, b.Close())
	if p, n, err := a.ReadPooled(ctx, pool); n != 0 || err != nil || p == nil {
		t.Errorf("at the end: %v, %d, %v", p, n, err)
	}
	check(t, a.Close())
	_, _, err = a.ReadPooled(ctx, pool)
	want(t, err, net.ErrClosed)
}

// Who sleeps has no buffer.
func TestReadPooledHoldsNone(t *testing.T) {
	if testutil.Race {
		t.Skip("with the race detector a sync.Pool forgets at random")
	}
	pool, made := newPool(1)
	var joins []func() error
	var tasks []*wait.Owner
	for range 100 {
		a, _ := pair(t)
		o, join := in(t, func(ctx context.Context) error {
			_, _, err := a.ReadPooled(ctx, pool)
			return err
		})
		await(t, parked(o))
		tasks, joins = append(tasks, o), append(joins, join)
	}
	for i, join := range joins {
		cancel(tasks[i])
		want(t, join(), wait.ErrTaskCancelled)
	}
	if n := made.Load(); n > 20 { // one for each processor, and what the collector throws away
		t.Errorf("%d buffers for 100 who wait", n)
	}
}
