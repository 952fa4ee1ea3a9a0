package process_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/process"
)

// A worker that is killed fails the call that it is at, and the next call has a new one.
func TestKillBusyWorker(t *testing.T) {
	for name, fn := range map[string]*process.Func[int, int]{"waiting": hang, "computing": spin} {
		t.Run(name, func(t *testing.T) {
			inPool(t, process.Config{Workers: 1}, func(ctx context.Context, p *process.Pool) {
				pid, begun := 0, 0
				_, err := process.Run(ctx, fn, 0, process.In(p), process.Progress(func(worker int) {
					pid = worker
					begun++
					signalTo(t, pid, syscall.SIGKILL)
				}))
				killed(t, err, pid, syscall.SIGKILL)
				wantText(t, err, "killed")
				if next := runsOn(ctx, t, p); next == pid || begun != 1 {
					t.Errorf("the next worker is %d after %d, and the function has begun %d times", next, pid, begun)
				}
			})
		})
	}
}

// Only the call of the worker that is killed fails: other calls go on, waiting ones too.
func TestKillOneOfMany(t *testing.T) {
	inPool(t, process.Config{Workers: 2}, func(ctx context.Context, p *process.Pool) {
		victim, pid := holds(ctx, t, p, hang)
		other, _ := holds(ctx, t, p, obey)
		var waiting []*curio.Task[int]
		for range 20 {
			waiting = append(waiting, curio.Spawn(ctx, func(ctx context.Context) (int, error) {
				return process.Run(ctx, pidOf, 0, process.In(p))
			}))
		}
		signalTo(t, pid, syscall.SIGKILL)
		_, err := victim.Join(ctx)
		killed(t, err, pid, syscall.SIGKILL)
		for _, task := range waiting {
			if worker, err := task.Join(ctx); err != nil || worker == pid {
				t.Errorf("worker %d, %v", worker, err)
			}
		}
		if other.Terminated() {
			t.Errorf("another call has ended: %v", other.Err())
		}
		cancels(ctx, t, other)
	})
}

// A worker that is killed while it has nothing to do fails no call: what is sent to it later cannot have
// begun there.
func TestKillIdleWorker(t *testing.T) {
	inPool(t, process.Config{Workers: 1}, func(ctx context.Context, p *process.Pool) {
		for range testutil.Starts(100) {
			pid := runsOn(ctx, t, p)
			ended := watch(t, pid)
			signalTo(t, pid, syscall.SIGKILL)
			ended()
			if next := runsOn(ctx, t, p); next == pid {
				t.Fatalf("worker %d goes on", pid)
			}
		}
	})
}

// A worker that is killed in the moment in which it gets a call either has not got it or fails it.
func TestKillAtHandover(t *testing.T) {
	inPool(t, process.Config{Workers: 1}, func(ctx context.Context, p *process.Pool) {
		for range testutil.Starts(100) {
			pid := runsOn(ctx, t, p)
			task := curio.Spawn(ctx, func(ctx context.Context) (int, error) {
				return process.Run(ctx, pidOf, 0, process.In(p))
			}, curio.ReportCrash(false))
			signalTo(t, pid, syscall.SIGKILL)
			if _, err := task.Join(ctx); err != nil {
				killed(t, err, pid, syscall.SIGKILL)
			}
		}
	})
}

// large does not fit into any socket.
var large = make([]byte, 8<<20)

// stopped makes the only worker of a pool take nothing more.
func stopped(ctx context.Context, t testing.TB, p *process.Pool) (pid int) {
	t.Helper()
	pid = runsOn(ctx, t, p)
	signalTo(t, pid, syscall.SIGSTOP)
	return pid
}

// calling waits until a task's call has a worker.
func calling(t testing.TB, p *process.Pool, fn string) {
	t.Helper()
	testutil.Await(t, "call of "+fn, func() bool {
		for _, w := range p.Workers() {
			if w.Func == fn {
				return true
			}
		}
		return false
	})
}

// cpython#94777: the worker dies while a large argument is being written to it. The function cannot have begun,
// so another worker is called.
func TestKillWhileArgumentIsWritten(t *testing.T) {
	inPool(t, process.Config{Workers: 1}, func(ctx context.Context, p *process.Pool) {
		for range 3 {
			pid := stopped(ctx, t, p)
			task := curio.Spawn(ctx, func(ctx context.Context) (int, error) {
				return process.Run(ctx, sizeOf, large, process.In(p))
			}, curio.ReportCrash(false))
			calling(t, p, "size of")
			signalTo(t, pid, syscall.SIGKILL)
			if n, err := task.Join(ctx); err != nil || n != len(large) { // from another worker
				t.Errorf("%d, %v", n, err)
			}
		}
	})
}

// A call is cancelled while its argument is being written to a worker that takes no more of it.
func TestCancelWhileArgumentIsWritten(t *testing.T) {
	inPool(t, process.Config{Workers: 1, Grace: 10 * time.Millisecond}, func(ctx context.Context, p *process.Pool) {
		pid := stopped(ctx, t, p)
		ended := watch(t, pid)
		task := curio.Spawn(ctx, func(ctx context.Context) (int, error) {
			return process.Run(ctx, sizeOf, large, process.In(p))
		}, curio.ReportCrash(false))
		calling(t, p, "size of")
		cancels(ctx, t, task)
		ended()
		if n, err := process.Run(ctx, sizeOf, large, process.In(p)); err != nil || n != len(large) {
			t.Errorf("%d, %v", n, err)
		}
	})
}

// The worker is killed at any moment of a call with a large argument and a large result.
func TestKillAnyTime(t *testing.T) {
	inPool(t, process.Config{Workers: 1}, func(ctx context.Context, p *process.Pool) {
		failed := 0
		for i := range testutil.Starts(50) {
			pid := runsOn(ctx, t, p)
			task := curio.Spawn(ctx, func(ctx context.Context) (int, error) {
				b, err := process.Run(ctx, echo, large[:4<<20], process.In(p))
				return len(b), err
			}, curio.ReportCrash(false))
			check(t, curio.Sleep(ctx, time.Duration(i%20)*500*time.Microsecond))
			signalTo(t, pid, syscall.SIGKILL)
			if n, err := task.Join(ctx); err != nil {
				failed++
				killed(t, err, pid, syscall.SIGKILL)
			} else if n != 4<<20 {
				t.Fatalf("%d bytes", n)
			}
		}
		t.Logf("%d calls failed", failed)
	})
}

var echo = process.Register("echo", func(_ context.Context, b []byte) ([]byte, error) { return b, nil })

// However a parent dies, its workers die with it: the idle one, those that wait or compute, and also one
// that is stopped. What a worker has started dies, too.
func TestParentDies(t *testing.T) {
	type ending struct {
		act  string // what the parent does by itself
		kill syscall.Signal
	}
	for name, end := range map[string]ending{
		"SIGKILL": {"wait", syscall.SIGKILL},
		"SIGTERM": {"wait", syscall.SIGTERM},
		"SIGQUIT": {"wait", syscall.SIGQUIT},
		"SIGSEGV": {"wait", syscall.SIGSEGV},
		"exit":    {"exit", 0},
		"fatal":   {"fatal", 0},
		"panic":   {"panic", 0},
		"exec":    {"exec", 0},
	} {
		t.Run(name, func(t *testing.T) {
			if !testutil.LongStarts && name != "SIGKILL" && name != "panic" {
				t.Skip("it is much like the others: set CURIO_LONG")
			}
			noTraces(t)
			parent := testutil.Self(t, "parent", end.act)
			pids := numbers(t, parent.After("workers "))
			var ends []func()
			for _, pid := range pids {
				ends = append(ends, watch(t, pid))
				defer func() {
					if t.Failed() {
						_ = syscall.Kill(pid, syscall.SIGKILL)
					}
				}()
			}
			if end.kill != 0 {
				parent.Signal(end.kill)
			} else {
				fmt.Fprintln(parent.Stdin)
			}
			for _, ended := range ends {
				ended()
			}
			parent.Kill()
			parent.Wait()
		})
	}
}

func init() {
	children["parent"] = func(args []string) error {
		return curio.Run(background, func(ctx context.Context) error {
			p, err := process.NewPool(ctx, process.Config{Workers: 5})
			if err != nil {
				return err
			}
			last := 0
			begun := curio.NewQueue[int](0)
			fmt.Print("workers")
			for _, fn := range []*process.Func[int, int]{family, nil, spin, hang, hang} {
				if fn != nil { // family tells of two processes
					curio.Spawn(ctx, func(ctx context.Context) (int, error) {
						return process.Run(ctx, fn, 0, process.In(p), process.Progress(func(pid int) { _ = begun.TryPut(pid) }))
					}, curio.Daemon(), curio.ReportCrash(false))
				}
				pid, err := begun.Get(ctx)
				if err != nil {
					return err
				}
				fmt.Print(" ", pid)
				last = pid
			}
			idle, err := process.Run(ctx, pidOf, 0, process.In(p))
			if err != nil {
				return err
			}
			if args[0] != "exec" { // after which the parent lives: nobody tells a stopped worker to go on and end
				_ = syscall.Kill(last, syscall.SIGSTOP)
				testutil.Eventually(func() bool { return isStopped(last) })
			}
			fmt.Println("", idle)
			_, _ = os.Stdin.Read(make([]byte, 1))
			switch args[0] {
			case "exit":
				os.Exit(0)
			case "fatal":
				log.Fatal("as it was told")
			case "panic":
				go panic("as it was told")
			case "exec":
				return syscall.Exec(sleepProgram, []string{"sleep", "1000"}, os.Environ())
			}
			select {}
		})
	}
}

// isStopped reports whether all threads of a process are stopped: before that, the system does not count it among
// those that have to be told to go on when their parent dies. Where nothing can be seen, it is true.
func isStopped(pid int) bool {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	for _, path := range threads {
		if text, err := os.ReadFile(path); err == nil && !strings.Contains(string(text), ") T ") {
			return false
		}
	}
	return true
}

const sleepProgram = "/bin/sleep"

// family is hang for a function that has started a program.
var family = process.Register("family", func(ctx context.Context, _ int) (int, error) {
	cmd := exec.Command(sleepProgram, "1000")
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	for _, pid := range []int{os.Getpid(), cmd.Process.Pid} {
		if err := process.Report(ctx, pid); err != nil {
			return 0, err
		}
	}
	return 0, cmd.Wait()
})

// What a worker has started ends with it, whether it is killed or cancelled.
func TestWorkersChildren(t *testing.T) {
	for name, end := range map[string]func(ctx context.Context, t *testing.T, task *curio.Task[int], pid int){
		"killed": func(ctx context.Context, t *testing.T, task *curio.Task[int], pid int) {
			signalTo(t, pid, syscall.SIGKILL)
			_, err := task.Join(ctx)
			killed(t, err, pid, syscall.SIGKILL)
		},
		"cancelled": func(ctx context.Context, t *testing.T, task *curio.Task[int], _ int) { cancels(ctx, t, task) },
	} {
		t.Run(name, func(t *testing.T) {
			inPool(t, process.Config{Workers: 1, Grace: 10 * time.Millisecond}, func(ctx context.Context, p *process.Pool) {
				begun := curio.NewQueue[int](0)
				task := curio.Spawn(ctx, func(ctx context.Context) (int, error) {
					return process.Run(ctx, family, 0, process.In(p), process.Progress(func(pid int) { _ = begun.TryPut(pid) }))
				}, curio.ReportCrash(false))
				worker, err := begun.Get(ctx)
				check(t, err)
				child, err := begun.Get(ctx)
				check(t, err)
				ended := watch(t, child)
				end(ctx, t, task, worker)
				ended()
			})
		})
	}
}

// Of a thousand calls that are cancelled at any moment each ends by that or with its result, and nothing is
// left of them.
func TestThousandCancelledCalls(t *testing.T) {
	inPool(t, process.Config{Workers: 2, Grace: 20 * time.Millisecond}, func(ctx context.Context, p *process.Pool) {
		runsOn(ctx, t, p)
		threads, descriptors := threads(t), len(testutil.Descriptors(os.Getpid()))
		var cut, done atomic.Int64
		check(t, curio.Group(ctx, func(ctx context.Context, g *curio.Tasks) error {
			for part := range 4 { // so that some wait for a worker
				g.Go(func(ctx context.Context) error {
					for i := range testutil.Times(1000) / 4 {
						fn := []*process.Func[int, int]{obey, pidOf, hang, pidOf}[(i+part)%4]
						late, err := curio.IgnoreAfter(ctx, time.Duration(i%50)*400*time.Microsecond, func(ctx context.Context) error {
							_, err := process.Run(ctx, fn, 0, process.In(p))
							return err
						})
						switch {
						case err != nil:
							return err
						case late:
							cut.Add(1)
						case fn != pidOf:
							return errors.New("a call without end has ended")
						default:
							done.Add(1)
						}
					}
					return nil
				})
			}
			return nil
		}))
		t.Logf("%d were cancelled, %d done", cut.Load(), done.Load())
		runsOn(ctx, t, p)
		if now := len(p.Workers()); now > 2 {
			t.Errorf("there are %d workers", now)
		}
		testutil.NoMoreDescriptors(t, descriptors+12) // one worker more, and one that is on its way out
		noMoreThreads(t, threads+10)
	})
}

func threads(t testing.TB) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return 0
	}
	return len(all)
}

func noMoreThreads(t testing.TB, most int) {
	t.Helper()
	if n := threads(t); n > most {
		t.Errorf("%d threads, more than %d", n, most)
	}
}
