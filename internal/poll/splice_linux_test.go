package poll_test

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/curio-go/curio/internal/poll"
	"github.com/curio-go/curio/internal/wait"
)

// bytesThatTell returns n bytes of which each block tells where it is.
func bytesThatTell(n int) []byte {
	content := make([]byte, n)
	for i := range content {
		content[i] = byte(i ^ i>>8 ^ i>>16)
	}
	return content
}

// eachPoller runs test with pairs of each kind on each poller.
func eachPoller(t *testing.T, test func(t *testing.T, pair func(testing.TB) (a, b *poll.FD))) {
	for kind, pair := range map[string]func(testing.TB) (a, b *poll.FD){"unix": pair, "tcp": tcpPair} {
		t.Run(kind+"/ours", func(t *testing.T) { test(t, pair) })
		t.Run(kind+"/runtime", func(t *testing.T) { poll.OnTheRuntimes(t); test(t, pair) })
	}
	noPipes(t)
}

// noPipes waits until there are no pipes any more.
func noPipes(t testing.TB) {
	t.Helper()
	await(t, func() bool { runtime.GC(); return poll.Pipes() == 0 })
}

// filled is a pipe with data in it.
func filled(t testing.TB, data []byte) *poll.Pipe {
	t.Helper()
	a, b := pair(t)
	writing(t, a, data)
	p, err := b.SpliceIn(context.Background())
	check(t, err)
	if p == nil || p.Len() != len(data) {
		t.Fatalf("the pipe is %v", p)
	}
	return p
}

func writing(t testing.TB, to *poll.FD, data []byte) {
	t.Helper()
	n, err := to.WriteAll(context.Background(), data)
	check(t, err)
	if n != len(data) {
		t.Fatalf("%d written", n)
	}
}

// What goes into one socket comes out of another one, whoever waits for whom.
func TestSplice(t *testing.T) {
	eachPoller(t, func(t *testing.T, pair func(testing.TB) (a, b *poll.FD)) {
		client, src := pair(t)
		dst, server := pair(t)
		content := bytesThatTell(1<<20 + rand.IntN(1<<20))
		_, sent := in(t, func(ctx context.Context) error {
			for rest := content; len(rest) > 0; {
				n := min(1+rand.IntN(100_000), len(rest))
				if _, err := client.WriteAll(ctx, rest[:n]); err != nil {
					return err
				}
				rest = rest[n:]
			}
			return client.Close()
		})
		got := reading(t, server)
		var moved atomic.Int64
		_, spliced := in(t, func(ctx context.Context) error {
			for buf := make([]byte, 10); ; {
				p, err := src.SpliceIn(ctx)
				if err != nil {
					return err
				}
				if p == nil {
					n, err := src.Read(ctx, buf)
					if n > 0 {
						t.Error("it would not splice what it could")
					}
					return err
				}
				want := p.Len()
				n, err := dst.SpliceOut(ctx, p, &moved)
				if n != want || p.Len() != 0 || err != nil {
					t.Errorf("%d of %d, %v", n, want, err)
					return err
				}
				p.Release()
			}
		})
		check(t, sent())
		check(t, spliced())
		check(t, dst.Close())
		if g := got(); !bytes.Equal(g, content) || (moved.Load() == 0) != (len(content) == 0) {
			t.Errorf("%d received of %d, last at %d", len(g), len(content), moved.Load())
		}
	})
}

// One that waits for something to read has no pipe. It is cancelled, and ended by Close.
func TestSpliceInWaits(t *testing.T) {
	eachPoller(t, func(t *testing.T, pair func(testing.TB) (a, b *poll.FD)) {
		client, src := pair(t)
		splices := func(ctx context.Context) error { _, err := src.SpliceIn(ctx); return err }
		o, join := in(t, splices)
		await(t, parked(o))
		noPipes(t)
		cancel(o)
		want(t, join(), wait.ErrTaskCancelled)
		writing(t, client, []byte("kept"))
		p, err := src.SpliceIn(context.Background())
		check(t, err)
		data, err := p.Drain()
		check(t, err)
		p.Release()
		if string(data) != "kept" {
			t.Errorf("%q", data)
		}
		o, join = in(t, splices)
		await(t, parked(o))
		check(t, src.Close())
		want(t, join(), net.ErrClosed)
	})
}

// What was not moved is still in the pipe, and when something was moved is told as it goes.
func TestSpliceOutCutShort(t *testing.T) {
	eachPoller(t, func(t *testing.T, pair func(testing.TB) (a, b *poll.FD)) {
		for _, closes := range []bool{false, true} {
			content := bytesThatTell(100_000)
			p := filled(t, content)
			dst, server := pair(t)
			for f, option := range map[*poll.FD]int{dst: syscall.SO_SNDBUF, server: syscall.SO_RCVBUF} {
				check(t, f.Control(func(fd int) error {
					return syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, option, 8<<10)
				}))
			}
			for fill(t, dst) > 0 { // TCP moves on to the other side meanwhile
			}
			room := make([]byte, 10_000)
			filler := 0
			for filler < len(room) {
				n, err := server.Read(context.Background(), room[filler:])
				check(t, err)
				filler += n
			}
			var moved atomic.Int64
			var n int
			o, join := in(t, func(ctx context.Context) (err error) { n, err = dst.SpliceOut(ctx, p, &moved); return err })
			await(t, parked(o))
			if closes {
				check(t, dst.Close())
				want(t, join(), net.ErrClosed)
			} else {
				cancel(o)
				want(t, join(), wait.ErrTaskCancelled)
			}
			if (moved.Load() != 0) != (n > 0) {
				t.Errorf("%d moved, the last at %d", n, moved.Load())
			}
			rest, err := p.Drain()
			check(t, err)
			if !bytes.Equal(rest, content[n:]) || rest == nil {
				t.Errorf("%d moved, and %d left", n, len(rest))
			}
			p.Release()
		}
	})
}

// Where the system cannot, nothing is lost.
func TestSpliceNot(t *testing.T) {
	for _, errno := range []syscall.Errno{syscall.EINVAL, syscall.ENOSYS, syscall.EOPNOTSUPP, syscall.ECONNRESET} {
		p := filled(t, []byte("in the pipe"))
		client, src := pair(t)
		writing(t, client, []byte("in the socket"))
		system := poll.OnSplice(func(int, int, int) (int, syscall.Errno) { return 0, errno })
		says := error(poll.ErrNoSplice)
		if errno == syscall.ECONNRESET {
			says = errno
		}
		none, err := src.SpliceIn(context.Background())
		want(t, err, says)
		n, err := src.SpliceOut(context.Background(), p, nil)
		want(t, err, says)
		poll.OnSplice(system)
		rest, err := p.Drain()
		check(t, err)
		if none != nil || n != 0 || string(rest) != "in the pipe" {
			t.Errorf("%v, %d, %q", none, n, rest)
		}
		p.Release()
		buf := make([]byte, 100)
		n, err = src.Read(context.Background(), buf)
		check(t, err)
		if string(buf[:n]) != "in the socket" {
			t.Errorf("%q", buf[:n])
		}
	}
	p := filled(t, []byte("x"))
	a, _ := pair(t)
	system := poll.OnSplice(func(int, int, int) (int, syscall.Errno) { return 0, 0 })
	_, err := a.SpliceOut(context.Background(), p, nil)
	poll.OnSplice(system)
	want(t, err, io.ErrUnexpectedEOF)
	p.Release()
	noPipes(t)
}

// It does not sleep while a read would not, and does not take the mark of urgent data for the end.
func TestSpliceAtUrgentData(t *testing.T) {
	eachPoller(t, func(t *testing.T, _ func(testing.TB) (a, b *poll.FD)) {
		for _, ends := range []bool{false, true} {
			client, src := tcpPair(t)
			check(t, client.Control(func(fd int) error {
				return syscall.Sendto(fd, []byte("ab!"), syscall.MSG_OOB, nil) // ! is urgent
			}))
			writing(t, client, []byte("cd"))
			if ends {
				check(t, client.Control(func(fd int) error { return syscall.Shutdown(fd, syscall.SHUT_WR) }))
			}
			var got []byte
			for len(got) < 4 {
				p, err := src.SpliceIn(context.Background())
				check(t, err)
				if p != nil {
					data, err := p.Drain()
					check(t, err)
					p.Release()
					got = append(got, data...)
					continue
				}
				buf := make([]byte, 10)
				n, err := src.Read(context.Background(), buf)
				check(t, err)
				if n == 0 {
					break
				}
				got = append(got, buf[:n]...)
			}
			if string(got) != "abcd" {
				t.Errorf("%q", got)
			}
		}
	})
}

// There is a bound on pipes, and on descriptors. Without a pipe one can read.
func TestSpliceWithoutPipe(t *testing.T) {
	client, src := pair(t)
	writing(t, client, []byte("x"))
	none := func() {
		t.Helper()
		p, err := src.SpliceIn(context.Background())
		if p != nil || err != nil {
			t.Errorf("%v, %v", p, err)
		}
	}
	noPipes(t)
	withoutDescriptors(t, none)
	var all []*poll.Pipe
	for range poll.MaxPipes {
		if p := poll.TakePipe(); p != nil {
			all = append(all, p)
		}
	}
	none()
	for _, p := range all {
		p.Release()
	}
	if len(all) != poll.MaxPipes || poll.Pipes() != poll.MaxPipes {
		t.Errorf("%d pipes, of %d", len(all), poll.Pipes())
	}
	all = nil
	noPipes(t)
}

// A pipe that is given back with something in it is not used again.
func TestPipeIsEmpty(t *testing.T) {
	filled(t, []byte("secret")).Release()
	p := poll.TakePipe()
	if data, err := p.Drain(); len(data) > 0 || err != nil {
		t.Errorf("%q, %v", data, err)
	}
	p.Release()
	p = filled(t, []byte("x"))
	if data, err := p.Drain(); string(data) != "x" || err != nil {
		t.Errorf("%q, %v", data, err)
	}
	p.Release()
	noPipes(t)
}
