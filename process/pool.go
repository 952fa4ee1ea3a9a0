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

// A Pool manages workers, each of which serves one call at a time. Pools come from [NewPool] and
// [PoolOf]; the zero value is not a pool, and calls that use it panic. A Pool must not be copied.
// It is safe for concurrent use.
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

// A Worker describes a worker at one moment, for monitoring.
type Worker struct {
	Pid     int           // the process ID
	Started time.Time     // when it was started
	Startup time.Duration // the time from its start to Main, which includes package initialization
	Func    string        // the function that it is running, "" if it is idle or ending
	Since   time.Time     // when the call began, or when the worker became idle
	Calls   int           // number of calls that have ended
}

// NewPool makes another pool beside the kernel's own, for functions that need other settings or
// must not wait behind others. It starts no worker. The pool is a service of ctx's kernel (see
// curio.Service): it exists until Close, or until the kernel is shut down and all tasks except
// services have ended. NewPool does not wait.
//
// The error reports an invalid cfg, and wraps errors.ErrUnsupported for a limit that the system
// does not have. It wraps ErrNoMain or ErrInWorker as with Run, and curio.ErrKernelShutdown if the
// kernel has been shut down.
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

// PoolOf returns the pool of ctx's kernel, which serves all calls without the option [In]. It makes
// the pool with the settings of the zero Config if there is none, or if it has been closed. If the
// kernel has been shut down, it returns a closed pool. PoolOf does not wait, so it does not matter
// whether ctx is done.
func PoolOf(ctx context.Context) *Pool { return kernelPools.of(ctx) }

// Configure sets the settings of the pool of ctx's kernel. It must be called before the first call;
// otherwise it returns an error. Other errors are as for NewPool. Configure does not wait.
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
		return errors.New("process: Configure must be called before the first call")
	}
	p.cfg = cfg
	return nil
}

// Close waits for the calls that are being served, and then ends all workers and waits for them.
// Calls that still wait for a worker, and all later ones, fail with ErrPoolClosed. If ctx is done
// first, even before the call, the calls that are being served are ended as if they had been
// cancelled, and fail with ErrPoolClosed; Close still waits for the workers' end, which takes at
// most Config.Grace, and returns ctx's error. Another Close waits as well.
//
// If the system holds a worker so that even killing does not end it, Close waits for it for 5
// seconds and then logs that. A task that waits is in the state TASK_WAIT.
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
		panic("process: use of the zero Pool; pools come from NewPool and PoolOf")
	}
}

// Workers returns the current workers, the oldest first. It does not wait.
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

// String returns the number of workers, and how many of them are idle.
func (p *Pool) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return fmt.Sprintf("Pool(workers=%d/%d, idle=%d, waiting=%d)", len(p.workers), p.cfg.Workers, len(p.idle), p.line.Len())
}
