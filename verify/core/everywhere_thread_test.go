package core_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/curiotest"
	"github.com/curio-go/curio/verify/fixture"
)

// A doorway is what functions in threads wait at, where no context reaches them.
type doorway struct {
	opened chan struct{}
	once   sync.Once
	slots  *curio.Semaphore // of those who go one at a time
}

func newDoorway() *doorway {
	return &doorway{opened: make(chan struct{}), slots: curio.NewSemaphore(1)}
}

func (d *doorway) open() { d.once.Do(func() { close(d.opened) }) }

// pass is a function for a thread.
func (d *doorway) pass() (int, error) { <-d.opened; return 1, nil }

// goroutines is the simplest executor.
type goroutines struct{}

func (goroutines) Submit(fn func()) error { go fn(); return nil }

// inThreads are the four calls, as threads of one kind.
var inThreads = map[string]func(ctx context.Context, fn func() (int, error), late ...func(int, error)) (int, error){
	"RunInThread": curio.RunInThread[int],
	"RunInThreadLimited": func(ctx context.Context, fn func() (int, error), late ...func(int, error)) (int, error) {
		return curio.RunInThreadLimited(ctx, curio.NewSemaphore(1), fn, late...)
	},
	"BlockInThread": func(ctx context.Context, fn func() (int, error), late ...func(int, error)) (int, error) {
		return curio.BlockInThread(ctx, "key", fn, late...)
	},
	"RunInExecutor": func(ctx context.Context, fn func() (int, error), late ...func(int, error)) (int, error) {
		return curio.RunInExecutor(ctx, goroutines{}, fn, late...)
	},
}

// Three calls, which with BlockInThread wait for their turn, and somebody who opens what
// their functions wait for, come what may.
func TestEverywhereThreads(t *testing.T) {
	for name, call := range inThreads {
		t.Run(name, func(t *testing.T) {
			everywhere(t, func(ctx context.Context) error {
				d := newDoorway()
				defer d.open()
				calls := func(ctx context.Context) error {
					v, err := call(ctx, d.pass)
					if err == nil && v != 1 {
						return fmt.Errorf("it returned %d", v)
					}
					return err
				}
				return fixture.Team(ctx, func(ctx context.Context) error {
					if err := pause(ctx); err != nil {
						return err
					}
					d.open()
					return nil
				}, calls, calls, calls)
			})
		})
	}
}

// Three calls share the one place of their kernel, a kernel inside of another.
func TestEverywhereThreadPlaces(t *testing.T) {
	everywhere(t, func(ctx context.Context) error {
		var inside, most atomic.Int64
		fn := func() (int, error) {
			most.Store(max(most.Load(), inside.Add(1)))
			time.Sleep(time.Millisecond) // in the bubble: the others get as far as they can
			inside.Add(-1)
			return 1, nil
		}
		calls := func(ctx context.Context) error {
			_, err := curio.RunInThread(ctx, fn)
			return err
		}
		return curio.Run(ctx, func(ctx context.Context) error {
			err := fixture.Team(ctx, calls, calls, calls)
			if err == nil && most.Load() != 1 {
				return fmt.Errorf("%d had the one place", most.Load())
			}
			return err
		}, curio.MaxThreads(1), curio.Logger(curio.LoggerOf(ctx)))
	})
}

// Three calls share the one unit of a semaphore, with a task that wants it for something else.
func TestEverywhereThreadSlotsOfOnesOwn(t *testing.T) {
	everywhere(t, func(ctx context.Context) error {
		slots := curio.NewSemaphore(1)
		var inside, most atomic.Int64
		stay := func() (int, error) {
			most.Store(max(most.Load(), inside.Add(1)))
			time.Sleep(time.Millisecond) // in the bubble: the others get as far as they can
			inside.Add(-1)
			return 1, nil
		}
		calls := func(ctx context.Context) error {
			_, err := curio.RunInThreadLimited(ctx, slots, stay)
			return err
		}
		err := fixture.Team(ctx, calls, calls, func(ctx context.Context) error { return slots.Do(ctx, pause) }, calls)
		if err == nil && most.Load() != 1 {
			return fmt.Errorf("%d had the one unit", most.Load())
		}
		if slots.Value() != 1 || slots.Size() != 1 {
			return fmt.Errorf("the units are wrong: %v", slots)
		}
		return err
	})
}

// What an abandoned function has got goes to late, who closes it.
func TestEverywhereThreadLate(t *testing.T) {
	for name, call := range inThreads {
		t.Run(name, func(t *testing.T) {
			everywhere(t, func(ctx context.Context) error {
				d := newDoorway()
				defer d.open()
				opens := func() (int, error) {
					<-d.opened
					return syscall.Open(os.DevNull, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
				}
				late := func(fd int, err error) {
					if err == nil {
						_ = syscall.Close(fd)
					}
				}
				return fixture.Team(ctx, func(ctx context.Context) error {
					for range 2 { // in the second, the function has begun to wait
						if err := pause(ctx); err != nil {
							return err
						}
					}
					d.open()
					return nil
				}, func(ctx context.Context) error {
					fd, err := call(ctx, opens, late)
					if err != nil {
						return err
					}
					defer syscall.Close(fd)
					return pause(ctx)
				})
			})
		})
	}
}

// A pool with one worker, and an executor that refuses.
func TestEverywhereExecutor(t *testing.T) {
	everywhere(t, func(ctx context.Context) error {
		work, closed := make(chan func()), make(chan struct{})
		defer close(closed)
		go func() {
			for {
				select {
				case fn := <-work:
					fn()
				case <-closed:
					return
				}
			}
		}()
		ex := submitter(func(fn func()) error {
			select {
			case work <- fn:
				return nil
			case <-closed:
				return fixture.ErrBoom // nobody waits for it any more
			}
		})
		calls := func(ctx context.Context) error {
			_, err := curio.RunInExecutor(ctx, ex, func() (int, error) { time.Sleep(time.Millisecond); return 1, nil })
			return err
		}
		busy := submitter(func(func()) error { return fixture.ErrBoom })
		refused := func(ctx context.Context) error {
			_, err := curio.RunInExecutor(ctx, busy, returnsNothing)
			if errors.Is(err, fixture.ErrBoom) {
				return nil
			}
			return cmp.Or(err, errors.New("it was not refused"))
		}
		return fixture.Team(ctx, refused, calls, calls)
	})
}

type submitter func(fn func()) error

func (s submitter) Submit(fn func()) error { return s(fn) }

func returnsNothing() (int, error) { return 0, nil }

// A chanMutex is a lock for which one waits in a bubble so that the bubble is at rest, as
// it is not with a sync.Mutex.
type chanMutex chan struct{}

func (m chanMutex) Lock() { m <- struct{}{} }

func (m chanMutex) Unlock() { <-m }

// Whatever lock it is, three want it, and a goroutine that knows nothing of tasks.
func TestEverywhereAbide(t *testing.T) {
	everywhere(t, func(ctx context.Context) error { return abideTogether(ctx, make(chanMutex, 1), make(chanMutex, 1)) })
}

// The locks of package sync, which a bubble cannot wait for.
func TestEverywhereAbideOfPackageSync(t *testing.T) {
	curiotest.CancelEverywhere(t, func(ctx context.Context) error {
		return abideTogether(ctx, new(sync.Mutex), new(sync.RWMutex))
	})
}

func abideTogether(ctx context.Context, mu, other sync.Locker) error {
	var place alone
	abides := func(ctx context.Context) error {
		release, err := curio.Abide(ctx, mu)
		if err != nil {
			return err
		}
		defer release()
		return place.stay(ctx)
	}
	both := func(ctx context.Context) error {
		releaseOther, err := curio.Abide(ctx, other)
		if err != nil {
			return err
		}
		defer releaseOther()
		return abides(ctx)
	}
	other.Lock() // which a stranger has, until the others have had time to want it
	goes := make(chan struct{})
	var stranger sync.WaitGroup
	stranger.Go(func() {
		<-goes
		other.Unlock()
	})
	err := fixture.Team(ctx, pause, abides, abides, both, func(ctx context.Context) error {
		defer close(goes)
		return pause(ctx)
	})
	stranger.Wait()
	canBeHad := func(l sync.Locker) {
		l.Lock()
		defer l.Unlock()
	}
	canBeHad(mu) // also what was got too late for who wanted it has been unlocked
	canBeHad(other)
	return err
}

// A task with a thread of its own waits as any other.
func TestEverywhereSpawnThread(t *testing.T) {
	everywhere(t, func(ctx context.Context) error {
		var e curio.Event
		owner := curio.SpawnThread(ctx, func(ctx context.Context) (int, error) {
			if err := e.Wait(ctx); err != nil {
				return 0, err
			}
			return 1, pause(ctx)
		})
		if err := pause(ctx); err != nil {
			return err
		}
		e.Set()
		_, err := owner.Join(ctx)
		return err
	})
}

// Descriptors of somebody else's. There is real I/O in it, so there is no bubble.
func TestEverywhereReadWaitAndWriteWait(t *testing.T) {
	curiotest.CancelEverywhere(t, func(ctx context.Context) error {
		var fds [2]int
		if err := syscall.Pipe(fds[:]); err != nil {
			return err
		}
		defer syscall.Close(fds[0])
		defer syscall.Close(fds[1])
		if err := syscall.SetNonblock(fds[1], true); err != nil {
			return err
		}
		room := 0
		for n, err := syscall.Write(fds[1], make([]byte, 4096)); err == nil; n, err = syscall.Write(fds[1], make([]byte, 4096)) {
			room += n
		}
		return fixture.Team(ctx, func(ctx context.Context) error {
			for range 2 { // until it is full, and then when there is room again
				if err := curio.WaitWrite(ctx, fds[1]); err != nil {
					return err
				}
				if _, err := syscall.Write(fds[1], make([]byte, 4096)); err != nil {
					return err
				}
			}
			return nil
		}, func(ctx context.Context) error {
			if err := curio.Sleep(ctx, 0); err != nil { // or the other would not wait
				return err
			}
			for left := room + 2*4096; left > 0; {
				if err := curio.WaitRead(ctx, fds[0]); err != nil {
					return err
				}
				n, err := syscall.Read(fds[0], make([]byte, room))
				if err != nil {
					return err
				}
				left -= n
			}
			return nil
		})
	})
}
