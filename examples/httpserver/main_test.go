package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
)

func TestMain(m *testing.M) { testutil.Main(m, main) }

func start(t *testing.T, args ...string) (server *testutil.Child, url string) {
	t.Helper()
	testutil.NoLeaks(t)
	server = testutil.Self(t, append([]string{"-addr", "127.0.0.1:0"}, args...)...)
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	return server, "http://" + server.After("listening on ")
}

// ends interrupts the server and checks that it ends well, having said no more.
func ends(t *testing.T, server *testutil.Child) {
	t.Helper()
	before := server.Stderr()
	server.Interrupt()
	if said := server.EndedBy(syscall.SIGINT); said != before {
		t.Errorf("it said %q", said)
	}
}

func get(t *testing.T, url string) string {
	t.Helper()
	answer, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestCurl(t *testing.T) {
	testutil.Need(t, "curl")
	server, url := start(t)
	body := string(testutil.Pattern(1, 100_000))
	for _, c := range []struct{ path, data, want string }{
		{"/", "", "hello from task \"GET /\"\n"},
		{"/sleep?for=1ms", "", "slept for 1ms\n"},
		{"/echo", body, body},
	} {
		args := []string{"--silent", "--show-error", "--noproxy", "*", url + c.path}
		if c.data != "" {
			args = append(args, "--data-binary", "@-")
		}
		curl := testutil.Program(t, "curl", args...)
		fmt.Fprint(curl.Stdin, c.data)
		curl.Stdin.Close()
		if printed, status := curl.Rest(); printed != c.want || status != 0 {
			t.Errorf("%s: curl printed %.100q and ended with status %d", c.path, printed, status)
		}
	}
	ends(t, server)
	if said := server.Stderr(); said != "" {
		t.Errorf("it complains:\n%s", said)
	}
}

// asks sends a request for path and leaves it at that.
func asks(t *testing.T, url, path string) net.Conn {
	t.Helper()
	conn := testutil.Dial(t, strings.TrimPrefix(url, "http://"))
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path)
	testutil.Await(t, "task", func() bool { return strings.Contains(get(t, url+"/tasks"), "TIME_SLEEP\tGET /sleep\n") })
	return conn
}

// A handler is a task, which its client's going away cancels.
func TestClientGoesAway(t *testing.T) {
	server, url := start(t)
	asks(t, url, "/sleep?for=1h").Close()
	if line := server.Line(); line != "cancelled: /sleep?for=1h" {
		t.Errorf("it said %q", line)
	}
	testutil.Await(t, "end of the task", func() bool { return !strings.Contains(get(t, url+"/tasks"), "/sleep") })
	ends(t, server)
}

// The request in progress ends well after Ctrl-C.
func TestGraceful(t *testing.T) {
	server, url := start(t)
	conn := asks(t, url, "/sleep?for=500ms")
	server.Interrupt()
	if answer, err := io.ReadAll(conn); err != nil || !strings.HasSuffix(string(answer), "slept for 500ms\n") {
		t.Errorf("%q, %v", answer, err)
	}
	if said := server.EndedBy(syscall.SIGINT); said != "" {
		t.Errorf("it said %q", said)
	}
}

// One that takes too long is cancelled and named.
func TestGraceIsOver(t *testing.T) {
	server, url := start(t, "-grace", "100ms")
	conn := asks(t, url, "/sleep?for=1h")
	server.Interrupt()
	said := server.EndedBy(syscall.SIGINT)
	if rest, ok := strings.CutPrefix(said, "cancelled: /sleep?for=1h\n"); !ok || !strings.Contains(rest, "GET /sleep: TIME_SLEEP") {
		t.Errorf("it said %q", said)
	}
	if answer, _ := io.ReadAll(conn); len(answer) > 0 {
		t.Errorf("the client received %q", answer)
	}
}

// A second Ctrl-C cancels the requests in progress.
func TestInterruptedTwice(t *testing.T) {
	server, url := start(t, "-grace", "1h")
	conn := asks(t, url, "/sleep?for=1h")
	server.Interrupt()
	testutil.Await(t, "end of listening", func() bool { // the server has seen the first Ctrl-C
		probe, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
		if err == nil {
			probe.Close()
		}
		return err != nil
	})
	_ = server.InterruptAgain()
	if said := server.EndedBy(syscall.SIGINT); !strings.HasPrefix(said, "cancelled: /sleep?for=1h\n") {
		t.Errorf("it said %q", said)
	}
	conn.Close()
}

// A client that does not send its whole request is disconnected, even in the middle of the
// header, and so is one that sends too much.
func TestClientsThatDoNotAsk(t *testing.T) {
	server, url := start(t, "-patience", "1s")
	addr := strings.TrimPrefix(url, "http://")
	for _, said := range []string{"", "GET / HT", "GET / HTTP/1.1\r\nHost: x\r\nX-"} {
		conn := testutil.Dial(t, addr)
		fmt.Fprint(conn, said)
		if answer, err := io.ReadAll(conn); err != nil || strings.Contains(string(answer), "200 OK") {
			t.Errorf("after %q: %q, %v", said, answer, err)
		}
	}
	request, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Long", strings.Repeat("x", 2*maxHeader))
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Error(answer.Status)
	}
	get(t, url)
	ends(t, server)
}

// A panic closes the connection, and is logged once; http.ErrAbortHandler is not.
func TestPanics(t *testing.T) {
	server, url := start(t)
	for _, path := range []string{"/abort", "/panic"} {
		if answer, err := http.Get(url + path); err == nil {
			answer.Body.Close()
			t.Errorf("%s: %s", path, answer.Status)
		}
	}
	get(t, url)
	ends(t, server)
	if said := server.Stderr(); strings.Count(said, "panic=") != 1 || !strings.Contains(said, "kaboom") || !strings.Contains(said, ".routes.") {
		t.Errorf("it complains:\n%s", said)
	}
}
