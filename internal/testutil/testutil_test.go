package testutil_test

import (
	"bufio"
	"fmt"
	"log"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/curio-go/curio/internal/testutil"
)

func TestMain(m *testing.M) { testutil.Main(m, child) }

// child does what the tests below want of a child.
func child() {
	switch os.Args[1] {
	case "copy":
		for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
			fmt.Println("got", lines.Text())
		}
		fmt.Print("no newline")
	case "interrupt":
		c := make(chan os.Signal, 1)
		signal.Notify(c, os.Interrupt)
		fmt.Println("ready")
		<-c
		fmt.Fprintln(os.Stderr, "complaint")
		os.Exit(7)
	case "parent":
		c := testutil.Self(orphan{}, "interrupt")
		c.After("ready")
		fmt.Println(c.PID())
	}
}

// orphan is what Self is called with where there is no test.
type orphan struct{ testing.TB }

func (orphan) Helper()        {}
func (orphan) Cleanup(func()) {}

func TestChild(t *testing.T) {
	testutil.NoLeaks(t)
	c := testutil.Self(t, "copy")
	fmt.Fprintln(c.Stdin, "a")
	if line := c.After("got "); line != "a" {
		t.Errorf("%q", line)
	}
	fmt.Fprintln(c.Stdin, "b")
	c.Stdin.Close()
	if rest, status := c.Rest(); rest != "got b\nno newline" || status != 0 {
		t.Errorf("%q, status %d", rest, status)
	}
}

func TestInterrupt(t *testing.T) {
	testutil.NoLeaks(t)
	c := testutil.Self(t, "interrupt")
	c.After("ready")
	if len(testutil.Descriptors(c.PID())) == 0 {
		t.Skip("no /proc here: descriptors are not looked for")
	}
	c.Interrupt()
	if rest, status := c.Rest(); rest != "" || status != 7 || c.Stderr() != "complaint\n" {
		t.Errorf("%q, %q, status %d", rest, c.Stderr(), status)
	}
}

// A signal is told from another one, and from a status.
func TestEndedBy(t *testing.T) {
	testutil.NoLeaks(t)
	for _, sig := range []syscall.Signal{syscall.SIGKILL, syscall.SIGINT} {
		j := &judge{TB: t}
		c := testutil.Self(j, "interrupt")
		c.After("ready")
		c.Signal(sig)
		if said := c.EndedBy(syscall.SIGKILL); (j.failed == "") != (sig == syscall.SIGKILL) || (said == "complaint\n") != (sig == syscall.SIGINT) {
			t.Errorf("after %v it said %q, and the test %q", sig, said, j.failed)
		}
	}
}

// What a shell starts is in its group.
func TestShell(t *testing.T) {
	testutil.Need(t, "sh")
	testutil.NoLeaks(t)
	c := testutil.Shell(t, "sh", `trap '' INT; "$0" "$@"; echo $?`, "interrupt")
	c.After("ready")
	c.InterruptGroup()
	if rest, status := c.Rest(); rest != "7\n" || status != 0 || c.Stderr() != "complaint\n" {
		t.Errorf("%q, %q, status %d", rest, c.Stderr(), status)
	}
}

func TestKilledAtTheEnd(t *testing.T) {
	var c *testutil.Child
	t.Run("forgets", func(t *testing.T) {
		c = testutil.Self(t, "interrupt")
		c.After("ready")
	})
	if status := c.Wait(); status != -1 {
		t.Errorf("status %d", status)
	}
}

// A child whose parent is gone goes too, so that a test that crashes leaves nothing.
func TestChildOfADeadParent(t *testing.T) {
	parent := testutil.Self(t, "parent")
	var pid int
	if _, err := fmt.Sscan(parent.Line(), &pid); err != nil {
		t.Fatal(err)
	}
	parent.Wait()
	testutil.Await(t, "end of the grandchild", func() bool {
		gone := syscall.Kill(pid, 0) == syscall.ESRCH
		return gone || len(testutil.Descriptors(pid)) == 0 // nobody may have waited for it
	})
}

func TestLeaksAreSeen(t *testing.T) {
	testutil.NoLeaks(t)
	// One that watched a child of the test before may be on its last instructions.
	if !testutil.Eventually(func() bool { return testutil.Goroutines() == "" }) {
		t.Errorf("seen with nothing there:\n%s", testutil.Goroutines())
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		<-stop
	}()
	if !strings.Contains(testutil.Goroutines(), "TestLeaksAreSeen") {
		t.Error("a goroutine is not seen")
	}
	close(stop)
	<-stopped

	before := len(testutil.Descriptors(os.Getpid()))
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	if after := len(testutil.Descriptors(os.Getpid())); before > 0 && after != before+1 {
		t.Errorf("%d descriptors, and %d with one more", before, after)
	}
	f.Close()
}

func TestJournal(t *testing.T) {
	logger, output, flags := slog.Default(), log.Writer(), log.Flags()
	t.Run("captures", func(t *testing.T) {
		j := testutil.CaptureLog(t)
		slog.Warn("one thing", "n", 1)
		slog.Debug("another thing")
		if r := j.TakeOne(t, "one"); r.Level != slog.LevelWarn || r.Attrs["n"] != int64(1) {
			t.Error(r)
		}
		if left := j.Find(""); len(left) != 1 || left[0].Text != "another thing" {
			t.Error(left)
		}
		j.Empty(t, slog.LevelInfo)
	})
	if slog.Default() != logger || log.Writer() != output || log.Flags() != flags {
		t.Error("the log is not what it was")
	}
}

func TestRefusing(t *testing.T) {
	testutil.NoLeaks(t)
	conn, err := net.Dial("tcp", testutil.Refusing(t))
	if err == nil {
		conn.Close()
		t.Error("it does not refuse")
	}
}

func TestMute(t *testing.T) {
	testutil.NoLeaks(t)
	conn, err := net.DialTimeout("tcp", testutil.Mute(t), 50*time.Millisecond)
	if err == nil {
		conn.Close()
		t.Error("it answers")
	}
}

// A judge is a testing.TB that notes how a test has ended.
type judge struct {
	testing.TB
	name, skipped, failed string
}

func (j *judge) Helper()      {}
func (j *judge) Name() string { return j.name }

func (j *judge) Skipf(format string, args ...any) {
	j.skipped = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func (j *judge) Errorf(format string, args ...any) { j.failed = fmt.Sprintf(format, args...) }

func (j *judge) Fatalf(format string, args ...any) {
	j.failed = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func (j *judge) judges(test func()) *judge {
	done := make(chan struct{})
	go func() { defer close(done); test() }()
	<-done
	return j
}

// A test that runs a program must call Need first, on every machine. Where the program is
// missing, Need skips the test.
func TestNeed(t *testing.T) {
	j := &judge{TB: t, name: "TestA/part"}
	if j.judges(func() { testutil.Program(j, "sh", "-c", "exit 3") }); j.failed != `a test that runs sh begins with testutil.Need(t, "sh")` {
		t.Errorf("%+v", j)
	}
	missing := &judge{TB: t}
	missing.judges(func() { testutil.Need(missing, "no such program") })
	if !strings.HasPrefix(missing.skipped, "no such program is not installed here") {
		t.Errorf("%+v", missing)
	}
	whole := &judge{TB: t, name: "TestA"}
	if whole.judges(func() { testutil.Need(whole, "sh") }); whole.skipped != "" {
		t.Skip(whole.skipped)
	}
	j.failed = ""
	j.judges(func() {
		if status := testutil.Program(j, "sh", "-c", "exit 3").Wait(); status != 3 {
			t.Errorf("it ended with status %d", status)
		}
	})
	if j.failed != "" || j.skipped != "" {
		t.Errorf("%+v", j)
	}
}
