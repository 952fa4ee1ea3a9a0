package wait

import (
	"context"
	"sync"
)

type pool struct {
	wg   sync.WaitGroup
	cond *sync.Cond
}

func (p *pool) Wait(ctx context.Context) {
	p.wg.Wait() // want `p.wg.Wait goes on when ctx is done: run the functions as tasks of a curio.Group`
}

func (p *pool) Close(ctx context.Context, cancel context.CancelFunc) {
	cancel()
	p.wg.Wait()
}

func (p *pool) Cancellable(ctx context.Context) error {
	done := make(chan struct{})
	go func() {
		p.wg.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func local(ctx context.Context, work func(context.Context), compute func()) {
	var with, without, mixed sync.WaitGroup
	defer without.Wait()
	with.Add(1)
	go func() {
		defer with.Done()
		work(ctx)
	}()
	with.Go(func() { work(ctx) })
	with.Wait()

	without.Go(compute)
	without.Go(func() { compute() })
	without.Wait() // want `without.Wait goes on`

	mixed.Go(func() { work(ctx) })
	mixed.Go(func() { compute() })
	mixed.Wait() // want `mixed.Wait goes on`
}

func (p *pool) next(ctx context.Context, ready func() bool) {
	p.cond.L.Lock()
	defer p.cond.L.Unlock()
	for !ready() {
		p.cond.Wait() // want `p.cond.Wait goes on when ctx is done: use a curio.Condition`
	}
}

func (p *pool) woken(ctx context.Context, ready func() bool) {
	defer context.AfterFunc(ctx, p.cond.Broadcast)()
	p.cond.L.Lock()
	defer p.cond.L.Unlock()
	for !ready() && ctx.Err() == nil {
		p.cond.Wait()
	}
}
