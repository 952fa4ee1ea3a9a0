package core_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
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
	"github.com/curio-go/curio/verify/fixture"
)

// What Linux says of the threads of SpawnThread.

// threadFile is a file of a thread of this process.
func threadFile(tid int, name string) string { return fmt.Sprintf("/proc/self/task/%d/%s", tid, name) }

// threadGone waits for the end of a thread.
func threadGone(t testing.TB, tid int) {
	t.Helper()
	testutil.Await(t, "the end of the thread", func() bool {
		_, err := os.Lstat(threadFile(tid, "comm"))
		return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH)
	})
}

// inThreadChild makes body the part of a test that runs in a child process, where it may do
// with the process's threads what it likes. It prints what is wrong.
func inThreadChild(name string, body func(complain func(format string, args ...any))) {
	fixture.Children[name] = func() {
		body(func(format string, args ...any) { fmt.Printf("wrong: "+format+"\n", args...) })
		fmt.Println("done")
	}
}

// playThreadChild runs such a body.
func playThreadChild(t *testing.T, name string) {
	t.Helper()
	if text, code := fixture.Child(t, name); code != 0 || text != "done\n" {
		t.Errorf("exit status %d, output:\n%s", code, text)
	}
}

// The task has the same thread after each wait, whatever else runs, and nobody else runs
// on it. It ends with the task.
func TestSpawnThreadKeepsItsThread(t *testing.T) {
	fixture.Watch(t, func() {
		fixture.WithKernel(t, func(ctx context.Context, f *fixture.Fixture) {
			const threads, waits = 4, 200
			var owned [threads]atomic.Int64
			var stop atomic.Bool
			var others sync.WaitGroup
			for range 50 {
				others.Go(func() {
					for !stop.Load() {
						tid := int64(syscall.Gettid())
						for i := range owned {
							if owned[i].Load() == tid {
								t.Errorf("somebody else runs on the thread %d", tid)
								return
							}
						}
						runtime.Gosched()
					}
				})
			}
			var tasks []*curio.Task[int]
			for i := range threads {
				tasks = append(tasks, curio.SpawnThread(ctx, func(ctx context.Context) (int, error) {
					tid := syscall.Gettid()
					owned[i].Store(int64(tid))
					defer owned[i].Store(0)
					return tid, keepThread(ctx, tid, waits)
				}))
			}
			tids := map[int]bool{}
			for _, task := range tasks {
				tid, err := task.Join(ctx)
				if err != nil {
					t.Error(err)
				}
				tids[tid] = true
			}
			stop.Store(true)
			others.Wait()
			if len(tids) != threads {
				t.Errorf("threads %v, want %d", tids, threads)
			}
			for tid := range tids {
				if tid != os.Getpid() { // see TestSpawnThreadAndTheMainThread
					threadGone(t, tid)
				}
			}
		})
	})
}

// keepThread waits in many ways and checks each time where it is. A13, A14: a function
// called here runs here, also inside of timeouts and groups.
func keepThread(ctx context.Context, tid, waits int) error {
	check := func(what string) error {
		if now := syscall.Gettid(); now != tid {
			return fmt.Errorf("after %s it runs on the thread %d, and began on %d", what, now, tid)
		}
		return nil
	}
	in := func(what string, fn func() error) error {
		return errors.Join(fn(), check(what))
	}
	for range waits {
		err := errors.Join(
			in("Sleep", func() error { return curio.Sleep(ctx, time.Microsecond) }),
			in("Join", func() error { _, err := curio.Spawn(ctx, fixture.Returns(1)).Join(ctx); return err }),
			in("RunInThread", func() error {
				other, err := curio.RunInThread(ctx, func() (int, error) { return syscall.Gettid(), nil })
				if other == tid {
					err = errors.Join(err, errors.New("RunInThread ran on the task's thread"))
				}
				return err
			}),
			in("a timeout", func() error {
				return curio.TimeoutAfter(ctx, time.Hour, func(context.Context) error { return check("entering a timeout") })
			}),
			in("a group", func() error {
				return curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[int]) error {
					g.Spawn(func(context.Context) (int, error) {
						if syscall.Gettid() == tid {
							return 0, errors.New("a child runs on its parent's thread")
						}
						return 0, nil
					})
					return check("entering a group")
				})
			}),
		)
		if err != nil {
			return err
		}
	}
	return nil
}

// However the task ends, its thread ends with it.
func TestSpawnThreadEndsWithTheTask(t *testing.T) {
	fixture.WithKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		for _, c := range []struct {
			what string
			end  func(ctx context.Context) (int, error)
		}{
			{"return", fixture.Returns(1)}, {"error", fixture.Fails}, {"panic", fixture.Explode}, {"Goexit", fixture.Vanish}, {"cancel", fixture.Sleeping},
		} {
			var tid atomic.Int64
			task := curio.SpawnThread(ctx, func(ctx context.Context) (int, error) {
				tid.Store(int64(syscall.Gettid()))
				return c.end(ctx)
			}, curio.ReportCrash(false))
			testutil.Await(f, "its start", func() bool { return tid.Load() != 0 })
			task.CancelNow()
			_ = task.Wait(ctx)
			if tid := int(tid.Load()); tid != os.Getpid() {
				threadGone(f, tid)
			}
		}
	})
}

// What a task changes about its thread, no other thread gets to see: those that were
// there before, those that are made meanwhile, those that come later.
func TestSpawnThreadChangesNobodyElse(t *testing.T) { playThreadChild(t, "thread attributes") }

func init() {
	if len(os.Args) > 1 && os.Args[1] == "thread attributes" {
		runtime.LockOSThread() // from init, it keeps all others off the process's first thread
	}
	inThreadChild("thread attributes", func(complain func(string, ...any)) {
		err := curio.Run(context.Background(), func(ctx context.Context) error {
			changed, done := make(chan int), make(chan struct{})
			task := curio.SpawnThread(ctx, func(ctx context.Context) (int, error) {
				err := changeThread()
				changed <- syscall.Gettid()
				<-done
				// A child of its own has no part in it either.
				child := curio.Spawn(ctx, func(context.Context) (string, error) { return threadLooks("thread-self"), nil })
				if looks, joined := child.Join(ctx); looks != threadLooks(fmt.Sprint("self/task/", os.Getpid())) {
					complain("a child of the task is %s, %v", looks, joined)
				}
				return syscall.Gettid(), err
			})
			tid := <-changed
			if looks := threadLooks(fmt.Sprint("self/task/", tid)); !strings.Contains(looks, "special /proc") {
				complain("the thread is %s", looks)
			}
			// Enough goroutines to have new threads made.
			var wg sync.WaitGroup
			for range 20 {
				wg.Go(func() {
					runtime.LockOSThread()
					defer runtime.UnlockOSThread()
					if now := syscall.Gettid(); now == tid {
						complain("another goroutine runs on %d", now)
					}
					_ = syscall.Nanosleep(&syscall.Timespec{Nsec: 1000}, nil)
				})
			}
			wg.Wait()
			checkOthers(tid, complain)
			close(done)
			_, err := task.Join(ctx)
			for _, gone := os.Lstat(threadFile(tid, "comm")); gone == nil; _, gone = os.Lstat(threadFile(tid, "comm")) {
				runtime.Gosched()
			}
			checkOthers(tid, complain)
			return err
		})
		if err != nil {
			complain("%v", err)
		}
	})
}

// changeThread changes the thread's name and working directory, and if that is permitted
// its host name.
func changeThread() error {
	err := errors.Join(
		os.WriteFile("/proc/thread-self/comm", []byte("special"), 0),
		syscall.Unshare(syscall.CLONE_FS), // from now on its working directory is its own
		syscall.Chdir("/proc"),
	)
	if syscall.Unshare(syscall.CLONE_NEWUTS) == nil {
		err = errors.Join(err, syscall.Sethostname([]byte("special")))
	}
	return err
}

// threadLooks says what changeThread changes, of a thread in /proc.
func threadLooks(thread string) string {
	comm, err1 := os.ReadFile("/proc/" + thread + "/comm")
	cwd, err2 := os.Readlink("/proc/" + thread + "/cwd")
	uts, err3 := os.Readlink("/proc/" + thread + "/ns/uts")
	if err := errors.Join(err1, err2, err3); err != nil {
		return err.Error()
	}
	if strings.TrimSpace(string(comm)) != "special" {
		comm = []byte("as ever")
	}
	return fmt.Sprintf("%s %s %s", strings.TrimSpace(string(comm)), cwd, uts)
}

// checkOthers compares all threads but tid with the main one.
func checkOthers(tid int, complain func(string, ...any)) {
	want := threadLooks(fmt.Sprint("self/task/", os.Getpid()))
	if strings.Contains(want, "special") {
		complain("the main thread is %s", want)
	}
	entries, err := os.ReadDir("/proc/self/task")
	if err != nil || len(entries) < 3 {
		complain("%d threads, %v", len(entries), err)
	}
	for _, e := range entries {
		if e.Name() == fmt.Sprint(tid) {
			continue
		}
		if looks := threadLooks("self/task/" + e.Name()); looks != want {
			complain("thread %s is %s, want %s", e.Name(), looks, want)
		}
	}
}

// The process's first thread stands for the process, in /proc/self and for ps, and Linux
// does not end it before the process. So no task may own it: what that changed about it
// all would see, and would see for ever.
func TestSpawnThreadAndTheMainThread(t *testing.T) { playThreadChild(t, "main thread") }

func init() {
	inThreadChild("main thread", func(complain func(string, ...any)) {
		runtime.GOMAXPROCS(1) // so that a task runs where the main goroutine has waited for it
		before := threadLooks("self")
		for range 10 {
			err := curio.Run(context.Background(), func(ctx context.Context) error {
				tid, err := curio.SpawnThread(ctx, func(context.Context) (int, error) {
					return syscall.Gettid(), changeThread()
				}).Join(ctx)
				if tid == os.Getpid() {
					complain("the task owned the process's first thread")
				}
				return err
			})
			if err != nil {
				complain("%v", err)
			}
			if after := threadLooks("self"); after != before {
				complain("the process was %s and is %s", before, after)
				return
			}
		}
	})
}
