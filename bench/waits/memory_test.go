package waits_test

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/curio-go/curio"
)

// BenchmarkMemory reports how many bytes each of many things takes: heap and stacks after a
// collection. What one thing leaves behind spoils the figure of the next, so a figure is to
// be taken in a process of its own; ./costs does so.
//
//	go test -run '^$' -bench 'Memory/what=sleeping/impl=curio' -benchtime 1x ./waits
//
// A task's figure includes its handle and the place of that in a slice.
func BenchmarkMemory(b *testing.B) {
	for what, impls := range map[string]map[string]func(b *testing.B){
		"sleeping":  {"curio": taskMemory(asleep), "goroutine": goroutineMemory(asleepByHand)},
		"receiving": {"curio": taskMemory(receiving()), "goroutine": goroutineMemory(receivingByHand())},
		"timeout":   {"curio": taskMemory(underTimeout), "goroutine": goroutineMemory(underTimeoutByHand)},
		"named":     {"curio": taskMemory(asleep, curio.Name("worker")), "goroutine": goroutineMemory(asleepByHand)},
		"queue": {
			"curio": objectMemory(func() any { return curio.NewQueue[int](16) }),
			"chan":  objectMemory(func() any { return make(chan int, 16) }),
		},
		"full": {
			"curio": objectMemory(func() any {
				q := curio.NewQueue[int](16)
				for q.TryPut(1) == nil {
				}
				return q
			}),
			"chan": objectMemory(func() any { return make(chan int, 16) }),
		},
		"lock":      {"curio": objectMemory(func() any { return new(curio.Lock) }), "chan": objectMemory(func() any { return make(chan struct{}, 1) })},
		"event":     {"curio": objectMemory(func() any { return new(curio.Event) }), "chan": objectMemory(func() any { return make(chan struct{}) })},
		"semaphore": {"curio": objectMemory(func() any { return curio.NewSemaphore(3) }), "semaphore.Weighted": objectMemory(func() any { return semaphore.NewWeighted(3) })},
	} {
		for impl, measure := range impls {
			b.Run("what="+what+"/impl="+impl, measure)
		}
	}
}

// thousands is how many there are of each thing: enough to make what else happens small.
const thousands = 20_000

// report says what each of the things takes that make returns a way to remove.
func report(b *testing.B, make func() (remove func())) {
	b.Helper()
	var bytes float64
	for b.Loop() {
		before := memoryInUse()
		remove := make()
		bytes = float64(memoryInUse()-before) / thousands
		remove()
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(bytes, "B/each")
}

func memoryInUse() int64 {
	runtime.GC()
	runtime.GC() // the first one has moved what pools hold aside
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

// kept keeps objects reachable.
var kept []any

func objectMemory(object func() any) func(b *testing.B) {
	return func(b *testing.B) {
		kept = make([]any, thousands)
		report(b, func() (remove func()) {
			for i := range kept {
				kept[i] = object()
			}
			return func() { clear(kept) }
		})
		kept = nil
	}
}

func taskMemory(fn func(ctx context.Context) error, opts ...curio.SpawnOption) func(b *testing.B) {
	return func(b *testing.B) {
		err := curio.Run(b.Context(), func(ctx context.Context) error {
			report(b, func() (remove func()) {
				tasks := make([]*curio.Task[struct{}], thousands)
				for i := range tasks {
					tasks[i] = curio.Go(ctx, fn, opts...)
				}
				for _, task := range tasks {
					for task.Cycles() == 0 { // it has not begun to wait
						runtime.Gosched()
					}
				}
				return func() {
					for _, task := range tasks {
						task.CancelNow()
					}
					for _, task := range tasks {
						_ = task.Wait(ctx)
					}
				}
			})
			return nil
		})
		if err != nil {
			b.Error(err)
		}
	}
}

// goroutineMemory has goroutines that say, with waiting, that they are about to wait.
func goroutineMemory(fn func(ctx context.Context, waiting func())) func(b *testing.B) {
	return func(b *testing.B) {
		report(b, func() (remove func()) {
			ctx, cancel := context.WithCancel(b.Context())
			var begun, ended sync.WaitGroup
			begun.Add(thousands)
			for range thousands {
				ended.Go(func() { fn(ctx, begun.Done) })
			}
			begun.Wait()
			return func() {
				cancel()
				ended.Wait()
			}
		})
	}
}

func asleep(ctx context.Context) error { return curio.Sleep(ctx, time.Hour) }

func asleepByHand(ctx context.Context, waiting func()) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	waiting()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

func receiving() func(ctx context.Context) error {
	q := curio.NewQueue[int](1)
	return func(ctx context.Context) error { _, err := q.Get(ctx); return err }
}

func receivingByHand() func(ctx context.Context, waiting func()) {
	q := make(chan int, 1)
	return func(ctx context.Context, waiting func()) {
		waiting()
		_, _ = receive(ctx, q)
	}
}

func underTimeout(ctx context.Context) error { return curio.TimeoutAfter(ctx, time.Hour, asleep) }

func underTimeoutByHand(ctx context.Context, waiting func()) {
	ctx, cancel := context.WithTimeout(ctx, time.Hour)
	defer cancel()
	asleepByHand(ctx, waiting)
}
