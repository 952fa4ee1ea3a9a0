package curio_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/curio-go/curio"
)

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
	switch queueKinds[m.kind].name {
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
	switch queueKinds[kind].name {
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
	*fixture
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
	inKernel(t, func(ctx context.Context, f *fixture) {
		kind, max := int(ops[0])%len(queueKinds), int(ops[0])/len(queueKinds)%5
		g := &queueGame{fixture: f, ctx: ctx, queue: newOrderQueue(kind, max), twin: queueTwin{kind: kind, max: max}}
		for i, op := range ops[1:min(len(ops), 300)] {
			g.move(int(op)%moves, int(op)/moves)
			synctest.Wait()
			g.compare()
			if t.Failed() {
				f.Fatalf("after move %d of %v, on a %s for %d", i+1, ops, queueKinds[kind].name, max)
			}
		}
		for c := g.twin.cancel(0); c != nil; c = g.twin.cancel(0) {
			c.task.CancelNow()
		}
		synctest.Wait()
		g.compare()
		f.onlyMain()
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
			panics(g, "more often", q.TaskDone)
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
			is(g, "cancelled", err, taskCancelled...)
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
	for range times(1000) {
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
	for kind := range queueKinds {
		for seed := range uint64(3) {
			random := rand.New(rand.NewPCG(seed, 1))
			q, m := newOrderQueue(kind, 0), queueTwin{kind: kind}
			for number := range 20_000 {
				rising := number/2000%2 == 0
				c := &twinCall{item: order{random.IntN(50), number}}
				if rising == (random.IntN(4) > 0) {
					m.put(c)
					fillQueue(t, q, c.item)
					continue
				}
				m.get(c)
				if v, err := q.TryGet(); v != c.got || (err == nil) != c.done {
					t.Fatalf("%s, seed %d: %v, %v, want %v", queueKinds[kind].name, seed, v, err, c.got)
				}
			}
			if n := q.Len(); n != len(m.items) {
				t.Errorf("Len is %d, want %d", n, len(m.items))
			}
		}
	}
}
