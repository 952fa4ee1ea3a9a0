package core_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/verify/fixture"
)

var slowPolicies = []curio.SlowPolicy{curio.SlowWait, curio.SlowSkip, curio.SlowDrop}

// A broadcastTwin is what a broadcast should be, written down without a thought of speed: all that
// was ever sent, and for each subscriber how far it has got.
type broadcastTwin struct {
	sent        []int
	subscribers []*subscriberTwin // in order of subscription
	senders     []*broadcastCall
	closed      bool
}

type subscriberTwin struct {
	slow      curio.SlowPolicy
	capacity  int
	next      int // index in sent of the next to receive
	until     int // index in sent after the last to receive, once ended
	skipped   int
	ended     error
	over      bool // the end was received, so that the end of the scope changes nothing any more
	receivers []*broadcastCall

	real   *curio.Subscription[int]
	cancel func() // ends the scope that it was made in
}

// A broadcastCall is a call of the twin, and the task that makes the same call of the broadcast.
type broadcastCall struct {
	v    int // to be sent
	task *curio.Task[int]

	done bool
	got  int
	err  error
}

func (c *broadcastCall) end(got int, err error) { c.done, c.got, c.err = true, got, err }

// errSkipped stands for a *LaggedError, whose count is what was got.
var errSkipped = errors.New("skipped")

func (m *broadcastTwin) kept(s *subscriberTwin) int {
	if s.ended != nil {
		return s.until - s.next
	}
	return len(m.sent) - s.next
}

// waitedFor is who holds up the senders.
func (m *broadcastTwin) waitedFor() *subscriberTwin {
	for _, s := range m.subscribers {
		if s.ended == nil && s.slow == curio.SlowWait && m.kept(s) == s.capacity {
			return s
		}
	}
	return nil
}

// send sends c's value if it can be.
func (m *broadcastTwin) send(c *broadcastCall) (waits bool) {
	switch {
	case m.closed:
		c.end(0, curio.ErrBroadcastClosed)
		return false
	case m.waitedFor() != nil:
		return true
	}
	c.end(0, nil)
	for _, s := range m.subscribers {
		if s.ended == nil && m.kept(s) == s.capacity && s.slow == curio.SlowDrop {
			m.endSubscriber(s, curio.ErrSubscriptionDropped)
		}
	}
	m.sent = append(m.sent, c.v)
	for _, s := range m.subscribers {
		if s.ended == nil && m.kept(s) > s.capacity {
			s.next++
			s.skipped++
		}
		m.serve(s)
	}
	return false
}

// admit sends what waits to be sent.
func (m *broadcastTwin) admit() {
	for len(m.senders) > 0 && !m.send(m.senders[0]) {
		m.senders = m.senders[1:]
	}
}

// serve lets those go on who wait for s to have something.
func (m *broadcastTwin) serve(s *subscriberTwin) {
	for len(s.receivers) > 0 && !m.receive(s, s.receivers[0]) {
		s.receivers = s.receivers[1:]
	}
}

func (m *broadcastTwin) receive(s *subscriberTwin, c *broadcastCall) (waits bool) {
	switch {
	case s.skipped > 0:
		c.end(s.skipped, errSkipped)
		s.skipped = 0
	case m.kept(s) > 0:
		c.end(m.sent[s.next], nil)
		s.next++
	case s.ended != nil:
		c.end(0, s.ended)
		s.over = true
	default:
		return true
	}
	return false
}

func (m *broadcastTwin) endSubscriber(s *subscriberTwin, err error) {
	if s.ended == nil {
		s.ended, s.until = err, len(m.sent)
	}
	m.serve(s)
}

func (m *broadcastTwin) closeSubscriber(s *subscriberTwin) {
	m.endSubscriber(s, curio.ErrSubscriptionClosed)
	s.ended, s.until, s.skipped = curio.ErrSubscriptionClosed, s.next, 0
}

func (m *broadcastTwin) close() {
	m.closed = true
	for _, s := range m.subscribers {
		m.endSubscriber(s, curio.ErrBroadcastClosed)
	}
}

// lists are the lists of those who wait.
func (m *broadcastTwin) lists() (all []*[]*broadcastCall) {
	for _, s := range m.subscribers {
		all = append(all, &s.receivers)
	}
	return append(all, &m.senders)
}

// cancel ends the call that is the i-th of all that wait.
func (m *broadcastTwin) cancel(i int) *broadcastCall {
	for _, list := range m.lists() {
		if i < len(*list) {
			c := (*list)[i]
			*list = slices.Delete(*list, i, i+1)
			c.end(0, curio.ErrTaskCancelled)
			return c
		}
		i -= len(*list)
	}
	return nil
}

// A broadcastGame plays the same moves on a broadcast and on its twin.
type broadcastGame struct {
	*fixture.Fixture
	ctx   context.Context
	real  curio.Broadcast[int]
	twin  broadcastTwin
	calls []*broadcastCall // that have not been compared yet
	value int              // the last that was sent
}

const (
	moveSubscribe = iota
	moveSend
	moveSendAgain // so that there is more to receive
	moveTrySend
	moveReceive
	moveTryReceive
	moveLeave
	moveCancelCall
	moveCloseAll
	broadcastMoves
)

// playBroadcast interprets ops, each of which is a move and what it is about.
func playBroadcast(t *testing.T, ops []byte) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		g := &broadcastGame{Fixture: f, ctx: ctx}
		for i, op := range ops[:min(len(ops), 300)] {
			g.move(int(op)%broadcastMoves, int(op)/broadcastMoves)
			synctest.Wait()
			g.compare()
			if t.Failed() {
				f.Fatalf("after move %d of %v", i+1, ops)
			}
		}
		for c := g.twin.cancel(0); c != nil; c = g.twin.cancel(0) {
			c.task.CancelNow()
		}
		for _, s := range g.twin.subscribers {
			s.cancel()
		}
		synctest.Wait()
		f.OnlyMain()
	})
}

// subscriber is the one that a move is about, nil if there is none.
func (g *broadcastGame) subscriber(about int) *subscriberTwin {
	if len(g.twin.subscribers) == 0 {
		return nil
	}
	return g.twin.subscribers[about%len(g.twin.subscribers)]
}

func (g *broadcastGame) spawn(c *broadcastCall, call func(ctx context.Context) (int, error)) {
	c.task = curio.Spawn(g.ctx, call, curio.ReportCrash(false))
	g.calls = append(g.calls, c)
}

func (g *broadcastGame) move(op, about int) {
	m := &g.twin
	g.value++
	c := &broadcastCall{v: g.value}
	s := g.subscriber(about)
	if s == nil && op >= moveReceive && op <= moveLeave {
		op = moveSubscribe
	}
	switch op {
	case moveSubscribe:
		s := &subscriberTwin{slow: slowPolicies[about%3], capacity: 1 + about/3%4, next: len(m.sent)}
		if m.subscribers = append(m.subscribers, s); m.closed {
			m.endSubscriber(s, curio.ErrBroadcastClosed)
			s.over = true
		}
		var inner context.Context
		inner, s.cancel = curio.WithTimeout(g.ctx, curio.NoTimeout)
		s.real = g.real.Subscribe(inner, s.capacity, s.slow)
	case moveSend, moveSendAgain:
		if m.send(c) {
			m.senders = append(m.senders, c)
		}
		g.spawn(c, func(ctx context.Context) (int, error) { return 0, g.real.Send(ctx, c.v) })
	case moveTrySend:
		if m.send(c) {
			c.err = curio.ErrBroadcastFull
		}
		if err := g.real.TrySend(c.v); err != c.err {
			g.Errorf("TrySend: %v, want %v", err, c.err)
		}
	case moveReceive:
		if m.receive(s, c) {
			s.receivers = append(s.receivers, c)
		}
		g.spawn(c, s.real.Receive)
	case moveTryReceive:
		if m.receive(s, c) {
			c.err = curio.ErrSubscriptionEmpty
		}
		v, err := s.real.TryReceive()
		g.same("TryReceive", v, err, c)
	case moveLeave:
		switch about % 8 {
		case 0:
			if s.cancel(); !s.over {
				m.closeSubscriber(s)
			}
		case 4:
			s.real.Close()
			m.closeSubscriber(s)
		}
	case moveCancelCall:
		if c := m.cancel(about); c != nil {
			c.task.CancelNow()
		}
	case moveCloseAll:
		if about%8 == 0 { // or every game would soon be over
			m.close()
			g.real.Close()
		}
	}
	m.admit()
}

// same compares what a call has returned with what it should.
func (g *broadcastGame) same(what string, v int, err error, c *broadcastCall) {
	if lagged, ok := errors.AsType[*curio.LaggedError](err); ok {
		v, err = int(lagged.Skipped), errSkipped
	}
	switch {
	case c.err == curio.ErrTaskCancelled:
		fixture.Is(g, what, err, fixture.TaskCancelled...)
	case v != c.got || err != c.err:
		g.Errorf("%s returned %d, %v, want %d, %v", what, v, err, c.got, c.err)
	}
}

func (g *broadcastGame) compare() {
	m := &g.twin
	var waiters []curio.Waiter
	holders, subscribers := 0, 0
	for _, s := range m.subscribers {
		if n := s.real.Len(); n != m.kept(s) {
			g.Errorf("%v keeps %d, want %d", s.real, n, m.kept(s))
		}
		if s.ended == nil {
			subscribers++
			if s.slow == curio.SlowWait && m.kept(s) == s.capacity {
				holders++
			}
		}
	}
	for _, list := range m.lists() {
		for _, c := range *list {
			waiters = append(waiters, curio.Waiter{Task: c.task.AnyTask, Op: c.task.State()})
		}
	}
	s := g.real.Snapshot()
	if !slices.Equal(s.Waiters, waiters) || len(s.Holders) != holders || g.real.Subscribers() != subscribers {
		g.Errorf("%v; want %d subscribers, held up by %d, and %v waiting", &g.real, subscribers, holders, waiters)
	}
	g.calls = slices.DeleteFunc(g.calls, func(c *broadcastCall) bool {
		if c.task.Terminated() != c.done {
			g.Errorf("%v; its twin is done: %v", c.task, c.done)
		}
		if !c.done || !c.task.Terminated() {
			return false
		}
		v, err := c.task.Result()
		g.same(c.task.Name(), v, err, c)
		return true
	})
}

// Any sequence of operations does what it does to the twin. Each move is over before the next.
func FuzzBroadcast(f *testing.F) {
	for policy := range byte(12) {
		f.Add([]byte{
			policy*broadcastMoves + moveSubscribe, moveSubscribe, moveSend, moveSend, moveSend, moveSend, moveCancelCall,
			moveReceive, broadcastMoves + moveReceive, moveReceive, moveReceive, moveTrySend, moveTryReceive, 8*broadcastMoves + moveLeave, moveCloseAll, moveReceive,
		})
	}
	f.Fuzz(playBroadcast)
}

// The same, with random moves.
func TestBroadcastModel(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range testutil.Times(500) {
		ops := make([]byte, 1+random.IntN(150))
		for i := range ops {
			ops[i] = byte(random.IntN(256))
		}
		if playBroadcast(t, ops); t.Failed() {
			return
		}
	}
}
