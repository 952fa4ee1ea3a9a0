package network_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
)

// A bounded is what deadlines and Close end: an adapter.
type bounded interface {
	SetDeadline(t time.Time) error
	Close() error
}

// A waiting operation is one of an adapter's, which waits in that state. begin makes it in
// a task; works checks that it succeeds after all.
type waitingOp struct {
	op, state string
	begin     func(ctx context.Context, t *testing.T) (on bounded, op func() error, works func())
}

var waitingOps = []waitingOp{
	{"read", "READ_WAIT", func(ctx context.Context, t *testing.T) (bounded, func() error, func()) {
		a, b := netPair(ctx, t)
		read := func() error {
			_, err := a.Read(make([]byte, 1))
			return err
		}
		return a, read, func() {
			if _, err := b.Write([]byte("x")); err != nil {
				t.Error(err)
			}
			if err := read(); err != nil {
				t.Error(err)
			}
		}
	}},
	{"write", "WRITE_WAIT", func(ctx context.Context, t *testing.T) (bounded, func() error, func()) {
		a, b := netPair(ctx, t)
		full := fillUp(t, a.(syscall.Conn))
		write := func() error {
			_, err := a.Write(make([]byte, 1<<20))
			return err
		}
		return a, write, func() {
			drained := make(chan struct{})
			go func() {
				defer close(drained)
				drain(t, b, full+1<<20)
			}()
			if err := write(); err != nil {
				t.Error(err)
			}
			testutil.Receive(t, "end of the stream", drained)
		}
	}},
	{"accept", "ACCEPT_WAIT", func(ctx context.Context, t *testing.T) (bounded, func() error, func()) {
		listener := network.NetListener(ctx, listen(t, "127.0.0.1:0", nil))
		accept := func() error {
			conn, err := listener.Accept()
			if err == nil {
				conn.Close()
			}
			return err
		}
		return listener.(bounded), accept, func() {
			testutil.Dial(t, listener.Addr().String())
			if err := accept(); err != nil {
				t.Error(err)
			}
		}
	}},
}

// A netEnding is a way in which an adapter's operations end. before is done first, during
// while one waits.
type netEnding struct {
	name           string
	before, during func(on bounded) error
	want           error
}

var netEndings = []netEnding{
	{"deadline passed before", func(on bounded) error { return on.SetDeadline(longAgo) }, nil, os.ErrDeadlineExceeded},
	{"deadline", func(on bounded) error { return on.SetDeadline(time.Now().Add(short)) }, nil, os.ErrDeadlineExceeded},
	{"deadline passed while waiting", nil, func(on bounded) error { return on.SetDeadline(longAgo) }, os.ErrDeadlineExceeded},
	{"deadline while waiting", nil, func(on bounded) error { return on.SetDeadline(time.Now().Add(short)) }, os.ErrDeadlineExceeded},
	{"earlier deadline while waiting", func(on bounded) error { return on.SetDeadline(farAhead) }, func(on bounded) error {
		return on.SetDeadline(time.Now().Add(short))
	}, os.ErrDeadlineExceeded},
	{"deadline that moves on", func(on bounded) error {
		return errors.Join(on.SetDeadline(time.Now().Add(short)), on.SetDeadline(time.Now().Add(2*short)))
	}, nil, os.ErrDeadlineExceeded},
	{"closed before", bounded.Close, nil, net.ErrClosed},
	{"closed while waiting", nil, bounded.Close, net.ErrClosed},
}

// Each operation of an adapter, ended in each way that package net has; and the adapter is
// as usable as before unless it was closed. The contexts are those of TestEndings.
func TestNetEndings(t *testing.T) {
	for _, o := range waitingOps {
		for _, e := range netEndings {
			t.Run(o.op+"/"+e.name, func(t *testing.T) { endsAsInNet(t, o, e) })
		}
	}
}

func endsAsInNet(t *testing.T, o waitingOp, e netEnding) {
	testutil.NoLeaks(t)
	type made struct {
		on    bounded
		works func()
	}
	ready, checked := make(chan made, 1), make(chan struct{})
	var err error
	task := curio.Go(context.Background(), func(ctx context.Context) error {
		on, op, works := o.begin(ctx, t)
		if e.before != nil {
			if err := e.before(on); err != nil {
				return err
			}
		}
		ready <- made{on, works}
		err = op()
		ready <- made{}
		<-checked
		return nil
	})
	m := testutil.Receive(t, "adapter", ready)
	if e.during != nil {
		testutil.Await(t, "wait", func() bool { return task.State() == o.state })
		must(t, e.during(m.on))
	}
	testutil.Receive(t, "end of the operation", ready)
	is(t, err, e.want)
	isOp(t, o.op, err)
	if e.want == net.ErrClosed {
		is(t, m.on.SetDeadline(time.Time{}), net.ErrClosed)
		is(t, m.on.Close(), net.ErrClosed)
	} else {
		isDeadline(t, o.op, err)
		must(t, m.on.SetDeadline(farAhead))
		m.works()
	}
	close(checked)
	must(t, end(t, task))
	_ = m.on.Close()
}

// A deadline that is moved while an operation waits does not touch that.
func TestMovingADeadlineLeavesTheOperationAlone(t *testing.T) {
	testutil.NoLeaks(t)
	x, y := twoSockets(t)
	counting := &counting{Conn: x}
	a, b := network.NetConn(t.Context(), counting), network.NetConn(t.Context(), y)
	done := make(chan error, 1)
	go func() {
		_, err := a.Read(make([]byte, 1))
		done <- err
	}()
	for i := range 1000 {
		must(t, a.SetReadDeadline(time.Now().Add(time.Duration(1+i%5)*time.Hour)))
		must(t, a.SetReadDeadline(time.Time{}))
	}
	if _, err := b.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	must(t, testutil.Receive(t, "read", done))
	if counting.recvs != 1 {
		t.Errorf("one Read has called Recv %d times", counting.recvs)
	}
}

// A counting Conn counts its Recvs.
type counting struct {
	network.Conn
	recvs int
}

func (c *counting) Recv(ctx context.Context, buf []byte) (int, error) {
	c.recvs++
	return c.Conn.Recv(ctx, buf)
}

// The deadlines of the two directions have nothing to do with each other.
func TestDeadlinesOfOneDirection(t *testing.T) {
	testutil.NoLeaks(t)
	a, b := netPair(t.Context(), t)
	must(t, a.SetReadDeadline(longAgo))
	if _, err := a.Write([]byte("x")); err != nil {
		t.Error(err)
	}
	must(t, b.SetWriteDeadline(longAgo))
	if _, err := b.Read(make([]byte, 1)); err != nil {
		t.Error(err)
	}
	_, err := a.Read(make([]byte, 1))
	isDeadline(t, "read", err)
	n, err := b.Write([]byte("x"))
	isDeadline(t, "write", err)
	if n != 0 {
		t.Errorf("%d bytes were written after the deadline", n)
	}
}

// A deadline that has passed counts although there is something to read, and what there
// is stays.
func TestPassedDeadlineLosesNothing(t *testing.T) {
	testutil.NoLeaks(t)
	a, b := netPair(t.Context(), t)
	for i := range 100 {
		if _, err := b.Write([]byte{byte(i)}); err != nil {
			t.Fatal(err)
		}
		must(t, a.SetReadDeadline(longAgo))
		_, err := a.Read(make([]byte, 1))
		isDeadline(t, "read", err)
		must(t, a.SetReadDeadline(time.Time{}))
		buf := make([]byte, 2)
		if n, err := a.Read(buf); n != 1 || err != nil || buf[0] != byte(i) {
			t.Fatalf("%d: %d, %v, %v", i, n, err, buf)
		}
	}
}

// The moment that net/http lives in: a Read is thrown out by a deadline in the past, which
// is taken back at once. Whatever the Read made of that, no byte is lost or late.
func TestRaceReadAndDeadlines(t *testing.T) {
	testutil.NoLeaks(t)
	a, b := netPair(t.Context(), t)
	read := make(chan byte)
	var reader sync.WaitGroup
	reader.Go(func() {
		defer close(read)
		for buf := make([]byte, 1); ; {
			n, err := a.Read(buf)
			switch {
			case n == 1 && err == nil:
				read <- buf[0]
			case err == io.EOF:
				return
			case n != 0 || !errors.Is(err, os.ErrDeadlineExceeded):
				t.Errorf("%d, %v", n, err)
				return
			}
		}
	})
	for i := range rounds(5000) {
		must(t, a.SetReadDeadline(longAgo))
		if i%3 == 0 {
			must(t, a.SetReadDeadline(time.Now().Add(time.Duration(i%40)*time.Microsecond)))
		}
		must(t, a.SetReadDeadline([]time.Time{{}, farAhead}[i%2]))
		if _, err := b.Write([]byte{byte(i)}); err != nil {
			t.Fatal(err)
		}
		if got := testutil.Receive(t, "byte", read); got != byte(i) {
			t.Fatalf("%d came, not %d", got, i)
		}
	}
	must(t, b.Close())
	reader.Wait()
}

// The last deadline counts, whatever else was going on: a Read that waits under it ends.
func TestRaceLastDeadlineCounts(t *testing.T) {
	testutil.NoLeaks(t)
	for i := range rounds(500) {
		x, y := twoSockets(t)
		a := network.NetConn(t.Context(), x)
		read := make(chan error, 1)
		go func() {
			for {
				_, err := a.Read(make([]byte, 1))
				if err != nil {
					read <- err
					return
				}
			}
		}()
		must(t, a.SetReadDeadline(farAhead))
		must(t, a.SetReadDeadline(time.Now().Add(time.Duration(i%100)*time.Microsecond)))
		isDeadline(t, "read", testutil.Receive(t, "deadline", read))
		must(t, errors.Join(a.Close(), y.Close()))
	}
}

// A deadline that has passed ends what waits under it, even if it is moved on at the same time.
func TestRaceDeadlinesAgainstEachOther(t *testing.T) {
	testutil.NoLeaks(t)
	a, _ := netPair(t.Context(), t)
	for range rounds(3000) {
		must(t, a.SetDeadline(farAhead))
		read := make(chan error, 1)
		go func() { _, err := a.Read(make([]byte, 1)); read <- err }()
		runtime.Gosched() // it may wait by now, or not
		var setting sync.WaitGroup
		setting.Go(func() {
			for range 20 {
				must(t, a.SetDeadline(farAhead))
			}
		})
		for range 5 {
			must(t, a.SetDeadline(longAgo))
		}
		setting.Wait()
		must(t, a.SetDeadline(longAgo))
		isDeadline(t, "read", testutil.Receive(t, "deadline", read))
	}
}

// Something that ends both directions has ended both by the time that an operation in one
// of them fails.
func TestRaceOneEndForBothDirections(t *testing.T) {
	testutil.NoLeaks(t)
	for _, c := range []struct {
		name string
		end  func(conn net.Conn, round int) error
		want error
	}{
		{"a deadline that has passed", func(conn net.Conn, _ int) error { return conn.SetDeadline(longAgo) }, os.ErrDeadlineExceeded},
		{"a deadline that comes", func(conn net.Conn, round int) error {
			return conn.SetDeadline(time.Now().Add(time.Duration(round%100) * time.Microsecond))
		}, os.ErrDeadlineExceeded},
		{"FromConn", func(conn net.Conn, _ int) error { network.FromConn(conn); return nil }, net.ErrClosed},
	} {
		t.Run(c.name, func(t *testing.T) {
			for i := range rounds(1000) {
				x, y := twoSockets(t)
				conn := network.NetConn(t.Context(), x)
				written := make(chan error, 1)
				go func() {
					_, err := conn.Read(make([]byte, 1))
					if errors.Is(err, c.want) {
						_, err = conn.Write([]byte("x"))
					}
					written <- err
				}()
				must(t, c.end(conn, i))
				is(t, testutil.Receive(t, "end", written), c.want)
				must(t, errors.Join(x.Close(), y.Close()))
			}
		})
	}
}

// Close, deadlines, reading and writing all at once: everybody gets out, with one of the
// errors there are.
func TestRaceCloseAndEverything(t *testing.T) {
	testutil.NoLeaks(t)
	for i := range rounds(300) {
		x, y := twoSockets(t)
		ctx, cancel := context.WithCancel(context.Background())
		a := network.NetConn(ctx, x)
		var all sync.WaitGroup
		until := func(op func() error) {
			all.Go(func() {
				for {
					err := op()
					switch {
					case errors.Is(err, net.ErrClosed), errors.Is(err, context.Canceled):
						return
					case err != nil && !errors.Is(err, os.ErrDeadlineExceeded):
						t.Error(err)
						return
					}
				}
			})
		}
		for range 2 {
			until(func() error { _, err := a.Read(make([]byte, 1)); return err })
			until(func() error { _, err := a.Write(make([]byte, 100_000)); return err })
		}
		until(func() error { return a.SetDeadline(longAgo) })
		until(func() error { return a.SetReadDeadline(time.Now().Add(time.Microsecond)) })
		until(func() error { return a.SetDeadline(time.Time{}) })
		all.Go(func() { _ = a.LocalAddr() })
		if i%2 == 0 {
			all.Go(cancel)
		}
		all.Go(func() { must(t, a.Close()) })
		all.Wait()
		cancel()
		must(t, y.Close())
	}
}

// Setting deadlines and reading costs no allocation, as long as none passes.
func TestDeadlinesDoNotAllocate(t *testing.T) {
	if testutil.Race {
		t.Skip("the race detector allocates")
	}
	a, b := netPair(t.Context(), t)
	buf := make([]byte, 1)
	n := testing.AllocsPerRun(100, func() {
		_ = a.SetReadDeadline(time.Now().Add(time.Hour))
		_, _ = b.Write(buf)
		_, _ = a.Read(buf)
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// rounds is how often a race is tried.
func rounds(n int) int {
	if testutil.Race {
		n /= 5
	}
	return testutil.Times(n)
}
