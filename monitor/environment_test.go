package monitor_test

import (
	"fmt"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/monitor"
)

// A program that imports the package is watched if the environment says so. What goes wrong with that is a warning.
func TestEnvironment(t *testing.T) {
	testutil.NoLeaks(t)
	dir := sockets(t)
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	for _, c := range []struct {
		addr, token string
		logs        string // after which it goes on
	}{
		{"unix:" + dir + "/m.sock", "", `curio/monitor: listening addr=unix:` + dir + "/m.sock"},
		{dir + "/%p.sock", "", `curio/monitor: listening addr=unix:` + dir + "/"},
		{"127.0.0.1:0", token, `curio/monitor: listening addr=127.0.0.1:`},
		{"127.0.0.1:0", "", "CURIO_MONITOR_TOKEN"},
		{"127.0.0.1:0", "short", "at least 16"},
		{busy.Addr().String(), token, "address already in use"},
		{"0.0.0.0:0", token, "reached from other machines"},
		{"nonsense", token, "neither a path nor host:port"},
	} {
		t.Setenv("CURIO_MONITOR", c.addr)
		t.Setenv("CURIO_MONITOR_TOKEN", c.token)
		p := testutil.Self(t, "environment")
		if line := p.Line(); line != "running" {
			t.Errorf("%s: it printed %q", c.addr, line)
		}
		testutil.Await(t, "a line of the log", func() bool { return strings.Contains(p.Stderr(), c.logs) })
		if c.token != "" && strings.Contains(p.Stderr(), c.token) {
			t.Errorf("%s: the token is in the log: %s", c.addr, p.Stderr())
		}
		if strings.Contains(c.addr, "%p") {
			c := connect(t, strings.ReplaceAll(c.addr, "%p", fmt.Sprint(p.PID())))
			_ = c
		}
		p.Kill()
		p.Wait()
	}
}

// The socket of a process that was killed is in nobody's way.
func TestKilled(t *testing.T) {
	testutil.NoLeaks(t)
	path := sockets(t) + "/m.sock"
	t.Setenv("CURIO_MONITOR", path)
	p := testutil.Self(t, "environment")
	p.After("running")
	testutil.Await(t, "it listens", func() bool { return strings.Contains(p.Stderr(), "listening") })
	p.Kill()
	p.Wait()
	if _, err := os.Lstat(path); err != nil {
		t.Fatal(err)
	}
	s, err := monitor.On(path)
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
}
