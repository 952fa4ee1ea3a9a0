package process_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/process"
)

// A way is a way to make calls: it makes n of them, with an argument and a result of the given size, and
// says how long that took. Size 0 is a number that is doubled.
type way struct {
	name string
	make func(n, size int) time.Duration
}

// kept is what is computed, or the compiler would leave it out.
var kept []byte

//go:noinline
func works(b []byte) []byte { return b }

func timed(n int, call func()) time.Duration {
	began := time.Now()
	for range n {
		call()
	}
	return time.Since(began)
}

// Ways that need no other process.
func nearWays(ctx context.Context, b *testing.B) []way {
	return []way{
		{"in-process", func(n, size int) time.Duration {
			arg := make([]byte, size)
			return timed(n, func() { kept = works(arg) })
		}},
		{"goroutine", func(n, size int) time.Duration {
			arg, done := make([]byte, size), make(chan []byte)
			return timed(n, func() {
				go func() { done <- works(arg) }()
				kept = <-done
			})
		}},
		{"task", func(n, size int) time.Duration {
			arg := make([]byte, size)
			return timed(n, func() {
				result, err := curio.Spawn(ctx, func(context.Context) ([]byte, error) { return works(arg), nil }).Join(ctx)
				check(b, err)
				kept = result
			})
		}},
	}
}

// A worker that has served a call before.
func workerWay(ctx context.Context, b *testing.B, p *process.Pool) way {
	runsOn(ctx, b, p)
	return way{"worker", func(n, size int) time.Duration {
		if size == 0 {
			return timed(n, func() {
				_, err := process.Run(ctx, double, 21, process.In(p))
				check(b, err)
			})
		}
		arg := make([]byte, size)
		return timed(n, func() {
			result, err := process.Run(ctx, echo, arg, process.In(p))
			check(b, err)
			kept = result
		})
	}}
}

const pythonPool = `
import sys, time
from concurrent.futures import ProcessPoolExecutor

def double(n): return 2 * n
def echo(b): return b

if __name__ == "__main__":
    with ProcessPoolExecutor(1) as pool:
        pool.submit(double, 1).result()
        for line in sys.stdin:
            n, size = map(int, line.split())
            f, arg = (echo, bytes(size)) if size else (double, 21)
            began = time.perf_counter_ns()
            for _ in range(n):
                pool.submit(f, arg).result()
            print(time.perf_counter_ns() - began, flush=True)
`

// Python's ProcessPoolExecutor with one process. The benchmark must have called Need.
func pythonWay(b *testing.B) way {
	b.Helper()
	cmd := testutil.Command(b, "python3", testutil.WriteFile(b, "pool.py", []byte(pythonPool)))
	in, err := cmd.StdinPipe()
	check(b, err)
	out, err := cmd.StdoutPipe()
	check(b, err)
	check(b, cmd.Start())
	b.Cleanup(func() {
		_ = in.Close()
		_, _ = io.Copy(io.Discard, out)
		check(b, cmd.Wait())
	})
	lines := bufio.NewReader(out)
	return way{"python", func(n, size int) time.Duration {
		fmt.Fprintln(in, n, size)
		var ns int64
		_, err := fmt.Fscanln(lines, &ns)
		check(b, err)
		return time.Duration(ns)
	}}
}

// takeTurns has the ways take turns, so that they see the same machine, and reports the median time of a call,
// and of the first way the median of its ratios to the others. The time per operation is the time of a turn.
func takeTurns(b *testing.B, size, calls int, ways ...way) {
	b.Helper()
	took := make([][]float64, len(ways))
	for b.Loop() {
		for i, w := range ways {
			took[i] = append(took[i], float64(w.make(calls, size))/float64(calls))
		}
	}
	for i, w := range ways {
		b.ReportMetric(median(took[i]), w.name+"-ns")
		if i > 0 {
			b.ReportMetric(ratio(took[0], took[i]), ways[0].name+"/"+w.name)
		}
	}
}

// A call that does nothing: what it costs by itself, beside a call of the function, a goroutine and a task.
func BenchmarkOverhead(b *testing.B) {
	noTraces(b)
	check(b, curio.Run(background, func(ctx context.Context) error {
		p := newPool(ctx, b, process.Config{Workers: 1})
		takeTurns(b, 0, 200, append([]way{workerWay(ctx, b, p)}, nearWays(ctx, b)...)...)
		return p.Close(ctx)
	}))
}

// The same beside Python's ProcessPoolExecutor, with arguments and results of several sizes; 0 is a number.
func BenchmarkAgainstPython(b *testing.B) {
	testutil.Need(b, "python3")
	check(b, curio.Run(background, func(ctx context.Context) error {
		p := newPool(ctx, b, process.Config{Workers: 1})
		ours, python := workerWay(ctx, b, p), pythonWay(b)
		for _, size := range payloads {
			b.Run(fmt.Sprintf("size=%d", size), func(b *testing.B) {
				takeTurns(b, size, max(min(200, 4<<20/max(size, 1)), 1), python, ours)
			})
		}
		return p.Close(ctx)
	}))
}

var payloads = []int{0, 16, 1 << 10, 16 << 10, 256 << 10, 1 << 20, 16 << 20}

// One call with an argument and a result of the given size.
func BenchmarkPayload(b *testing.B) {
	noTraces(b)
	check(b, curio.Run(background, func(ctx context.Context) error {
		p := newPool(ctx, b, process.Config{Workers: 1})
		ours := workerWay(ctx, b, p)
		for _, size := range payloads {
			b.Run(fmt.Sprintf("size=%d", size), func(b *testing.B) {
				b.ReportAllocs()
				b.SetBytes(2 * int64(size))
				for b.Loop() {
					ours.make(1, size)
				}
			})
		}
		return p.Close(ctx)
	}))
}

// Work that keeps a processor busy, in one worker and in two: how much faster two are. The turns of both
// alternate, and the fastest of each count: in the others, something else has had a processor. With less than
// two processors the ratio is one.
func BenchmarkSpeedUp(b *testing.B) {
	noTraces(b)
	check(b, curio.Run(background, func(ctx context.Context) error {
		one, two := newPool(ctx, b, process.Config{Workers: 1}), newPool(ctx, b, process.Config{Workers: 2})
		const parts = 16
		all := func(p *process.Pool) time.Duration {
			args := slices.Values(slices.Repeat([]int{35}, parts))
			began := time.Now()
			for n, err := range process.Map(ctx, fibonacci, args, process.In(p), process.Unordered()) {
				check(b, err)
				if n != 9227465 {
					b.Fatal(n)
				}
			}
			return time.Since(began)
		}
		alone := func() time.Duration {
			began := time.Now()
			for range parts {
				sum += fib(35)
			}
			return time.Since(began)
		}
		all(one)
		all(two)
		var inProcess, byOne, byTwo []float64
		for b.Loop() {
			inProcess = append(inProcess, float64(alone()))
			byOne, byTwo = append(byOne, float64(all(one))), append(byTwo, float64(all(two)))
		}
		b.ReportMetric(slices.Min(byTwo), "ns/op")
		b.ReportMetric(slices.Min(byOne)/slices.Min(byTwo), "one/two")
		b.ReportMetric(slices.Min(inProcess)/slices.Min(byTwo), "in-process/two")
		b.ReportMetric(float64(runtime.NumCPU()), "processors")
		if err := one.Close(ctx); err != nil {
			return err
		}
		return two.Close(ctx)
	}))
}

var fibonacci = process.Register("fibonacci", func(_ context.Context, n int) (int, error) { return fib(n), nil })

var sum int

func fib(n int) int {
	if n < 2 {
		return n
	}
	return fib(n-1) + fib(n-2)
}

// A worker from its start to the result of its first call, and to its end.
func BenchmarkStart(b *testing.B) {
	noTraces(b)
	check(b, curio.Run(background, func(ctx context.Context) error {
		b.ReportAllocs()
		for b.Loop() {
			p := newPool(ctx, b, process.Config{Workers: 1})
			runsOn(ctx, b, p)
			check(b, p.Close(ctx))
		}
		return nil
	}))
}

// A call that is cancelled when it has begun, and the next one, for which there is a new worker.
func BenchmarkCancel(b *testing.B) {
	noTraces(b)
	check(b, curio.Run(background, func(ctx context.Context) error {
		p := newPool(ctx, b, process.Config{Workers: 1})
		for b.Loop() {
			task, _ := holds(ctx, b, p, obey)
			_, err := task.Cancel(ctx)
			check(b, err)
		}
		return p.Close(ctx)
	}))
}

func median(of []float64) float64 {
	of = slices.Sorted(slices.Values(of))
	return of[len(of)/2]
}

// ratio is the median of the turns' ratios.
func ratio(of, to []float64) float64 {
	all := make([]float64, len(of))
	for i := range of {
		all[i] = of[i] / to[i]
	}
	return median(all)
}
