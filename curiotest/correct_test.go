package curiotest_test

import (
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/curiotest"
	"github.com/curio-go/curio/network"
)

// Functions that are as they should be.
var correct = map[string]function{
	"sleep": func(ctx context.Context) error { return curio.Sleep(ctx, time.Millisecond) },

	"tasks": func(ctx context.Context) error {
		a := curio.Spawn(ctx, func(ctx context.Context) (int, error) { return 1, curio.Sleep(ctx, time.Millisecond) })
		b := curio.Spawn(ctx, func(ctx context.Context) (int, error) { return a.Join(ctx) })
		if _, err := b.Join(ctx); err != nil {
			return err
		}
		_, err := a.Join(ctx)
		return err
	},

	"cancel": func(ctx context.Context) error {
		t := curio.Go(ctx, func(ctx context.Context) error { return curio.Sleep(ctx, time.Hour) })
		if err := curio.Sleep(ctx, time.Millisecond); err != nil {
			return err
		}
		_, err := t.Cancel(ctx)
		return err
	},

	"group": func(ctx context.Context) error {
		return curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
			for i := range 3 {
				g.Spawn(func(ctx context.Context) (int, error) {
					return i, curio.Sleep(ctx, time.Duration(i)*time.Millisecond)
				})
			}
			for range 3 {
				if _, err := g.NextResult(ctx); err != nil {
					return err
				}
			}
			return nil
		})
	},

	"first": func(ctx context.Context) error {
		return curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
			for i := range 3 {
				g.Spawn(func(ctx context.Context) (int, error) {
					return i, curio.Sleep(ctx, time.Duration(1+20*i)*time.Millisecond)
				})
			}
			return nil
		}, curio.WaitAny)
	},

	"timeouts": func(ctx context.Context) error {
		expired, err := curio.IgnoreAfter(ctx, time.Millisecond, func(ctx context.Context) error {
			return curio.Sleep(ctx, time.Hour)
		})
		if err != nil {
			return err
		}
		if !expired {
			return errors.New("not expired")
		}
		err = curio.TimeoutAfter(ctx, time.Hour, func(ctx context.Context) error {
			inner := curio.TimeoutAfter(ctx, time.Millisecond, func(ctx context.Context) error {
				return curio.Sleep(ctx, time.Hour)
			})
			if !errors.Is(inner, curio.ErrTaskTimeout) {
				return inner
			}
			return curio.CheckCancellation(ctx)
		})
		return err
	},

	"shield": func(ctx context.Context) error {
		work := curio.Sleep(ctx, time.Millisecond)
		clean := curio.DisableCancellation(ctx, func(ctx context.Context) error {
			return curio.Sleep(ctx, time.Millisecond)
		})
		return errors.Join(work, clean)
	},

	// It asks when all is done.
	"asks": func(ctx context.Context) error {
		err := curio.DisableCancellation(ctx, func(ctx context.Context) error {
			return curio.Sleep(ctx, time.Millisecond)
		})
		if cancelled := curio.CheckCancellation(ctx); err != nil && cancelled != nil {
			return cancelled
		}
		return err
	},

	// What comes too late for a shield changes nothing.
	"shield only": func(ctx context.Context) error {
		return curio.DisableCancellation(ctx, func(ctx context.Context) error {
			return curio.Sleep(ctx, time.Millisecond)
		})
	},

	"locks": func(ctx context.Context) error {
		var l curio.Lock
		tokens := curio.NewSemaphore(1)
		return curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[int]) error {
			for i := range 3 {
				g.Spawn(func(ctx context.Context) (int, error) {
					if err := tokens.Acquire(ctx); err != nil {
						return 0, err
					}
					defer tokens.Release(ctx)
					return i, l.Do(ctx, func(ctx context.Context) error { return curio.Sleep(ctx, time.Millisecond) })
				})
			}
			return nil
		})
	},

	"queue": func(ctx context.Context) error {
		q := curio.NewQueue[int](1)
		consumer := curio.Go(ctx, func(ctx context.Context) error {
			for range 3 {
				if _, err := q.Get(ctx); err != nil {
					return err
				}
			}
			return nil
		})
		for i := range 3 {
			if err := q.Put(ctx, i); err != nil {
				return err
			}
		}
		_, err := consumer.Join(ctx)
		return err
	},

	"condition": func(ctx context.Context) error {
		var l curio.Lock
		c := curio.NewCondition(&l)
		ready := false
		waiter := curio.Go(ctx, func(ctx context.Context) error {
			return l.Do(ctx, func(ctx context.Context) error {
				for !ready {
					if err := c.Wait(ctx); err != nil {
						return err
					}
				}
				return nil
			})
		})
		if err := curio.Sleep(ctx, time.Millisecond); err != nil {
			return err
		}
		err := l.Do(ctx, func(ctx context.Context) error {
			ready = true
			c.Notify(1)
			return nil
		})
		if err != nil {
			return err
		}
		_, err = waiter.Join(ctx)
		return err
	},

	"daemon": func(ctx context.Context) error {
		curio.Go(ctx, func(ctx context.Context) error {
			helper := curio.Go(ctx, func(ctx context.Context) error { return curio.Sleep(ctx, time.Hour) })
			_, err := helper.Join(ctx)
			return err
		}, curio.Daemon())
		return curio.Sleep(ctx, time.Millisecond)
	},

	// Contexts and goroutines as others make them.
	"standard library": func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, time.Hour)
		defer cancel()
		var all sync.WaitGroup
		errs := make([]error, 3)
		for i := range errs {
			all.Go(func() { errs[i] = curio.Sleep(ctx, time.Duration(i)*time.Millisecond) })
		}
		all.Wait()
		return errors.Join(errs...)
	},

	"thread": func(ctx context.Context) error {
		returns := make(chan int)
		helper := curio.Go(ctx, func(ctx context.Context) error {
			defer close(returns)
			return curio.Sleep(ctx, time.Millisecond)
		})
		_, err := curio.RunInThread(ctx, func() (int, error) { return <-returns, nil })
		if _, failed := helper.Join(ctx); err == nil {
			err = failed
		}
		if err != nil {
			return err
		}
		c := make(chan int)
		go func() { c <- 1 }()
		_, err = curio.Receive(ctx, c)
		if err != nil {
			<-c
		}
		return err
	},

	"barrier": func(ctx context.Context) error {
		b := curio.NewBarrier(2)
		other := curio.Go(ctx, func(ctx context.Context) error {
			_, err := b.Wait(ctx)
			return err
		})
		if _, err := b.Wait(ctx); err != nil {
			return err
		}
		_, err := other.Join(ctx)
		return err
	},

	// What it logs itself is its own affair, and that a daemon was cancelled is none.
	"log": func(ctx context.Context) error {
		curio.LoggerOf(ctx).Error("own")
		curio.LoggerOf(ctx).With("a", 1).Error("curio: own")
		curio.LoggerOf(ctx).WithGroup("g").Error("curio: own")
		curio.Go(ctx, func(ctx context.Context) error {
			return curio.TimeoutAfter(ctx, 0, func(ctx context.Context) error { return curio.Sleep(ctx, time.Hour) })
		}, curio.Daemon())
		curio.Go(ctx, func(ctx context.Context) error {
			return curio.TimeoutAfter(ctx, 0, func(ctx context.Context) error { return curio.Sleep(ctx, time.Hour) })
		})
		return curio.Sleep(ctx, time.Millisecond)
	},

	// What one acquires, another may release.
	"hand over": func(ctx context.Context) error {
		tokens := curio.NewSemaphore(2)
		if err := tokens.AcquireN(ctx, 2); err != nil {
			return err
		}
		other := curio.Go(context.WithoutCancel(ctx), func(ctx context.Context) error {
			tokens.Release(ctx)
			tokens.Release(context.Background())
			return nil
		})
		_, err := other.Join(ctx)
		return err
	},

	// One that leaves its tasks to end with it.
	"unattended": func(ctx context.Context) error {
		curio.Go(ctx, func(ctx context.Context) error { return curio.Sleep(ctx, 2*time.Millisecond) })
		return curio.Sleep(ctx, time.Millisecond)
	},
}

func TestCorrect(t *testing.T) {
	for name, fn := range correct {
		t.Run(name, func(t *testing.T) {
			both(t, func(t *testing.T) { curiotest.CancelEverywhere(t, fn) })
		})
	}
}

// In parallel, nobody is blamed for what the others have.
func TestCorrectInParallel(t *testing.T) {
	for name, fn := range correct {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			curiotest.CancelEverywhere(t, fn)
		})
	}
}

// echoOnce sends a message to a server in the same group, and receives it.
func echoOnce(ctx context.Context) error {
	listener, err := network.ListenTCP(ctx, "127.0.0.1:0", nil)
	if err != nil {
		return err
	}
	return curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[struct{}]) error {
		g.Spawn(func(ctx context.Context) (struct{}, error) {
			return struct{}{}, network.RunServer(ctx, listener, echo)
		}, curio.Daemon(), curio.Name("server"))
		err := greet(ctx, listener.LocalAddr().String())
		if cancelled := curio.CheckCancellation(ctx); err != nil && cancelled != nil {
			return cancelled // and so was the server, which may have gone first
		}
		return err
	})
}

func greet(ctx context.Context, addr string) error {
	conn, err := network.OpenConnection(ctx, addr, nil)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.SendAll(ctx, []byte("hello")); err != nil {
		return err
	}
	_, err = conn.Recv(ctx, make([]byte, 5))
	return err
}

func echo(ctx context.Context, conn network.Conn) error {
	buf := make([]byte, 100)
	for {
		n, err := conn.Recv(ctx, buf)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := conn.SendAll(ctx, buf[:n]); err != nil {
			return err
		}
	}
}

func TestCorrectWithSockets(t *testing.T) {
	curiotest.CancelEverywhere(t, echoOnce)
}
