package curio_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/curio-go/curio"
)

// A broadcast beside a channel for each subscriber under a mutex, to each of which the sender
// sends in a select statement with its context. That does not do the same: a Send that is cut
// short has reached some of the subscribers, and one that leaves has to be seen to.

type channels struct {
	mu   sync.Mutex
	subs []chan int
}

func (c *channels) subscribe(room int) <-chan int {
	c.mu.Lock()
	defer c.mu.Unlock()
	ch := make(chan int, room)
	c.subs = append(c.subs, ch)
	return ch
}

func (c *channels) send(ctx context.Context, v int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, ch := range c.subs {
		select {
		case ch <- v:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// BenchmarkBroadcast is of a Send to n subscribers, each of which has room, and of n receptions.
func BenchmarkBroadcast(b *testing.B) {
	for _, n := range []int{1, 10, 1000} {
		b.Run(fmt.Sprintf("n=%d/impl=curio", n), func(b *testing.B) {
			inBenchKernel(b, func(ctx context.Context) {
				var cast curio.Broadcast[int]
				subs := make([]*curio.Subscription[int], n)
				for i := range subs {
					subs[i] = cast.Subscribe(ctx, 16, curio.SlowWait)
				}
				for b.Loop() {
					_ = cast.Send(ctx, 1)
					for _, s := range subs {
						_, _ = s.Receive(ctx)
					}
				}
			})
		})
		b.Run(fmt.Sprintf("n=%d/impl=channels", n), func(b *testing.B) {
			b.ReportAllocs()
			ctx, cancel := context.WithCancel(b.Context())
			defer cancel()
			var cast channels
			subs := make([]<-chan int, n)
			for i := range subs {
				subs[i] = cast.subscribe(16)
			}
			for b.Loop() {
				_ = cast.send(ctx, 1)
				for _, ch := range subs {
					select {
					case <-ch:
					case <-ctx.Done():
					}
				}
			}
		})
	}
}

// BenchmarkBroadcastTasks is of a Send to n subscribers that are tasks of their own. With one
// value of room, they wait for the sender, and it for them.
func BenchmarkBroadcastTasks(b *testing.B) {
	for _, n := range []int{1, 10, 1000} {
		b.Run(fmt.Sprintf("n=%d/impl=curio", n), func(b *testing.B) {
			inBenchKernel(b, func(ctx context.Context) {
				var cast curio.Broadcast[int]
				all := make([]*curio.Task[struct{}], n)
				for i := range all {
					s := cast.Subscribe(ctx, 1, curio.SlowWait)
					all[i] = curio.Go(ctx, func(ctx context.Context) error {
						for _, err := range s.All(ctx) {
							if err != nil {
								return err
							}
						}
						return nil
					})
				}
				for b.Loop() {
					_ = cast.Send(ctx, 1)
				}
				cast.Close()
				for _, task := range all {
					_ = task.Wait(ctx)
				}
			})
		})
		b.Run(fmt.Sprintf("n=%d/impl=channels", n), func(b *testing.B) {
			b.ReportAllocs()
			ctx, cancel := context.WithCancel(b.Context())
			defer cancel()
			var cast channels
			var all sync.WaitGroup
			for range n {
				ch := cast.subscribe(1)
				all.Go(func() {
					for {
						select {
						case _, ok := <-ch:
							if !ok {
								return
							}
						case <-ctx.Done():
							return
						}
					}
				})
			}
			for b.Loop() {
				_ = cast.send(ctx, 1)
			}
			for _, ch := range cast.subs {
				close(ch)
			}
			all.Wait()
		})
	}
}

// A watched value in three ways: with a Watch; with a sync.Cond, whose Wait nothing can cancel;
// and with a channel that is closed at each change.
type changing interface {
	set(v int)
	wait(ctx context.Context, after uint64) (version uint64)
}

type curioWatch struct{ curio.Watch[int] }

func (w *curioWatch) set(v int) { w.Set(v) }
func (w *curioWatch) wait(ctx context.Context, after uint64) uint64 {
	_, version, _ := w.Wait(ctx, after)
	return version
}

type condWatch struct {
	mu      sync.Mutex
	changed sync.Cond
	value   int
	version uint64
}

func (w *condWatch) set(v int) {
	w.mu.Lock()
	w.value, w.version = v, w.version+1
	w.mu.Unlock()
	w.changed.Broadcast()
}

func (w *condWatch) wait(_ context.Context, after uint64) uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.version <= after {
		w.changed.Wait()
	}
	return w.version
}

type closingWatch struct {
	mu      sync.Mutex
	changed chan struct{}
	value   int
	version uint64
}

func (w *closingWatch) set(v int) {
	w.mu.Lock()
	w.value, w.version = v, w.version+1
	changed := w.changed
	w.changed = make(chan struct{})
	w.mu.Unlock()
	close(changed)
}

func (w *closingWatch) wait(ctx context.Context, after uint64) uint64 {
	for {
		w.mu.Lock()
		changed, version := w.changed, w.version
		w.mu.Unlock()
		if version > after {
			return version
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return 0
		}
	}
}

func watches() map[string]func() changing {
	return map[string]func() changing{
		"curio": func() changing { return new(curioWatch) },
		"Cond": func() changing {
			w := new(condWatch)
			w.changed.L = &w.mu
			return w
		},
		"close": func() changing { return &closingWatch{changed: make(chan struct{})} },
	}
}

// BenchmarkWatch is of a change to n waiters, each of which answers with a change of its own, for
// all of which the one that has made it waits.
func BenchmarkWatch(b *testing.B) {
	for _, n := range []int{1, 100} {
		for impl, make := range watches() {
			b.Run(fmt.Sprintf("n=%d/impl=%s", n, impl), func(b *testing.B) {
				inBenchKernel(b, func(ctx context.Context) {
					there, back := make(), make()
					stopped := false
					var all []*curio.Task[struct{}]
					for range n {
						all = append(all, curio.Go(ctx, func(ctx context.Context) error {
							for version := uint64(0); ; {
								if version = there.wait(ctx, version); stopped {
									return nil
								}
								back.set(1)
							}
						}))
					}
					seen, answers := uint64(0), uint64(0)
					for b.Loop() {
						there.set(1)
						for answers += uint64(n); seen < answers; {
							seen = back.wait(ctx, seen)
						}
					}
					stopped = true
					there.set(0)
					for _, task := range all {
						_ = task.Wait(ctx)
					}
				})
			})
		}
	}
}

// BenchmarkWatchNobodyWaits is of a Set without waiters, and of a Wait for what is there.
func BenchmarkWatchNobodyWaits(b *testing.B) {
	for impl, make := range watches() {
		b.Run("impl="+impl, func(b *testing.B) {
			inBenchKernel(b, func(ctx context.Context) {
				w := make()
				version := uint64(0)
				for b.Loop() {
					w.set(1)
					version = w.wait(ctx, version)
				}
			})
		})
	}
}
