package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/curiotest"
)

// Tasks that use several keys at once, under every cancellation: no two of them have the same key,
// and in the end nothing is held, listed or left in the table.
func TestKeysEverywhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		curiotest.CancelEverywhere(t, func(ctx context.Context) error {
			var k keyLock
			var inside [2]int
			err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[struct{}]) error {
				for i := range 6 {
					g.Go(func(ctx context.Context) error {
						return k.Do(ctx, fmt.Sprint(i%2), func(ctx context.Context) error {
							if inside[i%2]++; inside[i%2] > 1 {
								return fmt.Errorf("%d have the same key", inside[i%2])
							}
							defer func() { inside[i%2]-- }()
							return curio.Sleep(ctx, time.Second)
						})
					})
				}
				return nil
			})
			if left := k.Keys(); len(left) > 0 || k.keys != nil {
				return fmt.Errorf("in the table is left %q", left)
			}
			return err
		})
	})
}

// A key is handed over while its next is cancelled, at any moment.
func TestHandOverAndCancel(t *testing.T) {
	ctx := curiotest.NoLeaks(t)
	for range 5000 {
		var k keyLock
		if err := k.Acquire(ctx, "key"); err != nil {
			t.Fatal(err)
		}
		var had atomic.Int32
		take := func(ctx context.Context) error {
			return k.Do(ctx, "key", func(context.Context) error { had.Add(1); return nil })
		}
		first, second := curio.Go(ctx, take), curio.Go(ctx, take)
		canceller := curio.Go(ctx, func(context.Context) error { first.CancelNow(); return nil })
		k.Release(ctx, "key")
		if err := errors.Join(canceller.Wait(ctx), first.Wait(ctx), second.Wait(ctx)); err != nil {
			t.Fatal(err)
		}
		want := int32(2)
		if first.Err() != nil {
			want = 1
		}
		if had.Load() != want || len(k.Keys()) > 0 {
			t.Fatalf("%d had it; %v and %v; left is %q", had.Load(), first.Err(), second.Err(), k.Keys())
		}
	}
}

// A test that leaves a key held is told so.
func TestLeftHeldIsNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failed := &recorder{TB: t}
		ctx := curiotest.NoLeaks(failed)
		var k keyLock
		if err := k.Acquire(ctx, "key"); err != nil {
			t.Error(err)
		}
		failed.finish()
		if said := strings.Join(failed.errors, "\n"); !strings.Contains(said, "*main.keyState") || !strings.Contains(said, "is left held") {
			t.Errorf("it said %q", said)
		}
	})
}

// A recorder is a test that may fail.
type recorder struct {
	testing.TB

	cleanup []func()
	errors  []string
}

func (r *recorder) Helper()          {}
func (r *recorder) Failed() bool     { return len(r.errors) > 0 }
func (r *recorder) Cleanup(f func()) { r.cleanup = append(r.cleanup, f) }
func (r *recorder) Errorf(format string, args ...any) {
	r.errors = append(r.errors, fmt.Sprintf(format, args...))
}

func (r *recorder) finish() {
	for _, f := range r.cleanup {
		f()
	}
}

// Whoever releases what it does not hold is told so, and nothing changes.
func TestMisuse(t *testing.T) {
	ctx := curiotest.NoLeaks(t)
	var k keyLock
	release := func() (v any) {
		defer func() { v = recover() }()
		k.Release(context.Background(), "key")
		return nil
	}
	if v := release(); v == nil {
		t.Error("nobody holds it")
	}
	if err := k.Acquire(ctx, "key"); err != nil {
		t.Fatal(err)
	}
	if v := release(); v == nil || len(k.Snapshot("key").Holders) != 1 {
		t.Error("another one holds it")
	}
	k.Release(ctx, "key")
}
