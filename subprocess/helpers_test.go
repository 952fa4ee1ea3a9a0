package subprocess_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/subprocess"
)

var background = context.Background()

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantError(t testing.TB, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Errorf("the error is %v, want %v", err, target)
	}
}

func wantText(t testing.TB, err error, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("the error is %v, and does not say %q", err, text)
		}
	}
}

// shell is a command that runs a script.
func shell(script string) *subprocess.Cmd { return subprocess.Command("/bin/sh", "-c", script) }

// start starts c, which is killed when the test ends.
func start(t testing.TB, c *subprocess.Cmd, std ...*os.File) *subprocess.Process {
	t.Helper()
	p, err := subprocess.Start(background, c, std...)
	check(t, err)
	t.Cleanup(func() {
		_ = p.Close()
		_, err := p.Wait(background)
		check(t, err)
	})
	return p
}

func waitFor(t testing.TB, p *subprocess.Process) subprocess.ExitStatus {
	t.Helper()
	status, err := p.Wait(background)
	check(t, err)
	return status
}

// An output reads what a program prints.
type output struct {
	t    testing.TB
	read *os.File
	rest []byte
}

// pipe returns a pipe: what a program is given, and an output.
func pipe(t testing.TB) (*os.File, *output) {
	t.Helper()
	r, w := blockingPipe(t)
	return w, &output{t: t, read: r}
}

// blockingPipe is os.Pipe without non-blocking mode, which a program would not understand. It is closed at
// the end of the test.
func blockingPipe(t testing.TB) (r, w *os.File) {
	t.Helper()
	var fds [2]int
	syscall.ForkLock.RLock()
	err := syscall.Pipe(fds[:])
	if err == nil {
		syscall.CloseOnExec(fds[0])
		syscall.CloseOnExec(fds[1])
	}
	syscall.ForkLock.RUnlock()
	check(t, err)
	r, w = os.NewFile(uintptr(fds[0]), "pipe"), os.NewFile(uintptr(fds[1]), "pipe")
	t.Cleanup(func() {
		r.Close()
		w.Close()
	})
	return r, w
}

// speaking starts a program whose standard output is read.
func speaking(t testing.TB, c *subprocess.Cmd) (*subprocess.Process, *output) {
	t.Helper()
	w, out := pipe(t)
	p := start(t, c, nil, w)
	w.Close()
	return p, out
}

// line returns the next line.
func (o *output) line() string {
	o.t.Helper()
	for {
		if line, rest, ok := bytes.Cut(o.rest, []byte("\n")); ok {
			o.rest = rest
			return string(line)
		}
		buf := make([]byte, 4096)
		n, err := o.read.Read(buf)
		o.rest = append(o.rest, buf[:n]...)
		if err != nil && n == 0 {
			o.t.Fatalf("no line comes: %v; there is %q", err, o.rest)
		}
	}
}

// expect reads a line that must be as given.
func (o *output) expect(line string) {
	o.t.Helper()
	if got := o.line(); got != line {
		o.t.Fatalf("the program says %q, want %q", got, line)
	}
}

func (o *output) number() int {
	o.t.Helper()
	n, err := strconv.Atoi(o.line())
	check(o.t, err)
	return n
}

// all returns what comes until the end.
func (o *output) all() string {
	o.t.Helper()
	rest, err := io.ReadAll(o.read)
	check(o.t, err)
	return string(o.rest) + string(rest)
}

// runs reports whether a process runs; one that has ended and that nobody has collected does not.
func runs(pid int) bool { return syscall.Kill(pid, 0) == nil && !isZombie(pid) }

func awaitGone(t testing.TB, pid int) {
	t.Helper()
	testutil.Await(t, "end of process "+strconv.Itoa(pid), func() bool { return !runs(pid) })
}

// noChildren fails the test if this process has a child.
func noChildren(t testing.TB) {
	t.Helper()
	if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); err != syscall.ECHILD {
		t.Errorf("there is a child: wait4 says %d, %v", pid, err)
	}
}

// inEachWay runs a test for each way in which children are waited for.
func inEachWay(t *testing.T, test func(t *testing.T)) {
	for _, way := range subprocess.Ways() {
		t.Run(way.Name, func(t *testing.T) {
			testutil.NoLeaks(t)
			way.Use(t)
			test(t)
		})
	}
}

// use makes this process wait in the way of that name.
func use(name string) {
	for _, way := range subprocess.Ways() {
		if way.Name == name {
			way.Use(&outside{})
		}
	}
}

// outside is a testing.TB where no test runs.
type outside struct{ testing.TB }

func (*outside) Helper()        {}
func (*outside) Cleanup(func()) {}

// self is a command that runs what children has under args[0].
func self(t testing.TB, args ...string) *subprocess.Cmd {
	t.Helper()
	program, err := os.Executable()
	check(t, err)
	r, w, err := os.Pipe()
	check(t, err)
	t.Cleanup(func() {
		r.Close()
		w.Close()
	})
	c := subprocess.Command(program, args...)
	c.Env = append(os.Environ(), "CURIO_TEST_CHILD=1", "GORACE="+os.Getenv("GORACE")+" atexit_sleep_ms=0")
	c.ExtraFiles = []*os.File{r}
	return c
}

func needRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root may do this")
	}
}
