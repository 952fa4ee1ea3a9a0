package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/curio-go/curio/internal/testutil"
)

const samplePS = `TASK  STATE         CYCLES    AGE  WAITS  TIMEOUT  NAME                       WAITS FOR
   1  TASK_JOIN          4  2h03m  2h03m        -  main                       task main/transfer (3)
   2  SIGNAL_WAIT        1  2h03m  2h03m        -  signals
   3  LOCK_ACQUIRE       7  2h03m    42s        -  main/transfer              Lock 0xc0000140a0(held by task main/audit (4), 1 waiting)
   4  LOCK_ACQUIRE       9  2h03m    41s        -  main/audit                 Lock 0xc0000140b0(held by task main/transfer (3), 1 waiting)
   9  READ_WAIT     120312  1h56m   0.2s        -  main/server                tcp 127.0.0.1:25000
  17  TIME_SLEEP         2   3.2s   1.5s     8.5s  main/server/GET /accounts  [cancelled by main/server 0.5s ago]
`

func TestPS(t *testing.T) {
	testutil.NoLeaks(t)
	s := newStub(t)
	program(t, nil, "", "ps", s.address).want(t, 0, samplePS, "")
	program(t, []string{"CURIO_MONITOR=" + s.address}, "", "ps").want(t, 0, samplePS, "")

	head, rest, _ := strings.Cut(samplePS, "\n")
	rows := slices.Collect(strings.Lines(rest))
	for _, c := range []struct {
		flags string
		order []int
	}{
		{"-sort waiting", []int{1, 0, 2, 3, 5, 4}},
		{"-sort cycles", []int{4, 3, 2, 0, 5, 1}},
		{"-sort state", []int{2, 3, 4, 1, 0, 5}},
		{"-sort name", []int{0, 3, 4, 5, 2, 1}},
		{"-r", []int{5, 4, 3, 2, 1, 0}},
	} {
		want := []string{head + "\n"}
		for _, i := range c.order {
			want = append(want, rows[i])
		}
		program(t, nil, "", append([]string{"ps", s.address}, strings.Fields(c.flags)...)...).want(t, 0, strings.Join(want, ""), "")
	}
}

func TestPSOfSome(t *testing.T) {
	testutil.NoLeaks(t)
	s := newStub(t)
	program(t, nil, "", "ps", "-limit", "1", "-filter", "LOCK", s.address).want(t, 0,
		`TASK  STATE         CYCLES    AGE  WAITS  TIMEOUT  NAME           WAITS FOR
   3  LOCK_ACQUIRE       7  2h03m    42s        -  main/transfer  Lock 0xc0000140a0(held by task main/audit (4), 1 waiting)
`, "curio: 1 task more left off: see -limit and -filter\n")
}

const sampleTree = `main (1) TASK_JOIN 2h03m  task main/transfer (3)
├─ transfer (3) LOCK_ACQUIRE 42s  Lock 0xc0000140a0(held by task main/audit (4), 1 waiting)
├─ audit (4) LOCK_ACQUIRE 41s  Lock 0xc0000140b0(held by task main/transfer (3), 1 waiting)
└─ server (9) READ_WAIT 0.2s  tcp 127.0.0.1:25000
   └─ GET /accounts (17) TIME_SLEEP 1.5s  [cancelled by main/server 0.5s ago]
signals (2) SIGNAL_WAIT 2h03m
`

func TestTree(t *testing.T) {
	testutil.NoLeaks(t)
	s := newStub(t)
	program(t, []string{"LANG=de_DE.UTF-8"}, "", "tree", s.address).want(t, 0, sampleTree, "")
	ascii := strings.NewReplacer("├", "|", "└", "`", "─", "-").Replace(sampleTree)
	program(t, []string{"LANG=en_US.UTF-8", "LC_ALL=C"}, "", "tree", s.address).want(t, 0, ascii, "")
}

func TestWhere(t *testing.T) {
	testutil.NoLeaks(t)
	s := newStub(t)
	s.change(func() {
		s.stacks = map[uint64]stack{17: {17, "bank/serve.go:12", "goroutine 33 [select]:\nmain.serve(0x1)\n\t/src/bank/serve.go:12 +0x1d\x1b[2J\n", 0.0042}}
	})
	const want = `task      main/server/GET /accounts (17)
kind      task of kernel 1
state     TIME_SLEEP
cycles    2, 3.2s old
parent    9
spawned   bank/serve.go:7
waits for TIME_SLEEP
waits     1.5s so far, 8.5s more at most
deadline  in 27s
cancelled cancelled by main/server 0.5s ago
  at      bank/serve.go:91
  because the client has left
is at     bank/serve.go:12
pause     the program was stopped for 4.2 ms to see the stack

goroutine 33 [select]:
main.serve(0x1)
    /src/bank/serve.go:12 +0x1d\x1b[2J
`
	for _, name := range []string{"17", "GET /accounts", "main/server/GET /accounts"} {
		program(t, nil, "", "where", name, s.address).want(t, 0, want, "")
	}
	program(t, nil, "", "where", "18", s.address).want(t, 1, "", "curio: there is no task 18\n")
	program(t, nil, "", "where", "trans", s.address).want(t, 1, "", "curio: there is no task trans\n")
	s.change(func() { s.busy = 2 })
	program(t, nil, "", "where", "17", s.address).want(t, 0, want, "")
	s.change(func() { s.busy = 3 })
	program(t, nil, "", "where", "17", s.address).want(t, 1, "", "curio: stacks were taken a moment ago\n")
}

func TestTwoTasksOfOneName(t *testing.T) {
	testutil.NoLeaks(t)
	s := newStub(t)
	s.change(func() { s.picture.Tasks[3].Name = "transfer" })
	program(t, nil, "", "cancel", "-yes", "transfer", s.address).want(t, 1, "",
		"curio: 2 tasks have the name transfer: give the number of one of them\n\tmain/transfer (3)\n\tmain/audit (4)\n")
	if s.heard() != "" {
		t.Errorf("cancelled: %s", s.heard())
	}
}

func TestWhy(t *testing.T) {
	testutil.NoLeaks(t)
	s := newStub(t)
	s.change(func() {
		s.why = map[uint64]string{3: "task main/transfer (3): LOCK_ACQUIRE\n  task main/audit (4): LOCK_ACQUIRE\n    a circle: back at task main/transfer (3)"}
	})
	program(t, nil, "", "why", "transfer", s.address).want(t, 0, s.why[3]+"\n", "")
	program(t, nil, "", "why", "-lines=false", "3", s.address).want(t, 0, s.why[3]+"\n", "")
	s.change(func() { s.busy = 3 })
	program(t, nil, "", "why", "3", s.address).want(t, 0, s.why[3]+"\n", "curio: without lines of code: stacks were taken a moment ago\n")
	program(t, nil, "", "why", "44", s.address).want(t, 1, "", "curio: there is no task 44\n")
	want := []string{
		"GET /api/tasks?filter=transfer&limit=100000", "GET /api/tasks/3/why?where=1",
		"GET /api/tasks/3", "GET /api/tasks/3/why",
		"GET /api/tasks/3", "GET /api/tasks/3/why?where=1", "GET /api/tasks/3/why?where=1", "GET /api/tasks/3/why?where=1", "GET /api/tasks/3/why",
		"GET /api/tasks/44",
	}
	s.change(func() {
		if !slices.Equal(s.asked, want) {
			t.Errorf("asked %q", s.asked)
		}
	})
}

func TestDeadlocks(t *testing.T) {
	testutil.NoLeaks(t)
	s := newStub(t)
	program(t, nil, "", "deadlocks", s.address).want(t, 0, "no deadlock\n", "")
	s.change(func() {
		s.deadlocks = append(deadlocked(), deadlock{Circle: []stuck{{ID: 9, Name: "main/server", Op: "LOCK_ACQUIRE", Lost: true}}},
			deadlock{Circle: []stuck{{ID: 2, Name: "signals", Op: "LOCK_ACQUIRE"}}})
	})
	const want = `deadlock of 2 tasks; 1 more wait behind:
  task main/transfer (3): LOCK_ACQUIRE Lock 0xc0000140a0(held by task main/audit (4), 1 waiting) at bank/main.go:77
    waits for task main/audit (4)
  task main/audit (4): LOCK_ACQUIRE Lock 0xc0000140b0(held by task main/transfer (3), 1 waiting) at bank/main.go:91
    waits for task main/transfer (3)

a task that can never go on:
  task main/server (9): LOCK_ACQUIRE
    the task that could end this wait has ended

a task that can never go on:
  task signals (2): LOCK_ACQUIRE
    it waits for itself
`
	program(t, nil, "", "deadlocks", s.address).want(t, 3, want, "")
	r := program(t, nil, "", "deadlocks", "-json", s.address)
	var list deadlockList
	if err := json.Unmarshal([]byte(r.stdout), &list); err != nil || r.status != 3 || len(list.Deadlocks) != 3 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestCancel(t *testing.T) {
	testutil.NoLeaks(t)
	s := newStub(t)
	const question = "cancel main/audit (4)? [y/N] "
	program(t, nil, "", "cancel", "4", s.address).want(t, 1, "", "curio: there is no terminal to ask on: use -yes\n")
	for _, said := range []string{"n\n", "\n", "ye\n", " "} {
		program(t, nil, said, "cancel", "4", s.address).want(t, 1, "", question+"curio: not cancelled\n")
	}
	if s.heard() != "" {
		t.Errorf("cancelled: %s", s.heard())
	}
	program(t, nil, "y\n", "cancel", "4", s.address).want(t, 0, "cancelled main/audit (4)\n", question)
	program(t, nil, "", "cancel", "server", s.address, "-yes").want(t, 0, "cancelled main/server (9)\n", "")
	if s.heard() != "4 audit, 9 server" {
		t.Errorf("cancelled: %s", s.heard())
	}
	s.change(func() { s.picture.Changes = false })
	program(t, nil, "", "cancel", "-yes", "4", s.address).want(t, 1, "", "curio: changes are not switched on\n")
}

func TestJSON(t *testing.T) {
	testutil.NoLeaks(t)
	s := newStub(t)
	s.change(func() { s.picture = hostilePicture() })
	for _, args := range []string{"ps", "tree", "where 1", "why 1", "deadlocks"} {
		r := program(t, nil, "", append(strings.Fields(args), "-json", s.address)...)
		if r.status != 0 || !json.Valid([]byte(r.stdout)) || r.stderr != "" {
			t.Errorf("curio %s: %+v", args, r)
		}
		isHarmless(t, r.stdout)
	}
}

// Nothing that a program calls its tasks gets to the terminal as it is.
func TestHostileNames(t *testing.T) {
	testutil.NoLeaks(t)
	s := newStub(t)
	s.change(func() { s.picture = hostilePicture() })
	all := strings.Join(hostile, "\n")
	s.change(func() {
		s.stacks, s.why = map[uint64]stack{1: {Where: hostile[0], Stack: all}}, map[uint64]string{1: all}
	})
	for _, name := range hostile {
		s.change(func() {
			s.deadlocks = append(s.deadlocks, deadlock{Circle: []stuck{{Name: name, Op: name, Object: name, Where: name}}})
		})
	}
	for _, args := range [][]string{{"ps"}, {"tree"}, {"where", "1"}, {"why", "1"}, {"deadlocks"}, {"cancel", "-yes", "1"}, {"where", hostile[0] + "x"}, {"where", hostile[1]}} {
		r := program(t, nil, "", append(args, s.address)...)
		isHarmless(t, r.stdout+r.stderr)
	}
	s.change(func() { s.fails = true })
	r := program(t, nil, "", "ps", s.address)
	r.want(t, 1, "", "curio: the stub \\x1b[31mfails\n")
	isHarmless(t, program(t, nil, "", "ps", "unix:/\x1b[2Jnowhere").stderr)
	isHarmless(t, program(t, nil, "", "\x1b[2J").stderr)
	isHarmless(t, program(t, nil, "", "ps", "-\x1b[2J").stderr)
}

// What the program has quoted itself is not quoted once more.
func TestWhyIsQuotedOnce(t *testing.T) {
	testutil.NoLeaks(t)
	s := newStub(t)
	s.change(func() { s.why = map[uint64]string{1: "task a\\nb (1): RUNNING\n\ttask \x1b[2J (2): RUNNING\n"} })
	program(t, nil, "", "why", "1", s.address).want(t, 0, "task a\\nb (1): RUNNING\n    task \\x1b[2J (2): RUNNING\n", "")
}

func TestToken(t *testing.T) {
	testutil.NoLeaks(t)
	s := newStubTCP(t)
	s.change(func() { s.token = "secret" })
	file := testutil.WriteFile(t, "token", []byte("secret\n"))
	empty := testutil.WriteFile(t, "token", []byte(" \n"))
	program(t, nil, "", "ps", s.address).want(t, 1, "",
		"curio: the monitor asks for its token: set CURIO_MONITOR_TOKEN, or give the file that has it with -token-file\n")
	program(t, []string{"CURIO_MONITOR_TOKEN=wrong"}, "", "ps", s.address).want(t, 1, "", "curio: the monitor does not accept the token\n")
	program(t, []string{"CURIO_MONITOR_TOKEN=secret"}, "", "ps", s.address).want(t, 0, samplePS, "")
	program(t, []string{"CURIO_MONITOR_TOKEN=wrong"}, "", "ps", "-token-file", file, s.address).want(t, 0, samplePS, "")
	program(t, nil, "", "ps", "-token-file", empty, s.address).want(t, 1, "", "curio: "+empty+" has no token: want one line of ASCII\n")
	program(t, nil, "", "ps", "-token-file", empty+"x", s.address).want(t, 1, "", "curio: open "+empty+"x: no such file or directory\n")
	program(t, []string{"CURIO_MONITOR_TOKEN=secret"}, "", "cancel", "-yes", "9", s.address).want(t, 0, "cancelled main/server (9)\n", "")
}

// A Unix socket may be anybody's, and its monitor needs no token.
func TestNoTokenOnUnixSockets(t *testing.T) {
	testutil.NoLeaks(t)
	s := newStub(t)
	program(t, []string{"CURIO_MONITOR_TOKEN=secret"}, "", "ps", s.address).want(t, 0, samplePS, "")
	s.change(func() {
		if slices.ContainsFunc(s.tokens, func(token string) bool { return token != "" }) {
			t.Errorf("it was sent %q", s.tokens)
		}
	})
}

func TestNoMonitor(t *testing.T) {
	testutil.NoLeaks(t)
	path := filepath.Join(t.TempDir(), "s")
	program(t, nil, "", "ps", path).want(t, 1, "",
		"curio: nothing answers at unix:"+path+": no such file or directory (does the program run, with its monitor on?)\n")
	refusing := testutil.Refusing(t)
	program(t, nil, "", "ps", refusing).want(t, 1, "",
		"curio: nothing answers at "+refusing+": connection refused (does the program run, with its monitor on?)\n")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if r := program(t, nil, "", "ps", path); r.status != 1 || !strings.HasPrefix(r.stderr, "curio: nothing answers at unix:"+path) {
		t.Errorf("a file that is no socket: %+v", r)
	}
}

// Somebody else's server, one that ends in the middle, and one that sends nothing.
func TestNotAMonitor(t *testing.T) {
	testutil.NoLeaks(t)
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch r.FormValue("filter") {
		case "html":
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprint(w, "<h1>It works!</h1>")
		case "redirect":
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		case "array":
			fmt.Fprint(w, "[1, 2]")
		case "garbage":
			fmt.Fprint(w, "\x1b[2J")
		case "half":
			fmt.Fprint(w, `{"tasks": [{"id":`)
		case "cut":
			w.Header().Set("Content-Length", "1000")
			fmt.Fprint(w, `{"tasks": [`)
		case "unauthorized":
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	defer other.Close()
	addr := strings.TrimPrefix(other.URL, "http://")
	for filter, want := range map[string]string{
		"html":         "answers, but not as a monitor of curio does (200 OK)",
		"redirect":     "answers, but not as a monitor of curio does (302 Found)",
		"array":        "answers what this version of curio does not understand",
		"garbage":      "answers what this version of curio does not understand",
		"half":         "ended the connection before the answer was complete",
		"cut":          "ended the connection before the answer was complete",
		"unauthorized": "asks for its token",
	} {
		r := program(t, nil, "", "ps", "-filter", filter, addr)
		if r.status != 1 || r.stdout != "" || !strings.Contains(r.stderr, want) {
			t.Errorf("%s: %+v", filter, r)
		}
		isHarmless(t, r.stderr)
	}
}

func TestTimeout(t *testing.T) {
	testutil.NoLeaks(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() // nobody accepts, and nobody answers
	began := time.Now()
	program(t, nil, "", "ps", "-timeout", "50ms", l.Addr().String()).want(t, 1, "", "curio: "+l.Addr().String()+" does not answer: context deadline exceeded\n")
	if took := time.Since(began); took < 50*time.Millisecond {
		t.Errorf("it gave up after %v", took)
	}
}

// A deep tree is not drawn wider than anybody can see, and a circle is not drawn for ever.
func TestStrangeTrees(t *testing.T) {
	testutil.NoLeaks(t)
	s := newStub(t)
	s.change(func() { s.picture.Tasks = nil })
	for id := uint64(1); id <= 10_000; id++ {
		s.change(func() {
			s.picture.Tasks = append(s.picture.Tasks, task{ID: id, Parent: id - 1, Name: "t", State: "RUNNING"})
		})
	}
	r := program(t, nil, "", "tree", s.address)
	if n := strings.Count(r.stdout, "\n"); n != 10_000 || len(r.stdout) > 10_000*200 {
		t.Errorf("%d lines, %d bytes, %s", n, len(r.stdout), r.stderr)
	}
	s.change(func() {
		for i := range s.picture.Tasks {
			s.picture.Tasks[i].Parent = uint64(i+1)%10_000 + 1
		}
	})
	r = program(t, nil, "", "tree", s.address)
	if n := strings.Count(r.stdout, "\n"); n != 10_000 {
		t.Errorf("%d lines, %s", n, r.stderr)
	}
}

func TestManyTasks(t *testing.T) {
	testutil.NoLeaks(t)
	s := newStub(t)
	const most = 5000
	var tasks []task
	for id := range uint64(most + 5) {
		tasks = append(tasks, task{ID: id + 1, Parent: 1, Name: "worker", Path: "main/worker", State: "TIME_SLEEP"})
	}
	s.change(func() { s.picture.Tasks = tasks })
	r := program(t, nil, "", "ps", "-limit", fmt.Sprint(most), s.address)
	if n := strings.Count(r.stdout, "\n"); n != most+1 || r.stderr != "curio: 5 tasks more left off: see -limit and -filter\n" {
		t.Errorf("%d lines, %s", n, r.stderr)
	}
}
