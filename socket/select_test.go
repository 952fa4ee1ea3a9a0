package socket_test

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/curiotest"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/socket"
)

// eachPoller runs body with sockets on each poller that there is: on the runtime's, as the first few of
// a process are, on ours, and in a bubble.
func eachPoller(t *testing.T, body func(t *testing.T, ctx context.Context)) {
	run := func(t *testing.T) {
		err := curio.Run(context.Background(), func(ctx context.Context) error { body(t, ctx); return nil })
		check(t, err)
	}
	t.Run("first few", func(t *testing.T) { testutil.NoLeaks(t); run(t) })
	t.Run("ours", func(t *testing.T) {
		testutil.NoLeaks(t)
		for range 4 {
			unixPair(t)
		}
		run(t)
	})
	t.Run("bubble", func(t *testing.T) { synctest.Test(t, run) })
}

// chosen is the error of a Select, of which only the case at index may take effect.
func chosen(t *testing.T, ctx context.Context, index int, cases ...curio.Case) error {
	t.Helper()
	i, err := curio.Select(ctx, cases...)
	if i != index {
		t.Errorf("case %d, %v", i, err)
	}
	return err
}

// waits runs a Select in a task, and returns when that waits.
func waits(t *testing.T, ctx context.Context, index int, cases ...curio.Case) *curio.Task[struct{}] {
	t.Helper()
	task := curio.Go(ctx, func(ctx context.Context) error { return chosen(t, ctx, index, cases...) }, curio.ReportCrash(false))
	await(t, func() bool { return task.State() == "SELECT" || task.Terminated() })
	return task
}

func TestSelectSockets(t *testing.T) {
	eachPoller(t, func(t *testing.T, ctx context.Context) {
		a, b := unixPair(t)
		q := new(curio.Queue[int])
		check(t, chosen(t, ctx, 1, q.GetCase(nil), a.WriteCase()))
		if i, err := curio.TrySelect(ctx, a.ReadCase()); i != -1 || err != curio.ErrNotReady {
			t.Errorf("nothing to receive: %d, %v", i, err)
		}
		task := waits(t, ctx, 1, q.GetCase(nil), a.ReadCase())
		exchangeLater(t, b)
		check(t, second(task.Join(ctx)))
		check(t, chosen(t, ctx, 0, a.ReadCase())) // it is still there
		exchangeNow(t, a)

		n := fill(t, a)
		task = waits(t, ctx, 0, a.WriteCase(), a.ReadCase())
		drain(t, b, n)
		check(t, second(task.Join(ctx)))

		task = waits(t, ctx, 1, q.GetCase(nil), a.ReadCase())
		check(t, b.Shutdown(socket.ShutWR))
		check(t, second(task.Join(ctx))) // the end of the stream

		l := listen(t, socket.AF_INET, localhost, 0)
		task = waits(t, ctx, 0, l.ReadCase())
		check(t, open(t, socket.AF_INET).Connect(ctx, l.LocalAddr())) // and nobody accepts it
		check(t, second(task.Join(ctx)))
	})
}

func exchangeLater(t *testing.T, b *socket.Socket) {
	t.Helper()
	check(t, second(b.SendAll(context.Background(), []byte("x"))))
}

func exchangeNow(t *testing.T, a *socket.Socket) {
	t.Helper()
	n, err := a.Recv(context.Background(), make([]byte, 1))
	check(t, err)
	if n != 1 {
		t.Errorf("%d bytes", n)
	}
}

// A socket that has been closed, or is while a Select waits, or never was one, is an outcome.
func TestSelectOfAClosedSocket(t *testing.T) {
	eachPoller(t, func(t *testing.T, ctx context.Context) {
		for name, of := range map[string]func(*socket.Socket) curio.Case{"read": (*socket.Socket).ReadCase, "write": (*socket.Socket).WriteCase} {
			a, _ := unixPair(t)
			fill(t, a)
			tasks := []*curio.Task[struct{}]{waits(t, ctx, 0, of(a)), waits(t, ctx, 1, new(curio.Event).WaitCase(), of(a)), waits(t, ctx, 0, of(a), curio.ReceiveCase(make(chan int), nil))}
			check(t, a.Close())
			other, _ := unixPair(t) // which may have its number
			for _, task := range tasks {
				check(t, task.Wait(ctx))
				if err := task.Err(); !errors.Is(err, net.ErrClosed) {
					t.Errorf("%s, closed meanwhile: %v", name, err)
				}
			}
			for what, s := range map[string]*socket.Socket{"closed": a, "zero": new(socket.Socket), "nil": nil} {
				err := chosen(t, ctx, 0, of(s))
				var op *net.OpError
				if !errors.As(err, &op) || op.Op != "wait" || what == "closed" && !errors.Is(err, net.ErrClosed) {
					t.Errorf("%s of a %s socket: %v", name, what, err)
				}
			}
			check(t, other.Close())
		}
	})
}

// All who watch are told, and so is a task that receives; the task gets what there is, and the others
// wait on.
func TestSelectBesideRecv(t *testing.T) {
	eachPoller(t, func(t *testing.T, ctx context.Context) {
		a, b := unixPair(t)
		recv := curio.Go(ctx, func(ctx context.Context) error { return second(a.Recv(ctx, make([]byte, 10))) })
		await(t, func() bool { return recv.State() == "READ_WAIT" })
		tasks := []*curio.Task[struct{}]{waits(t, ctx, 0, a.ReadCase()), waits(t, ctx, 0, a.ReadCase()), waits(t, ctx, 1, curio.Case{}, a.ReadCase())}
		exchangeLater(t, b)
		check(t, second(recv.Join(ctx)))
		for _, task := range tasks { // each may have been faster
			await(t, func() bool { return task.State() == "SELECT" || task.Terminated() })
		}
		exchangeLater(t, b)
		for _, task := range tasks {
			check(t, second(task.Join(ctx)))
		}
		exchangeNow(t, a)
	})
}

// Written to, received by somebody else, put into a queue, cancelled and closed at the same moment:
// exactly what Select says has happened, and nothing is left.
func TestRaceSelectSocket(t *testing.T) {
	eachPoller(t, func(t *testing.T, ctx context.Context) {
		rounds := 1500
		if testutil.Race {
			rounds = 300
		}
		a, b := unixPair(t)
		spin := func() {
			for range rand.IntN(4) {
				runtime.Gosched()
			}
		}
		for range rounds {
			q := new(curio.Queue[int])
			if rand.IntN(8) == 0 {
				check(t, errors.Join(a.Close(), b.Close()))
				a, b = unixPair(t)
			}
			closes := rand.IntN(8) == 0
			began := new(curio.Event)
			task := curio.Spawn(ctx, func(ctx context.Context) (int, error) {
				began.Set()
				return curio.Select(ctx, q.GetCase(nil), a.ReadCase())
			}, curio.ReportCrash(false))
			stolen := 0
			receive := func() int {
				n, err := a.RecvFlags(context.Background(), make([]byte, 10), socket.MSG_DONTWAIT)
				if err != nil && !errors.Is(err, syscall.EAGAIN) && !errors.Is(err, net.ErrClosed) {
					t.Error(err)
				}
				return max(n, 0)
			}
			var all sync.WaitGroup
			all.Go(func() { spin(); _, _ = b.SendAll(context.Background(), []byte("x")) })
			all.Go(func() { spin(); stolen = receive() })
			all.Go(func() { spin(); check(t, q.Put(ctx, 1)) })
			all.Go(func() {
				if spin(); rand.IntN(3) == 0 {
					task.CancelNow()
				}
			})
			all.Go(func() {
				if spin(); closes {
					check(t, a.Close())
				}
			})
			all.Wait()
			i, err := task.Join(ctx)
			taken := q.Len() == 0
			ok := err == nil || errors.Is(err, curio.ErrTaskCancelled) || closes && errors.Is(err, net.ErrClosed)
			if taken != (err == nil && i == 0) || !ok {
				t.Fatalf("case %d, %v: the item was taken: %v", i, err, taken)
			}
			if closes {
				check(t, b.Close())
				a, b = unixPair(t)
			} else if n := stolen + receive(); n != 1 {
				t.Fatalf("%d bytes have come", n)
			}
			if w := a.Snapshot().Waiters; len(w) > 0 {
				t.Fatalf("there still wait %v", w)
			}
		}
	})
}

// Something comes, or the socket is closed, in the moment in which a Select begins to wait, and nothing
// else will wake it.
func TestRaceSelectSocketAlone(t *testing.T) {
	eachPoller(t, func(t *testing.T, ctx context.Context) {
		rounds := 1500
		if testutil.Race {
			rounds = 300
		}
		a, b := unixPair(t)
		for round := range rounds {
			began := make(chan struct{})
			task := curio.Spawn(ctx, func(ctx context.Context) (int, error) {
				close(began)
				return curio.Select(ctx, a.ReadCase())
			}, curio.ReportCrash(false))
			<-began
			for range rand.IntN(200) {
				_ = a.FD() // a little time
			}
			if round%2 == 0 {
				exchangeLater(t, b)
				check(t, second(task.Join(ctx)))
				exchangeNow(t, a)
				continue
			}
			check(t, errors.Join(a.Close(), b.Close()))
			check(t, task.Wait(ctx))
			if !errors.Is(task.Err(), net.ErrClosed) {
				t.Fatal(task.Err())
			}
			a, b = unixPair(t)
		}
	})
}

// A Select costs a socket none of its shortcuts, and leaves none of its waits unwoken.
func TestSelectKeepsShortcuts(t *testing.T) {
	eachPoller(t, func(t *testing.T, ctx context.Context) {
		a, b := tcpPair(t)
		before := isPlain(a)
		for range 20 {
			task := waits(t, ctx, 0, a.ReadCase())
			exchangeLater(t, b)
			check(t, second(task.Join(ctx)))
			exchangeNow(t, a)
			recv := curio.Go(ctx, func(ctx context.Context) error { return second(a.Recv(ctx, make([]byte, 10))) })
			await(t, func() bool { return recv.State() == "READ_WAIT" })
			exchangeLater(t, b)
			check(t, second(recv.Join(ctx)))
		}
		if isPlain(a) != before {
			t.Error("it trusts a short receive no more")
		}
	})
}

// Cancelled at each of its waits.
func TestEverywhereSelect(t *testing.T) {
	curiotest.CancelEverywhere(t, func(ctx context.Context) error {
		a, b, err := socket.SocketPair(socket.SOCK_STREAM)
		if err != nil {
			return err
		}
		defer a.Close()
		defer b.Close()
		stop := new(curio.Event)
		return both(ctx, func(ctx context.Context) error {
			for range 2 {
				i, err := curio.Select(ctx, stop.WaitCase(), a.ReadCase())
				if err != nil || i != 1 {
					return err
				}
				if _, err := a.Recv(ctx, make([]byte, 1)); err != nil {
					return err
				}
			}
			stop.Set()
			return nil
		}, func(ctx context.Context) error {
			for range 2 {
				if _, err := curio.Select(ctx, new(curio.Event).WaitCase(), b.WriteCase()); err != nil {
					return err
				}
				if _, err := b.Send(ctx, []byte("x")); err != nil {
					return err
				}
			}
			return stop.Wait(ctx)
		})
	})
}

// Where a watch costs a descriptor and there is none, the case fails. It does not look again and again.
func TestReadCaseWithoutDescriptors(t *testing.T) {
	if runtime.GOMAXPROCS(0) == 1 {
		t.Skip("all sockets are on our poller")
	}
	testutil.NoLeaks(t)
	a, _ := unixPair(t)
	release := exhaust(t)
	err := curio.TimeoutAfter(context.Background(), time.Second, func(ctx context.Context) error {
		return chosen(t, ctx, 0, a.ReadCase())
	})
	release()
	want(t, err, syscall.EMFILE)
}

// A socket tells who waits for it, and in which operation.
func TestSocketSnapshot(t *testing.T) {
	eachPoller(t, func(t *testing.T, ctx context.Context) {
		a, b := unixPair(t)
		if s := a.Snapshot(); len(s.Holders)+len(s.Waiters) > 0 {
			t.Errorf("%+v", s)
		}
		n := fill(t, a)
		recv := func(ctx context.Context) error { return second(a.Recv(ctx, make([]byte, 1))) }
		send := func(ctx context.Context) error { return second(a.SendAll(ctx, make([]byte, 1))) }
		var tasks []*curio.Task[struct{}]
		for _, c := range []struct {
			op    func(ctx context.Context) error
			state string
		}{{recv, "READ_WAIT"}, {recv, "READ_TURN"}, {recv, "READ_TURN"}, {send, "WRITE_WAIT"}, {send, "WRITE_TURN"}} {
			task := curio.Go(ctx, c.op)
			await(t, func() bool { return task.State() == c.state })
			tasks = append(tasks, task)
		}
		selects := waits(t, ctx, -1, a.ReadCase())
		want := []curio.Waiter{
			{Task: tasks[0].AnyTask, Op: "READ_WAIT"},
			{Task: selects.AnyTask, Op: "READ_WAIT"},
			{Task: tasks[1].AnyTask, Op: "READ_TURN"},
			{Task: tasks[2].AnyTask, Op: "READ_TURN"},
			{Task: tasks[3].AnyTask, Op: "WRITE_WAIT"},
			{Task: tasks[4].AnyTask, Op: "WRITE_TURN"},
		}
		if s := a.Snapshot(); len(s.Holders) > 0 || !slices.Equal(s.Waiters, want) {
			t.Errorf("%+v, want %+v", s, want)
		}
		selects.CancelNow()
		check(t, selects.Wait(ctx))
		drain(t, b, n)
		check(t, second(b.SendAll(ctx, []byte("abc"))))
		for _, task := range tasks {
			check(t, second(task.Join(ctx)))
		}
		// A goroutine of no task has none.
		done := make(chan error, 1)
		outside, end := context.WithCancel(context.Background())
		go func() { done <- a.WaitRead(outside) }()
		await(t, func() bool { w := a.Snapshot().Waiters; return len(w) == 1 && w[0] == curio.Waiter{Op: "READ_WAIT"} })
		end()
		<-done
		check(t, a.Close())
		for _, s := range []*socket.Socket{a, nil, new(socket.Socket)} {
			if s := s.Snapshot(); len(s.Waiters) > 0 {
				t.Errorf("%+v", s)
			}
		}
	})
}

// What a closed socket tells is not about another one, which has got its number.
func TestSnapshotOfAClosedSocket(t *testing.T) {
	eachPoller(t, func(t *testing.T, ctx context.Context) {
		old, peer := unixPair(t)
		check(t, old.Close())
		check(t, peer.Close())
		a, b := unixPair(t)
		var tasks []*curio.Task[struct{}]
		for _, s := range []*socket.Socket{a, b} {
			tasks = append(tasks, curio.Go(ctx, s.WaitRead), waits(t, ctx, -1, s.ReadCase()))
			await(t, func() bool { return len(s.Snapshot().Waiters) == 2 })
		}
		if w := slices.Concat(old.Snapshot().Waiters, peer.Snapshot().Waiters); len(w) > 0 {
			t.Errorf("%+v", w)
		}
		for _, task := range tasks {
			_, _ = task.Cancel(ctx)
		}
	})
}

// Whoever looks meets no waiter that is already something else.
func TestRaceSocketSnapshot(t *testing.T) {
	eachPoller(t, func(t *testing.T, ctx context.Context) {
		a, b := unixPair(t)
		var tasks []*curio.Task[struct{}]
		for range 2 {
			tasks = append(tasks, curio.Go(ctx, func(ctx context.Context) error {
				for { // to the end, as unread bytes would hold the sender up
					if _, err := a.Recv(ctx, make([]byte, 1)); err == io.EOF {
						return nil
					} else if err != nil {
						return err
					}
				}
			}, curio.Name("mine")))
		}
		for range 300 {
			exchangeLater(t, b)
			for _, w := range a.Snapshot().Waiters {
				if w.Task == nil || w.Task.Name() != "mine" || w.Op != "READ_WAIT" && w.Op != "READ_TURN" {
					t.Fatalf("%+v", w)
				}
			}
		}
		check(t, b.CloseWrite(ctx))
		for _, task := range tasks {
			check(t, second(task.Join(ctx)))
		}
	})
}
