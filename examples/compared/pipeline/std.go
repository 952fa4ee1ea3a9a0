package pipeline

import (
	"context"
	"io"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// RunStd runs a pipeline. It returns nil when there are no more items and all results
// have been stored. When ctx is done it gets no more items, and returns ctx's error when
// all results have been stored, or context.DeadlineExceeded if that took too long.
func RunStd[In, Out any](ctx context.Context, stages Stages[In, Out], settings Settings) error {
	items, results := make(chan In, settings.Buffer), make(chan Out, settings.Buffer)

	// killed is done when the grace time is over, and drained if a stage has failed, too.
	killed, kill := context.WithCancel(context.WithoutCancel(ctx))
	defer kill()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(settings.Grace, kill) })()
	g, drained := errgroup.WithContext(killed)

	// getting is the context of the first stage, which ends with ctx, and if a stage has failed.
	getting, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(drained, cancel)()

	g.Go(func() error {
		defer close(items)
		for {
			item, err := stages.Next(getting)
			switch {
			case err == nil:
				err = send(drained, items, item)
			case err == io.EOF || ctx.Err() != nil: // told to stop
				return nil
			}
			if err != nil {
				return err
			}
		}
	})
	var workers sync.WaitGroup
	for range settings.Workers {
		workers.Add(1)
		g.Go(func() error {
			defer workers.Done()
			for item := range items {
				result, err := stages.Work(drained, item)
				if err != nil {
					return err
				}
				if err := send(drained, results, result); err != nil {
					return err
				}
			}
			return nil
		})
	}
	g.Go(func() error {
		workers.Wait()
		close(results)
		return nil
	})
	g.Go(func() error {
		for result := range results {
			if err := stages.Store(drained, result); err != nil {
				return err
			}
		}
		return nil
	})
	err := g.Wait()
	switch {
	case killed.Err() != nil && err != nil:
		return context.DeadlineExceeded
	case err != nil:
		return err
	}
	return ctx.Err()
}

func send[T any](ctx context.Context, ch chan<- T, v T) error {
	select {
	case ch <- v:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
