package conformance

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/curio-go/curio"
)

// A trial is one object, its model, and what there is to do with it.
type trial struct {
	model porcupine.Model

	// do makes a call on the object. It is used by all clients at once.
	do func(context.Context, call) answer

	// choose says what a client does next. It must not choose a call that undoes what
	// the client has done: those it owes.
	choose func(*client) call

	// undo is the calls by which a client gives back what c has given it; nil for
	// nothing.
	undo func(c call, a answer) []call

	// nudge, if it is not nil, is what the conductor calls when nothing moves any more:
	// so that every wait ends that is not hasty, in so many rounds.
	nudge func(round int) call

	// audit makes calls when all clients have gone, that show in which state they
	// have left the object.
	audit func(try func(call) answer)

	// left says what is wrong with the object at the end; "" if nothing is.
	left func() string

	// runs, if it is not nil, writes down what is no call of a client.
	runs *runs

	// If tasksOnly is set, the plain goroutines are in the name of one task, whose
	// context they share.
	tasksOnly bool
}

// A history is one run of a trial.
type history struct {
	*trial
	seed    uint64
	patient bool // calls may wait without an end of their context in sight
	clients []*client

	clock  atomic.Int64 // counts beginnings and ends of calls
	owners atomic.Int64
	shared context.Context // of a task, for the goroutines that act in its name
}

// tooLong is after what time a history is taken to hang. That is a bug in any case: a
// wake-up got lost.
const tooLong = 40 * time.Second

// run makes a history from a seed. If patient is false, no call depends on others to
// end: for objects that are known to be broken.
func run(seed uint64, start func(*rand.Rand) *trial, patient bool) (*history, []porcupine.Operation) {
	rnd := rand.New(rand.NewPCG(seed, 0))
	h := &history{trial: start(rnd), seed: seed, patient: patient}
	h.recruit(rnd)
	dog := time.AfterFunc(tooLong, func() {
		buf := make([]byte, 1<<20)
		panic(fmt.Sprintf("seed %d: the history hangs: %s\n\n%s", seed, h.left(), buf[:runtime.Stack(buf, true)]))
	})
	defer dog.Stop()

	if h.runs != nil {
		h.runs.clock = &h.clock
	}
	conductor := &client{history: h, rnd: rnd}
	conductor.conduct()
	if h.audit != nil {
		h.audit(func(c call) answer { return conductor.record(context.Background(), c) })
	}
	log := conductor.log
	for _, c := range h.clients {
		log = append(log, c.log...)
	}
	if h.runs != nil {
		log = append(log, h.runs.log(log)...)
	}
	markContenders(log)
	return h, log
}

// The size of a history. What clients give back at the end comes on top.
const (
	fewestClients, mostClients = 4, 8
	fewestCalls, mostCalls     = 10, 40
)

// recruit makes the clients. At least one is a task. In one of four histories each client
// makes 10 to 40 calls, in the others all of them together: these are easier to read, and
// more of their calls are the first ones that an object sees.
func (h *history) recruit(rnd *rand.Rand) {
	number := between(rnd, fewestClients, mostClients)
	tasks := between(rnd, 1, number)
	short := rnd.IntN(4) > 0
	calls := between(rnd, fewestCalls, mostCalls)
	for i := range number {
		c := &client{history: h, number: i + 1, plain: i >= tasks, rnd: rand.New(rand.NewPCG(h.seed, uint64(i+1)))}
		if short {
			c.calls = (calls + i) / number
		} else {
			c.calls = between(rnd, fewestCalls, mostCalls)
		}
		h.clients = append(h.clients, c)
	}
}

// between is a random number of those from low to high.
func between(rnd *rand.Rand, low, high int) int { return low + rnd.IntN(high-low+1) }

// conduct starts the clients and stirs until they have ended.
func (c *client) conduct() {
	h := c.history
	gone := make(chan struct{})
	if h.tasksOnly {
		h.host(gone)
	}
	var clients sync.WaitGroup
	begin := make(chan struct{})
	for _, other := range h.clients {
		clients.Go(func() {
			<-begin
			other.live()
		})
	}
	close(begin)
	go func() {
		clients.Wait()
		close(gone)
	}()
	round, still, before := 0, 0, int64(0)
	for {
		select {
		case <-gone:
			return
		case <-time.After(time.Duration(c.rnd.IntN(100)) * time.Microsecond):
		}
		c.stir()
		if now := h.clock.Load(); now != before {
			still, before = 0, now
		} else if still++; still >= 3 && h.nudge != nil {
			c.record(context.Background(), h.nudge(round))
			round++
		}
	}
}

// host starts a task that shares its context with goroutines until they are gone.
func (h *history) host(gone <-chan struct{}) {
	shared := make(chan context.Context)
	curio.Go(context.Background(), func(ctx context.Context) error {
		shared <- ctx
		<-gone
		return nil
	})
	h.shared = <-shared
}

// stir cancels this and that.
func (c *client) stir() {
	for _, victim := range c.clients {
		switch c.rnd.IntN(8) {
		case 0, 1, 2:
			victim.strike()
		case 3:
			if t := victim.task.Load(); t != nil {
				t.CancelNow()
			}
		}
	}
}
