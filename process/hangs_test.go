package process_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/process"
)

// The hangs that others had: of Python's multiprocessing.Pool and concurrent.futures.ProcessPoolExecutor,
// and of loky. Each test says whose it was.

// A faulty is a value whose way through a call goes wrong in one place.
type faulty struct {
	place string // where: see places
	how   string // what happens there
	stage string // where this value is on its way
}

// The places, in order.
const (
	atEncoding = "encoding of the argument" // in the parent
	atDecoding = "decoding of the argument"
	atFunction = "the function"
	atResult   = "encoding of the result"
	atReturn   = "decoding of the result"
)

var errInjected = errors.New("injected")

func (f faulty) fail(stage string) error {
	if f.place != stage {
		return nil
	}
	switch f.how {
	case "error":
		return errInjected
	case "panic":
		panic(errInjected)
	case "Goexit":
		runtime.Goexit()
	case "exit":
		fmt.Fprintln(os.Stderr, "these are the last words")
		os.Exit(3)
	case "kill":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
	return nil
}

func (f faulty) GobEncode() ([]byte, error) {
	stage := atEncoding
	if f.stage != "" {
		stage = atResult
	}
	if err := f.fail(stage); err != nil {
		return nil, err
	}
	return []byte(f.place + "\n" + f.how + "\n" + stage), nil
}

func (f *faulty) GobDecode(text []byte) error {
	fields := strings.Split(string(text), "\n")
	f.place, f.how, f.stage = fields[0], fields[1], atDecoding
	if fields[2] == atResult {
		f.stage = atReturn
	}
	return f.fail(f.stage)
}

var pass = process.Register("pass", func(_ context.Context, f faulty) (faulty, error) { return f, f.fail(atFunction) })

// bpo-31699, loky#75, cpython#79492: an argument, a result or a function fails, panics, exits or is killed,
// at each place on the way. The call fails and says why, and the pool works on.
func TestFaultsOnTheWay(t *testing.T) {
	inPool(t, process.Config{Workers: 1}, func(ctx context.Context, p *process.Pool) {
		for _, place := range []string{atEncoding, atDecoding, atFunction, atResult, atReturn} {
			for _, how := range []string{"error", "panic", "Goexit", "exit", "kill"} {
				ours := place == atEncoding || place == atReturn
				if ours && (how == "exit" || how == "kill") {
					continue // that would be the end of the parent
				}
				t.Run(how+" at "+place, func(t *testing.T) { goesWrong(ctx, t, p, place, how) })
			}
		}
	})
}

func goesWrong(ctx context.Context, t *testing.T, p *process.Pool, place, how string) {
	pid := runsOn(ctx, t, p)
	task := curio.Spawn(ctx, func(ctx context.Context) (faulty, error) {
		return process.Run(ctx, pass, faulty{place: place, how: how}, process.In(p))
	}, curio.ReportCrash(false))
	_, err := task.Join(ctx)
	if err == nil {
		t.Fatal("no error")
	}
	t.Logf("%v", err)
	var died *process.WorkerError
	switch isDead := errors.As(err, &died); {
	case how == "exit":
		if !isDead || died.Status.Code != 3 || !strings.Contains(err.Error(), "last words") {
			t.Errorf("it does not say how the worker has ended: %v", err)
		}
	case how == "kill":
		killed(t, err, pid, syscall.SIGKILL)
	case isDead:
		t.Errorf("a worker has died: %v", err)
	case how != "Goexit":
		wantText(t, err, "injected")
	}
	if next := runsOn(ctx, t, p); place == atEncoding && next != pid {
		t.Error("the worker has been replaced, although nothing has been sent to it")
	}
}

// An any is refused by gob, on either side, if its concrete type is not registered.
type holder struct{ V any }

type unregistered struct{ N int }

var holds1 = process.Register("unregistered result", func(_ context.Context, n int) (holder, error) {
	return holder{unregistered{n}}, nil
})

var takesHolder = process.Register("unregistered argument", func(_ context.Context, h holder) (string, error) {
	return fmt.Sprint(h.V), nil
})

// bpo-31699: what cannot be encoded fails its call, again and again, and calls in between work: the types
// that the connection knows are not confused by it.
func TestWhatCannotBeEncoded(t *testing.T) {
	inPool(t, process.Config{Workers: 1}, func(ctx context.Context, p *process.Pool) {
		pid := runsOn(ctx, t, p)
		for range 3 {
			_, err := process.Run(ctx, holds1, 1, process.In(p))
			wantText(t, err, "unregistered")
			_, err = process.Run(ctx, takesHolder, holder{unregistered{1}}, process.In(p))
			wantText(t, err, "unregistered")
			if text, err := process.Run(ctx, takesHolder, holder{"text"}, process.In(p)); text != "text" || err != nil {
				t.Errorf("%q, %v", text, err)
			}
		}
		if runsOn(ctx, t, p) != pid {
			t.Error("the worker was replaced")
		}
	})
}

// cpython#66587 (bpo-22393): a worker dies while others wait for what it holds. Here they have nothing in
// common: all workers die again and again while many calls wait, and each call ends.
func TestWorkersDieWhileCallsWait(t *testing.T) {
	inPool(t, process.Config{Workers: 2}, func(ctx context.Context, p *process.Pool) {
		var failed atomic.Int64
		calls := testutil.Times(150)
		check(t, curio.Group(ctx, func(ctx context.Context, g *curio.Tasks) error {
			for range calls {
				g.Go(func(ctx context.Context) error {
					_, err := process.Run(ctx, act, "suicide", process.In(p))
					killed(t, err, 0, syscall.SIGKILL)
					failed.Add(1)
					return nil
				})
			}
			return nil
		}))
		if n := failed.Load(); n != int64(calls) {
			t.Errorf("%d calls failed", n)
		}
		runsOn(ctx, t, p)
	})
}

func init() {
	acts["suicide"] = func(context.Context, string) (string, error) {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
}

// cpython#105829: so many calls are waiting that what wakes the pool is full.
func TestManyCallsAtOnce(t *testing.T) {
	inPool(t, process.Config{Workers: 1}, func(ctx context.Context, p *process.Pool) {
		busy, _ := holds(ctx, t, p, obey)
		calls := testutil.Times(20_000)
		var all []*curio.Task[int]
		for i := range calls {
			all = append(all, curio.Spawn(ctx, func(ctx context.Context) (int, error) {
				return process.Run(ctx, double, i, process.In(p))
			}))
		}
		cancels(ctx, t, busy)
		for i, task := range all {
			if n, err := task.Join(ctx); err != nil || n != 2*i {
				t.Fatalf("call %d: %d, %v", i, n, err)
			}
		}
	})
}

// cpython#115634, #111498, #115831: a worker that has done its number of calls is not replaced.
func TestCallsPerWorker(t *testing.T) {
	for _, workers := range []int{1, 2} {
		for _, most := range []int{1, 3} {
			t.Run(fmt.Sprintf("%d workers, %d calls each", workers, most), func(t *testing.T) {
				inPool(t, process.Config{Workers: workers, CallsPerWorker: most}, func(ctx context.Context, p *process.Pool) {
					const calls = 10
					var mu sync.Mutex
					count := map[int]int{}
					check(t, curio.Group(ctx, func(ctx context.Context, g *curio.Tasks) error {
						for range calls {
							g.Go(func(ctx context.Context) error {
								pid, err := process.Run(ctx, pidOf, 0, process.In(p))
								mu.Lock()
								defer mu.Unlock()
								count[pid]++
								return err
							})
						}
						return nil
					}))
					for pid, n := range count {
						if n > most {
							t.Errorf("worker %d was called %d times", pid, n)
						}
					}
					if workers == 1 && len(count) != (calls+most-1)/most {
						t.Errorf("there were %d workers", len(count))
					}
				})
			})
		}
	}
}

// cpython#115634 again: a worker dies by itself shortly before its number of calls.
func TestCallsPerWorkerAndCrash(t *testing.T) {
	inPool(t, process.Config{Workers: 1, CallsPerWorker: 2}, func(ctx context.Context, p *process.Pool) {
		for range 4 {
			runsOn(ctx, t, p)
			_, err := process.Run(ctx, act, "suicide", process.In(p))
			killed(t, err, 0, syscall.SIGKILL)
		}
	})
}

// ended checks the error of a call that a closed pool has ended, or has not begun.
func closed(t testing.TB, err error) {
	t.Helper()
	if !errors.Is(err, process.ErrPoolClosed) {
		t.Errorf("the error is %v, want ErrPoolClosed", err)
	}
}

// closeNow closes a pool and ends what its workers are at.
func closeNow(ctx context.Context, t testing.TB, p *process.Pool) {
	t.Helper()
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if err := p.Close(cancelled); !errors.Is(err, context.Canceled) {
		t.Errorf("Close: %v", err)
	}
}

// closing closes a pool in the middle of what calls do: softly if i is even.
func closing(t *testing.T, i int, config process.Config, calls func(ctx context.Context, g *curio.Tasks, p *process.Pool), when func(ctx context.Context, p *process.Pool)) {
	t.Helper()
	noTraces(t)
	check(t, curio.Run(background, func(ctx context.Context) error {
		p := newPool(ctx, t, config)
		return curio.Group(ctx, func(ctx context.Context, g *curio.Tasks) error {
			calls(ctx, g, p)
			when(ctx, p)
			if i%2 == 0 {
				check(t, p.Close(ctx)) // which lets the calls finish
			} else {
				closeNow(ctx, t, p)
			}
			if left := p.Workers(); len(left) > 0 {
				t.Errorf("after Close there are %v", left)
			}
			_, err := process.Run(ctx, pidOf, 0, process.In(p))
			closed(t, err)
			return nil
		})
	}))
}

// cpython#125451, #83285 (bpo-39104), #116685: the pool is closed while arguments cannot be encoded.
func TestCloseAgainstEncoding(t *testing.T) {
	for i := range testutil.Starts(100) {
		closing(t, i, process.Config{Workers: 1}, func(ctx context.Context, g *curio.Tasks, p *process.Pool) {
			for j := range 10 {
				how := []string{"error", "panic", ""}[j%3]
				g.Go(func(ctx context.Context) error {
					_, err := process.Run(ctx, pass, faulty{place: atEncoding, how: how}, process.In(p))
					if how != "" && err != nil && strings.Contains(err.Error(), "injected") || how == "" && err == nil {
						return nil
					}
					closed(t, err)
					return nil
				})
			}
		}, func(ctx context.Context, p *process.Pool) {
			check(t, curio.Sleep(ctx, time.Duration(i%10)*100*time.Microsecond))
		})
	}
}

// cpython#132969: the pool is closed while workers crash, and others wait for them.
func TestCloseAgainstCrash(t *testing.T) {
	for i := range testutil.Starts(100) {
		closing(t, i, process.Config{Workers: 2}, func(ctx context.Context, g *curio.Tasks, p *process.Pool) {
			for range 6 {
				g.Go(func(ctx context.Context) error {
					_, err := process.Run(ctx, act, "suicide", process.In(p))
					if !errors.Is(err, process.ErrPoolClosed) {
						killed(t, err, 0, syscall.SIGKILL)
					}
					return nil
				})
			}
		}, func(ctx context.Context, p *process.Pool) {
			check(t, curio.Sleep(ctx, time.Duration(i%10)*4*time.Millisecond))
		})
	}
}

// cpython#73945, #87015, #78178: the pool is closed while workers write results, of which the last ones are
// never read.
func TestCloseAgainstResults(t *testing.T) {
	for i := range testutil.Starts(50) {
		closing(t, i, process.Config{Workers: 2, Grace: 10 * time.Millisecond}, func(ctx context.Context, g *curio.Tasks, p *process.Pool) {
			for range 4 {
				g.Go(func(ctx context.Context) error {
					b, err := process.Run(ctx, blank, 8<<20, process.In(p))
					if err != nil {
						closed(t, err)
					} else if len(b) != 8<<20 {
						t.Errorf("%d bytes", len(b))
					}
					return nil
				})
			}
		}, func(ctx context.Context, p *process.Pool) {
			check(t, curio.Sleep(ctx, time.Duration(i%10)*5*time.Millisecond))
		})
	}
}

// The pool is closed while calls take no notice of it, wait for progress to be read, or wait for a worker.
func TestCloseAgainstBusyWorkers(t *testing.T) {
	closing(t, 1, process.Config{Workers: 3, Grace: 10 * time.Millisecond}, func(ctx context.Context, g *curio.Tasks, p *process.Pool) {
		for _, fn := range []*process.Func[int, int]{hang, spin, obey} {
			holds(ctx, t, p, fn)
		}
		for range 3 {
			g.Go(func(ctx context.Context) error {
				_, err := process.Run(ctx, pidOf, 0, process.In(p))
				closed(t, err)
				return nil
			})
		}
	}, func(context.Context, *process.Pool) {})
}

// cpython#87129 (bpo-42963): the pool is closed by what is called in the middle of a call.
func TestCloseInProgress(t *testing.T) {
	noTraces(t)
	check(t, curio.Run(background, func(ctx context.Context) error {
		p := newPool(ctx, t, process.Config{Workers: 1, Grace: 10 * time.Millisecond})
		_, err := process.Run(ctx, hang, 0, process.In(p), process.Progress(func(int) { closeNow(ctx, t, p) }))
		closed(t, err)
		return nil
	}))
}

// The kernel is shut down while its pool is in use; nobody closes it.
func TestShutdownAgainstBusyWorkers(t *testing.T) {
	noTraces(t)
	for i := range testutil.Starts(50) {
		check(t, curio.Run(background, func(ctx context.Context) error {
			if err := process.Configure(ctx, process.Config{Workers: 2, Grace: 10 * time.Millisecond}); err != nil {
				return err
			}
			for _, fn := range []*process.Func[int, int]{hang, spin, pidOf, obey} {
				curio.Spawn(ctx, func(ctx context.Context) (int, error) { return process.Run(ctx, fn, 0) }, curio.Daemon(), curio.ReportCrash(false))
			}
			return curio.Sleep(ctx, time.Duration(i%10)*5*time.Millisecond)
		}))
	}
}

// A call is cancelled while its worker starts. The worker is of use for the next one.
func TestCancelWhileWorkerStarts(t *testing.T) {
	inPool(t, process.Config{Workers: 1}, func(ctx context.Context, p *process.Pool) {
		for i := range testutil.Starts(100) {
			_, err := curio.IgnoreAfter(ctx, time.Duration(i%10)*time.Millisecond, func(ctx context.Context) error {
				_, err := process.Run(ctx, pidOf, 0, process.In(p))
				return err
			})
			check(t, err)
		}
		runsOn(ctx, t, p)
	})
}

// A worker that breaks the protocol, or leaves it, is ended, and its call fails.
func TestBrokenProtocol(t *testing.T) {
	for _, name := range []string{"scribble", "closeall"} {
		t.Run(name, func(t *testing.T) {
			inPool(t, process.Config{Workers: 1, Grace: 10 * time.Millisecond}, func(ctx context.Context, p *process.Pool) {
				pid := runsOn(ctx, t, p)
				ended := watch(t, pid)
				_, err := process.Run(ctx, act, name, process.In(p))
				t.Logf("%T: %v", err, err)
				if e := died(t, err); e.Pid != pid {
					t.Errorf("it was worker %d", e.Pid)
				}
				ended()
				runsOn(ctx, t, p)
			})
		})
	}
}

func init() {
	acts["scribble"] = func(context.Context, string) (string, error) {
		for fd := 3; fd < 100; fd++ {
			if _, err := syscall.Getpeername(fd); err == nil {
				_, _ = syscall.Write(fd, []byte(strings.Repeat("\xff\x01this is no frame", 100)))
			}
		}
		select {}
	}
	acts["closeall"] = func(context.Context, string) (string, error) {
		for fd := range 100 {
			_ = syscall.Close(fd)
		}
		select {}
	}
}

// A function prints much, on both outputs, with and without line ends. Nobody waits for that, and nothing of it
// is lost.
func TestPrintsMuch(t *testing.T) {
	var mu sync.Mutex
	var lines, bytes [2]int
	inPool(t, process.Config{Workers: 1, Output: func(l process.Line) {
		i := 0
		if l.Stderr {
			i = 1
		}
		if len(l.Text) > 64<<10 {
			t.Errorf("a piece of %d bytes", len(l.Text))
		}
		mu.Lock()
		defer mu.Unlock()
		lines[i]++
		bytes[i] += len(l.Text)
	}}, func(ctx context.Context, p *process.Pool) {
		_, err := process.Run(ctx, act, "print \n", process.In(p))
		check(t, err)
		_, err = process.Run(ctx, act, "print", process.In(p))
		check(t, err)
		runsOn(ctx, t, p)
		check(t, p.Close(ctx))
		mu.Lock()
		defer mu.Unlock()
		for i := range lines {
			if bytes[i] != 2*99*printed || lines[i] < printed {
				t.Errorf("%d bytes in %d lines", bytes[i], lines[i])
			}
		}
	})
}

var printed = testutil.Times(200_000) // lines: 20 MB

func init() {
	acts["print"] = func(_ context.Context, end string) (string, error) {
		line := strings.Repeat("x", 99) + end
		for range printed {
			fmt.Print(line)
			fmt.Fprint(os.Stderr, line)
		}
		return "", nil
	}
}
