package curio_test

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/verify/fixture"
)

var thingQueues = map[string]func(max int) *curio.Queue[*fixture.Thing]{
	"Queue": curio.NewQueue[*fixture.Thing],
	"PriorityQueue": func(max int) *curio.Queue[*fixture.Thing] {
		return curio.NewPriorityQueue(max, func(a, b *fixture.Thing) int {
			if a.Rank == poison || b.Rank == poison {
				panic("poison")
			}
			return cmp.Compare(a.Rank, b.Rank)
		})
	},
	"LIFOQueue": func(max int) *curio.Queue[*fixture.Thing] { return curio.NewLIFOQueue[*fixture.Thing](max) },
}

// What has left the queue, or was never let in, is not kept in memory by the queue, nor
// by the waiter that a task keeps for its next wait.
func TestQueueKeepsNothingAlive(t *testing.T) {
	for name, make := range thingQueues {
		t.Run(name, func(t *testing.T) {
			fixture.WithKernel(t, func(ctx context.Context, f *fixture.Fixture) {
				q := make(3)
				fixture.FillQueue(f, q, &fixture.Thing{Rank: 2}, &fixture.Thing{Rank: 2})
				fixture.Forgets(f, "got", 1, func(v *fixture.Thing) {
					fixture.FillQueue(f, q, v)
					for range 3 { // not all of the kinds hand out v first
						w, err := q.Get(ctx)
						if err != nil {
							f.Fatal(err)
						}
						if w != v {
							fixture.FillQueue(f, q, w)
						}
					}
				})
				fixture.Forgets(f, "drained", 3, func(v *fixture.Thing) { fixture.FillQueue(f, q, v); fixture.DrainQueue(q) })
				fixture.Forgets(f, "handed over", 1, func(v *fixture.Thing) { handOver(ctx, f, q, v) })
				fixture.FillQueue(f, q, &fixture.Thing{Rank: 2}, &fixture.Thing{Rank: 2}, &fixture.Thing{Rank: 2})
				fixture.Forgets(f, "refused", 1, func(v *fixture.Thing) { _ = q.TryPut(v) })
				fixture.Forgets(f, "timed out", 1, func(v *fixture.Thing) {
					err := curio.TimeoutAfter(ctx, time.Microsecond, func(ctx context.Context) error { return q.Put(ctx, v) })
					fixture.Is(f, "Put", err, fixture.TaskTimeout...)
					f.Journal.Take(fixture.MsgLate)
				})
				fixture.Forgets(f, "let in and got", 1, func(v *fixture.Thing) { letIn(ctx, f, q, v) })
				if name == "PriorityQueue" {
					fixture.Forgets(f, "panicked about", poison, func(v *fixture.Thing) {
						defer func() { _ = recover() }()
						letIn(ctx, f, q, v)
					})
				}
				for q.TryPut(&fixture.Thing{}) == nil {
				}
				fixture.Forgets(f, "closed out", 1, func(v *fixture.Thing) {
					go func() { waitFor(f, q, "QUEUE_PUT"); q.Close() }()
					if err := q.Put(ctx, v); err != curio.ErrQueueClosed {
						f.Error(err)
					}
				})
				runtime.KeepAlive(q)
			})
		})
	}
}

// waitFor returns when somebody waits in this state.
func waitFor[T any](t testing.TB, q *curio.Queue[T], state string) {
	t.Helper()
	testutil.Await(t, state, func() bool {
		w := q.Snapshot().Waiters
		return len(w) > 0 && w[0].Op == state
	})
}

// handOver gives v to the calling task, which waits for it.
func handOver(ctx context.Context, f *fixture.Fixture, q *curio.Queue[*fixture.Thing], v *fixture.Thing) {
	f.Helper()
	var other sync.WaitGroup
	other.Go(func() { waitFor(f, q, "QUEUE_GET"); fixture.FillQueue(f, q, v) })
	if w, err := q.Get(ctx); w != v || err != nil {
		f.Error(w, err)
	}
	other.Wait()
}

// letIn puts v, for which the calling task has to wait, and then drains the queue.
func letIn(ctx context.Context, f *fixture.Fixture, q *curio.Queue[*fixture.Thing], v *fixture.Thing) {
	f.Helper()
	var other sync.WaitGroup
	other.Go(func() { waitFor(f, q, "QUEUE_PUT"); _, _ = q.TryGet() })
	defer func() {
		other.Wait()
		fixture.DrainQueue(q)
		fixture.FillQueue(f, q, &fixture.Thing{Rank: 2}, &fixture.Thing{Rank: 2}, &fixture.Thing{Rank: 2})
	}()
	if err := q.Put(ctx, v); err != nil {
		f.Error(err)
	}
}

// After a burst the memory is given back, and the order is kept on the way.
func TestQueueShrinks(t *testing.T) {
	const n, size, rest = 20_000, 512, 100
	type block [size]byte
	for name, q := range map[string]*curio.Queue[block]{
		"Queue":         curio.NewQueue[block](0),
		"LIFOQueue":     curio.NewLIFOQueue[block](0),
		"PriorityQueue": curio.NewPriorityQueue(0, func(a, b block) int { return slices.Compare(a[:3], b[:3]) }),
	} {
		t.Run(name, func(t *testing.T) {
			before := allocated()
			for i := range n {
				fixture.FillQueue(t, q, block{byte(i >> 16), byte(i >> 8), byte(i)})
			}
			if grown := allocated() - before; grown < n*size {
				t.Errorf("%d items take %d bytes: the measurement is wrong", n, grown)
			}
			for i := range n - rest {
				v, err := q.TryGet()
				want := i
				if name == "LIFOQueue" {
					want = n - 1 - i
				}
				if got := int(v[0])<<16 | int(v[1])<<8 | int(v[2]); got != want || err != nil {
					t.Fatalf("got %d, %v, want %d", got, err, want)
				}
			}
			if kept := allocated() - before; kept > 10*rest*size {
				t.Errorf("%d items of %d bytes take %d", rest, size, kept)
			}
			if left := len(fixture.DrainQueue(q)); left != rest {
				t.Errorf("%d were left, want %d", left, rest)
			}
			runtime.KeepAlive(q)
		})
	}
}

// allocated is how much memory is in use.
func allocated() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// A Put and a Get that do not block allocate nothing.
func TestQueueAllocatesNothing(t *testing.T) {
	if testutil.Race {
		t.Skip("the race detector allocates")
	}
	watched := curio.NewUniversalQueue[int](0)
	if _, err := watched.FD(); err != nil {
		t.Fatal(err)
	}
	defer watched.CloseFD()
	queues := map[string]*curio.Queue[int]{"UniversalQueue with a descriptor": watched}
	for _, kind := range fixture.QueueKinds {
		queues[kind.Name] = kind.Make(0)
		queues[kind.Name+" with a bound"] = kind.Make(5)
	}
	fixture.WithKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		timed, cancel := curio.WithTimeout(ctx, time.Hour)
		defer cancel()
		for name, q := range queues {
			for where, ctx := range map[string]context.Context{"task": ctx, "timeout": timed, "Background": context.Background()} {
				if n := testing.AllocsPerRun(1000, func() {
					if err := q.Put(ctx, math.MaxInt); err != nil {
						f.Error(err)
					}
					if _, err := q.Get(ctx); err != nil {
						f.Error(err)
					}
					q.TaskDone()
				}); n != 0 {
					f.Errorf("%s, %s: %v allocations for a Put and a Get", name, where, n)
				}
			}
		}
	})
}

// Nor do those of two tasks that wait for each other all the time.
func TestQueueHandOverAllocatesNothing(t *testing.T) {
	if testutil.Race {
		t.Skip("the race detector allocates")
	}
	for _, kind := range fixture.QueueKinds {
		for _, max := range []int{0, 1} {
			t.Run(fmt.Sprint(kind.Name, max), func(t *testing.T) {
				fixture.WithKernel(t, func(ctx context.Context, f *fixture.Fixture) { pingPong(ctx, f, kind.Make(max), kind.Make(max)) })
			})
		}
	}
}

func pingPong(ctx context.Context, f *fixture.Fixture, there, back *curio.Queue[int]) {
	echo := curio.Go(ctx, func(ctx context.Context) error {
		for v, err := range there.All(ctx) {
			if err != nil {
				return err
			}
			if err := back.Put(ctx, v); err != nil {
				return err
			}
		}
		return nil
	})
	main := curio.CurrentTask(ctx)
	before, rounds := main.Cycles(), uint64(0)
	allocations := testing.AllocsPerRun(2000, func() {
		rounds++
		if err := there.Put(ctx, math.MaxInt); err != nil {
			f.Error(err)
		}
		if _, err := back.Get(ctx); err != nil {
			f.Error(err)
		}
	})
	if waited := main.Cycles() - before; waited < rounds/2 {
		f.Errorf("waited only %d times in %d rounds", waited, rounds)
	}
	if allocations != 0 {
		f.Errorf("%v allocations for a round trip", allocations)
	}
	there.Close()
	if _, err := echo.Join(ctx); err != nil {
		f.Error(err)
	}
}

// Nor does a Put that waits for room, nor the Get that lets it in.
func TestQueueWaitingPutAllocatesNothing(t *testing.T) {
	if testutil.Race {
		t.Skip("the race detector allocates")
	}
	for _, kind := range fixture.QueueKinds {
		t.Run(kind.Name, func(t *testing.T) {
			fixture.WithKernel(t, func(ctx context.Context, f *fixture.Fixture) {
				q := kind.Make(1)
				producer := curio.Go(ctx, func(ctx context.Context) error {
					for {
						if err := q.Put(ctx, math.MaxInt); err != nil {
							return err
						}
					}
				})
				if n := testing.AllocsPerRun(1000, func() {
					for producer.State() != "QUEUE_PUT" {
						runtime.Gosched()
					}
					if _, err := q.Get(ctx); err != nil {
						f.Error(err)
					}
				}); n != 0 {
					f.Errorf("%v allocations", n)
				}
				_, _ = producer.Cancel(ctx)
			})
		})
	}
}

// A queueTwin is what a queue should be, written down without a thought of speed: the
// items in order of arrival, those who wait likewise.
type queueTwin struct {
	kind       int // index in queueKinds
	max        int
	items      []order
	getters    []*twinCall
	putters    []*twinCall
	joiners    []*twinCall
	unfinished int
	closed     bool
}

// A twinCall is a call of the twin, and the task that makes the same call of the queue.
type twinCall struct {
	item order // to be put
	task *curio.Task[order]

	done bool
	got  order
	err  error
}

func (c *twinCall) end(got order, err error) { c.done, c.got, c.err = true, got, err }

func (m *queueTwin) full() bool { return m.max > 0 && len(m.items) >= m.max }

// next is where the item is whose turn it is.
func (m *queueTwin) next() (at int) {
	switch fixture.QueueKinds[m.kind].Name {
	case "LIFOQueue":
		return len(m.items) - 1
	case "PriorityQueue":
		for i, v := range m.items {
			if v.rank < m.items[at].rank {
				at = i
			}
		}
	}
	return at
}

func (m *queueTwin) put(c *twinCall) (waits bool) {
	switch {
	case m.closed:
		c.end(order{}, curio.ErrQueueClosed)
		return false
	case len(m.getters) > 0:
		m.getters[0].end(c.item, nil)
		m.getters = m.getters[1:]
	case m.full():
		return true
	default:
		m.items = append(m.items, c.item)
	}
	m.unfinished++
	c.end(order{}, nil)
	return false
}

func (m *queueTwin) get(c *twinCall) (waits bool) {
	if len(m.items) == 0 {
		if m.closed {
			c.end(order{}, curio.ErrQueueClosed)
		}
		return !m.closed
	}
	at := m.next()
	c.end(m.items[at], nil)
	m.items = slices.Delete(m.items, at, at+1)
	if len(m.putters) > 0 {
		p := m.putters[0]
		m.putters = m.putters[1:]
		m.put(p)
	}
	return false
}

func (m *queueTwin) taskDone() (tooOften bool) {
	if m.unfinished == 0 {
		return true
	}
	if m.unfinished--; m.unfinished == 0 {
		for _, c := range m.joiners {
			c.end(order{}, nil)
		}
		m.joiners = nil
	}
	return false
}

func (m *queueTwin) close() {
	m.closed = true
	for _, c := range append(m.getters, m.putters...) {
		c.end(order{}, curio.ErrQueueClosed)
	}
	m.getters, m.putters = nil, nil
}

// cancel ends the call that is the i-th of all that wait.
func (m *queueTwin) cancel(i int) *twinCall {
	for _, list := range []*[]*twinCall{&m.getters, &m.putters, &m.joiners} {
		if i < len(*list) {
			c := (*list)[i]
			*list = slices.Delete(*list, i, i+1)
			c.end(order{}, curio.ErrTaskCancelled)
			return c
		}
		i -= len(*list)
	}
	return nil
}

func (m *queueTwin) waiting() []*twinCall { return slices.Concat(m.getters, m.putters, m.joiners) }

func newOrderQueue(kind, max int) *curio.Queue[order] {
	switch fixture.QueueKinds[kind].Name {
	case "PriorityQueue":
		return curio.NewPriorityQueue(max, byRank)
	case "LIFOQueue":
		return curio.NewLIFOQueue[order](max)
	case "UniversalQueue":
		return curio.NewUniversalQueue[order](max)
	}
	return curio.NewQueue[order](max)
}

// A queueGame plays the same moves on a queue and on its twin.
type queueGame struct {
	*fixture.Fixture
	ctx    context.Context
	queue  *curio.Queue[order]
	twin   queueTwin
	calls  []*twinCall // that have not been compared yet
	number int         // of the next item
}

// What a move does: an operation, and what it is about.
const (
	moveTryPut = iota
	movePut
	moveTryGet
	moveGet
	moveTaskDone
	moveJoin
	moveCancel
	moveClose
	moves
)

// playQueue interprets ops. The first is the kind and the size of the queue.
func playQueue(t *testing.T, ops []byte) {
	if len(ops) == 0 {
		return
	}
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		kind, max := int(ops[0])%len(fixture.QueueKinds), int(ops[0])/len(fixture.QueueKinds)%5
		g := &queueGame{Fixture: f, ctx: ctx, queue: newOrderQueue(kind, max), twin: queueTwin{kind: kind, max: max}}
		for i, op := range ops[1:min(len(ops), 300)] {
			g.move(int(op)%moves, int(op)/moves)
			synctest.Wait()
			g.compare()
			if t.Failed() {
				f.Fatalf("after move %d of %v, on a %s for %d", i+1, ops, fixture.QueueKinds[kind].Name, max)
			}
		}
		for c := g.twin.cancel(0); c != nil; c = g.twin.cancel(0) {
			c.task.CancelNow()
		}
		synctest.Wait()
		g.compare()
		f.OnlyMain()
	})
}

func (g *queueGame) newItem(about int) order {
	g.number++
	return order{about % 4, g.number}
}

// spawn makes the call of a twinCall that waits, or completes.
func (g *queueGame) spawn(c *twinCall, call func(ctx context.Context) (order, error)) {
	c.task = curio.Spawn(g.ctx, call, curio.ReportCrash(false))
	g.calls = append(g.calls, c)
}

func (g *queueGame) move(op, about int) {
	q, m := g.queue, &g.twin
	c := new(twinCall)
	switch op {
	case moveTryPut:
		c.item = g.newItem(about)
		if m.put(c) {
			c.err = curio.ErrQueueFull
		}
		if err := q.TryPut(c.item); err != c.err {
			g.Errorf("TryPut: %v, want %v", err, c.err)
		}
	case movePut:
		c.item = g.newItem(about)
		if m.put(c) {
			m.putters = append(m.putters, c)
		}
		g.spawn(c, func(ctx context.Context) (order, error) { return order{}, q.Put(ctx, c.item) })
	case moveTryGet:
		if m.get(c) {
			c.err = curio.ErrQueueEmpty
		}
		if v, err := q.TryGet(); v != c.got || err != c.err {
			g.Errorf("TryGet: %v, %v, want %v, %v", v, err, c.got, c.err)
		}
	case moveGet:
		if m.get(c) {
			m.getters = append(m.getters, c)
		}
		g.spawn(c, q.Get)
	case moveTaskDone:
		if m.taskDone() {
			fixture.Panics(g, "more often", q.TaskDone)
		} else {
			q.TaskDone()
		}
	case moveJoin:
		if m.unfinished == 0 {
			c.end(order{}, nil)
		} else {
			m.joiners = append(m.joiners, c)
		}
		g.spawn(c, func(ctx context.Context) (order, error) { return order{}, q.Join(ctx) })
	case moveCancel:
		if c := m.cancel(about); c != nil {
			c.task.CancelNow()
		}
	case moveClose:
		if about%4 == 0 { // or every game would soon be over
			m.close()
			q.Close()
		}
	}
}

func (g *queueGame) compare() {
	q, m := g.queue, &g.twin
	if q.Len() != len(m.items) || q.Full() != m.full() || q.Empty() != (len(m.items) == 0) {
		g.Errorf("Len %d, Full %v, Empty %v; the twin has %v", q.Len(), q.Full(), q.Empty(), m.items)
	}
	var want []curio.Waiter
	for _, c := range m.waiting() {
		want = append(want, curio.Waiter{Task: c.task.AnyTask, Op: c.task.State()})
	}
	if got := q.Snapshot().Waiters; !slices.Equal(got, want) {
		g.Errorf("%v wait, want %v", got, want)
	}
	g.calls = slices.DeleteFunc(g.calls, func(c *twinCall) bool {
		if c.task.Terminated() != c.done {
			g.Errorf("%v; its twin is done: %v", c.task, c.done)
		}
		if !c.done || !c.task.Terminated() {
			return false
		}
		v, err := c.task.Result()
		if c.err == curio.ErrTaskCancelled {
			fixture.Is(g, "cancelled", err, fixture.TaskCancelled...)
		} else if err != c.err {
			g.Errorf("%v ended with %v, want %v", c.task, err, c.err)
		}
		if v != c.got {
			g.Errorf("%v got %v, want %v", c.task, v, c.got)
		}
		return true
	})
}

// Q5–Q11, Q25–Q29: any sequence of operations does what it does to the twin. Each move
// is over before the next.
func FuzzQueue(f *testing.F) {
	f.Add([]byte("\x05" + "\x00\x00\x01\x09\x11\x03\x03\x03\x03\x03\x04\x05\x06\x07"))
	for kind := range byte(20) {
		f.Add([]byte{
			kind, movePut, movePut, 8 + movePut, 16 + movePut, moveTryPut, moveJoin, moveGet, moveTryGet, moveCancel,
			moveGet, moveGet, moveGet, moveGet, 8 + moveCancel, moveTryPut, moveTaskDone, movePut, moveClose, moveGet, movePut,
		})
	}
	f.Fuzz(playQueue)
}

// The same, with random moves.
func TestQueueModel(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range testutil.Times(1000) {
		ops := make([]byte, 1+random.IntN(120))
		for i := range ops {
			ops[i] = byte(random.IntN(256))
		}
		if playQueue(t, ops); t.Failed() {
			return
		}
	}
}

// Tides of thousands of items, in which the ring and the heap grow and shrink.
func TestQueueModelOfMany(t *testing.T) {
	for kind := range fixture.QueueKinds {
		for seed := range uint64(3) {
			random := rand.New(rand.NewPCG(seed, 1))
			q, m := newOrderQueue(kind, 0), queueTwin{kind: kind}
			for number := range 20_000 {
				rising := number/2000%2 == 0
				c := &twinCall{item: order{random.IntN(50), number}}
				if rising == (random.IntN(4) > 0) {
					m.put(c)
					fixture.FillQueue(t, q, c.item)
					continue
				}
				m.get(c)
				if v, err := q.TryGet(); v != c.got || (err == nil) != c.done {
					t.Fatalf("%s, seed %d: %v, %v, want %v", fixture.QueueKinds[kind].Name, seed, v, err, c.got)
				}
			}
			if n := q.Len(); n != len(m.items) {
				t.Errorf("Len is %d, want %d", n, len(m.items))
			}
		}
	}
}
