package core_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/verify/fixture"
)

// A million tasks asleep are cancelled by one call, and joined. That is done in a process
// of its own: the runtime keeps a million ended goroutines for ever, and whatever looks at
// all goroutines, as other tests do, takes a hundred times as long after that.
func TestMillionSleepingTasks(t *testing.T) {
	if !testutil.Long || testutil.Race {
		t.Skip("takes 3 GB and some seconds: only with CURIO_LONG=1, and not with -race")
	}
	if os.Getenv("CURIO_TEST_MILLION") == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestMillionSleepingTasks$", "-test.v")
		cmd.Env = append(os.Environ(), "CURIO_TEST_MILLION=1")
		out, err := cmd.CombinedOutput()
		if err != nil || !bytes.Contains(out, []byte("joined after")) {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	const n = 1_000_000
	start, before := time.Now(), testutil.ProcessorTime()
	fixture.WithKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		tasks := make([]*curio.Task[struct{}], 0, n)
		spawned := make(chan struct{})
		parent := curio.Go(ctx, func(ctx context.Context) error {
			for range n {
				tasks = append(tasks, curio.Go(ctx, fixture.Sleeper))
			}
			close(spawned)
			return fixture.Sleeper(ctx)
		})
		<-spawned // a loop of looking would be in the way
		for _, task := range tasks {
			testutil.Await(f, "a sleep", func() bool { return task.State() == "TIME_SLEEP" })
		}
		f.Logf("asleep after %v", time.Since(start))
		began := time.Now()
		if did, err := parent.Cancel(ctx); !did || err != nil {
			f.Errorf("Cancel: %v, %v", did, err)
		}
		f.Logf("cancelled in %v", time.Since(began))
		for _, task := range tasks {
			if err := task.Wait(ctx); err != nil {
				f.Fatal(err)
			}
			if !task.Cancelled() {
				f.Fatalf("%v was not cancelled", task)
			}
		}
		fixture.Is(f, "one of them", tasks[n/2].Err(), fixture.TaskCancelled...)
		f.Logf("joined after %v", time.Since(began))
	})
	if d := testutil.ProcessorTime() - before; d > time.Minute { // not the wall's: others may need the processors
		t.Errorf("took %v of the processors' time", d)
	}
}

// BenchmarkMemorySleepingTasks reports what a sleeping task takes: heap and stacks
// after a collection, by task; that of curio includes a slice of the handles. Memory
// that a run leaves behind spoils the next one, so each is best run in a process of
// its own, and measures once in it, whatever b.N:
//
//	go test -run '^$' -bench MemorySleepingTasks/impl=curio ./verify/core
//	go test -run '^$' -bench MemorySleepingTasks/impl=goroutine ./verify/core
//
// CURIO_BENCH_TASKS=1 is for a small machine: a tenth of the tasks.
func BenchmarkMemorySleepingTasks(b *testing.B) {
	n := 1_000_000
	if testing.Short() || os.Getenv("CURIO_BENCH_TASKS") != "" {
		n = 100_000
	}
	b.Run("impl=curio", func(b *testing.B) {
		memoryOnce(b, "curio", n, func() (stop func()) {
			k := curio.NewKernel()
			tasks := make([]*curio.Task[struct{}], 0, n)
			_ = k.Run(context.Background(), func(ctx context.Context) error {
				for range n {
					tasks = append(tasks, curio.Go(ctx, fixture.Sleeper))
				}
				return nil
			})
			for _, task := range tasks {
				for task.State() != "TIME_SLEEP" {
					runtime.Gosched()
				}
			}
			return func() {
				_ = k.Shutdown(context.Background())
				runtime.KeepAlive(tasks)
			}
		})
	})
	// A goroutine in time.Sleep cannot be stopped, so they sleep for long enough, and are waited for.
	b.Run("impl=goroutine", func(b *testing.B) {
		memoryOnce(b, "goroutine", n, func() (stop func()) {
			var started, ended sync.WaitGroup
			started.Add(n)
			ended.Add(n)
			for range n {
				go func() {
					defer ended.Done()
					started.Done()
					time.Sleep(30 * time.Second)
				}()
			}
			started.Wait()
			time.Sleep(time.Second) // the last of them fall asleep
			return ended.Wait
		})
	})
}

// measured is what memoryOnce has found out in this process, in bytes.
var measured = map[string]float64{}

func memoryOnce(b *testing.B, impl string, n int, start func() (stop func())) {
	if _, ok := measured[impl]; !ok {
		before := memory()
		stop := start()
		measured[impl] = float64(memory()-before) / float64(n)
		stop()
	}
	for b.Loop() {
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(measured[impl], "B/task")
}

func memory() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}
