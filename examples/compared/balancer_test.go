package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/curio-go/curio/examples/compared/balancer"
	"github.com/curio-go/curio/internal/testutil"
)

type balancerServer = func(context.Context, string, balancer.Settings, func(net.Addr)) error

// A backend says its name, and then sends everything back, until the client has ended.
type backend struct {
	addr  string
	name  string
	close func()
}

func newBackend(t *testing.T, name, addr string) *backend {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	var conns sync.WaitGroup
	conns.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conns.Go(func() {
				defer conn.Close()
				fmt.Fprintln(conn, name)
				io.Copy(conn, conn)
			})
		}
	})
	b := &backend{l.Addr().String(), name, sync.OnceFunc(func() { l.Close() })}
	t.Cleanup(func() {
		b.close()
		conns.Wait()
	})
	return b
}

func behind(settings balancer.Settings, backends ...*backend) balancer.Settings {
	for _, b := range backends {
		settings.Backends = append(settings.Backends, &balancer.Backend{Addr: b.addr})
	}
	return settings
}

// A visitor is connected with a backend, unless name is "".
type visitor struct {
	t    *testing.T
	conn *net.TCPConn
	in   *bufio.Reader
	name string
}

func visits(t *testing.T, addr string) *visitor {
	t.Helper()
	conn := testutil.Dial(t, addr).(*net.TCPConn)
	v := &visitor{t, conn, bufio.NewReader(conn), ""}
	if name, err := v.in.ReadString('\n'); err == nil {
		v.name = name[:len(name)-1]
	}
	return v
}

func (v *visitor) echoes(text string) {
	v.t.Helper()
	if err := v.tries(text); err != nil {
		v.t.Fatal(err)
	}
}

// tries is echoes for a visitor that may have been cut off.
func (v *visitor) tries(text string) error {
	if _, err := io.WriteString(v.conn, text+"\n"); err != nil {
		return err
	}
	if got, err := v.in.ReadString('\n'); err != nil || got != text+"\n" {
		return fmt.Errorf("%q came back, and not %q: %w", got, text, err)
	}
	return nil
}

// gets waits until new visitors get all of some backends, and no other.
func gets(t *testing.T, addr string, names ...string) {
	t.Helper()
	testutil.Await(t, fmt.Sprint("visitors of ", names), func() bool {
		seen := map[string]int{}
		var all []*visitor
		for range 2 * len(names) {
			v := visits(t, addr)
			all = append(all, v)
			seen[v.name]++
		}
		for _, v := range all {
			v.conn.Close()
		}
		for _, name := range names {
			if seen[name] == 0 {
				return false
			}
		}
		return len(seen) == len(names)
	})
}

func TestBalancer(t *testing.T) {
	settings := balancer.Default
	settings.Interval = 10 * time.Millisecond
	versions(t, balancer.ServeCurio, balancer.ServeStd, func(t *testing.T, program balancerServer) {
		a, b := newBackend(t, "a", "127.0.0.1:0"), newBackend(t, "b", "127.0.0.1:0")
		addr := serve(t, program, behind(settings, a, b)).addr
		gets(t, addr, "a", "b")
		a.close()
		gets(t, addr, "b")
		b.close()
		gets(t, addr, "") // the connection is closed
		newBackend(t, "a again", a.addr)
		gets(t, addr, "a again")
	})
}

// Between two checks, a backend that is down costs its clients nothing.
func TestBalancerFailsOver(t *testing.T) {
	settings := balancer.Default
	settings.Interval = time.Hour
	versions(t, balancer.ServeCurio, balancer.ServeStd, func(t *testing.T, program balancerServer) {
		a, b := newBackend(t, "a", "127.0.0.1:0"), newBackend(t, "b", "127.0.0.1:0")
		addr := serve(t, program, behind(settings, a, b)).addr
		gets(t, addr, "a", "b")
		a.close()
		for range 4 {
			if v := visits(t, addr); v.name != "b" {
				t.Errorf("connected with %q", v.name)
			}
		}
	})
}

func TestBalancerPassesOn(t *testing.T) {
	versions(t, balancer.ServeCurio, balancer.ServeStd, func(t *testing.T, program balancerServer) {
		addr := serve(t, program, behind(balancer.Default, newBackend(t, "a", "127.0.0.1:0"))).addr
		gets(t, addr, "a")
		v := visits(t, addr)
		v.echoes("hello")
		sent := testutil.Pattern(1, 1<<20)
		go func() {
			v.conn.Write(sent)
			v.conn.CloseWrite() // what comes back after that still arrives
		}()
		got, err := io.ReadAll(v.in)
		if err != nil || string(got) != string(sent) {
			t.Errorf("%d bytes came back of %d, %v", len(got), len(sent), err)
		}
	})
}

func TestBalancerIdle(t *testing.T) {
	settings := balancer.Default
	settings.Idle = 500 * time.Millisecond
	versions(t, balancer.ServeCurio, balancer.ServeStd, func(t *testing.T, program balancerServer) {
		addr := serve(t, program, behind(settings, newBackend(t, "a", "127.0.0.1:0"))).addr
		gets(t, addr, "a")
		var v *visitor
		testutil.Await(t, "a visitor that is never silent for long", func() bool {
			v = visits(t, addr)
			for began, last := time.Now(), time.Now(); time.Since(began) < 2*settings.Idle; last = time.Now() {
				time.Sleep(settings.Idle / 10)
				err := v.tries("still here")
				if time.Since(last) > settings.Idle/2 { // the machine was too busy for it to count
					return false
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			return true
		})
		if rest, err := io.ReadAll(v.in); err != nil || len(rest) > 0 {
			t.Errorf("%q, %v, want the end", rest, err)
		}
	})
}

func TestBalancerStops(t *testing.T) {
	versions(t, balancer.ServeCurio, balancer.ServeStd, func(t *testing.T, program balancerServer) {
		s := serve(t, program, behind(balancer.Default, newBackend(t, "a", "127.0.0.1:0")))
		gets(t, s.addr, "a")
		v := visits(t, s.addr)
		s.stop()
		testutil.Await(t, "end of the listener", func() bool {
			conn, err := net.Dial("tcp", s.addr)
			if err == nil {
				conn.Close()
			}
			return err != nil
		})
		v.echoes("I am not done yet")
		v.conn.Close()
		s.mustEnd()
	})
}

func TestBalancerStopsInTime(t *testing.T) {
	settings := balancer.Default
	settings.Grace = 10 * time.Millisecond
	versions(t, balancer.ServeCurio, balancer.ServeStd, func(t *testing.T, program balancerServer) {
		s := serve(t, program, behind(settings, newBackend(t, "a", "127.0.0.1:0")))
		gets(t, s.addr, "a")
		v := visits(t, s.addr)
		s.mustEnd()
		if _, err := v.in.ReadByte(); err == nil {
			t.Error("the connection goes on")
		}
	})
}
