package conformance

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/curio-go/curio"
)

// The limit of a group is a semaphore for its tasks: SpawnWait acquires, and a task that
// ends releases. So it has the semaphore's model.

// A limited is a group with a limit, or what people take for one.
type limited interface {
	spawnWait(context.Context) error
	trySpawn() bool
	endOne()
	setLimit(int)
	finish() string // ends what is left, and says what was wrong
}

// A groupLimit is a group in a task of its own. Its tasks run until they are told to end.
type groupLimit struct {
	group *curio.Tasks
	host  *curio.Task[struct{}]
	over  curio.Event
	begun atomic.Int64
	given atomic.Int64

	mu      sync.Mutex
	running []*member
}

type member struct {
	task *curio.Task[struct{}]
	stop curio.Event
}

func newGroupLimit(n int) *groupLimit {
	l := new(groupLimit)
	ready := make(chan *curio.Tasks)
	l.host = curio.Go(context.Background(), func(ctx context.Context) error {
		return curio.Group(ctx, func(ctx context.Context, g *curio.Tasks) error {
			ready <- g
			return l.over.Wait(ctx)
		}, curio.Limit(n))
	})
	l.group = <-ready
	return l
}

func (l *groupLimit) member() (*member, func(context.Context) error) {
	m := new(member)
	return m, func(ctx context.Context) error {
		l.begun.Add(1)
		return m.stop.Wait(ctx)
	}
}

func (l *groupLimit) add(m *member) {
	l.given.Add(1)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.running = append(l.running, m)
}

func (l *groupLimit) spawnWait(ctx context.Context) (err error) {
	m, fn := l.member()
	if m.task, err = l.group.GoWait(ctx, fn); err == nil {
		l.add(m)
	}
	return err
}

func (l *groupLimit) trySpawn() bool {
	m, fn := l.member()
	m.task = l.group.TryGo(fn)
	if m.task == nil {
		return false
	}
	l.add(m)
	return true
}

// endOne ends one of the tasks; there is one.
func (l *groupLimit) endOne() {
	l.mu.Lock()
	m := l.running[0]
	l.running = l.running[1:]
	l.mu.Unlock()
	m.stop.Set()
	if err := m.task.Wait(context.Background()); err != nil {
		panic(err)
	}
}

func (l *groupLimit) setLimit(n int) { l.group.SetLimit(n) }

func (l *groupLimit) finish() string {
	for len(l.running) > 0 {
		l.endOne()
	}
	l.over.Set()
	if err := l.host.Wait(context.Background()); err != nil {
		return err.Error()
	}
	if begun, given := l.begun.Load(), l.given.Load(); begun != given {
		return fmt.Sprintf("%d tasks have begun, and %d were given", begun, given)
	}
	return ""
}

func limitTrial(l limited, n int64) *trial {
	var broken string
	return &trial{
		model: model(semaState{size: n}, stepSemaphore),
		do: func(ctx context.Context, c call) answer {
			switch c.verb {
			case acquire:
				return ended(l.spawnWait(ctx))
			case tryAcquire:
				return tried(l.trySpawn())
			case release:
				l.endOne()
			case resize:
				l.setLimit(int(c.n))
			}
			return answer{end: done}
		},
		choose: func(c *client) call {
			switch c.rnd.IntN(10) {
			case 0:
				return call{verb: resize, n: least + c.rnd.Int64N(most-least)}
			case 1, 2, 3:
				return call{verb: tryAcquire, n: 1}
			}
			return call{verb: acquire, n: 1, hasty: len(c.owes) > 0}
		},
		undo: undoSemaphore,
		audit: func(try func(call) answer) {
			for try(call{verb: tryAcquire, n: 1}).end == done {
			}
			broken = l.finish()
		},
		left: func() string { return broken },
	}
}

func startLimit(rnd *rand.Rand) *trial {
	n := least + rnd.Int64N(most-least)
	return limitTrial(newGroupLimit(int(n)), n)
}

func TestGroupLimit(t *testing.T) { check(t, startLimit) }

func TestBrokenGroupLimit(t *testing.T) {
	find(t, "counts and looks", func(rnd *rand.Rand) *trial {
		l := new(counter)
		n := least + rnd.Int64N(most-least)
		l.limit.Store(n)
		return limitTrial(l, n)
	})
	find(t, "begins for who was cancelled", late(acquire, startLimit))
	find(t, "refuses without reason", refusing(tryAcquire, startLimit))
	find(t, "does not grow", broken(startLimit, func(real *trial, ctx context.Context, c call) answer {
		if c.verb == resize {
			c.n = least
		}
		return real.do(ctx, c)
	}))
	find(t, "begins for a dead context", deaf(acquire, startLimit))
}

// A counter looks whether there is room, and takes it: so may another meanwhile.
type counter struct{ limit, running atomic.Int64 }

func (l *counter) trySpawn() bool {
	if l.running.Load() >= l.limit.Load() {
		return false
	}
	runtime.Gosched()
	l.running.Add(1)
	return true
}

func (l *counter) spawnWait(ctx context.Context) error {
	for ctx.Err() == nil {
		if l.trySpawn() {
			return nil
		}
		runtime.Gosched()
	}
	return curio.ErrCancelled
}

func (l *counter) endOne()        { l.running.Add(-1) }
func (l *counter) setLimit(n int) { l.limit.Store(int64(n)) }
func (l *counter) finish() string { return "" }
