package monitor_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/monitor"
)

// expect compares a text with a pattern, in which everything stands for itself, except that # is a number, and … is
// anything.
func expect(t *testing.T, got, want string) {
	t.Helper()
	pattern := regexp.QuoteMeta(want)
	pattern = strings.ReplaceAll(pattern, "#", `-?[0-9]+(\.[0-9]+)?`)
	pattern = strings.ReplaceAll(pattern, "…", `(?s:.*)`)
	if !regexp.MustCompile("^" + pattern + "$").MatchString(got) {
		first := ""
		for line := range strings.Lines(pattern) { // up to the first line that differs
			if !regexp.MustCompile("^" + first + line).MatchString(got) {
				first = line
				break
			}
			first += line
		}
		t.Errorf("got\n%s\nwant\n%s\nThe first line that differs is %s", got, want, first)
	}
}

// All commands that Curio has, by nc, over both kinds of sockets.
func TestNetcat(t *testing.T) {
	testutil.Need(t, "nc")
	w := newWorld(t)
	sleeper := w.task("sleeper", "TIME_SLEEP", func(ctx context.Context) error {
		return curio.TimeoutAfter(ctx, 2*time.Hour, func(ctx context.Context) error { return curio.Sleep(ctx, time.Hour) })
	})
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGWINCH)
	defer signal.Stop(hangup)
	for _, addr := range []string{socketIn(t), "127.0.0.1:0"} {
		s := on(t, addr, w.Kernel, monitor.AllowChanges(), monitor.Token("0123456789abcdef"))
		victim := w.sleeper("victim")
		monitor.ForgetStacks()
		args := []string{"-N"}
		token, greeting := "", fmt.Sprintf("\nCurio Monitor: %d tasks running\nType help for commands\ncurio > ", len(w.Tasks()))
		if path, ok := strings.CutPrefix(s.Addr(), "unix:"); ok {
			args = append(args, "-U", path)
		} else {
			host, port, _ := net.SplitHostPort(s.Addr())
			args = append(args, host, port)
			token, greeting = "token 0123456789abcdef\n", "\nCurio Monitor\nType help for commands\ncurio > Welcome.\ncurio > "
		}
		nc := testutil.Program(t, "nc", args...)
		fmt.Fprintf(nc.Stdin, "%sps\nw %d\nparents %[2]d\ncancel %[3]d\nsignal SIGWINCH\nhelp\nexit\nps\n", token, sleeper.ID(), victim.ID())
		nc.Stdin.Close()
		said, status := nc.Rest()
		if status != 0 {
			t.Errorf("nc ended with status %d", status)
		}
		main := sleeper.Parent()
		expect(t, said, greeting+fmt.Sprintf(`Task   State        Cycles     Timeout Sleep   Task
------ ------------ ---------- ------- ------- ----------------------------------------
%-6d RUNNING      #          None    None    monitor_test.newWorld.func1.1
%-6d TIME_SLEEP   #          # # sleeper
%-6d TIME_SLEEP   #          None    # victim
curio > Task %[2]d, sleeper, is at monitor/lines_test.go:#. All goroutines were stopped for … at most.
goroutine # [sync.Cond.Wait…]:
…
curio > %[2]d… TIME_SLEEP   sleeper
%[1]d… RUNNING      monitor_test.newWorld.func1.1
curio > Cancelling task %[3]d, monitor_test.newWorld.func1.1/victim
curio > Sent SIGWINCH
curio > Commands:
  help             : Show this list
…
curio > Leaving monitor.
`, main.ID(), sleeper.ID(), victim.ID()))
		testutil.Receive(t, "the signal", hangup)
		testutil.Await(t, "the victim has ended", victim.Terminated)
	}
}

// The tree, the deadlock, and who waits for whom.
func TestTreeAndWhy(t *testing.T) {
	w := newWorld(t)
	a, b, c := w.deadlock()
	c2 := connect(t, on(t, socketIn(t), w.Kernel).Addr())
	c2.begin()
	expect(t, c2.asks("tree"), fmt.Sprintf(`monitor_test.newWorld.func1.1 (#, main): RUNNING
  a (%d): LOCK_ACQUIRE Lock …(held by task …/b, 1 waiting) for …
  b (%d): LOCK_ACQUIRE Lock …(held by task …/a, 1 waiting) for …
  c (%d): TASK_WAIT …a (%[1]d) for …
`, a.ID(), b.ID(), c.ID()))
	monitor.ForgetStacks()
	said := c2.asks("deadlocks")
	expect(t, said, fmt.Sprintf(`Deadlock 1:
  task …/a (%d): LOCK_ACQUIRE Lock …(held by task …/b, 1 waiting) at monitor/main_test.go:#
  task …/b (%d): LOCK_ACQUIRE Lock …(held by task …/a, 1 waiting) at monitor/main_test.go:#
  1 more wait for these
All goroutines were stopped for … at most.
`, a.ID(), b.ID()))
	monitor.ForgetStacks()
	said = c2.asks(fmt.Sprintf("why %d", c.ID()))
	for _, want := range []string{"/c (", "\ttask ", "/a (", "\t\ttask ", "/b (", "circle", "main_test.go:"} {
		if !strings.Contains(said, want) {
			t.Errorf("why: %q is not in\n%s", want, said)
		}
	}
	if said := c2.asks("dead"); !strings.Contains(said, "Deadlock 1:") { // it waits for its turn to look at stacks
		t.Errorf("a second time: %s", said)
	}
	a.CancelNow()
	testutil.Await(t, "all have ended", func() bool { return len(w.Tasks()) == 1 })
	if said := c2.asks("deadlocks"); said != "No deadlocks.\n" {
		t.Errorf("got %q", said)
	}
}

// What is wrong is said, and one word that is no command is forgiven.
func TestWrongCommands(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct{ in, out string }{
		{"where", "Bad command. Usage: where ID\n"},
		{"where 1 2", "Bad command. Usage: where ID\n"},
		{"ps 3", "Bad command. ps takes no arguments.\n"},
		{"where x", "Bad command: x is not the number of a task.\n"},
		{"where -1", "Bad command: -1 is not the number of a task.\n"},
		{"where 99999999", "No task 99999999.\n"},
		{"parents 99999999", "No task 99999999.\n"},
		{"cancel 99999999", "No task 99999999.\n"},
		{"signal SIGNONE", "Unknown signal SIGNONE.\n"},
		{"log LOUD", "Unknown level LOUD.\n"},
		{"log debug", "The level of the log is DEBUG\n"},
		{"", ""},
		{"   ", ""},
		{"where 1\x1b[2J", "This is not a command of the monitor.\n"},
	} {
		var level slog.LevelVar
		said, _ := monitor.Converse(c.in+"\n", true, monitor.AllowChanges(), monitor.LogLevel(&level), monitor.Kernel(w.Kernel),
			monitor.Logger(slog.New(slog.DiscardHandler)))
		_, said, _ = strings.Cut(said, "curio > ")
		if said = strings.TrimSuffix(said, "curio > "); said != c.out {
			t.Errorf("%q: got %q, want %q", c.in, said, c.out)
		}
		if c.in == "log debug" && level.Level() != slog.LevelDebug {
			t.Errorf("the level is %v", level.Level())
		}
	}
	said, away := monitor.Converse("nonsense\nps\nnonsense\nps\n", true, monitor.Kernel(w.Kernel))
	if away || strings.Count(said, "Unknown command. Type help.") != 2 || strings.Count(said, "RUNNING") != 2 {
		t.Errorf("a person who mistypes was told %q", said)
	}
	said, away = monitor.Converse("nonsense\nnonsense\nps\n", true, monitor.Kernel(w.Kernel))
	if !away || strings.Contains(said, "RUNNING") {
		t.Errorf("nonsense was told %q", said)
	}
	if said, _ := monitor.Converse("log info\n", true, monitor.AllowChanges()); !strings.Contains(said, "monitor.LogLevel") {
		t.Errorf("without a level it said %q", said)
	}
}

// Nothing changes unless it was allowed; each of the commands that change something has to be here.
func TestChangesAreRefused(t *testing.T) {
	w := newWorld(t)
	victim := w.sleeper("victim")
	var level slog.LevelVar
	commands := fmt.Sprintf("cancel %d\nsignal SIGKILL\nlog DEBUG\n", victim.ID())
	said, _ := monitor.Converse(commands, true, monitor.LogLevel(&level), monitor.Kernel(w.Kernel))
	if strings.Count(said, "Changes are switched off") != 3 || victim.Cancelled() || level.Level() != slog.LevelInfo {
		t.Errorf("it said %q", said)
	}
	// On TCP the token is needed, also where reading is open.
	said, _ = monitor.Converse(commands+"ps\n", false, monitor.AllowChanges(), monitor.OpenReading(), monitor.LogLevel(&level),
		monitor.Kernel(w.Kernel), monitor.Token("0123456789abcdef"))
	if strings.Count(said, "Give the token first") != 3 || !strings.Contains(said, "victim") || victim.Cancelled() || level.Level() != slog.LevelInfo {
		t.Errorf("it said %q", said)
	}
}

// Without the token there is nothing but the help, on TCP. A second wrong one ends the connection.
func TestTokenOfLines(t *testing.T) {
	w := newWorld(t)
	s := on(t, "127.0.0.1:0", w.Kernel)
	c := connect(t, s.Addr())
	if greeting := c.begin(); greeting != "\nCurio Monitor\nType help for commands\n" {
		t.Errorf("it greets with %q", greeting)
	}
	for _, line := range []string{"ps", "tree", "where 1", "parents 1", "why 1", "deadlocks", "cancel 1", "signal SIGTERM", "log INFO"} {
		if said := c.asks(line); said != "Give the token first: token TOKEN\n" {
			t.Errorf("%s: %q", line, said)
		}
	}
	if said := c.asks("help"); !strings.HasPrefix(said, "Commands:\n") {
		t.Errorf("help: %q", said)
	}
	if said := c.asks("token " + s.Token()[1:]); said != "That is not the token.\n" {
		t.Errorf("a wrong token: %q", said)
	}
	if said := c.asks("token " + s.Token()); said != "Welcome.\n" {
		t.Errorf("the token: %q", said)
	}
	if said := c.asks("ps"); !strings.Contains(said, "RUNNING") {
		t.Errorf("ps: %q", said)
	}
	c = connect(t, s.Addr())
	c.say("token x\ntoken y\ntoken " + s.Token() + "\nps\n")
	if said := c.rest(); strings.Contains(said, "RUNNING") || strings.Contains(said, "Welcome") {
		t.Errorf("after two wrong tokens: %q", said)
	}
}

// A client that is silent gets the prompt. From then on it can give commands, and nothing else.
func TestGreeting(t *testing.T) {
	w := newWorld(t)
	defer monitor.SetGreetAfter(10 * time.Millisecond)()
	s := on(t, socketIn(t), w.Kernel)
	c := connect(t, s.Addr())
	if greeting := c.hears(); greeting != "\nCurio Monitor: 1 task running\nType help for commands\n" {
		t.Errorf("it greets with %q", greeting)
	}
	if said := c.asks("ps"); !strings.Contains(said, "RUNNING") {
		t.Errorf("ps: %q", said)
	}
	c.say("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
	if said := c.rest(); said != "This is not a command of the monitor.\n" {
		t.Errorf("a request got %q", said)
	}
}

// On TCP a client that is silent gets nothing: it may be a browser's connection that waits for its use.
func TestNoGreetingOnTCP(t *testing.T) {
	w := newWorld(t)
	defer monitor.SetGreetAfter(0)()
	s := on(t, "127.0.0.1:0", w.Kernel)
	conn, err := net.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetReadDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if n, err := conn.Read(make([]byte, 1)); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a silent client got %d, %v", n, err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(testutil.Patience)); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", s.Addr())
	if answer, err := io.ReadAll(conn); err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 200 OK\r\n") {
		t.Errorf("its request got %.100q, %v", answer, err)
	}
}

// What a client sends that is no text, or no line, or ends in the middle.
func TestHostileLines(t *testing.T) {
	w := newWorld(t)
	const ps = "RUNNING"
	for _, c := range []struct {
		name, in string
		answered int // how many ps
		want     string
	}{
		{"telnet", "\xff\xfd\x18\xff\xfb\x1fps\r\n\xff\xfa\x1f\x00\x50\x00\x18\xff\xf0ps\r\x00", 2, ""},
		{"IAC in the middle", "p\xff\xf1s\r\n\xff\xff", 1, ""},
		{"no end of the last line", "ps\nps", 2, ""},
		{"Ctrl-D", "ps\n\x04ps\n", 1, ""},
		{"NUL", "ps\n\x00\nps\n", 1, "This is not a command"},
		{"escapes", "ps\n\x1b[A\nps\n", 1, "This is not a command"},
		{"a megabyte", "ps\n" + strings.Repeat("x", 1<<20), 1, "Line too long"},
		{"a long line", "ps\n" + strings.Repeat("x", monitor.LongestLine+1) + "\nps\n", 1, "Line too long"},
		{"SB without end", "ps\n\xff\xfa" + strings.Repeat("x", 1<<20) + "\nps\n", 1, "Line too long"},
		{"a request later", "ps\nPOST / HTTP/1.1\nps\n", 1, "This is not a command"},
		{"a header", "ps\nHost: localhost\nps\n", 1, "This is not a command"},
		{"another header", "ps\nX-Anything: 1\nps\n", 1, "This is not a command"},
		{"nothing", "", 0, ""},
		{"half a command of telnet", "ps\n\xff", 1, ""},
	} {
		said, _ := monitor.Converse(c.in, true, monitor.Kernel(w.Kernel))
		if strings.Count(said, ps) != c.answered || !strings.Contains(said, c.want) {
			t.Errorf("%s: it said %q", c.name, said)
		}
	}
	for first, want := range map[string]string{
		"GET / HTTP/1.1\r": "HTTP", "POST /x HTTP/1.0": "HTTP", "ps HTTP/1.1": "HTTP", "PRI * HTTP/2.0\r": "HTTP", "get / http/1.1": "HTTP",
		"ps\r": "lines", "": "lines", "\xff\xfdps": "lines", "\x16\x03\x01cancel": "", "Host: localhost": "HTTP",
	} {
		if got := monitor.PurposeOf(first); got != want {
			t.Errorf("%q is for %q, want %q", first, got, want)
		}
	}
}

// Clients that send, or do not, or go, in ways that harm a server that trusts them.
func TestHostileClients(t *testing.T) {
	w := newWorld(t)
	s := on(t, "127.0.0.1:0", w.Kernel, monitor.OpenReading())
	for name, sends := range map[string]string{
		"nothing": "", "half a line": "p", "half a request": "GET / HTTP/1.1\r\nHost:", "TLS": "\x16\x03\x01\x02\x00\x01\nps\n",
		"a megabyte": strings.Repeat("x", 1<<20), "a request without end": "GET /" + strings.Repeat("x", 1<<20),
	} {
		for _, reset := range []bool{false, true} {
			c := connect(t, s.Addr())
			_, _ = io.WriteString(c.conn, sends) // the server may have closed it already
			if reset {
				if err := c.conn.(*net.TCPConn).SetLinger(0); err != nil {
					t.Error(err)
				}
			}
			c.conn.Close()
			good := connect(t, s.Addr())
			if said := good.asks("ps"); !strings.Contains(good.asks("ps")+said, "RUNNING") {
				t.Errorf("after %s: %q", name, said)
			}
			good.conn.Close()
		}
	}
}

// A client that asks for much and reads nothing keeps nobody from anything; one that half-closes gets its answer.
func TestNobodyReads(t *testing.T) {
	w := newWorld(t)
	name := strings.Repeat("任", 1000)
	for range 100 {
		w.sleeper(name)
	}
	s := on(t, socketIn(t), w.Kernel)
	deaf := connect(t, s.Addr())
	if err := deaf.conn.SetWriteDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	for { // until the server takes no more, as its answers do not go away
		if _, err := io.WriteString(deaf.conn, strings.Repeat("tree\n", 1000)); err != nil {
			break
		}
	}
	c := connect(t, s.Addr())
	c.say("ps\n")
	if err := c.conn.(*net.UnixConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if said := c.rest(); strings.Count(said, "TIME_SLEEP") != 100 {
		t.Errorf("it said %d bytes", len(said))
	}
	w.sleeper("one more") // no lock is held meanwhile
}

// Each user of the machine can make connections. They do not keep the ones out that have the token.
func TestManyConnections(t *testing.T) {
	w := newWorld(t)
	s := on(t, "127.0.0.1:0", w.Kernel)
	good := connect(t, s.Addr())
	good.begin()
	if said := good.asks("token " + s.Token()); said != "Welcome.\n" {
		t.Fatal(said)
	}
	for range 2 * monitor.MostConns {
		connect(t, s.Addr())
	}
	if said := good.asks("ps"); !strings.Contains(said, "RUNNING") {
		t.Errorf("ps: %q", said)
	}
	other := connect(t, s.Addr())
	other.begin()
	if said := other.asks("token " + s.Token()); said != "Welcome.\n" {
		t.Error(said)
	}
}

// A type of the program's that must not be asked for anything.
type hostile struct{ asked chan<- string }

func (h *hostile) Error() string  { h.asked <- "Error"; select {} }
func (h *hostile) String() string { h.asked <- "String"; select {} }

// No code of the program's is run: it may hang on what everything hangs on.
func TestNothingOfTheProgramsIsRun(t *testing.T) {
	w := newWorld(t)
	asked := make(chan string, 100)
	h := &hostile{asked}
	var gate curio.Event
	stuck := w.task("stuck", "EVENT_WAIT", func(ctx context.Context) error {
		return curio.DisableCancellation(ctx, gate.Wait)
	})
	defer gate.Set()
	stuck.CancelNow(fmt.Errorf("because of %w", errors.ErrUnsupported))
	other := w.task("other", "EVENT_WAIT", func(ctx context.Context) error {
		return curio.DisableCancellation(ctx, gate.Wait)
	})
	other.CancelNow(h)
	call := w.task("call", "THREAD_CALL", func(ctx context.Context) error {
		_, err := curio.BlockInThread(ctx, h, func() (int, error) { return 0, gate.Wait(context.Background()) })
		return err
	})
	_ = call
	s := on(t, socketIn(t), w.Kernel, monitor.Logger(slog.New(slog.DiscardHandler)))
	c := connect(t, s.Addr())
	c.begin()
	for _, command := range []string{"ps", "tree", fmt.Sprint("why ", other.ID())} {
		c.asks(command)
	}
	for _, path := range []string{"/api/tasks", "/api/threads", "/api/deadlocks", fmt.Sprintf("/api/tasks/%d", other.ID())} {
		status, body, _ := do(t, s.Addr(), request{path: path})
		if status != 200 {
			t.Errorf("%s: %d %s", path, status, body)
		}
		if path == "/api/tasks" && (!strings.Contains(body, `"reason":"because of unsupported operation"`) || !strings.Contains(body, `"reason":"a *monitor_test.hostile"`)) {
			t.Errorf("reasons: %s", body)
		}
		if path == "/api/threads" && !strings.Contains(body, `"key":"a *monitor_test.hostile `) {
			t.Errorf("threads: %s", body)
		}
	}
	select {
	case what := <-asked:
		t.Errorf("%s was called", what)
	default:
	}
}

// Whatever a client sends, what it gets is text that no terminal obeys; nothing changes; and it is not asked a third time.
func FuzzLines(f *testing.F) {
	for _, s := range []string{
		"ps\n", "tree\nwhere 1\n", "cancel 1\nsignal SIGKILL\nlog DEBUG\n", "token 0123456789abcdef\nps\n", "\xff\xfd\x01ps\r\n", "why 1",
		"GET / HTTP/1.1\r\n", "help\nexit\n", "nonsense\nmore\nps\n", "\x1b]0;x\a\n", "parents \u202e\n", "deadlocks\n\x04",
	} {
		f.Add(s, true)
		f.Add(s, false)
	}
	k := curio.NewKernel(curio.Logger(slog.New(slog.DiscardHandler)))
	defer func() { _ = k.Shutdown(context.Background()) }()
	begun := make(chan *curio.AnyTask, 1)
	go func() {
		_ = k.Run(context.Background(), func(ctx context.Context) error {
			begun <- curio.Go(ctx, func(ctx context.Context) error { return curio.Sleep(ctx, time.Hour) }, curio.Name("\x1b[31m\u202e任务")).AnyTask
			return curio.Sleep(ctx, time.Hour)
		})
	}()
	task := <-begun
	f.Fuzz(func(t *testing.T, input string, own bool) {
		monitor.ForgetStacks()
		var level slog.LevelVar
		input = strings.ReplaceAll(input, "w", "") // where and why wait for their turn, a second each
		said, _ := monitor.Converse(input, own, monitor.Kernel(k), monitor.LogLevel(&level), monitor.Token("0123456789abcdef"))
		for _, r := range said {
			if !unicode.IsPrint(r) && r != '\n' && r != '\t' || unicode.Is(unicode.Bidi_Control, r) || !utf8.ValidString(said) {
				t.Fatalf("it said %q", said)
			}
		}
		if task.Cancelled() || level.Level() != slog.LevelInfo {
			t.Fatalf("%q has changed something", input)
		}
		if strings.Count(said, "Unknown command. Leaving") > 1 {
			t.Fatalf("%q was forgiven too often", input)
		}
		if !own && !strings.Contains(input, "0123456789abcdef") && strings.Contains(said, "TIME_SLEEP") {
			t.Fatalf("%q was told %q", input, said)
		}
	})
}
