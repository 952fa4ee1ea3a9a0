package process

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/socket"
	"github.com/curio-go/curio/subprocess"
)

// The manager of a pool is a task with an OS thread of its own, which starts the workers. The system takes
// the thread that has forked a child for its parent, and when that thread ends, the child gets its
// parent-death signal. So the manager ends last, when there is no worker any more.

// start starts the manager. ok is false if the kernel has been shut down.
func (p *Pool) start(ctx context.Context) (ok bool) {
	p.task = curio.SpawnThread(ctx, p.manage, curio.Service(), curio.Name("process pool"))
	if p.task.Terminated() && p.task.Err() == curio.ErrKernelShutdown {
		p.close(true)
		return false
	}
	return true
}

func (p *Pool) manage(ctx context.Context) (struct{}, error) {
	defer kernelPools.remove(p)
	if p.hire(ctx) != nil { // the kernel is being shut down
		p.close(true)
		_ = curio.DisableCancellation(ctx, p.hire)
	}
	return struct{}{}, nil
}

// hire starts workers until the pool is closed and all of them are gone.
func (p *Pool) hire(ctx context.Context) error {
	for {
		w, err := p.hiring.Wait(ctx, nil)
		if err != nil {
			return err
		}
		if w == nil {
			return nil
		}
		if err := p.bear(ctx, w); err != nil {
			if curio.CheckCancellation(ctx) != nil {
				err = ErrPoolClosed // that we are cancelled is not the callers' cancellation
			}
			p.gone(w, err, false)
		}
	}
}

// bear starts the process of w, and the task that looks after it.
func (p *Pool) bear(ctx context.Context, w *worker) error {
	p.awaitStart(ctx)
	p.mu.Lock()
	cfg, ending := p.cfg, w.state == isEnding
	p.mu.Unlock()
	if ending {
		return ErrPoolClosed
	}
	w.started, w.cfg = time.Now(), cfg
	if err := w.bear(ctx); err != nil {
		return fmt.Errorf("process: start of a worker: %w", err)
	}
	p.mu.Lock()
	w.pid = w.proc.Pid()
	p.mu.Unlock()
	w.witness = cfg.limits().watch(w.proc.Pid())
	curio.Go(ctx, w.run, curio.Name(w.String()))
	return nil
}

// bear forks.
func (w *worker) bear(ctx context.Context) error {
	ours, theirs, err := socket.SocketPair(socket.SOCK_STREAM)
	if err != nil {
		return err
	}
	end, err := theirs.File()
	_ = theirs.Close()
	if err == nil {
		w.proc, err = w.popen(ctx, end)
		_ = end.Close()
	}
	if err != nil {
		_ = ours.Close()
		return err
	}
	w.link = newLink(ours)
	return nil
}

func (w *worker) popen(ctx context.Context, end *os.File) (*subprocess.Process, error) {
	mark := ""
	raw, err := end.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) { mark = markOf(int(fd)) })
	}
	if err != nil {
		return nil, err
	}
	env := append(os.Environ(), w.cfg.Env...)
	return subprocess.Popen(ctx, &subprocess.Cmd{
		Path:       programPath(),
		Args:       os.Args[:min(len(os.Args), 1)],
		Env:        append(env, variable+"="+mark),
		ExtraFiles: []*os.File{end},
		Stdout:     subprocess.Pipe,
		Stderr:     subprocess.Pipe,
		Group:      subprocess.GroupOwn,
		Grace:      w.cfg.Grace,
	})
}

// kernelPools has the pool of each kernel that has one. A pool leaves it when it ends, which it does with its
// kernel at the latest: so no kernel is kept.
var kernelPools = &poolTable{pools: make(map[*curio.Kernel]*Pool)}

type poolTable struct {
	mu    sync.Mutex
	pools map[*curio.Kernel]*Pool
}

// of returns the pool of ctx's kernel. It makes one without holding the mutex, as that asks ctx, which may
// hang. If two callers come at the same time, the pool of one of them is closed again.
func (t *poolTable) of(ctx context.Context) *Pool {
	k := curio.KernelOf(ctx)
	if p := t.open(k); p != nil {
		return p
	}
	cfg, err := Config{}.settle()
	if err != nil {
		panic("process: internal error: " + err.Error())
	}
	p := newPool(k, cfg)
	if !p.start(ctx) {
		return p
	}
	if first := t.add(p); first != p {
		p.close(true)
		return first
	}
	return p
}

// open returns the pool of k, nil if it has none or that is closed.
func (t *poolTable) open(k *curio.Kernel) *Pool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.openLocked(k)
}

func (t *poolTable) openLocked(k *curio.Kernel) *Pool {
	if p := t.pools[k]; p != nil && !p.closed.IsSet() {
		return p
	}
	return nil
}

// add makes p the pool of its kernel, unless that has got one meanwhile, which it returns. If p is closed
// already, it may have been removed, and is not kept.
func (t *poolTable) add(p *Pool) *Pool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if first := t.openLocked(p.kernel); first != nil {
		return first
	}
	if !p.closed.IsSet() {
		t.pools[p.kernel] = p
	}
	return p
}

// remove is for a pool that ends.
func (t *poolTable) remove(p *Pool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.pools[p.kernel] == p {
		delete(t.pools, p.kernel)
	}
}
