package loop

import (
	"context"
	"errors"
	"log"
	"time"

	"github.com/curio-go/curio"
)

func accepts(ctx context.Context, queue *curio.Queue[int]) {
	for {
		n, err := queue.Get(ctx) // want `when ctx is done, this loop goes on for ever: it swallows the error of queue.Get`
		if err != nil {
			log.Print(err)
			continue
		}
		if n == 0 {
			return
		}
	}
}

func inIf(ctx context.Context, try func(context.Context) error) {
	for {
		if err := poll(ctx); err != nil { // want `it swallows the error of poll`
			log.Print(err)
		}
	}
}

func ignored(ctx context.Context) {
	for {
		curio.Sleep(ctx, time.Second) // want `it swallows the error of curio.Sleep`
		work()
	}
}

func blank(ctx context.Context, queue *curio.Queue[int]) {
	for {
		n, _ := queue.Get(ctx) // want `it swallows the error of queue.Get`
		log.Print(n)
	}
}

func right(ctx context.Context, queue *curio.Queue[int]) error {
	for {
		n, err := queue.Get(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			log.Print(err)
			continue
		}
		log.Print(n)
	}
}

func looks(ctx context.Context, queue *curio.Queue[int]) error {
	for {
		if _, err := queue.Get(ctx); err != nil {
			if errors.Is(err, curio.ErrCancelled) {
				return err
			}
			log.Print(err)
		}
	}
}

func sleepsToo(ctx context.Context) error {
	for {
		if err := poll(ctx); err != nil {
			log.Print(err)
		}
		if err := curio.Sleep(ctx, time.Second); err != nil {
			return err
		}
	}
}

func asks(ctx context.Context) {
	for {
		if err := poll(ctx); err != nil {
			if isFatal(err) {
				break
			}
			continue
		}
	}
}

func bounded(ctx context.Context) {
	for range 3 {
		curio.Sleep(ctx, time.Second)
	}
	for ctx.Err() == nil {
		curio.Sleep(ctx, time.Second)
	}
}

func own() {
	for {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		if err := poll(ctx); err != nil {
			log.Print(err)
		}
		cancel()
	}
}

func poll(ctx context.Context) error { return ctx.Err() }
func isFatal(err error) bool         { return false }
func work()                          {}
