package curio_test

import (
	"cmp"
	"context"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/curio-go/curio"
)

// A fuse makes the nth comparison from now on fail.
type fuse struct {
	n    int
	blow func()
}

func (f *fuse) compare(a, b int) int {
	if f.n > 0 {
		if f.n--; f.n == 0 {
			f.blow()
		}
	}
	return cmp.Compare(a, b)
}

// An outcome is how an operation on a queue has ended, in a goroutine of its own.
type outcome struct {
	returned bool
	v        int
	err      error
}

func outcomeOf(op func() (int, error)) chan outcome {
	ended := make(chan outcome, 1)
	go func() {
		var o outcome
		defer func() {
			_ = recover()
			ended <- o
		}()
		o.v, o.err = op()
		o.returned = true
	}()
	return ended
}

// Any comparison in any operation may panic or end the goroutine. Then the caller whose
// item is compared ends, no item is lost or duplicated, and the queue goes on working.
func TestPriorityQueueComparisonThatFails(t *testing.T) {
	const full = 7
	for how, blow := range map[string]func(){"panics": func() { panic("blown") }, "exits": runtime.Goexit} {
		for name, op := range map[string]func(ctx context.Context, q *curio.Queue[int]) (int, error){
			"Put":    func(ctx context.Context, q *curio.Queue[int]) (int, error) { return 0, q.Put(ctx, 3) },
			"TryPut": func(_ context.Context, q *curio.Queue[int]) (int, error) { return 0, q.TryPut(3) },
			"Get":    func(ctx context.Context, q *curio.Queue[int]) (int, error) { return q.Get(ctx) },
			"TryGet": func(_ context.Context, q *curio.Queue[int]) (int, error) { return q.TryGet() },
			"All": func(ctx context.Context, q *curio.Queue[int]) (int, error) {
				for v, err := range q.All(ctx) {
					return v, err
				}
				return 0, curio.ErrQueueClosed
			},
		} {
			puts := name == "Put" || name == "TryPut"
			for _, waiting := range []bool{false, true} {
				if puts && waiting {
					continue
				}
				t.Run(name+"/"+how, func(t *testing.T) {
					for n := 1; n < 20; n++ {
						inKernel(t, func(ctx context.Context, f *fixture) {
							var fuse fuse
							q := curio.NewPriorityQueue(full, fuse.compare)
							items := []int{40, 10, 70, 20, 60, 50}
							for _, v := range items {
								succeed(q.TryPut(v))
							}
							var putter chan outcome
							if waiting {
								items = append(items, 30)
								succeed(q.TryPut(30))
								putter = outcomeOf(func() (int, error) { return 0, q.Put(ctx, 5) })
								synctest.Wait()
							}
							fuse.n, fuse.blow = n, blow
							o := <-outcomeOf(func() (int, error) { return op(ctx, q) })
							fuse.n = 0
							var left []int
							for {
								v, err := q.TryGet()
								if err != nil {
									break
								}
								left = append(left, v)
							}
							if o.returned && puts {
								items = append(items, 3)
							}
							if o.returned && !puts {
								left = append(left, o.v)
							}
							if waiting {
								put := <-putter
								if put.returned {
									items = append(items, 5)
								} else if !o.returned {
									f.Errorf("comparison %d: both have ended", n)
								}
							}
							slices.Sort(items)
							slices.Sort(left)
							if !slices.Equal(items, left) {
								f.Errorf("comparison %d: there were %v and are %v", n, items, left)
							}
							succeed(passOne(ctx, q, 1))
						})
					}
				})
			}
		}
	}
}

// A comparison for a Put that has waited may end its goroutine. That does not end the Get
// that made room.
func TestPriorityQueueExitOfAComparisonIsThePutters(t *testing.T) {
	inKernel(t, func(ctx context.Context, f *fixture) {
		var fuse fuse
		q := curio.NewPriorityQueue(2, fuse.compare)
		succeed(q.TryPut(1))
		succeed(q.TryPut(2))
		putter := outcomeOf(func() (int, error) { return 0, q.Put(ctx, 3) })
		synctest.Wait()
		fuse.n, fuse.blow = 1, runtime.Goexit
		if o := <-outcomeOf(func() (int, error) { return q.Get(ctx) }); !o.returned || o.v != 1 || o.err != nil {
			f.Errorf("Get: %+v", o)
		}
		if o := <-putter; o.returned {
			f.Errorf("Put: %+v", o)
		}
	})
}
