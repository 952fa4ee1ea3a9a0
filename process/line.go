package process

import (
	"context"
	"slices"
	"time"

	"github.com/curio-go/curio"
)

// This file decides which caller gets which worker, and when one is started. The states of a worker:
//
//	isStarting ──► isIdle    when it has said hello
//	isIdle     ──► isBusy    when a caller has got it
//	isBusy     ──► isIdle    when the caller is through with it
//	any of them ──► isEnding  by tell, or when it has died; it counts as a worker until it is gone
//
// They change under Pool.mu.

type workerState uint8

const (
	isStarting workerState = iota
	isIdle
	isBusy
	isEnding
)

func newPool(k *curio.Kernel, cfg Config) *Pool {
	p := &Pool{kernel: k, cfg: cfg, workers: make(map[*worker]struct{}), output: curio.NewSemaphore(1)}
	p.line.Mutex, p.line.State, p.line.Object, p.line.Serve = &p.mu, "PROCESS_WORKER", p, p.serveLocked
	p.hiring.Mutex, p.hiring.State, p.hiring.Object, p.hiring.Serve = &p.mu, "PROCESS_POOL", p, p.serveLocked
	return p
}

// serveLocked hands out workers, and has the manager start more if there are too few.
func (p *Pool) serveLocked() {
	if p.closing {
		p.line.HandAll(grant{err: ErrPoolClosed})
		if len(p.workers) == 0 {
			p.hiring.HandAll(nil)
		}
		return
	}
	for n := len(p.idle); n > 0 && p.line.Hand(grant{worker: p.idle[n-1]}); n-- {
		p.idle[n-1].state = isBusy
		p.idle[n-1] = nil
		p.idle = p.idle[:n-1]
	}
	for p.line.Len() > p.starting && len(p.workers) < p.cfg.Workers && p.hiring.Len() > 0 { // else it comes back
		w := &worker{pool: p}
		if !p.hiring.Hand(w) {
			return
		}
		p.workers[w] = struct{}{}
		p.starting++
	}
}

// acquire waits for a worker, which is the caller's from then on.
func (p *Pool) acquire(ctx context.Context) (*worker, error) {
	p.size() // Configure comes too late from now on
	g, err := p.line.Wait(ctx, grant{})
	if err != nil {
		return nil, err
	}
	return g.worker, g.err
}

// welcome makes w, which has said hello, a worker that can be used.
func (p *Pool) welcome(w *worker) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failed = failures{}
	p.starting--
	w.startup = time.Since(w.started)
	w.since = time.Now()
	w.welcome = true
	if w.state != isEnding {
		w.state = isIdle
		p.idle = append(p.idle, w)
		p.serveLocked()
	}
}

// begin makes c the call that w serves. ok is false if w has died meanwhile, or has to end.
func (w *worker) begin(c *call) (ok bool) {
	p := w.pool
	p.mu.Lock()
	ok = w.state == isBusy
	if ok {
		w.number = max(w.number+1, 1) // 0 is for a call that has not begun
		c.number = w.number
		w.call, w.since = c, time.Now()
	}
	p.mu.Unlock()
	if ok {
		w.tail.reset()
		w.witness = w.cfg.limits().watch(w.pid)
		curio.Go(w.ctx, c.converse, curio.Name(c.function))
	}
	return ok
}

// release gives w back. served says that it has served a call.
func (w *worker) release(served bool) {
	p := w.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	if served {
		w.calls++
	}
	if w.state != isBusy {
		return
	}
	w.call, w.since = nil, time.Now()
	if w.calls >= p.cfg.CallsPerWorker || p.closing {
		w.tellLocked(nil)
		return
	}
	w.state = isIdle
	p.idle = append(p.idle, w)
	p.serveLocked()
}

// tell has w end. why is what its call fails with if it has no answer yet, nil for what w's end tells.
func (w *worker) tell(why error) {
	w.pool.mu.Lock()
	defer w.pool.mu.Unlock()
	w.tellLocked(why)
}

func (w *worker) tellLocked(why error) {
	if w.why == nil {
		w.why = why
	}
	if w.state == isIdle {
		p := w.pool
		i := slices.Index(p.idle, w)
		p.idle = slices.Delete(p.idle, i, i+1)
	}
	w.state = isEnding
	w.stop.Set()
}

// gone takes w, which has ended, out of the pool. failure is why it could not be started, nil if it could; final
// says that it is of no use to try again.
func (p *Pool) gone(w *worker, failure error, final bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.workers, w)
	if !w.welcome {
		p.starting--
	}
	if failure != nil && !p.closing {
		p.failed.add(final)
		if p.failed.n >= maxFailures && len(p.workers) == p.starting { // nobody could serve them
			p.line.HandAll(grant{err: failure})
		}
	}
	p.serveLocked()
}

// close ends the pool: at once if hard is true, when the calls that are being served have ended otherwise.
func (p *Pool) close(hard bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closing = true
	for w := range p.workers {
		if hard {
			w.tellLocked(ErrPoolClosed)
		} else if w.state != isBusy {
			w.tellLocked(nil)
		}
	}
	p.closed.Set()
	p.serveLocked()
}

// The failures of starts that have come one after another. If all workers die before they can serve, it is of no
// use to start one after another as fast as possible, nor to let calls wait for ever.
type failures struct {
	n    int
	last time.Time
}

const (
	maxFailures   = 3 // then the calls that wait fail
	firstPause    = 10 * time.Millisecond
	longestPause  = time.Second
	pauseDoubling = 7 // times, until it is the longest
)

func (f *failures) add(final bool) {
	f.n++
	f.last = time.Now()
	if final {
		f.n = max(f.n, maxFailures)
	}
}

// pause returns how long to wait until the next start.
func (f *failures) pause() time.Duration {
	if f.n == 0 {
		return 0
	}
	pause := min(firstPause<<min(f.n-1, pauseDoubling), longestPause)
	return max(pause-time.Since(f.last), 0)
}

// awaitStart waits until it is time for the next start, or the pool is closed.
func (p *Pool) awaitStart(ctx context.Context) {
	p.mu.Lock()
	pause := p.failed.pause()
	p.mu.Unlock()
	if pause > 0 {
		_, _ = curio.Select(ctx, p.closed.WaitCase(), curio.AfterCase(pause))
	}
}
