package signal_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	ossignal "os/signal"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/signal"
)

// kinds are the signals of the storm. Three of them are deadly when nobody has asked for them.
var kinds = []syscall.Signal{syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGHUP, syscall.SIGWINCH, syscall.SIGTERM, syscall.SIGINT}

func anyKind() syscall.Signal { return kinds[rand.IntN(len(kinds))] }

func asSignals(sigs []syscall.Signal) (all []os.Signal) {
	for _, sig := range sigs {
		all = append(all, sig)
	}
	return all
}

// A storm of signals while queues and events come and go, as a process of its own: its first argument is
// how many signals, the second the one that finally kills it.
func init() {
	children["storm"] = func() {
		n, _ := strconv.Atoi(os.Args[2])
		last, _ := strconv.Atoi(os.Args[3])
		s := &storm{sent: make(map[syscall.Signal]*atomic.Int64)}
		for _, sig := range kinds {
			s.sent[sig] = new(atomic.Int64)
		}
		err := curio.Run(background, func(ctx context.Context) error { return s.run(ctx, n) })
		fmt.Println("calm:", err)
		raise(syscall.SIGWINCH) // does nothing
		raise(syscall.SIGUSR1)  // nor does this one, once somebody has asked for it
		raise(syscall.Signal(last))
		select {}
	}
}

type storm struct {
	sent   map[syscall.Signal]*atomic.Int64 // how often each was sent, counted before it is
	wrong  atomic.Int64
	events atomic.Int64 // that were set, of those that came and went
	taken  atomic.Int64 // from queues that came and went
}

func (s *storm) wrongly(format string, args ...any) {
	if s.wrong.Add(1) <= 10 {
		fmt.Printf(format+"\n", args...)
	}
}

// run sends n signals, and looks a hundred times whether each reader has seen the last one of each kind.
// When it returns, nobody wants a signal any more.
func (s *storm) run(ctx context.Context, n int) error {
	readers := []*reader{s.readQueue(ctx), s.readQueue(ctx), s.readEvents(ctx), s.readForeign()}
	defer func() {
		for _, r := range readers {
			r.close()
		}
	}()
	return curio.Group(ctx, func(ctx context.Context, g *curio.Tasks) error {
		var over curio.Event
		for range 3 {
			g.Go(func(context.Context) error {
				for !over.IsSet() {
					s.queueComesAndGoes(&over)
					s.eventComesAndGoes(&over)
					signal.Ignore(asSignals(kinds[rand.IntN(len(kinds)):])...)()
				}
				return nil
			})
		}
		defer over.Set()
		for i := range n {
			sig := anyKind()
			s.sent[sig].Add(1)
			raise(sig)
			if i%max(n/100, 1) == 0 || i == n-1 {
				for _, r := range readers {
					if err := r.await(ctx); err != nil {
						return err
					}
				}
			}
		}
		if n >= 1000 && (s.taken.Load() == 0 || s.events.Load() == 0) {
			fmt.Println("no queue or no event that came and went got a signal")
		}
		fmt.Println("wrong:", s.wrong.Load())
		return nil
	})
}

// A reader looks at s.sent when it gets a signal. If it gets each kind at least once after the last of
// that kind was sent, it has seen the last count.
type reader struct {
	s     *storm
	seen  map[syscall.Signal]*atomic.Int64
	close func()
}

func (s *storm) newReader() *reader {
	r := &reader{s, make(map[syscall.Signal]*atomic.Int64), nil}
	for _, sig := range kinds {
		r.seen[sig] = new(atomic.Int64)
	}
	return r
}

func (r *reader) got(sig syscall.Signal) { r.seen[sig].Store(r.s.sent[sig].Load()) }

func (r *reader) await(ctx context.Context) error {
	for _, sig := range kinds {
		for r.seen[sig].Load() != r.s.sent[sig].Load() { // nobody sends meanwhile
			if err := curio.Sleep(ctx, time.Millisecond); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *storm) readQueue(ctx context.Context) *reader {
	r := s.newReader()
	q := signal.NewQueue(asSignals(kinds)...)
	task := curio.Go(ctx, func(ctx context.Context) error {
		for sig, err := range q.All(ctx) {
			if err != nil {
				return err
			}
			r.got(sig.(syscall.Signal))
		}
		return nil
	})
	r.close = func() { q.Close(); _ = task.Wait(background) }
	return r
}

// readEvents has an event for each kind, which it clears before it looks.
func (s *storm) readEvents(ctx context.Context) *reader {
	r := s.newReader()
	var events []*signal.Event
	var tasks []*curio.Task[struct{}]
	for _, sig := range kinds {
		e := signal.NewEvent(sig)
		events = append(events, e)
		tasks = append(tasks, curio.Go(ctx, func(ctx context.Context) error {
			for {
				if err := e.Wait(ctx); err != nil {
					return err
				}
				e.Clear()
				r.got(sig)
			}
		}))
	}
	r.close = func() {
		for i, e := range events {
			e.Close()
			_, _ = tasks[i].Cancel(background)
		}
	}
	return r
}

// readForeign is a reader of package os/signal, with a channel for each kind.
func (s *storm) readForeign() *reader {
	r := s.newReader()
	var channels []chan os.Signal
	var all sync.WaitGroup
	for _, sig := range kinds {
		c := make(chan os.Signal, 1)
		channels = append(channels, c)
		ossignal.Notify(c, sig)
		all.Go(func() {
			for range c {
				r.got(sig)
			}
		})
	}
	r.close = func() {
		for _, c := range channels {
			ossignal.Stop(c)
			close(c)
		}
		all.Wait()
	}
	return r
}

// untilSignal chooses one queue or event of ten, which lives until it has got a signal or the storm is over:
// the others live so briefly that on some machines none of them ever gets one.
func untilSignal(over *curio.Event) func() bool {
	waits := rand.IntN(10) == 0
	return func() bool {
		runtime.Gosched()
		return waits && !over.IsSet()
	}
}

// queueComesAndGoes checks that a queue gets what it is for, and nothing after its Close.
func (s *storm) queueComesAndGoes(over *curio.Event) {
	one, other := anyKind(), anyKind()
	q := signal.NewQueue(one, other)
	take := func() error {
		sig, err := q.TryGet()
		if err == nil {
			s.taken.Add(1)
			if sig != one && sig != other {
				s.wrongly("a queue for %v and %v got %v", one, other, sig)
			}
		}
		return err
	}
	for range rand.IntN(5) {
		if err := take(); err != nil && err != curio.ErrQueueEmpty {
			s.wrongly("an open queue: %v", err)
		}
	}
	for more := untilSignal(over); more() && take() != nil; {
	}
	q.Close()
	left := 0
	for take() == nil {
		left++
	}
	if left > 2 {
		s.wrongly("a closed queue had %d signals of two kinds", left)
	}
	if err := take(); err != curio.ErrQueueClosed {
		s.wrongly("a closed queue that is empty: %v", err)
	}
}

func (s *storm) eventComesAndGoes(over *curio.Event) {
	one := anyKind()
	e := signal.NewEvent(one)
	look := func() bool {
		if !e.IsSet() {
			return false
		}
		s.events.Add(1)
		if e.Signal() != one {
			s.wrongly("an event for %v was set by %v", one, e.Signal())
		}
		e.Clear()
		return true
	}
	for range rand.IntN(5) {
		look()
	}
	for more := untilSignal(over); more() && !look(); {
	}
	e.Close()
	if e.Clear(); e.IsSet() {
		s.wrongly("a closed event is set")
	}
}

// In a storm no queue gets a signal that it did not ask for, and each reader hears of each kind after the
// last one was sent. When the last queue has been closed, the deadly ones are deadly again.
func TestStorm(t *testing.T) {
	testutil.NoLeaks(t)
	const all = 100_000
	for last, n := range map[syscall.Signal]int{
		syscall.SIGTERM: testutil.Times(all), syscall.SIGINT: testutil.Times(all / 20), syscall.SIGHUP: testutil.Times(all / 20),
	} {
		t.Run(fmt.Sprint(last), func(t *testing.T) {
			t.Parallel()
			child := testutil.Self(t, "storm", strconv.Itoa(n), strconv.Itoa(int(last)))
			const want = "wrong: 0\ncalm: <nil>\n"
			if said := child.EndedBy(last); said != want {
				t.Errorf("after %d signals it said %q", n, said)
			}
		})
	}
}
