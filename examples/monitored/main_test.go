package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
)

func TestMain(m *testing.M) { testutil.Main(m, main) }

// start starts the program, and returns the path of its monitor's socket. The paths of t.TempDir may be too long.
func start(t *testing.T, args ...string) (kitchen *testutil.Child, path string) {
	t.Helper()
	testutil.NoLeaks(t)
	dir, err := os.MkdirTemp("", "kitchen")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	kitchen = testutil.Self(t, append([]string{"-monitor", filepath.Join(dir, "m.sock")}, args...)...)
	return kitchen, strings.TrimPrefix(kitchen.After("monitor at "), "unix:")
}

// ask has nc send commands, and returns what the monitor said.
func ask(t *testing.T, path string, commands ...string) string {
	t.Helper()
	nc := testutil.Program(t, "nc", "-N", "-U", path)
	fmt.Fprintln(nc.Stdin, strings.Join(commands, "\n"))
	nc.Stdin.Close()
	said, status := nc.Rest()
	if status != 0 {
		t.Errorf("nc ended with status %d", status)
	}
	return said
}

func TestWatched(t *testing.T) {
	testutil.Need(t, "nc")
	kitchen, path := start(t)
	testutil.Await(t, "both cooks are seen", func() bool { return strings.Count(ask(t, path, "ps"), " cook\n") == 2 })
	kitchen.Interrupt()
	if said := kitchen.EndedBy(syscall.SIGINT); said != "" {
		t.Errorf("it said %q", said)
	}
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Errorf("the socket: %v", err)
	}
}

func TestOrders(t *testing.T) {
	kitchen, _ := start(t, "-orders", "4", "-pace", "1ms")
	if said, status := kitchen.Rest(); said != "" || status != 0 {
		t.Errorf("it said %q and ended with %d", said, status)
	}
}

var ofAnn = regexp.MustCompile(`task \S+/Ann \((\d+)\): LOCK_ACQUIRE Lock .* at monitored/main.go:\d+`)

// The monitor names both cooks and their lines, and what is cancelled there lets the other one go on.
func TestStuck(t *testing.T) {
	testutil.Need(t, "nc")
	kitchen, path := start(t, "-stuck")
	var said string
	testutil.Await(t, "the deadlock is seen", func() bool {
		said = ask(t, path, "deadlocks")
		return strings.Contains(said, "Deadlock 1:")
	})
	ann := ofAnn.FindStringSubmatch(said)
	if ann == nil || !strings.Contains(said, "/Bob (") {
		t.Fatalf("it said %q", said)
	}
	if said := ask(t, path, "cancel "+ann[1]); !strings.Contains(said, "Cancelling task "+ann[1]+", ") || !strings.Contains(said, "/Ann\n") {
		t.Errorf("it said %q", said)
	}
	if said, status := kitchen.Rest(); said != "Ann was sent home\nBob has finished\n" || status != 0 {
		t.Errorf("it said %q and ended with %d", said, status)
	}
	if !strings.Contains(kitchen.Stderr(), "task cancelled") {
		t.Errorf("it logged %q", kitchen.Stderr())
	}
}

func TestAddressInUse(t *testing.T) {
	_, path := start(t)
	second := testutil.Self(t, "-monitor", path)
	if said, status := second.Rest(); said != "" || status != 1 || !strings.Contains(second.Stderr(), "address already in use") {
		t.Errorf("it said %q, complained %q and ended with %d", said, second.Stderr(), status)
	}
}

// On TCP there is a page, too, and the token in its address is for the terminal only.
func TestPage(t *testing.T) {
	testutil.NoLeaks(t)
	kitchen := testutil.Self(t, "-monitor", "localhost:0")
	addr := kitchen.After("monitor at ")
	if url := kitchen.Line(); !strings.HasPrefix(url, "page at http://"+addr+"/#token=") {
		t.Errorf("it said %q", url)
	}
	kitchen.Interrupt()
	if said := kitchen.EndedBy(syscall.SIGINT); said != "" {
		t.Errorf("it said %q", said)
	}
}
