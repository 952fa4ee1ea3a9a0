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

// withWays runs a benchmark with all ways there are here. What makes the calls is started before.
func withWays(b *testing.B, bench func(ways []way)) {
	b.Helper()
	check(b, curio.Run(background, func(ctx context.Context) error {
		p := newPool(ctx, b, process.Config{Workers: 1})
		runsOn(ctx, b, p)
		timed := func(n int, call func()) time.Duration {
			began := time.Now()
			for range n {
				call()
			}
			return time.Since(began)
		}
		ways := []way{
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
			{"worker", func(n, size int) time.Duration {
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
			}},
		}
		if python := startPython(b); python != nil {
			ways = append(ways, way{"python", python})
		}
		bench(ways)
		return p.Close(ctx)
	}))
}

var kept []byte // what is computed, or the compiler would leave it out

//go:noinline
func works(b []byte) []byte { return b }

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

// startPython starts a program that calls by Python's ProcessPoolExecutor, in one process. It is nil without
// python3.
func startPython(b *testing.B) func(n, size int) time.Duration {
	b.Helper()
	if !hasPython(b) {
		return nil
	}
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
	return func(n, size int) time.Duration {
		fmt.Fprintln(in, n, size)
		var ns int64
		_, err := fmt.Fscanln(lines, &ns)
		check(b, err)
		return time.Duration(ns)
	}
}

// hasPython reports whether there is a python3. The benchmarks measure the rest without it.
func hasPython(b *testing.B) (there bool) {
	b.Helper()
	b.Run("python3", func(b *testing.B) {
		testutil.Need(b, "python3")
		there = true
	})
	if there {
		testutil.Need(b, "python3")
	}
	return there
}

// A call that does nothing: what it costs by itself. The ways take turns, so that they see the same machine;
// a ratio is the median of the turns'.
func BenchmarkOverhead(b *testing.B) {
	withWays(b, func(ways []way) {
		const calls = 200
		took := make(map[string][]float64)
		for b.Loop() {
			for _, w := range ways {
				took[w.name] = append(took[w.name], float64(w.make(calls, 0))/calls)
			}
		}
		b.ReportMetric(0, "ns/op") // of all ways together: it says nothing
		for _, w := range ways {
			b.ReportMetric(median(took[w.name]), w.name+"-ns")
			if w.name == "worker" || w.name == "python" {
				b.ReportMetric(ratio(took[w.name], took["task"]), w.name+"/task")
			}
		}
		if took["python"] != nil {
			b.ReportMetric(ratio(took["python"], took["worker"]), "python/worker")
		}
	})
}

// A call with an argument and a result of the given size.
func BenchmarkPayload(b *testing.B) {
	withWays(b, func(ways []way) {
		for _, size := range []int{16, 1 << 10, 16 << 10, 256 << 10, 1 << 20, 16 << 20} {
			calls := max(min(100, 4<<20/size), 1)
			for _, w := range ways[len(ways)-2:] {
				if w.name == "task" {
					continue
				}
				b.Run(fmt.Sprintf("size=%d/by=%s", size, w.name), func(b *testing.B) {
					b.ReportAllocs()
					b.SetBytes(2 * int64(size))
					total, n := time.Duration(0), 0
					for b.Loop() {
						total += w.make(calls, size)
						n += calls
					}
					b.ReportMetric(float64(total)/float64(n), "ns/call")
				})
			}
		}
	})
}

// Work that keeps a processor busy, in one worker and in two: how much faster two are. The turns of both
// alternate, and the ratio is the median. With less than two processors it is one.
func BenchmarkSpeedUp(b *testing.B) {
	noTraces(b)
	check(b, curio.Run(background, func(ctx context.Context) error {
		one, two := newPool(ctx, b, process.Config{Workers: 1}), newPool(ctx, b, process.Config{Workers: 2})
		const parts = 16
		all := func(p *process.Pool) time.Duration {
			args := slices.Values(slices.Repeat([]int{30}, parts))
			began := time.Now()
			for n, err := range process.Map(ctx, fibonacci, args, process.In(p), process.Unordered()) {
				check(b, err)
				if n != 832040 {
					b.Fatal(n)
				}
			}
			return time.Since(began)
		}
		alone := func() time.Duration {
			began := time.Now()
			for range parts {
				sum += fib(30)
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
		b.ReportMetric(median(byTwo), "ns/op")
		b.ReportMetric(ratio(byOne, byTwo), "one/two")
		b.ReportMetric(ratio(inProcess, byTwo), "in-process/two")
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
