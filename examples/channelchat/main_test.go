package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/curio-go/curio/channel"
	"github.com/curio-go/curio/internal/testutil"
)

func TestMain(m *testing.M) { testutil.Main(m, main) }

// folder makes a folder for sockets, whose names must not be long.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "chat")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// starts starts a member: args are flags, its name and the others'.
func starts(t *testing.T, dir string, args ...string) *testutil.Child {
	t.Helper()
	child := testutil.Self(t, append([]string{"-dir", dir}, args...)...)
	child.After("* you are ")
	return child
}

// hears checks what a member prints next.
func hears(t *testing.T, child *testutil.Child, want string) {
	t.Helper()
	if got := child.Line(); got != want {
		t.Fatalf("it heard %q, want %q", got, want)
	}
}

// hearsAll is hears for lines that come in any order.
func hearsAll(t *testing.T, child *testutil.Child, want ...string) {
	t.Helper()
	got := make([]string, len(want))
	for i := range got {
		got[i] = child.Line()
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Fatalf("it heard %q, want %q", got, want)
	}
}

func says(t *testing.T, child *testutil.Child, line string) {
	t.Helper()
	if _, err := io.WriteString(child.Stdin, line+"\n"); err != nil {
		t.Fatal(err)
	}
}

func TestThree(t *testing.T) {
	testutil.NoLeaks(t)
	dir := folder(t)
	cleo := starts(t, dir, "Cleo", "Ann", "Bob") // connects with both, when they are there
	ann := starts(t, dir, "Ann", "Bob", "Cleo")
	hears(t, cleo, "* Ann is here")
	hears(t, ann, "* Cleo is here")
	bob := starts(t, dir, "Bob", "Ann", "Cleo")
	hearsAll(t, bob, "* Ann is here", "* Cleo is here")
	hears(t, ann, "* Bob is here")
	hears(t, cleo, "* Bob is here")

	says(t, ann, "hello")
	hears(t, bob, "Ann: hello")
	hears(t, cleo, "Ann: hello")
	says(t, bob, "  hello, Ann \x1b[2J\a")
	hears(t, ann, "Bob: hello, Ann [2J")
	hears(t, cleo, "Bob: hello, Ann [2J")
	says(t, cleo, "\x1b") // is nothing to say
	for i := range 1000 {
		says(t, cleo, fmt.Sprint(i))
	}
	for i := range 1000 {
		hears(t, ann, fmt.Sprint("Cleo: ", i))
		hears(t, bob, fmt.Sprint("Cleo: ", i))
	}

	// The one in the middle dies without a word, and comes back.
	bob.Kill()
	hears(t, ann, "* Bob has gone")
	hears(t, cleo, "* Bob has gone")
	bob = starts(t, dir, "Bob", "Ann", "Cleo")
	hearsAll(t, bob, "* Ann is here", "* Cleo is here")
	hears(t, ann, "* Bob is here")
	hears(t, cleo, "* Bob is here")

	// The member that the others connect to goes at Ctrl-D, and comes back.
	says(t, ann, "good-bye")
	ann.Stdin.Close()
	if printed, status := ann.Rest(); printed != "" || status != 0 || ann.Stderr() != "" {
		t.Errorf("Ann printed %q, said %q and ended with status %d", printed, ann.Stderr(), status)
	}
	for _, other := range []*testutil.Child{bob, cleo} {
		hears(t, other, "Ann: good-bye")
		hears(t, other, "* Ann has gone")
	}
	ann = starts(t, dir, "Ann", "Bob", "Cleo")
	hearsAll(t, ann, "* Bob is here", "* Cleo is here")
	hears(t, bob, "* Ann is here")
	hears(t, cleo, "* Ann is here")

	cleo.Interrupt()
	if said := cleo.EndedBy(syscall.SIGINT); said != "" {
		t.Errorf("Cleo said %q", said)
	}
	hears(t, ann, "* Cleo has gone")
	hears(t, bob, "* Cleo has gone")
}

// enter connects with the member that listens at a socket, and says a name.
func enter(t *testing.T, dir, name string, as message) *channel.Conn {
	t.Helper()
	conn, err := channel.Connect(t.Context(), "unix", filepath.Join(dir, name), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.Send(t.Context(), as); err != nil {
		t.Fatal(err)
	}
	var m message
	if err := conn.Recv(t.Context(), &m); err != nil || m.Name != name {
		t.Fatalf("%q says that it is %q, %v", name, m.Name, err)
	}
	return conn
}

// Others that get to the socket are not heard.
func TestStrangers(t *testing.T) {
	testutil.NoLeaks(t)
	dir := folder(t)
	bob := starts(t, dir, "Bob", "Ann", "Cleo")
	for _, m := range []message{{Name: "Eve"}, {Name: "Bob"}, {Name: "Ann"}, {Name: ""}, {Text: "hello"}} {
		stranger := enter(t, dir, "Bob", m)
		bound, cancel := context.WithTimeout(t.Context(), testutil.Patience)
		if _, err := stranger.RecvBytes(bound); err != io.EOF {
			t.Errorf("%v is heard: %v", m, err)
		}
		cancel()
	}
	for range maxStrangers - 1 { // that say nothing, which keeps nobody else out
		conn, err := channel.Connect(t.Context(), "unix", filepath.Join(dir, "Bob"), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	cleo := enter(t, dir, "Bob", message{Name: "Cleo"})
	hears(t, bob, "* Cleo is here")
	if err := cleo.Send(t.Context(), message{Text: "it is me"}); err != nil {
		t.Fatal(err)
	}
	hears(t, bob, "Cleo: it is me")
	cleo.Close()
	hears(t, bob, "* Cleo has gone")
}

// A member that does not read is left.
func TestDeaf(t *testing.T) {
	testutil.NoLeaks(t)
	dir := folder(t)
	ann := starts(t, dir, "-patience", "1s", "Ann", "Bob", "Cleo")
	bob := starts(t, dir, "Bob", "Ann", "Cleo")
	hears(t, bob, "* Ann is here")
	hears(t, ann, "* Bob is here")
	enter(t, dir, "Ann", message{Name: "Cleo"})
	hears(t, ann, "* Cleo is here")
	line := strings.Repeat("x", longest-1)
	for range 2000 { // more than the system keeps for Cleo
		says(t, ann, line)
		hears(t, bob, "Ann: "+line)
	}
	hears(t, ann, "* Cleo has gone")
}

func TestBadInput(t *testing.T) {
	testutil.NoLeaks(t)
	dir, open := folder(t), folder(t)
	if err := os.Chmod(open, 0o755); err != nil {
		t.Fatal(err)
	}
	starts(t, dir, "Ann", "Bob")
	for _, c := range []struct {
		args []string
		said string
		code int
	}{
		{[]string{"-dir", open, "Ann", "Bob"}, "open to other users", 1},
		{[]string{"-dir", filepath.Join(dir, "missing"), "Ann", "Bob"}, "no such file", 1},
		{[]string{"-dir", filepath.Join(dir, "Ann"), "Ann", "Bob"}, "not a folder", 1},
		{[]string{"-dir", dir, "Ann", "Bob"}, "address already in use", 1},
		{[]string{"-dir", dir, "Ann"}, "usage", 2},
		{[]string{"-dir", dir, "Ann", "Ann"}, "usage", 2},
		{[]string{"-dir", dir, "Ann", "Bob", "Bob"}, "usage", 2},
		{[]string{"-dir", dir, "Ann", "../Bob"}, "usage", 2},
		{[]string{"-dir", dir, "Ann", strings.Repeat("B", longestName+1)}, "usage", 2},
		{[]string{"-dir", dir, "Ann", ""}, "usage", 2},
	} {
		child := testutil.Self(t, c.args...)
		if printed, status := child.Rest(); printed != "" || status != c.code || !strings.Contains(child.Stderr(), c.said) {
			t.Errorf("%q: it printed %q, said %q and ended with status %d", c.args, printed, child.Stderr(), status)
		}
	}
	long := starts(t, dir, "Bob", "Ann")
	hears(t, long, "* Ann is here")
	says(t, long, strings.Repeat("x", longest+1))
	if _, status := long.Rest(); status != 1 || !strings.Contains(long.Stderr(), "line too long") {
		t.Errorf("after a long line it said %q and ended with status %d", long.Stderr(), status)
	}
}
