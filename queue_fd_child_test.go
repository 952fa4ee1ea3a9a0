package curio_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
)

// keepsNoDescriptor fails the test if in the end there are more descriptors than now.
func keepsNoDescriptor(t testing.TB) {
	t.Helper()
	if r, w, err := os.Pipe(); err == nil { // makes the runtime open its poller
		r.Close()
		w.Close()
	}
	before := len(testutil.Descriptors(os.Getpid()))
	t.Cleanup(func() { testutil.NoMoreDescriptors(t, before) })
}

func init() {
	// A loop that knows nothing of the queue but its descriptor: a line "poll" is
	// answered with whether it is readable, "wait" as soon as it is.
	children["poll"] = func() {
		ctx := context.Background()
		lines := bufio.NewScanner(os.Stdin)
		for lines.Scan() {
			switch lines.Text() {
			case "poll":
				fmt.Println(readable(ctx, new(testing.T), 3))
			case "wait":
				fmt.Println("waiting")
				fmt.Println(curio.WaitRead(ctx, 3) == nil)
			}
		}
	}
	children["no descriptors"] = outOfDescriptors
}

// checkChild has a conversation with a process that has inherited the descriptor of q.
func checkChild(t testing.TB, q *curio.UniversalQueue[int], say func(line string), hear func() string) {
	t.Helper()
	ask := func(what, want string) {
		t.Helper()
		if say("poll"); hear() != want {
			t.Errorf("%s: the child's answer is not %s", what, want)
		}
	}
	ask("new", "false")
	fillQueue(t, q, 1, 2)
	ask("put", "true")
	ask("put", "true")
	_, _ = q.TryGet()
	ask("got one", "true")
	_, _ = q.TryGet()
	ask("drained", "false")
	if say("wait"); hear() != "waiting" {
		t.Error("the child does not wait")
	}
	fillQueue(t, q, 3)
	if s := hear(); s != "true" {
		t.Errorf("when it had waited, the child said %s", s)
	}
	queueHolds(t, q, 3)
	q.CloseFD() // the child has a copy, which nobody raises any more
	fillQueue(t, q, 4)
	ask("after CloseFD", "false")
}

// Q18: a child process that was given a duplicate.
func TestUniversalQueueFDInAChild(t *testing.T) {
	keepsNoDescriptor(t)
	q := curio.NewUniversalQueue[int](0)
	dup, err := syscall.Dup(newFD(t, q))
	if err != nil {
		t.Fatal(err)
	}
	file := os.NewFile(uintptr(dup), "queue")
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), "CURIO_TEST_CHILD=poll")
	cmd.ExtraFiles = []*os.File{file}
	in, inErr := cmd.StdinPipe()
	out, outErr := cmd.StdoutPipe()
	if err := errors.Join(inErr, outErr, cmd.Start(), file.Close()); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	checkChild(t, q, func(line string) { fmt.Fprintln(in, line) }, func() string {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(line)
	})
	in.Close()
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// pythonLoop does the same as the child "poll", with Python's select.poll.
const pythonLoop = `
import select, sys
p = select.poll()
p.register(int(sys.argv[1]), select.POLLIN)
for line in sys.stdin:
    if line == "wait\n":
        print("waiting", flush=True)
        print("true" if p.poll() else "false", flush=True)
    else:
        print("true" if p.poll(0) else "false", flush=True)
`

// Q18: a loop in another language, in a process that has inherited a duplicate.
func TestUniversalQueueFDInPython(t *testing.T) {
	testutil.Need(t, "python3")
	keepsNoDescriptor(t)
	q := curio.NewUniversalQueue[int](0)
	dup, err := syscall.Dup(newFD(t, q)) // without FD_CLOEXEC
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(dup) })
	python := testutil.Program(t, "python3", "-c", pythonLoop, strconv.Itoa(dup))
	checkChild(t, q, func(line string) { fmt.Fprintln(python.Stdin, line) }, python.Line)
	python.Stdin.Close()
	if status := python.Wait(); status != 0 {
		t.Errorf("it ended with status %d", status)
	}
}

// limitDescriptors makes n the number that descriptors must be below.
func limitDescriptors(n int) error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	setField(&limit.Cur, n)
	return syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
}

// setField is for a field that is signed on some systems and unsigned on others.
func setField[T int64 | uint64](field *T, n int) { *field = T(n) }

// outOfDescriptors is a process in which FD fails, until there is room again.
func outOfDescriptors() {
	next, err := syscall.Dup(0)
	if err != nil {
		panic(err)
	}
	syscall.Close(next)
	if err := limitDescriptors(next); err != nil {
		panic(err)
	}
	ctx := context.Background()
	q := curio.NewUniversalQueue[int](1)
	for range 2 {
		fd, err := q.FD()
		var call *os.SyscallError
		fmt.Println(fd, errors.Is(err, syscall.EMFILE), errors.As(err, &call))
		err = q.Put(ctx, 7)
		v, e := q.Get(ctx)
		fmt.Println(v, err, e)
	}
	if err := limitDescriptors(next + 10); err != nil {
		panic(err)
	}
	fd, err := q.FD()
	fmt.Println(fd >= next, err)
	q.CloseFD()
}

// Without a descriptor left FD says so, and the queue works as before; when there is one
// again, so does FD.
func TestUniversalQueueOutOfDescriptors(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), "CURIO_TEST_CHILD=no descriptors")
	out, err := cmd.CombinedOutput()
	const want = "-1 true true\n7 <nil> <nil>\n-1 true true\n7 <nil> <nil>\ntrue <nil>\n"
	if err != nil || string(out) != want {
		t.Errorf("the child ended with %v, and said %q, want %q", err, out, want)
	}
}
