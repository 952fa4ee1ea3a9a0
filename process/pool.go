package process

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/curio-go/curio"
)

// A Pool has workers, which serve calls one at a time each. Pools come from NewPool and PoolOf; the zero
// value is none, and calls to it panic. A Pool must not be copied. It is safe for concurrent use.
//
// It is Curio's ProcessPool.
type Pool struct {
	kernel *curio.Kernel
	task   *curio.Task[struct{}]   // the manager
	hiring curio.WaitList[*worker] // for the manager: it is given a worker to start, or nil when it may end
	output *curio.Semaphore        // for one call of Config.Output at a time
	closed curio.Event             // set with closing

	mu       sync.Mutex
	cfg      Config                // settled; constant once there has been a call
	line     curio.WaitList[grant] // callers that wait for a worker
	workers  map[*worker]struct{}  // from the decision to start them until they are gone
	starting int                   // how many of them have not said hello
	idle     []*worker             // the one that was used last comes last, and is the next one to be used
	begun    bool                  // there has been a call
	closing  bool
	failed   failures
}

// A grant is what a caller gets that waits in the line.
type grant struct {
	worker *worker
	err    error // why there is none
}

// A Worker is what is known of a worker at a moment. It is for monitors.
type Worker struct {
	Pid     int
	Started time.Time
	Startup time.Duration // how long it took from its start to Main, and so what runs before that in each worker
	Func    string        // the function that it is calling, "" if it is idle, or ending
	Since   time.Time     // when that call began, or when it became idle
	Calls   int           // how many calls have ended in it
}

// NewPool makes another pool beside the kernel's own, for functions that need other settings or must not
// wait behind others. It starts no worker yet. The pool is a service of ctx's kernel (see curio.Service): it
// is there until Close, or until the kernel is shut down and all tasks that are no services have ended.
//
// The error says what is wrong with cfg, and is errors.ErrUnsupported for a limit that the system does not
// have. It is ErrNoMain and ErrInWorker as with Run, and curio.ErrKernelShutdown if the kernel has been
// shut down.
func NewPool(ctx context.Context, cfg Config) (*Pool, error) {
	cfg, err := cfg.settle()
	if err != nil {
		return nil, err
	}
	if err := refusal(); err != nil {
		return nil, err
	}
	p := newPool(curio.KernelOf(ctx), cfg)
	if !p.start(ctx) {
		return nil, curio.ErrKernelShutdown
	}
	return p, nil
}

// PoolOf returns the pool of ctx's kernel, which is used by calls without the option In. It is made when it
// is first asked for, with the settings of the zero Config, and anew when it has been closed. If the kernel
// has been shut down, it is a closed pool.
func PoolOf(ctx context.Context) *Pool { return kernelPools.of(ctx) }

// Configure changes the settings of the pool of ctx's kernel. It has to come before the first call; after
// that the error says that it is too late. Other errors are as with NewPool.
func Configure(ctx context.Context, cfg Config) error {
	cfg, err := cfg.settle()
	if err != nil {
		return err
	}
	if err := refusal(); err != nil {
		return err
	}
	p := PoolOf(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closing:
		return curio.ErrKernelShutdown
	case p.begun:
		return errors.New("process: Configure after the first call; it has to come before that")
	}
	p.cfg = cfg
	return nil
}

// Close lets the calls finish that are being served, ends all workers, and waits for that. Calls that still
// wait for a worker, and all that come later, fail with ErrPoolClosed. If ctx is done first, or already,
// the calls that are being served are ended as if they had been cancelled, and fail with ErrPoolClosed;
// Close still waits for the workers' end, which takes Config.Grace at most, and its error is ctx's error.
// Another Close waits as well.
//
// If the system holds a worker so that it does not even end when it is killed, Close waits 5 s for it, and
// the log says so. A waiting task is in the state TASK_WAIT.
func (p *Pool) Close(ctx context.Context) error {
	p.mustBeMade()
	p.close(false)
	err := p.task.Wait(ctx)
	if err == nil {
		return nil
	}
	p.close(true)
	_ = curio.DisableCancellation(ctx, p.task.Wait)
	return err
}

// size returns how many workers there are at most, which does not change from then on.
func (p *Pool) size() int {
	p.mustBeMade()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.begun = true
	return p.cfg.Workers
}

func (p *Pool) mustBeMade() {
	if p == nil || p.line.Mutex == nil {
		panic("process: use of the zero Pool, which is none; pools come from NewPool and PoolOf")
	}
}

// Workers returns the workers that there are, by their age. It does not wait.
func (p *Pool) Workers() []Worker {
	p.mustBeMade()
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make([]Worker, 0, len(p.workers))
	for w := range p.workers {
		if w.pid != 0 {
			all = append(all, w.describeLocked())
		}
	}
	slices.SortFunc(all, func(a, b Worker) int { return a.Started.Compare(b.Started) })
	return all
}

// String says how many workers there are, and how many of them are idle.
func (p *Pool) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return fmt.Sprintf("Pool(workers=%d/%d, idle=%d, waiting=%d)", len(p.workers), p.cfg.Workers, len(p.idle), p.line.Len())
}
