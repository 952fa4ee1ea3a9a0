package lockwait

import (
	"context"
	"sync"
	"time"

	"github.com/curio-go/curio"
)

type store struct {
	mu    sync.Mutex
	rw    sync.RWMutex
	queue *curio.Queue[int]
	subs  []chan int
	n     int
}

func (s *store) put(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.queue.Put(ctx, s.n) // want `s.mu is locked while the function waits for s.queue.Put: unlock it before, or use a curio.Lock`
}

func (s *store) before(ctx context.Context) error {
	s.mu.Lock()
	n := s.n
	s.mu.Unlock()
	return s.queue.Put(ctx, n)
}

func (s *store) branches(ctx context.Context, quick bool) error {
	s.rw.RLock()
	if quick {
		s.rw.RUnlock()
		return curio.Sleep(ctx, time.Second)
	}
	err := curio.Sleep(ctx, time.Second) // want `s.rw is locked while the function waits for curio.Sleep`
	s.rw.RUnlock()
	return err
}

func (s *store) send(ctx context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sub := range s.subs {
		select { // want +1 `s.mu is locked while the function waits for a select`
		case sub <- s.n:
		case <-ctx.Done():
		}
	}
}

func (s *store) offer(ctx context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sub := range s.subs {
		select {
		case sub <- s.n:
		default:
		}
	}
	go s.queue.Put(ctx, s.n)
	curio.Go(ctx, func(ctx context.Context) error { return s.queue.Put(ctx, 1) })
}

func (s *store) loop(ctx context.Context) error {
	for {
		s.mu.Lock()
		s.n++
		s.mu.Unlock()
		if err := curio.Sleep(ctx, time.Second); err != nil {
			return err
		}
	}
}

func (s *store) closed(ctx context.Context, all chan int) (sum int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(all)
	for n := range all {
		sum += n
	}
	return sum
}

// Without a context, only waits of Curio count.
func (s *store) without(done chan int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-done:
	case <-time.After(time.Second):
	}
}
