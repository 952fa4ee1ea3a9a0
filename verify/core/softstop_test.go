package core_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/curio-go/curio/internal/testutil"
)

// running is the program of softstop_program_test.go, and its clients.
type running struct {
	*testutil.Child
	t     *testing.T
	lines []string // that it has printed

	pid                int      // of its child
	idleHTTP, idleLine net.Conn // have had an answer and keep the connection
	slowHTTP, slowLine net.Conn // wait for one
	upgraded           net.Conn // has left HTTP, and waits as well
}

// begin starts the program and waits until everything in it is in the middle of something.
func begin(t *testing.T, way string, grace time.Duration) *running {
	t.Helper()
	r := &running{Child: testutil.Self(t, "everything that has to stop", way, grace.String()), t: t}
	var err error
	if r.pid, err = strconv.Atoi(r.says("child begun ")); err != nil {
		t.Fatal(err)
	}
	web, lines := r.says("http "), r.says("lines ")
	r.says("item 1 begun")
	if stopWays[way].straggler {
		r.says("straggler begun")
	}
	r.idleHTTP, r.slowHTTP, r.upgraded = testutil.Dial(t, web), testutil.Dial(t, web), testutil.Dial(t, web)
	r.idleLine, r.slowLine = testutil.Dial(t, lines), testutil.Dial(t, lines)
	fmt.Fprint(r.idleHTTP, "GET /quick HTTP/1.1\r\nHost: x\r\n\r\n")
	r.receives(r.idleHTTP, "HTTP/1.1 200 OK", "at once")
	fmt.Fprint(r.idleLine, "quick\n")
	r.receives(r.idleLine, "quick\n", "")
	fmt.Fprint(r.slowHTTP, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
	fmt.Fprint(r.upgraded, "GET /upgrade HTTP/1.1\r\nHost: x\r\n\r\n")
	fmt.Fprint(r.slowLine, "slow\n")
	r.says("request begun")
	r.says("upgrade begun")
	r.says("line begun")
	return r
}

// receives reads from a connection that stays open until what it gets ends with last.
func (r *running) receives(conn net.Conn, first, last string) {
	r.t.Helper()
	var got []byte
	for in := bufio.NewReader(conn); !strings.HasPrefix(string(got), first) || !strings.HasSuffix(string(got), last); {
		b, err := in.ReadByte()
		if err != nil {
			r.t.Fatalf("a client received %q, %v", got, err)
		}
		got = append(got, b)
	}
}

// says waits until the program has printed a line that begins with want, and returns the rest of it.
func (r *running) says(want string) (rest string) {
	r.t.Helper()
	for i := 0; ; i++ {
		if i == len(r.lines) {
			r.lines = append(r.lines, r.Line())
		}
		if rest, ok := strings.CutPrefix(r.lines[i], want); ok {
			return rest
		}
	}
}

// finished is what the program says when it is asked to stop.
var finished = []string{"request done", "upgrade done", "line done", "item 1 done", "child good-bye, status 3", "stopping"}

// ends waits for the program's end by the signal, and returns what it has written to standard error.
func (r *running) ends(by syscall.Signal) (complaint string) {
	r.t.Helper()
	said := r.EndedBy(by)
	complaint = r.Stderr()
	for line := range strings.Lines(strings.TrimSuffix(said, complaint)) {
		r.lines = append(r.lines, strings.TrimSuffix(line, "\n"))
	}
	testutil.Await(r.t, "the end of its child", func() bool { return ended(r.pid) })
	return complaint
}

// ended reports whether there is no such process, or only a zombie, which belongs to the process that has adopted
// it.
func ended(pid int) bool {
	if syscall.Kill(pid, 0) == syscall.ESRCH {
		return true
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	return err == nil && strings.Contains(string(status), "State:\tZ")
}

// A program with everything in it is told to stop. What has begun is finished; what does not listen is
// cancelled when the grace time is over, and named; the service ends last; and so does the process, by
// the signal.
func TestSoftStop(t *testing.T) {
	testutil.Need(t, "sh")
	t.Parallel()
	const grace = 2 * time.Second
	r := begin(t, "straggler", grace)
	start := time.Now()
	r.Signal(syscall.SIGTERM)
	for conn, want := range map[net.Conn]string{r.idleHTTP: "", r.slowHTTP: "finished", r.upgraded: "finished", r.idleLine: "", r.slowLine: "slow\n"} {
		got, err := io.ReadAll(conn)
		if err != nil || !strings.HasSuffix(string(got), want) || want == "" && len(got) > 0 {
			t.Errorf("a client received %q, %v, want %q", got, err, want)
		}
	}
	for _, line := range finished {
		r.says(line)
	}
	complaint := r.ends(syscall.SIGTERM)
	if took := time.Since(start); took < grace {
		t.Errorf("it was over after %v", took)
	}
	if n := len(r.lines); !slices.Equal(r.lines[n-3:], []string{"straggler cancelled", "service cancelled", "service ended"}) {
		t.Errorf("it printed %q", r.lines)
	}
	if slices.Contains(r.lines, "item 2 begun") {
		t.Error("it has begun something new")
	}
	_, report, _ := strings.Cut(complaint, "curio: stopped by the signal SIGTERM: ")
	for _, want := range []string{
		"2 tasks had not ended after the grace time and were cancelled",
		"everything).run-fm: TASKGROUP_JOIN at ", "softstop_program_test.go:", // which waits for the other one
		"straggler: TIME_SLEEP at ", "tasks.go:", ", for 2",
	} {
		if !strings.Contains(report, want) {
			t.Errorf("the report lacks %q:\n%s", want, complaint)
		}
	}
}

// stops are the ways in which it stops, and what shows that a wish has been granted. The last wish ends
// the process, softly if there are fewer than three.
var stops = []struct {
	way   string
	shown [][]string
}{
	{"in time", [][]string{nil}},
	{"straggler", [][]string{finished, nil}},
	{"left", [][]string{finished, nil}},
	{"pause", [][]string{{"stopping"}, nil}},
	{"stubborn", [][]string{finished, {"straggler cancelled"}, nil}},
	{"left stubborn", [][]string{finished, {"straggler cancelled"}, nil}},
	{"pause stubborn", [][]string{{"stopping"}, {"straggler cancelled"}, nil}},
	{"left pause stubborn", [][]string{{"stopping"}, {"straggler cancelled"}, nil}},
}

// The second and the third wish at every stage of the program, each sent when the one before has shown,
// several hundred times in a long run.
func TestWishesOfAProcess(t *testing.T) {
	testutil.Need(t, "sh")
	t.Parallel()
	rounds, atOnce := 1, 1
	if testutil.LongStarts {
		rounds, atOnce = 5, 10
	}
	wishes := []syscall.Signal{syscall.SIGINT, syscall.SIGTERM}
	for round := range rounds {
		for i, s := range stops {
			t.Run(fmt.Sprint(s.way, "/", round), func(t *testing.T) {
				all := make([]*running, atOnce)
				for k := range all {
					all[k] = begin(t, s.way, time.Hour)
				}
				for n, shown := range s.shown {
					if n > 0 {
						time.Sleep(250 * time.Millisecond) // else two wishes count as one
					}
					for k, r := range all {
						r.Signal(wishes[(i+k+n)%2])
					}
					for _, r := range all {
						for _, line := range shown {
							r.says(line)
						}
					}
				}
				for k, r := range all {
					last := len(s.shown) - 1
					by := wishes[(i+k)%2] // the first, which Run returns
					if last == 2 {
						by = wishes[(i+k+last)%2]
					}
					r.ends(by)
					if ended := slices.Contains(r.lines, "service ended"); ended != (last < 2) {
						t.Errorf("it printed %q", r.lines)
					}
					for _, line := range finished {
						if last == 0 && !slices.Contains(r.lines, line) {
							t.Errorf("it printed %q, and not %q", r.lines, line)
						}
					}
				}
			})
		}
	}
}

// The third wish ends a program that does not stop its child, and the child with it, although it is in a
// process group of its own.
func TestThirdWishAndChild(t *testing.T) {
	testutil.Need(t, "sh")
	t.Parallel()
	for range testutil.Starts(20) {
		r := begin(t, "orphan", time.Hour)
		r.Interrupt()
		r.says("stopping")
		time.Sleep(250 * time.Millisecond) // else two wishes count as one
		r.Interrupt()
		r.says("straggler cancelled")
		if ended(r.pid) {
			t.Error("its child has ended too early")
		}
		r.InterruptAgain()
		r.ends(syscall.SIGINT)
	}
}

// The third wish ends a program that hangs in its shutdown.
func TestThirdWishInShutdown(t *testing.T) {
	testutil.Need(t, "sh")
	t.Parallel()
	for range testutil.Starts(20) {
		r := begin(t, "service", time.Hour)
		r.Interrupt()
		for _, line := range append([]string{"service cancelled"}, finished...) {
			r.says(line)
		}
		r.InterruptAgain() // the second one has no effect that shows
		r.ends(syscall.SIGINT)
	}
}

// One Ctrl-C ends a loop of a shell script, as the program in it dies by the signal when it has stopped.
// dash ends anyway; bash looks at how the program has ended.
func TestShellLoop(t *testing.T) {
	for _, shell := range []string{"sh", "bash"} {
		t.Run(shell, func(t *testing.T) {
			testutil.Need(t, shell)
			t.Parallel()
			c := testutil.Shell(t, shell, `for i in 1 2 3; do "$0" "$@"; done; echo survived`, "stops softly")
			c.After("ready")
			c.InterruptGroup()
			if said := c.EndedBy(syscall.SIGINT); said != "finished\n" {
				t.Errorf("they said %q", said)
			}
		})
	}
}
