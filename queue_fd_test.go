package curio_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/verify/fixture"
)

// onThread runs f on an OS thread of its own, and returns a function that waits for it.
func onThread(f func()) (join func()) {
	var thread sync.WaitGroup
	thread.Go(func() {
		runtime.LockOSThread() // for ever: the thread ends with f
		f()
	})
	return thread.Wait
}

// Q12: a universal queue starts empty, of size 0, and not full.
func TestUniversalQueueBasic(t *testing.T) {
	for _, q := range []*curio.UniversalQueue[int]{new(curio.UniversalQueue[int]), curio.NewUniversalQueue[int](0), curio.NewUniversalQueue[int](2)} {
		if !q.Empty() || q.Len() != 0 || q.Full() {
			t.Errorf("Empty %v, Len %d, Full %v", q.Empty(), q.Len(), q.Full())
		}
	}
}

// Q13, Q20: a thread produces and joins the queue, a task consumes.
func TestUniversalQueueThreadToTask(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		q := curio.NewUniversalQueue[int](2)
		consumer := curio.Go(ctx, func(ctx context.Context) error { return consumeInOrder(ctx, q, 10, time.Second) })
		start := time.Now()
		join := onThread(func() {
			for i := range 10 {
				if err := q.Put(context.Background(), i); err != nil {
					f.Error(err)
				}
			}
			if err := q.Join(context.Background()); err != nil {
				f.Error(err)
			}
			f.Elapsed(start, 10*time.Second)
			q.Close()
		})
		join()
		if _, err := consumer.Join(ctx); err != nil {
			f.Error(err)
		}
	})
}

// Q14, Q20, Q21: a task produces and joins the queue, a thread consumes, in a loop.
func TestUniversalQueueTaskToThread(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		q := curio.NewUniversalQueue[int](2)
		join := onThread(func() {
			if err := consumeInOrder(context.Background(), q, 10, time.Second); err != nil {
				f.Error(err)
			}
		})
		start := time.Now()
		for i := range 10 {
			if err := q.Put(ctx, i); err != nil {
				f.Error(err)
			}
		}
		if err := q.Join(ctx); err != nil {
			f.Error(err)
		}
		f.Elapsed(start, 10*time.Second)
		q.Close()
		join()
	})
}

// consumeInOrder gets 0 to n-1, for each of which it takes so long, until the queue is
// closed.
func consumeInOrder(ctx context.Context, q *curio.UniversalQueue[int], n int, each time.Duration) error {
	next := 0
	for v, err := range q.All(ctx) {
		if err != nil {
			return err
		}
		if v != next {
			return fmt.Errorf("got %d, want %d", v, next)
		}
		next++
		if err := curio.Sleep(ctx, each); err != nil {
			return err
		}
		q.TaskDone()
	}
	if next != n {
		return fmt.Errorf("got %d, want %d", next, n)
	}
	return nil
}

// Q15: a task polls with a timeout of 0.1 s while a thread puts every 0.2 s, into a queue
// of 2: no item is lost, none comes twice, and the order is kept.
func TestUniversalQueuePolledWithTimeout(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		q := curio.NewUniversalQueue[int](2)
		join := onThread(func() {
			for i := range 20 {
				time.Sleep(200 * time.Millisecond)
				if err := q.Put(context.Background(), i); err != nil {
					f.Error(err)
				}
			}
		})
		var got []int
		timeouts := 0
		for len(got) < 20 && timeouts < 1000 {
			err := curio.TimeoutAfter(ctx, 100*time.Millisecond, func(ctx context.Context) error {
				v, err := q.Get(ctx)
				if err == nil {
					got = append(got, v)
				}
				return err
			})
			if err != nil {
				timeouts++
				fixture.Is(f, "Get", err, fixture.TaskTimeout...)
			}
		}
		join()
		f.Journal.Take(fixture.MsgLate) // of items that came at the very moment
		if want := []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19}; !slices.Equal(got, want) {
			f.Errorf("got %v", got)
		}
		if timeouts < 20 { // one after each item at the least
			f.Errorf("only %d polls timed out", timeouts)
		}
		fixture.QueueHolds(f, q)
	})
}

// tally counts, for each item, how often consume has got it.
type tally [1000]atomic.Int32

func (c *tally) consume(ctx context.Context, q *curio.UniversalQueue[int]) error {
	for v, err := range q.All(ctx) {
		if err != nil {
			return err
		}
		c[v].Add(1)
		q.TaskDone()
	}
	return nil
}

// feed puts all the items, and closes the queue when they are done.
func (c *tally) feed(ctx context.Context, f *fixture.Fixture, q *curio.UniversalQueue[int]) {
	f.Helper()
	for i := range c {
		if err := q.Put(ctx, i); err != nil {
			f.Error(err)
		}
	}
	if err := q.Join(ctx); err != nil {
		f.Error(err)
	}
	for i := range c {
		if n := c[i].Load(); n != 1 {
			f.Errorf("item %d was got %d times", i, n)
		}
	}
	q.Close()
}

// Q16: three tasks consume 1,000 items through a queue of 10: each item exactly once.
func TestUniversalQueueManyConsumers(t *testing.T) {
	fixture.WithKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		q, count := curio.NewUniversalQueue[int](10), new(tally)
		var consumers []*curio.Task[struct{}]
		for range 3 {
			consumers = append(consumers, curio.Go(ctx, func(ctx context.Context) error { return count.consume(ctx, q) }))
		}
		count.feed(ctx, f, q)
		for _, consumer := range consumers {
			if _, err := consumer.Join(ctx); err != nil {
				f.Error(err)
			}
		}
	})
}

// Q17: so do three kernels in three threads, and a goroutine of none.
func TestUniversalQueueManyKernels(t *testing.T) {
	fixture.WithKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		q, count := curio.NewUniversalQueue[int](10), new(tally)
		var joins []func()
		for i := range 4 {
			joins = append(joins, onThread(func() {
				run := func(fn func(context.Context) error) error { return curio.Run(context.Background(), fn) }
				if i == 3 {
					run = func(fn func(context.Context) error) error { return fn(context.Background()) }
				}
				err := run(func(ctx context.Context) error { return count.consume(ctx, q) })
				if err != nil {
					f.Error(err)
				}
			}))
		}
		count.feed(ctx, f, q)
		for _, join := range joins {
			join()
		}
	})
}

// newFD is the descriptor of a queue, until the test ends.
func newFD(t testing.TB, q *curio.UniversalQueue[int]) int {
	t.Helper()
	fd, err := q.FD()
	if err != nil || fd < 0 {
		t.Fatalf("FD: %d, %v", fd, err)
	}
	t.Cleanup(q.CloseFD)
	return fd
}

// readable reports whether poll(2) finds fd readable now.
func readable(ctx context.Context, t testing.TB, fd int) bool {
	t.Helper()
	task := curio.Go(ctx, func(ctx context.Context) error { return curio.WaitRead(ctx, fd) })
	testutil.Await(t, "READ_WAIT, or its end", func() bool { return task.Terminated() || task.State() == "READ_WAIT" })
	_, _ = task.Cancel(ctx)
	err := task.Err()
	if err != nil && !errors.Is(err, curio.ErrTaskCancelled) {
		t.Errorf("WaitRead: %v", err)
	}
	return err == nil
}

// Q18: the descriptor is readable as long as a Get would not block, whatever is done.
func TestUniversalQueueFD(t *testing.T) {
	keepsNoDescriptor(t)
	fixture.WithKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		q := curio.NewUniversalQueue[int](2)
		fd := newFD(f, q)
		look := func(what string, want bool) {
			f.Helper()
			if readable(ctx, f, fd) != want {
				f.Errorf("%s: readable is %v, of %v", what, !want, q)
			}
		}
		look("new", false)
		for range 2 {
			fixture.FillQueue(f, q, 1)
			look("put one", true)
			fixture.FillQueue(f, q, 2)
			look("put two", true)
			putter := curio.Go(ctx, fixture.Putting(q, 3))
			waitFor(f, q, "QUEUE_PUT")
			look("a putter waits", true)
			for i, left := range []bool{true, true, false} {
				if v, err := q.Get(ctx); v != 1+i || err != nil {
					f.Errorf("Get: %d, %v", v, err)
				}
				look(fmt.Sprint("got ", 1+i), left)
			}
			_ = putter.Wait(ctx)
			if _, err := q.TryGet(); err != curio.ErrQueueEmpty {
				f.Error(err)
			}
			look("empty", false)
			getter := curio.Spawn(ctx, q.Get)
			waitFor(f, q, "QUEUE_GET")
			fixture.FillQueue(f, q, 4)
			look("handed over", false)
			if v, err := getter.Join(ctx); v != 4 || err != nil {
				f.Error(v, err)
			}
		}
		err := curio.TimeoutAfter(ctx, time.Microsecond, func(ctx context.Context) error { _, err := q.Get(ctx); return err })
		fixture.Is(f, "Get", err, fixture.TaskTimeout...)
		f.Journal.Take(fixture.MsgLate)
		look("a Get has timed out", false)
		fixture.FillQueue(f, q, 5)
		q.Close()
		look("closed with an item", true)
		fixture.QueueHolds(f, q, 5)
		look("closed and drained", true)
		if again, err := q.FD(); again != fd || err != nil {
			f.Errorf("FD is %d, %v, and was %d", again, err, fd)
		}
	})
}

// Q18: any sequence of calls, of some that wait too.
func TestUniversalQueueFDModel(t *testing.T) {
	keepsNoDescriptor(t)
	for seed := range uint64(20) {
		fixture.WithKernel(t, func(ctx context.Context, f *fixture.Fixture) {
			random := rand.New(rand.NewPCG(seed, 1))
			q := curio.NewUniversalQueue[int](random.IntN(4))
			fd := newFD(f, q)
			defer q.Close()
			for i := range 60 {
				before := len(q.Snapshot().Waiters)
				switch full, empty := q.Full(), q.Empty(); random.IntN(6) {
				case 0, 1:
					_ = q.TryPut(i)
				case 2, 3:
					_, _ = q.TryGet()
				case 4:
					task := curio.Go(ctx, fixture.Putting(q, i), curio.ReportCrash(false))
					testutil.Await(f, "Put", func() bool { return task.Terminated() || full && len(q.Snapshot().Waiters) > before })
				case 5:
					task := curio.Spawn(ctx, q.Get, curio.ReportCrash(false))
					testutil.Await(f, "Get", func() bool { return task.Terminated() || empty && len(q.Snapshot().Waiters) > before })
				}
				if got := readable(ctx, f, fd); got == q.Empty() {
					f.Fatalf("seed %d, move %d: readable is %v, of %v", seed, i, got, q)
				}
			}
		})
	}
}

// Q18: asked for late, the descriptor knows what is in the queue already; after CloseFD,
// which may be called at any time, it is another one.
func TestUniversalQueueLateFD(t *testing.T) {
	keepsNoDescriptor(t)
	fixture.WithKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		q := curio.NewUniversalQueue[int](0)
		q.CloseFD()
		for round := range 3 {
			fixture.FillQueue(f, q, 1, 2)
			fd := newFD(f, q)
			if !readable(ctx, f, fd) {
				f.Errorf("round %d: not readable, of %v", round, q)
			}
			fixture.QueueHolds(f, q, 1, 2)
			if readable(ctx, f, fd) {
				f.Errorf("round %d: readable, of %v", round, q)
			}
			q.CloseFD()
			if err := curio.WaitRead(ctx, fd); !errors.Is(err, syscall.EBADF) {
				f.Errorf("of a closed descriptor: %v", err)
			}
			q.CloseFD()
		}
		q.Close()
		if fd := newFD(f, q); !readable(ctx, f, fd) {
			f.Error("of a closed queue: not readable")
		}
	})
}

// Q19: whoever reads from the descriptor himself, which he should not, does not break the
// queue: the next Put makes it readable again.
func TestUniversalQueueFDDrained(t *testing.T) {
	keepsNoDescriptor(t)
	fixture.WithKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		q := curio.NewUniversalQueue[int](0)
		fd := newFD(f, q)
		fixture.FillQueue(f, q, 1)
		for range 3 {
			var buf [512]byte
			if _, err := syscall.Read(fd, buf[:]); err != nil {
				f.Error(err)
			}
			if readable(ctx, f, fd) {
				f.Error("readable after it was read from")
			}
			fixture.FillQueue(f, q, 2)
			if !readable(ctx, f, fd) {
				f.Error("not readable after another Put")
			}
		}
		_, _ = syscall.Read(fd, make([]byte, 512))
		fixture.QueueHolds(f, q, 1, 2, 2, 2)
		fixture.FillQueue(f, q, 3)
		if !readable(ctx, f, fd) {
			f.Error("not readable in the end")
		}
		fixture.QueueHolds(f, q, 3)
		if readable(ctx, f, fd) {
			f.Error("readable in the end")
		}
	})
}

// Q19: more items than a pipe has room for bytes.
func TestUniversalQueueFDOfMany(t *testing.T) {
	keepsNoDescriptor(t)
	fixture.WithKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		const n = 100_000
		q := curio.NewUniversalQueue[int](0)
		fd := newFD(f, q)
		for i := range n {
			fixture.FillQueue(f, q, i)
		}
		for i := range n {
			if i%10_000 == 0 && !readable(ctx, f, fd) {
				f.Errorf("not readable with %d items", q.Len())
			}
			if v, err := q.TryGet(); v != i || err != nil {
				f.Fatal(v, err)
			}
		}
		if readable(ctx, f, fd) {
			f.Error("readable when all are got")
		}
	})
}

// Q18: a task that waits for the descriptor, as for any other.
func TestUniversalQueueReadWait(t *testing.T) {
	keepsNoDescriptor(t)
	fixture.WithKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		q := curio.NewUniversalQueue[int](0)
		fd := newFD(f, q)
		loop := curio.Spawn(ctx, func(ctx context.Context) (got []int, err error) {
			for {
				if err := curio.WaitRead(ctx, fd); err != nil {
					return got, err
				}
				for {
					v, err := q.TryGet()
					if err == curio.ErrQueueEmpty {
						break
					}
					if err == curio.ErrQueueClosed {
						return got, nil
					}
					got = append(got, v)
				}
			}
		})
		for i := range 3 {
			testutil.Await(f, "READ_WAIT", func() bool { return loop.State() == "READ_WAIT" })
			fixture.FillQueue(f, q, i)
			testutil.Await(f, "the item is got", q.Empty)
		}
		q.Close()
		if got, err := loop.Join(ctx); err != nil || !slices.Equal(got, []int{0, 1, 2}) {
			f.Errorf("got %v, %v", got, err)
		}
	})
}

// The descriptor of a queue that is garbage is closed; so are those that CloseFD closes.
func TestUniversalQueueFDIsNotLeaked(t *testing.T) {
	keepsNoDescriptor(t)
	fds := func() (fds [100]int) {
		for i := range fds {
			q := curio.NewUniversalQueue[int](0)
			fixture.FillQueue(t, q, 1)
			fd, err := q.FD()
			if err != nil {
				t.Fatal(err)
			}
			if fds[i] = fd; i%2 == 0 {
				q.CloseFD()
			}
		}
		return fds
	}()
	testutil.Await(t, "that they are closed", func() bool {
		runtime.GC()
		return !slices.ContainsFunc(fds[:], func(fd int) bool {
			var stat syscall.Stat_t
			return syscall.Fstat(fd, &stat) == nil
		})
	})
}

// But not as long as the queue is in use, if only by who waits.
func TestUniversalQueueFDStaysOpen(t *testing.T) {
	fixture.WithKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		q := curio.NewUniversalQueue[int](0)
		fd := newFD(f, q)
		getter := curio.Spawn(ctx, q.Get)
		waitFor(f, q, "QUEUE_GET")
		for range 5 {
			runtime.GC()
		}
		if readable(ctx, f, fd) {
			f.Error("readable")
		}
		fixture.FillQueue(f, q, 1, 2)
		if !readable(ctx, f, fd) {
			f.Error("not readable")
		}
		if _, err := getter.Join(ctx); err != nil {
			f.Error(err)
		}
	})
}

// Q24: in a bubble, where nothing may be waited for that is outside of it, a queue whose
// descriptor was asked for works as any other.
func TestUniversalQueueFDInABubble(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		q := curio.NewUniversalQueue[int](1)
		newFD(f, q)
		fixture.FillQueue(f, q, 1)
		start := time.Now()
		err := curio.TimeoutAfter(ctx, time.Hour, fixture.Putting(q, 2))
		fixture.Is(f, "Put", err, fixture.TaskTimeout...)
		f.Elapsed(start, time.Hour)
		fixture.QueueHolds(f, q, 1)
		getter := curio.Spawn(ctx, q.Get)
		parkedAs(f, getter, "QUEUE_GET")
		fixture.FillQueue(f, q, 3)
		if v, err := getter.Join(ctx); v != 3 || err != nil {
			f.Error(v, err)
		}
	})
}

// keepsNoDescriptor fails the test if in the end there are more descriptors than now.
func keepsNoDescriptor(t testing.TB) {
	t.Helper()
	if r, w, err := os.Pipe(); err == nil { // makes the runtime open its poller
		r.Close()
		w.Close()
	}
	before := len(testutil.Descriptors(os.Getpid()))
	t.Cleanup(func() { testutil.NoMoreDescriptors(t, before) })
}

func init() {
	// A loop that knows nothing of the queue but its descriptor: a line "poll" is
	// answered with whether it is readable, "wait" as soon as it is.
	fixture.Children["poll"] = func() {
		ctx := context.Background()
		fd, err := strconv.Atoi(os.Args[2])
		if err != nil {
			panic(err)
		}
		lines := bufio.NewScanner(os.Stdin)
		for lines.Scan() {
			switch lines.Text() {
			case "poll":
				fmt.Println(readable(ctx, new(testing.T), fd))
			case "wait":
				fmt.Println("waiting")
				fmt.Println(curio.WaitRead(ctx, fd) == nil)
			}
		}
	}
	fixture.Children["no descriptors"] = outOfDescriptors
}

// checkChild has a conversation with a process that has inherited the descriptor of q.
func checkChild(t testing.TB, q *curio.UniversalQueue[int], say func(line string), hear func() string) {
	t.Helper()
	ask := func(what, want string) {
		t.Helper()
		if say("poll"); hear() != want {
			t.Errorf("%s: the child's answer is not %s", what, want)
		}
	}
	ask("new", "false")
	fixture.FillQueue(t, q, 1, 2)
	ask("put", "true")
	ask("put", "true")
	_, _ = q.TryGet()
	ask("got one", "true")
	_, _ = q.TryGet()
	ask("drained", "false")
	if say("wait"); hear() != "waiting" {
		t.Error("the child does not wait")
	}
	fixture.FillQueue(t, q, 3)
	if s := hear(); s != "true" {
		t.Errorf("when it had waited, the child said %s", s)
	}
	fixture.QueueHolds(t, q, 3)
	q.CloseFD() // the child has a copy, which nobody raises any more
	fixture.FillQueue(t, q, 4)
	ask("after CloseFD", "false")
}

// Q18: a child process that was given a duplicate.
func TestUniversalQueueFDInAChild(t *testing.T) {
	keepsNoDescriptor(t)
	q := curio.NewUniversalQueue[int](0)
	dup, err := syscall.Dup(newFD(t, q)) // without FD_CLOEXEC
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(dup) })
	child := testutil.Self(t, "poll", strconv.Itoa(dup))
	checkChild(t, q, func(line string) { fmt.Fprintln(child.Stdin, line) }, child.Line)
	child.Stdin.Close()
	if status := child.Wait(); status != 0 {
		t.Errorf("it ended with status %d", status)
	}
}

// pythonLoop does the same as the child "poll", with Python's select.poll.
const pythonLoop = `
import select, sys
p = select.poll()
p.register(int(sys.argv[1]), select.POLLIN)
for line in sys.stdin:
    if line == "wait\n":
        print("waiting", flush=True)
        print("true" if p.poll() else "false", flush=True)
    else:
        print("true" if p.poll(0) else "false", flush=True)
`

// Q18: a loop in another language, in a process that has inherited a duplicate.
func TestUniversalQueueFDInPython(t *testing.T) {
	testutil.Need(t, "python3")
	keepsNoDescriptor(t)
	q := curio.NewUniversalQueue[int](0)
	dup, err := syscall.Dup(newFD(t, q)) // without FD_CLOEXEC
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(dup) })
	python := testutil.Program(t, "python3", "-c", pythonLoop, strconv.Itoa(dup))
	checkChild(t, q, func(line string) { fmt.Fprintln(python.Stdin, line) }, python.Line)
	python.Stdin.Close()
	if status := python.Wait(); status != 0 {
		t.Errorf("it ended with status %d", status)
	}
}

// limitDescriptors makes n the number that descriptors must be below.
func limitDescriptors(n int) error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	setField(&limit.Cur, n)
	return syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
}

// setField is for a field that is signed on some systems and unsigned on others.
func setField[T int64 | uint64](field *T, n int) { *field = T(n) }

// outOfDescriptors is a process in which FD fails, until there is room again.
func outOfDescriptors() {
	next, err := syscall.Dup(0)
	if err != nil {
		panic(err)
	}
	syscall.Close(next)
	if err := limitDescriptors(next); err != nil {
		panic(err)
	}
	ctx := context.Background()
	q := curio.NewUniversalQueue[int](1)
	for range 2 {
		fd, err := q.FD()
		var call *os.SyscallError
		fmt.Println(fd, errors.Is(err, syscall.EMFILE), errors.As(err, &call))
		err = q.Put(ctx, 7)
		v, e := q.Get(ctx)
		fmt.Println(v, err, e)
	}
	if err := limitDescriptors(next + 10); err != nil {
		panic(err)
	}
	fd, err := q.FD()
	fmt.Println(fd >= next, err)
	q.CloseFD()
}

// Without a descriptor left FD says so, and the queue works as before; when there is one
// again, so does FD.
func TestUniversalQueueOutOfDescriptors(t *testing.T) {
	out, code := fixture.Child(t, "no descriptors")
	const want = "-1 true true\n7 <nil> <nil>\n-1 true true\n7 <nil> <nil>\ntrue <nil>\n"
	if code != 0 || out != want {
		t.Errorf("the child ended with status %d, and said %q, want %q", code, out, want)
	}
}
