package signal_test

import (
	"context"
	"errors"
	"io"
	"os"
	ossignal "os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/curiotest"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/signal"
)

var background = context.Background()

// What has arrived is kept, each kind once, in order; a task that waits gets the next one.
func TestQueue(t *testing.T) {
	testutil.NoLeaks(t)
	q := signal.NewQueue(syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGUSR1)
	defer q.Close()
	if _, err := q.TryGet(); err != curio.ErrQueueEmpty {
		t.Errorf("of an empty queue: %v", err)
	}
	later := signal.NewQueue(syscall.SIGUSR1, syscall.SIGUSR2) // which is told after q
	defer later.Close()
	for _, sig := range []syscall.Signal{syscall.SIGUSR2, syscall.SIGUSR1, syscall.SIGUSR2} {
		raise(sig)
		if got, err := later.Get(background); got != sig || err != nil {
			t.Errorf("%v, %v", got, err)
		}
	}
	if got := q.String(); got != "signal.Queue(SIGUSR1, SIGUSR2; arrived: SIGUSR2, SIGUSR1)" {
		t.Errorf("it is %s", got)
	}
	for _, want := range []os.Signal{syscall.SIGUSR2, syscall.SIGUSR1} {
		if sig, err := q.Get(background); sig != want || err != nil {
			t.Errorf("%v, %v, want %v", sig, err, want)
		}
	}
	task := curio.Spawn(background, q.Get)
	testutil.Await(t, "a waiting task", func() bool { return task.State() == "SIGNAL_GET" })
	if s := q.Snapshot(); len(s.Waiters) != 1 || s.Waiters[0].Op != "SIGNAL_GET" {
		t.Errorf("waiting: %v", s)
	}
	raise(syscall.SIGUSR1)
	if sig, err := task.Join(background); sig != syscall.SIGUSR1 || err != nil {
		t.Errorf("%v, %v", sig, err)
	}
}

// A Get that is cancelled has taken nothing.
func TestGetEnds(t *testing.T) {
	testutil.NoLeaks(t)
	q := signal.NewQueue(syscall.SIGUSR1)
	defer q.Close()
	err := curio.TimeoutAfter(background, time.Millisecond, func(ctx context.Context) error {
		_, err := q.Get(ctx)
		return err
	})
	if !errors.Is(err, curio.ErrTaskTimeout) {
		t.Errorf("%v", err)
	}
	cancelled, cancel := context.WithCancel(background)
	cancel()
	raise(syscall.SIGUSR1)
	if _, err := q.Get(cancelled); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if sig, err := q.Get(background); sig != syscall.SIGUSR1 || err != nil {
		t.Errorf("%v, %v", sig, err)
	}
}

// Every queue and every channel of package os/signal gets each signal. When one of them leaves,
// the others stay.
func TestSideBySide(t *testing.T) {
	testutil.NoLeaks(t)
	one, two := signal.NewQueue(syscall.SIGUSR1), signal.NewQueue(syscall.SIGUSR1, syscall.SIGHUP)
	defer two.Close()
	foreign := make(chan os.Signal, 1)
	ossignal.Notify(foreign, syscall.SIGUSR1)
	defer ossignal.Stop(foreign)
	raise(syscall.SIGUSR1)
	for i, q := range []*signal.Queue{one, two} {
		if sig, err := q.Get(background); sig != syscall.SIGUSR1 || err != nil {
			t.Errorf("queue %d: %v, %v", i, sig, err)
		}
	}
	testutil.Receive(t, "package os/signal", foreign)
	one.Close()
	raise(syscall.SIGUSR1)
	if sig, err := two.Get(background); sig != syscall.SIGUSR1 || err != nil {
		t.Errorf("%v, %v", sig, err)
	}
	testutil.Receive(t, "package os/signal", foreign)
	if _, err := one.TryGet(); err != curio.ErrQueueClosed {
		t.Errorf("of the closed queue: %v", err)
	}
}

// What has arrived before Close can be taken; then the queue is closed, for those who wait too.
func TestClose(t *testing.T) {
	testutil.NoLeaks(t)
	q := signal.NewQueue(syscall.SIGUSR1)
	raise(syscall.SIGUSR1)
	testutil.Await(t, "the signal", func() bool { return strings.Contains(q.String(), "arrived") })
	q.Close()
	q.Close()
	if sig, err := q.Get(background); sig != syscall.SIGUSR1 || err != nil {
		t.Errorf("%v, %v", sig, err)
	}
	if _, err := q.Get(background); err != curio.ErrQueueClosed {
		t.Errorf("%v", err)
	}
	q = signal.NewQueue(syscall.SIGUSR1)
	task := curio.Spawn(background, q.Get)
	testutil.Await(t, "a waiting task", func() bool { return task.State() == "SIGNAL_GET" })
	q.Close()
	if _, err := task.Join(background); !errors.Is(err, curio.ErrQueueClosed) {
		t.Errorf("%v", err)
	}
	for range q.All(background) {
		t.Error("a closed queue yields")
	}
}

// An unread signal of one kind costs none of another kind.
func TestFloodOfAnother(t *testing.T) {
	testutil.NoLeaks(t)
	q := signal.NewQueue(syscall.SIGUSR1, syscall.SIGTERM)
	defer q.Close()
	for range 1000 {
		raise(syscall.SIGUSR1)
	}
	raise(syscall.SIGTERM)
	for raise(syscall.SIGUSR1); ; {
		sig, err := q.Get(background)
		if err != nil {
			t.Fatal(err)
		}
		if sig == syscall.SIGTERM {
			return
		}
	}
}

// A case of a Select takes one signal, and only if it is the one that takes effect.
func TestGetCase(t *testing.T) {
	testutil.NoLeaks(t)
	q := signal.NewQueue(syscall.SIGUSR1)
	var other curio.Event
	var got os.Signal
	cases := []curio.Case{q.GetCase(&got), other.WaitCase()}
	if _, err := curio.TrySelect(background, cases...); err != curio.ErrNotReady {
		t.Errorf("%v", err)
	}
	raise(syscall.SIGUSR1)
	if i, err := curio.Select(background, cases...); i != 0 || err != nil || got != syscall.SIGUSR1 {
		t.Errorf("%d, %v, %v", i, err, got)
	}
	other.Set()
	if i, err := curio.Select(background, cases...); i != 1 || err != nil {
		t.Errorf("%d, %v", i, err)
	}
	other.Clear()
	q.Close()
	if i, err := curio.Select(background, cases...); i != 0 || err != curio.ErrQueueClosed {
		t.Errorf("of a closed queue: %d, %v", i, err)
	}
	if i, err := curio.Select(background, q.GetCase(nil)); i != 0 || err != curio.ErrQueueClosed {
		t.Errorf("without a place: %d, %v", i, err)
	}
}

func TestAll(t *testing.T) {
	testutil.NoLeaks(t)
	q := signal.NewQueue(syscall.SIGUSR1, syscall.SIGUSR2)
	raise(syscall.SIGUSR1)
	var got []os.Signal
	for sig, err := range q.All(background) {
		if err != nil {
			t.Fatal(err)
		}
		if got = append(got, sig); len(got) == 2 {
			q.Close()
			continue
		}
		raise(syscall.SIGUSR2)
	}
	if !slices.Equal(got, []os.Signal{syscall.SIGUSR1, syscall.SIGUSR2}) {
		t.Errorf("%v", got)
	}
	q = signal.NewQueue(syscall.SIGUSR1)
	defer q.Close()
	cancelled, cancel := context.WithCancel(background)
	cancel()
	rounds := 0
	for _, err := range q.All(cancelled) {
		if rounds++; !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
	}
	if rounds != 1 {
		t.Errorf("%d rounds", rounds)
	}
}

type odd struct{}

func (odd) Signal()        {}
func (odd) String() string { return "odd" }

// What can never arrive is refused at once.
func TestSignalsThatCannotBeCaught(t *testing.T) {
	for _, sig := range []os.Signal{
		syscall.SIGKILL, syscall.SIGSTOP, syscall.SIGSEGV, syscall.SIGBUS, syscall.SIGFPE,
		syscall.Signal(0), syscall.Signal(-1), syscall.Signal(32), syscall.Signal(33), syscall.Signal(1000),
		odd{},
		nil,
	} {
		panics(t, "NewQueue", func() { signal.NewQueue(syscall.SIGUSR1, sig) })
		panics(t, "NewEvent", func() { signal.NewEvent(sig) })
		panics(t, "Ignore", func() { signal.Ignore(sig) })
	}
	panics(t, "without a signal", func() { signal.NewQueue() })
	panics(t, "without a signal", func() { signal.NewEvent() })
	panics(t, "without a signal", func() { signal.Ignore() })
	panics(t, "nothing by default", func() { signal.Ignore(syscall.SIGCHLD) })
	synctest.Test(t, func(t *testing.T) {
		panics(t, "synctest", func() { signal.NewQueue(syscall.SIGUSR1) })
	})
}

// Every wait is cancelled, and loses nothing.
func TestEverywhere(t *testing.T) {
	curiotest.CancelEverywhere(t, func(ctx context.Context) error {
		q := signal.NewQueue(syscall.SIGUSR1)
		defer q.Close()
		e := signal.NewEvent(syscall.SIGUSR2)
		defer e.Close()
		raise(syscall.SIGUSR1)
		raise(syscall.SIGUSR2)
		if _, err := q.Get(ctx); err != nil {
			return err
		}
		raise(syscall.SIGUSR1)
		if _, err := curio.Select(ctx, q.GetCase(nil)); err != nil {
			return err
		}
		if err := e.Wait(ctx); err != nil {
			return err
		}
		if _, err := curio.Select(ctx, e.WaitCase()); err != nil {
			return err
		}
		raise(syscall.SIGUSR1)
		for _, err := range q.All(ctx) {
			return err
		}
		return curio.ErrQueueClosed
	})
}

// A signal that comes at the moment in which Get is cancelled is either returned, or still there.
func TestRaceSignalAndCancellation(t *testing.T) {
	testutil.NoLeaks(t)
	q := signal.NewQueue(syscall.SIGUSR1)
	defer q.Close()
	got, kept := 0, 0
	rounds := 3000
	if testing.Short() {
		rounds = 300
	}
	for range rounds {
		task := curio.Spawn(background, q.Get)
		var both sync.WaitGroup
		both.Go(func() { raise(syscall.SIGUSR1) })
		both.Go(func() { task.CancelNow() })
		both.Wait()
		switch sig, err := task.Join(background); {
		case err == nil && sig == syscall.SIGUSR1:
			got++
		case errors.Is(err, curio.ErrCancelled):
			if sig, err := q.Get(background); sig != syscall.SIGUSR1 || err != nil { // it may be on its way
				t.Fatalf("%v, %v", sig, err)
			}
			kept++
		default:
			t.Fatalf("%v, %v", sig, err)
		}
	}
	t.Logf("taken %d, kept %d", got, kept)
}

var _ io.Closer = (*signal.Queue)(nil)
