package debug

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/curio-go/curio/internal/events"
	"github.com/curio-go/curio/internal/wait"
)

// A trace has two goroutines. The reader takes events out of the ring and makes calls of them. It runs nothing of the
// user's, so it always goes on. The calls, of functions and log handlers of the user's, are made by a goroutine for each
// batch. As long as there is one, the reader leaves the events where they are: then it is the ring that runs over, and a
// function that hangs costs no memory.
//
// To be sure that everything has been reported, a caller waits for the reader, which gives up if the calls make no
// progress, or take many seconds altogether while a kernel is shut down or the program exits. All channels are made by
// the reader or by begin: a goroutine in a bubble of testing/synctest may wait for one from outside.
type trace struct {
	config   Config
	cursor   *events.Cursor   // nil if no events of tasks are wanted
	failures *events.Failures // nil if no errors are
	block    *blockWatch      // nil if nobody looks for long ones
	tasks    tasks
	inBubble bool
	undo     []func()
	once     sync.Once // for stop

	batch *batch // the calls that are being made; the reader's

	kick chan struct{} // of capacity 1: there is something to do
	over chan struct{} // closed when the reader has ended

	mu       sync.Mutex
	ending   bool          // the reader is to end
	thorough bool          // stop waits for all calls, however long they take if only they make progress
	asked    int           // how often somebody has asked for all to be told
	served   int           // how many of them have been
	progress chan struct{} // closed and made anew whenever served changes
	extra    []func()      // calls that do not come from the ring, mostExtra of them
	dropped  uint64        // calls that extra had no room for
}

// patience is how long a caller waits at most for calls that make no progress.
const patience = time.Second

// mostExtra is how many calls that do not come from the ring are kept while a handler hangs.
const mostExtra = 100

// rounds is how many times that a kernel that is shut down and a program that exits wait, although the calls make progress:
// a log handler that is slow must not keep them from ending.
const rounds = 5

const (
	shortest = time.Millisecond // how long the reader rests if something has come,
	longest  = 16 * shortest    // and if nothing has come for a while;
	virtual  = time.Minute      // the same in a bubble, where time flies
)

func begin(c Config) (stop func()) { return start(c).stop }

func start(c Config) *trace {
	t := &trace{
		config: c, tasks: tasks{config: c}, inBubble: wait.InBubble(),
		kick: make(chan struct{}, 1), over: make(chan struct{}), progress: make(chan struct{}),
	}
	if c.traces() {
		set := events.Tasks | events.Pauses | events.Steps | events.Order
		t.undo = append(t.undo, events.Ask(set))
		t.cursor = events.NewCursor()
		t.tasks.learn()
	}
	if c.LogCrash {
		t.failures = events.CollectFailures()
		t.undo = append(t.undo, t.failures.Stop)
	}
	if !t.inBubble { // else others could not wait for it
		t.undo = append(t.undo, events.OnSettle(func() { t.settle(false) }))
	}
	if c.LongBlock > 0 {
		t.block = newBlockWatch(t)
	}
	go t.read()
	if t.block != nil {
		go t.block.watch()
	}
	return t
}

func (t *trace) stop() {
	t.once.Do(func() {
		if t.block != nil {
			t.block.end()
		}
		t.settle(true)
		for _, undo := range t.undo {
			undo()
		}
		t.mu.Lock()
		t.ending = true
		t.mu.Unlock()
		t.wake()
	})
	<-t.over
}

func (t *trace) wake() {
	select {
	case t.kick <- struct{}{}:
	default:
	}
}

// call has f, which may call the user's code, called by the goroutine for that. If too many wait for that, f is left out
// and counted.
func (t *trace) call(f func()) {
	t.mu.Lock()
	if len(t.extra) < mostExtra {
		t.extra = append(t.extra, f)
	} else {
		t.dropped++
	}
	t.mu.Unlock()
	t.wake()
}

// settle waits until what has happened so far has been told, or cannot be. Unless it is thorough, it gives up after some
// seconds.
func (t *trace) settle(thorough bool) {
	t.mu.Lock()
	t.thorough = t.thorough || thorough
	t.asked++
	mine := t.asked
	t.mu.Unlock()
	t.wake()
	for {
		t.mu.Lock()
		served, progress := t.served, t.progress
		t.mu.Unlock()
		if served >= mine {
			return
		}
		select {
		case <-progress:
		case <-t.over:
			return
		}
	}
}

// read is the reader.
func (t *trace) read() {
	defer close(t.over)
	limit := longest
	if t.inBubble {
		limit = virtual
	}
	for pause := shortest; ; {
		t.mu.Lock()
		asked, ending, most := t.asked, t.ending, rounds
		if t.thorough {
			most = 0
		}
		t.mu.Unlock()
		if ending {
			if t.batch != nil {
				t.batch.cut.Store(true)
			}
			return
		}
		if asked > t.served {
			t.finish(most)
			t.mu.Lock()
			t.served = asked
			close(t.progress)
			t.progress = make(chan struct{})
			t.mu.Unlock()
			continue
		}
		told := t.tell()
		if told > 0 {
			pause = shortest
		} else {
			pause = min(2*pause, limit)
		}
		t.rest(pause)
	}
}

// rest waits for a while, or until there is something to do.
func (t *trace) rest(d time.Duration) {
	while, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	select {
	case <-t.kick:
	case <-while.Done():
	}
}

// tell has calls made of what has happened, unless earlier calls are still being made. It returns how many there are.
func (t *trace) tell() int {
	if t.batch != nil && !t.batch.over() {
		return 0
	}
	t.mu.Lock()
	calls, dropped := t.extra, t.dropped
	t.extra, t.dropped = nil, 0
	t.mu.Unlock()
	if dropped > 0 {
		calls = append(calls, func() {
			t.log(time.Now(), slog.LevelWarn, "curio: tasks that run for long are missing in the log", slog.Uint64("tasks", dropped))
		})
	}
	calls = append(calls, t.collect()...)
	if len(calls) == 0 {
		return 0
	}
	t.batch = startBatch(calls)
	return len(calls)
}

// finish has calls made of all that has happened so far, and waits for them, unless they make no progress. See batch.wait
// for most.
func (t *trace) finish(most int) {
	if t.batch == nil || t.batch.wait(most) {
		if t.tell() > 0 {
			t.batch.wait(most)
		}
	}
}

// collect makes calls of what is in the ring, and of the errors.
func (t *trace) collect() (calls []func()) {
	var happened []events.Event
	var failures []events.Failure
	var lost, more uint64
	if t.cursor != nil {
		happened, lost = t.cursor.Next()
	}
	if t.failures != nil {
		failures, more = t.failures.Take()
	}
	if lost+more > 0 {
		calls = append(calls, t.lost(lost+more))
	}
	crashes := make(map[uint64]func(), len(failures))
	for _, f := range failures {
		if t.config.wants(f.Name) {
			crashes[f.Task] = func() { t.logCrash(f) }
		}
	}
	t.tasks.setClock()
	for _, e := range happened {
		event, wanted := t.tasks.see(e)
		if !wanted {
			continue
		}
		calls = append(calls, t.callsFor(e.Kind, event)...)
		if crash := crashes[e.Task]; crash != nil && event.How != "" && e.Kind != events.Cancelled {
			calls = append(calls, crash)
			delete(crashes, e.Task)
		}
	}
	for _, f := range failures {
		if crash := crashes[f.Task]; crash != nil {
			calls = append(calls, crash)
		}
	}
	if lost > 0 {
		t.tasks.learn()
	}
	return calls
}
