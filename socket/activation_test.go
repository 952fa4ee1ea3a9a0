package socket_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/socket"
)

// activatedVariable makes this program the one that is started with sockets.
const activatedVariable = "CURIO_TEST_ACTIVATED"

func init() {
	if os.Getenv(activatedVariable) != "" {
		serveActivated()
		os.Exit(0)
	}
}

// serveActivated prints what it was started with, and says on each listener which one it
// is.
func serveActivated() {
	ctx, cancel := context.WithTimeout(context.Background(), testutil.Patience)
	defer cancel()
	sockets, err := socket.Activated()
	fmt.Printf("%d sockets, error: %v\n", len(sockets), err)
	again, err := socket.Activated()
	fmt.Printf("%d again, error: %v\n", len(again), err)
	child := exec.CommandContext(ctx, "sh", "-c", `echo "left to children: $LISTEN_FDS$LISTEN_PID$LISTEN_FDNAMES"; [ -e /dev/fd/3 ] && echo inherited; [ -e /dev/fd/4 ] && echo inherited; true`)
	child.Stdout = os.Stdout
	if err := child.Run(); err != nil {
		fmt.Println(err)
	}
	for _, a := range sockets {
		fmt.Println(a.Name, a.Socket.LocalAddr())
		conn, err := a.Socket.Accept(ctx)
		if err != nil {
			fmt.Println(err)
			return
		}
		if _, err := conn.SendAll(ctx, []byte("this is "+a.Name)); err != nil {
			fmt.Println(err)
		}
		noDelay, _ := socket.NoDelay.Get(conn)
		keepAlive, _ := socket.KeepAlive.Get(conn)
		fmt.Println("its settings:", noDelay, keepAlive)
		conn.Close()
	}
}

// activated starts the child with files from descriptor 3 on. sh sets LISTEN_PID to its
// own number, which exec keeps.
func activated(t *testing.T, variables string, files ...*os.File) (lines func() []string) {
	t.Helper()
	testutil.Need(t, "sh")
	program, err := os.Executable()
	check(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), testutil.Patience)
	t.Cleanup(cancel)
	child := exec.CommandContext(ctx, "sh", "-c", "export "+variables+`; exec "$0"`, program)
	child.Env = append(os.Environ(), activatedVariable+"=1")
	child.ExtraFiles = files
	child.WaitDelay = time.Second
	r, w, err := os.Pipe()
	check(t, err)
	child.Stdout, child.Stderr = w, os.Stderr
	check(t, child.Start())
	check(t, w.Close())
	return func() []string {
		t.Helper()
		out, err := io.ReadAll(r)
		check(t, err)
		check(t, r.Close())
		check(t, child.Wait())
		return strings.Split(strings.TrimSpace(string(out)), "\n")
	}
}

func same(t *testing.T, got []string, want ...string) {
	t.Helper()
	for i, line := range want {
		if i >= len(got) || !strings.HasPrefix(got[i], line) {
			t.Fatalf("line %d is not %q in\n%s", i, line, strings.Join(got, "\n"))
		}
	}
	if len(got) != len(want) {
		t.Errorf("more than expected:\n%s", strings.Join(got, "\n"))
	}
}

func TestActivated(t *testing.T) {
	testutil.NoLeaks(t)
	web := listen(t, socket.AF_INET, localhost, 0)
	check(t, socket.NoDelay.Set(web, false)) // as systemd leaves it by default
	api := listen(t, socket.AF_UNIX, &net.UnixAddr{Name: filepath.Join(t.TempDir(), "s"), Net: "unix"}, 0)
	var files []*os.File
	for _, l := range []*socket.Socket{web, api} {
		file, err := l.File()
		check(t, err)
		defer file.Close()
		files = append(files, file)
	}
	lines := activated(t, "LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=web:", files...)
	for _, c := range []struct {
		l    *socket.Socket
		name string
	}{{web, "web"}, {api, "unknown"}} {
		conn, err := net.Dial(c.l.LocalAddr().Network(), c.l.LocalAddr().String())
		check(t, err)
		said, err := io.ReadAll(conn)
		check(t, err)
		check(t, conn.Close())
		if string(said) != "this is "+c.name {
			t.Errorf("%q", said)
		}
	}
	same(t, lines(), "2 sockets, error: <nil>", "0 again, error: <nil>", "left to children: ",
		"web "+web.LocalAddr().String(), "its settings: true true",
		"unknown "+api.LocalAddr().String(), "its settings: false false")
}

// What is meant for another process, or nonsense, gives no sockets, and children do not
// see it either.
func TestActivatedRefuses(t *testing.T) {
	testutil.NoLeaks(t)
	file, err := os.Open(os.DevNull)
	check(t, err)
	defer file.Close()
	for _, c := range []struct{ name, variables, first string }{
		{"none", "NOTHING=1", "0 sockets, error: <nil>"},
		{"another's", "LISTEN_PID=1 LISTEN_FDS=1", "0 sockets, error: <nil>"},
		{"no number", "LISTEN_PID=x LISTEN_FDS=1", "0 sockets, error: curio/socket: socket activation: LISTEN_PID: "},
		{"no count", "LISTEN_PID=$$", "0 sockets, error: curio/socket: socket activation: LISTEN_FDS: "},
		{"negative", "LISTEN_PID=$$ LISTEN_FDS=-1", "0 sockets, error: curio/socket: socket activation: LISTEN_FDS: "},
		{"not sockets", "LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=null", `0 sockets, error: curio/socket: socket activation: descriptor 3, "null": fromfd socket: getsockopt: `},
	} {
		t.Run(c.name, func(t *testing.T) {
			lines := activated(t, c.variables, file)()
			same(t, lines[:2], c.first, "0 again, error: <nil>")
			if want := "left to children: "; strings.TrimSpace(lines[2]) != strings.TrimSpace(want) {
				t.Errorf("%q", lines[2])
			}
		})
	}
}

// A socket among other things is returned, and so is the error about these; where the
// descriptors end, so does the search.
func TestActivatedAmongOthers(t *testing.T) {
	testutil.NoLeaks(t)
	null, err := os.Open(os.DevNull)
	check(t, err)
	defer null.Close()
	l := listen(t, socket.AF_INET, localhost, 0)
	file, err := l.File()
	check(t, err)
	defer file.Close()
	lines := activated(t, "LISTEN_PID=$$ LISTEN_FDS=2147483647 LISTEN_FDNAMES=null:web", null, file)
	conn, err := net.Dial("tcp", l.LocalAddr().String())
	check(t, err)
	_, err = io.ReadAll(conn)
	check(t, err)
	check(t, conn.Close())
	// Behind the two there are the descriptors of the child's own runtime.
	got := lines()
	last := slices.IndexFunc(got, func(line string) bool {
		return strings.HasPrefix(line, "curio/socket: socket activation: LISTEN_FDS is 2147483647, and descriptor ")
	})
	if last < 0 {
		t.Fatalf("no error about the number:\n%s", strings.Join(got, "\n"))
	}
	same(t, got[:1], `1 sockets, error: curio/socket: socket activation: descriptor 3, "null": fromfd socket: getsockopt: `)
	same(t, got[last+1:], "0 again", "left to children: ", "web ", "its settings: true true")
}
