package curio_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/verify/fixture"
)

// parties are tasks that ask for an RWLock, stay in for a second of virtual time, and
// leave. The log says who came in when.
type parties struct {
	f     *fixture.Fixture
	l     *curio.RWLock
	start time.Time
	log   fixture.Roll[string]
	all   []*curio.Task[struct{}]
}

func newParties(f *fixture.Fixture) *parties {
	return &parties{f: f, l: new(curio.RWLock), start: time.Now()}
}

// come spawns one who reads ("r…") or writes ("w…") and has asked when come returns.
func (p *parties) come(ctx context.Context, name string) *curio.Task[struct{}] {
	do := p.l.Do
	if name[0] == 'r' {
		do = p.l.DoRead
	}
	task := curio.Go(ctx, func(ctx context.Context) error {
		return do(ctx, func(ctx context.Context) error {
			p.log.Add(fmt.Sprintf("%s@%d", name, time.Since(p.start)/time.Second))
			return curio.Sleep(ctx, time.Second)
		})
	}, curio.Name(name))
	synctest.Wait()
	p.all = append(p.all, task)
	return task
}

// were waits for all and checks who came in when. Those at the same time are in any order.
func (p *parties) were(ctx context.Context, want string) {
	p.f.Helper()
	for _, task := range p.all {
		_ = task.Wait(ctx)
	}
	came, wanted := p.log.All(), strings.Fields(want)
	slices.Sort(came)
	slices.Sort(wanted)
	if !slices.Equal(came, wanted) {
		p.f.Errorf("they came in: %v, want %v", came, wanted)
	}
	if s := p.l.Snapshot(); len(s.Holders)+len(s.Waiters) != 0 {
		p.f.Errorf("left is %v", s)
	}
}

// Readers that stand next to each other enter together; those behind a writer that waits
// wait; writers are alone. So neither side starves.
func TestRWLock(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		p := newParties(f)
		for name := range strings.FieldsSeq("r1 r2 w1 r3 r4 w2 w3 r5") {
			p.come(ctx, name)
		}
		p.were(ctx, "r1@0 r2@0 w1@1 r3@2 r4@2 w2@3 w3@4 r5@5")
	})
}

// A writer gets in although readers keep coming, each before the last one has left.
func TestRWLockWriterDoesNotStarve(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		p := newParties(f)
		p.come(ctx, "r0")
		_ = curio.Sleep(ctx, 500*time.Millisecond)
		p.come(ctx, "r1")
		p.come(ctx, "w")
		for range 10 {
			_ = curio.Sleep(ctx, 100*time.Millisecond)
			p.come(ctx, "r")
		}
		p.were(ctx, "r0@0 r1@0 w@1 r@2 r@2 r@2 r@2 r@2 r@2 r@2 r@2 r@2 r@2")
	})
}

// L24: a writer that waits at the head of the queue is cancelled, or its time runs out:
// the readers behind it come in at once, to those who read.
func TestRWLockCancelledWriterHoldsUpNobody(t *testing.T) {
	for _, how := range []string{"cancel", "timeout"} {
		t.Run(how, func(t *testing.T) {
			fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
				p := newParties(f)
				fixture.Succeed(p.l.AcquireRead(ctx))
				timed, cancel := curio.WithTimeout(ctx, time.Second)
				defer cancel()
				if how == "cancel" {
					timed = ctx
				}
				writer := p.come(timed, "w1")
				p.come(ctx, "r1")
				p.come(ctx, "r2")
				p.come(ctx, "w2")
				p.come(ctx, "r3")
				_ = curio.Sleep(ctx, time.Second)
				writer.CancelNow()
				_ = curio.Sleep(ctx, time.Second)
				p.l.ReleaseRead(ctx)
				p.were(ctx, "r1@1 r2@1 w2@2 r3@3")
			})
		})
	}
}

// Readers that are cancelled do not hold up a writer behind them, nor does one of two
// writers the readers.
func TestRWLockCancelInTheMiddle(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		p := newParties(f)
		var gone []*curio.Task[struct{}]
		p.come(ctx, "w0")
		gone = append(gone, p.come(ctx, "r1"), p.come(ctx, "r2"))
		p.come(ctx, "w1")
		p.come(ctx, "r3")
		gone = append(gone, p.come(ctx, "w2"))
		p.come(ctx, "r4")
		for _, task := range gone {
			task.CancelNow()
		}
		p.were(ctx, "w0@0 w1@1 r3@2 r4@2")
	})
}

// There are more readers than slots. Some hold the lock several times, and some are no tasks.
// Snapshot lists them all, and each releases the lock as often as it has acquired it.
func TestRWLockManyReaders(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var l curio.RWLock
		stop := make(chan struct{})
		var tasks []*curio.Task[struct{}]
		for i := range 30 {
			tasks = append(tasks, curio.Go(ctx, func(ctx context.Context) error {
				for range i%3 + 1 {
					fixture.Succeed(l.AcquireRead(ctx))
				}
				<-stop
				for range i%3 + 1 {
					l.ReleaseRead(ctx)
				}
				return nil
			}))
		}
		synctest.Wait()
		for range 4 {
			fixture.Succeed(l.AcquireRead(context.Background()))
		}
		held := map[*curio.AnyTask]int64{}
		for _, h := range l.Snapshot().Holders {
			if held[h.Task] != 0 {
				f.Errorf("%v is named twice", h.Task)
			}
			held[h.Task] = h.N
		}
		for i, task := range tasks {
			if held[task.AnyTask] != int64(i%3+1) {
				f.Errorf("task %d holds it %d times", i, held[task.AnyTask])
			}
		}
		if held[nil] != 4 || len(held) != 31 {
			f.Errorf("%d holders, others hold it %d times", len(held), held[nil])
		}
		writer := curio.Go(ctx, func(ctx context.Context) error { return l.Do(ctx, fixture.Nothing) })
		synctest.Wait()
		for range 4 {
			l.ReleaseRead(context.Background())
		}
		close(stop)
		if _, err := writer.Join(ctx); err != nil {
			f.Error(err)
		}
		if left := l.Snapshot(); len(left.Holders) != 0 {
			f.Errorf("left is %v", left)
		}
	})
}

// A writer that calls TryAcquire, and so does not wait, is in no reader's way.
func TestRaceRWLockTries(t *testing.T) {
	fixture.Race(t, 2000, func(ctx context.Context) {
		var l curio.RWLock
		fixture.Succeed(l.AcquireRead(ctx))
		var done atomic.Bool
		fixture.AtOnce(
			func() {
				for !done.Load() {
					if l.TryAcquire(ctx) {
						t.Error("a writer is in")
					}
				}
			},
			func() {
				defer done.Store(true)
				for range 10 {
					if !l.TryAcquireRead(ctx) {
						t.Error("a reader is not let in")
						return
					}
					l.ReleaseRead(ctx)
				}
			},
		)
		l.ReleaseRead(ctx)
		if !l.TryAcquire(ctx) {
			t.Errorf("it is not free: %v", &l)
		}
	})
}

// TryAcquire and TryAcquireRead take it if there is room and nobody waits.
func TestRWLockTry(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var l curio.RWLock
		try := func(wantRead, wantWrite bool) {
			f.Helper()
			if got := l.TryAcquireRead(ctx); got != wantRead {
				f.Errorf("TryAcquireRead: %v", got)
			} else if got {
				l.ReleaseRead(ctx)
			}
			if got := l.TryAcquire(ctx); got != wantWrite {
				f.Errorf("TryAcquire: %v", got)
			} else if got {
				l.Release(ctx)
			}
		}
		try(true, true)
		fixture.Succeed(l.AcquireRead(ctx))
		try(true, false)
		writer := curio.Go(ctx, l.Acquire)
		synctest.Wait()
		try(false, false)
		writer.CancelNow()
		synctest.Wait()
		try(true, false)
		l.ReleaseRead(ctx)
		fixture.Succeed(l.Acquire(ctx))
		try(false, false)
		l.Release(ctx)
		try(true, true)
	})
}

// L22: who reads and how often, who writes, and who waits for what.
func TestRWLockSnapshotAndString(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var l curio.RWLock
		me := curio.CurrentTask(ctx)
		says := func(want string) {
			f.Helper()
			if got := fmt.Sprint(&l); got != want {
				f.Errorf("it is %q, want %q", got, want)
			}
		}
		says("RWLock()")
		fixture.Succeed(l.Acquire(ctx))
		says("RWLock(writing, held by task " + me.Path() + ")")
		reader := curio.Go(ctx, func(ctx context.Context) error { return l.DoRead(ctx, fixture.Sleeper) }, curio.Name("reader"))
		synctest.Wait()
		writer := curio.Go(ctx, l.Acquire)
		synctest.Wait()
		want := []curio.Waiter{{Task: reader.AnyTask, Op: "READ_ACQUIRE"}, {Task: writer.AnyTask, Op: "WRITE_ACQUIRE"}}
		if got := l.Snapshot().Waiters; !slices.Equal(got, want) || reader.State() != "READ_ACQUIRE" || writer.State() != "WRITE_ACQUIRE" {
			f.Errorf("waiting are %v, want %v", got, want)
		}
		l.Release(ctx)
		synctest.Wait()
		says("RWLock(reading, held by task " + reader.Path() + ", 1 waiting)")
		writer.CancelNow()
		synctest.Wait()
		for range 3 {
			fixture.Succeed(l.AcquireRead(ctx))
		}
		fixture.Succeed(l.AcquireRead(context.Background()))
		holders := l.Snapshot().Holders
		for _, h := range []curio.Holder{fixture.HolderOf(me, 3), fixture.HolderOf(reader.AnyTask, 1), fixture.HolderOf(nil, 1)} {
			if len(holders) != 3 || !slices.Contains(holders, h) {
				f.Errorf("held by %v, want %v among them", holders, h)
			}
		}
		for range 3 {
			l.ReleaseRead(ctx)
		}
		l.ReleaseRead(context.Background())
		_, _ = reader.Cancel(ctx)
		says("RWLock()")
	})
}

// The text is of one moment: who reads or writes holds it, and the other way round.
func TestRaceRWLockString(t *testing.T) {
	fixture.Race(t, 1, func(ctx context.Context) {
		var l curio.RWLock
		fixture.AtOnce(
			func() {
				for range testutil.Times(20000) {
					_ = l.Do(ctx, fixture.Nothing)
					_ = l.DoRead(ctx, fixture.Nothing)
				}
			},
			func() {
				for range testutil.Times(20000) {
					text := l.String()
					if strings.Contains(text, "ing, held by") != (text != "RWLock()") {
						t.Errorf("it was %s", text)
						return
					}
				}
			})
	})
}

// An rwTwin is what an RWLock should do, said naively: a queue of names, and who is in.
type rwTwin struct {
	queue []string // "r3" waits to read, "w4" to write
	in    []string
}

func (m *rwTwin) ask(name string) { m.queue = append(m.queue, name); m.admit() }

func (m *rwTwin) leave(name string) {
	m.in = slices.DeleteFunc(m.in, func(s string) bool { return s == name })
	m.queue = slices.DeleteFunc(m.queue, func(s string) bool { return s == name })
	m.admit()
}

func (m *rwTwin) admit() {
	for len(m.queue) > 0 {
		name := m.queue[0]
		if len(m.in) > 0 && (name[0] == 'w' || m.in[0][0] == 'w') {
			return
		}
		m.in, m.queue = append(m.in, name), m.queue[1:]
	}
}

// free reports whether one more would be let in at once.
func (m *rwTwin) free(write bool) bool {
	return len(m.queue) == 0 && (len(m.in) == 0 || !write && m.in[0][0] == 'r')
}

// Random operations: after each, the lock and its twin agree on who is in, who waits and
// in which order, and on who could be let in.
func TestRWLockModel(t *testing.T) {
	for range testutil.Times(300) {
		seed := rand.Uint64()
		fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
			defer func() {
				if f.Failed() {
					f.Logf("seed %d", seed)
				}
			}()
			modelRWLock(ctx, f, rand.New(rand.NewPCG(seed, 0)))
		})
		if t.Failed() {
			return
		}
	}
}

func modelRWLock(ctx context.Context, f *fixture.Fixture, random *rand.Rand) {
	var l curio.RWLock
	var twin rwTwin
	tasks := map[string]*curio.Task[struct{}]{}
	for step := range 60 {
		if what := random.IntN(10); what < 5 || len(tasks) == 0 {
			name := fmt.Sprintf("%c%d", "rrw"[random.IntN(3)], step)
			do := l.Do
			if name[0] == 'r' {
				do = l.DoRead
			}
			// It stays in until it is cancelled, as it can be while it waits.
			tasks[name] = curio.Go(ctx, func(ctx context.Context) error { return do(ctx, fixture.Sleeper) }, curio.Name(name))
			twin.ask(name)
		} else if names := append(slices.Clone(twin.in), twin.queue...); what < 9 {
			name := names[random.IntN(len(names))]
			tasks[name].CancelNow()
			delete(tasks, name)
			twin.leave(name)
		} else if write := random.IntN(2) == 0; write && l.TryAcquire(ctx) != twin.free(true) || !write && l.TryAcquireRead(ctx) != twin.free(false) {
			f.Errorf("step %d: Try, write=%v, with %v in and %v waiting", step, write, twin.in, twin.queue)
		} else if twin.free(write) && write {
			l.Release(ctx)
		} else if twin.free(write) {
			l.ReleaseRead(ctx)
		}
		synctest.Wait()
		var in, queue []string
		s := l.Snapshot()
		for _, h := range s.Holders {
			in = append(in, h.Task.Name())
		}
		for _, w := range s.Waiters {
			queue = append(queue, w.Task.Name())
		}
		slices.Sort(in)
		if !slices.Equal(in, slices.Sorted(slices.Values(twin.in))) || !slices.Equal(queue, twin.queue) {
			f.Fatalf("step %d: in are %v and waiting %v, want %v and %v", step, in, queue, twin.in, twin.queue)
		}
	}
	for _, task := range tasks {
		_, _ = task.Cancel(ctx)
	}
}
