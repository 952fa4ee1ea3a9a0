package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/curio-go/curio/internal/testutil"
)

func TestMain(m *testing.M) { testutil.Main(m, main) }

func start(t *testing.T, path string, args ...string) *testutil.Child {
	t.Helper()
	testutil.NoLeaks(t)
	server := testutil.Self(t, append([]string{"-path", path}, args...)...)
	if on := server.After("listening on "); on != path {
		t.Errorf("it listens on %q", on)
	}
	return server
}

// ends interrupts the server, which must take its file with it.
func ends(t *testing.T, server *testutil.Child, path string) {
	t.Helper()
	server.Interrupt()
	if said := server.EndedBy(syscall.SIGINT); said != "" {
		t.Errorf("it said %q", said)
	}
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Errorf("its file: %v", err)
	}
}

func says(t *testing.T, path string, lines ...string) {
	t.Helper()
	client := testutil.Self(t, append([]string{"-path", path}, lines...)...)
	want := strings.Join(lines, "\n") + "\n"
	if printed, status := client.Rest(); status != 0 || printed != want {
		t.Errorf("the client printed %d bytes for %d, and ended with status %d", len(printed), len(want), status)
	}
}

func TestClient(t *testing.T) {
	path := filepath.Join(t.TempDir(), "echo.sock")
	server := start(t, path)
	says(t, path, "hello", "how are you?")
	says(t, path, strings.Repeat("x", 100_000)) // one argument may have 128 KiB
	ends(t, server, path)
}

func TestNetcat(t *testing.T) {
	testutil.Need(t, "nc")
	path := filepath.Join(t.TempDir(), "echo.sock")
	server := start(t, path)
	nc := testutil.Program(t, "nc", "-N", "-U", path)
	fmt.Fprintln(nc.Stdin, "hello")
	if line := nc.Line(); line != "hello" {
		t.Errorf("nc received %q", line)
	}
	fmt.Fprint(nc.Stdin, "and good-bye")
	nc.Stdin.Close()
	if rest, status := nc.Rest(); rest != "and good-bye" || status != 0 {
		t.Errorf("nc received %q and ended with status %d", rest, status)
	}
	ends(t, server, path)
}

func TestManyClients(t *testing.T) {
	path := filepath.Join(t.TempDir(), "echo.sock")
	server := start(t, path)
	var clients sync.WaitGroup
	for i := range 5 {
		client := testutil.Self(t, "-path", path, fmt.Sprint("I am ", i), strings.Repeat("x", 90_000))
		clients.Go(func() {
			if client.Line() != fmt.Sprint("I am ", i) || len(client.Line()) != 90_000 || client.Wait() != 0 {
				t.Errorf("client %d has failed", i)
			}
		})
	}
	clients.Wait()
	ends(t, server, path)
}

// What a killed server has left behind is in nobody's way; one that runs is.
func TestSecondServer(t *testing.T) {
	path := filepath.Join(t.TempDir(), "echo.sock")
	server := start(t, path)
	second := testutil.Self(t, "-path", path)
	if printed, status := second.Rest(); status != 1 || printed != "" || !strings.Contains(second.Stderr(), "address already in use") {
		t.Errorf("a second server printed %q, complained %q and ended with status %d", printed, second.Stderr(), status)
	}
	says(t, path, "still there?")
	server.Kill()
	server.Wait()
	third := start(t, path)
	says(t, path, "hello")
	ends(t, third, path)
}

func TestAbstract(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("abstract names are Linux's")
	}
	path := fmt.Sprintf("@unixecho-test-%d", os.Getpid())
	server := start(t, path)
	says(t, path, "hello")
	ends(t, server, path)
}

func TestNobodyThere(t *testing.T) {
	client := testutil.Self(t, "-path", filepath.Join(t.TempDir(), "nobody.sock"), "hello")
	if printed, status := client.Rest(); status != 1 || printed != "" || !strings.Contains(client.Stderr(), "no such file") {
		t.Errorf("it printed %q, complained %q and ended with status %d", printed, client.Stderr(), status)
	}
}

// A client that sends nothing is disconnected, and only the same user can connect.
func TestIdle(t *testing.T) {
	path := filepath.Join(t.TempDir(), "echo.sock")
	server := start(t, path, "-idle", "200ms")
	if info, err := os.Lstat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(testutil.Patience)); err != nil {
		t.Fatal(err)
	}
	if n, err := conn.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the client received %d, %v, and not the end", n, err)
	}
	ends(t, server, path)
}
