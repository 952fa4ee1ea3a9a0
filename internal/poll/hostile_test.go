package poll_test

import (
	"bytes"
	"context"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/curio-go/curio/internal/poll"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/internal/wait"
)

// A foreign context may panic, end the goroutine or hang in any call of its methods: the
// descriptor, its turns and its deadline stay unchanged for everybody else.
func TestHostileContexts(t *testing.T) {
	for _, o := range []struct {
		name   string
		writes bool
		run    func(ctx context.Context, f *poll.FD) error
	}{
		{"Read", false, func(ctx context.Context, f *poll.FD) error { _, err := f.Read(ctx, make([]byte, 9)); return err }},
		{"WaitRead", false, func(ctx context.Context, f *poll.FD) error { return f.WaitRead(ctx) }},
		{"CallRead", false, func(ctx context.Context, f *poll.FD) error {
			return f.CallRead(ctx, func(fd int) error { return syscall.EAGAIN })
		}},
		{"ReadPooled", false, func(ctx context.Context, f *poll.FD) error {
			pool := &sync.Pool{New: func() any { return &poll.Pooled{Space: make([]byte, 9)} }}
			_, _, err := f.ReadPooled(ctx, pool)
			return err
		}},
		{"RecvMsg", false, func(ctx context.Context, f *poll.FD) error {
			m := new(poll.Message)
			m.SetBuffer(make([]byte, 9))
			return f.RecvMsg(ctx, m)
		}},
		{"Write", true, func(ctx context.Context, f *poll.FD) error { _, err := f.Write(ctx, []byte("x")); return err }},
		{"WriteAll", true, func(ctx context.Context, f *poll.FD) error { _, err := f.WriteAll(ctx, []byte("x")); return err }},
		{"WaitWrite", true, func(ctx context.Context, f *poll.FD) error { return f.WaitWrite(ctx) }},
		{"WaitFD", false, func(ctx context.Context, f *poll.FD) error { return poll.WaitFD(ctx, f.Fd(), false) }},
	} {
		for act := range testutil.HostileActs(nil) {
			for _, method := range testutil.HostileMethods {
				t.Run(o.name+"/"+act+" in "+method, func(t *testing.T) {
					for n := 1; hostile(t, method, act, n, o.writes, o.run); n++ {
					}
				})
			}
		}
	}
}

func hostile(t *testing.T, method, act string, n int, writes bool, run func(ctx context.Context, f *poll.FD) error) (met bool) {
	a, b := pair(t)
	filled := 0
	if writes {
		filled = fill(t, a)
	}
	o := newTask(t)
	op := func(ctx context.Context) error { return run(ctx, a) }
	return testutil.RunHostile(t, method, act, n, &o.Scope, parked(o), op, func() {
		others, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		for buf := make([]byte, 1<<16); filled > 0; {
			k, err := b.Read(others, buf)
			check(t, err)
			filled -= k
		}
		for _, way := range [][2]*poll.FD{{a, b}, {b, a}} {
			_, err := way[0].WriteAll(others, []byte("hello"))
			check(t, err)
			got := make([]byte, 9)
			k, err := way[1].Read(others, got)
			if err != nil || !bytes.Equal(got[:k], []byte("hello")) {
				t.Errorf("call %d: got %q, %v", n, got[:k], err)
			}
		}
	})
}

// A hostile context does not hold up operations that wait for the turn behind it.
func TestHostileContextInTurn(t *testing.T) {
	a, b := pair(t)
	release := make(chan struct{})
	h := testutil.NewHostile()
	one := newTask(t)
	base, stop := context.WithCancel(&one.Scope)
	h.Context = base
	ctx, failed := h.WithAfterFunc(), make(chan error)
	go func() { _, err := a.Read(ctx, make([]byte, 9)); failed <- err }()
	await(t, parked(one))
	two, join := in(t, func(ctx context.Context) error { _, err := a.Read(ctx, make([]byte, 9)); return err })
	await(t, parked(two))
	h.At("Err", 1, func() { <-release })
	stop()
	<-h.Acted()
	_, err := b.WriteAll(context.Background(), []byte("x"))
	check(t, err)
	check(t, join())
	close(release)
	want(t, <-failed, wait.ErrCancelled)
}
