package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// A stub is a monitor without a program: it answers with what a test has put in it.
type stub struct {
	address string

	mu        sync.Mutex
	picture   picture
	stacks    map[uint64]stack
	why       map[uint64]string
	deadlocks []deadlock
	busy      int    // it refuses that many questions for stacks
	token     string // "" for none
	fails     bool   // every answer is an error
	asked     []string
	tokens    []string // that came
	cancelled []string // "id name"
}

// newStub starts one on a Unix socket, newStubTCP on a port.
func newStub(t testing.TB) *stub {
	// The path of a socket is short, and t.TempDir's may not be.
	dir, err := os.MkdirTemp("", "curio")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "s")
	return serveStub(t, "unix", path, "unix:"+path)
}

func newStubTCP(t testing.TB) *stub { return serveStub(t, "tcp", "127.0.0.1:0", "") }

func serveStub(t testing.TB, network, address, shown string) *stub {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	s := &stub{address: shown, picture: sample()}
	if shown == "" {
		s.address = l.Addr().String()
	}
	server := &http.Server{Handler: s}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(l) // until it is closed
	}()
	t.Cleanup(func() {
		server.Close()
		<-served
	})
	return s
}

// change changes what the stub answers.
func (s *stub) change(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// heard returns what has been cancelled so far.
func (s *stub) heard() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.cancelled, ", ")
}

func (s *stub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, r.Method+" "+r.URL.RequestURI())
	s.tokens = append(s.tokens, r.Header.Get("Authorization"))
	switch {
	case s.token != "" && r.Header.Get("Authorization") != "Bearer "+s.token:
		refuse(w, http.StatusUnauthorized, "the token is missing")
		return
	case s.fails:
		refuse(w, http.StatusInternalServerError, "the stub \x1b[31mfails")
		return
	}
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	if s.busy > 0 && (r.FormValue("where") != "" || parts[len(parts)-1] == "stack") {
		s.busy--
		refuse(w, http.StatusTooManyRequests, "stacks were taken a moment ago")
		return
	}
	switch {
	case len(parts) == 2 && parts[1] == "tasks":
		answer(w, s.selected(r))
	case len(parts) == 2 && parts[1] == "deadlocks":
		answer(w, deadlockList{s.deadlocks})
	case len(parts) >= 3 && parts[1] == "tasks":
		s.serveTask(w, r, parts[2], strings.Join(parts[3:], "/"))
	default:
		http.NotFound(w, r)
	}
}

func (s *stub) serveTask(w http.ResponseWriter, r *http.Request, number, what string) {
	id, _ := strconv.ParseUint(number, 10, 64)
	var found *task
	for i := range s.picture.Tasks {
		if s.picture.Tasks[i].ID == id {
			found = &s.picture.Tasks[i]
		}
	}
	switch {
	case found == nil:
		refuse(w, http.StatusNotFound, "there is no task "+number)
	case what == "":
		answer(w, found)
	case what == "stack":
		answer(w, s.stacks[id])
	case what == "why":
		answer(w, chain{s.why[id]})
	case what == "cancel":
		s.cancel(w, r, found)
	default:
		http.NotFound(w, r)
	}
}

func (s *stub) cancel(w http.ResponseWriter, r *http.Request, t *task) {
	var body struct{ Name string }
	switch err := json.NewDecoder(r.Body).Decode(&body); {
	case r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" || err != nil:
		refuse(w, http.StatusUnsupportedMediaType, "want JSON")
	case !s.picture.Changes:
		refuse(w, http.StatusForbidden, "changes are not switched on")
	case body.Name != t.Name:
		refuse(w, http.StatusConflict, fmt.Sprintf("task %d is not %s", t.ID, body.Name))
	default:
		s.cancelled = append(s.cancelled, fmt.Sprint(t.ID, " ", t.Name))
		answer(w, map[string]string{"cancelled": t.Path})
	}
}

func (s *stub) selected(r *http.Request) picture {
	p, filter := s.picture, r.FormValue("filter")
	limit, _ := strconv.Atoi(r.FormValue("limit"))
	p.Tasks = nil
	p.Total = len(s.picture.Tasks)
	matching := 0
	for _, t := range s.picture.Tasks {
		if filter != "" && !strings.Contains(t.Name, filter) && !strings.Contains(t.State, filter) && fmt.Sprint(t.ID) != filter {
			continue
		}
		matching++
		if len(p.Tasks) < limit {
			p.Tasks = append(p.Tasks, t)
		}
	}
	p.LeftOff = matching - len(p.Tasks)
	return p
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_ = json.NewEncoder(w).Encode(v)
}

func refuse(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	if status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", "0")
	}
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": text})
}

// sample is a program with a deadlock of two tasks, a server and a task that has been cancelled.
func sample() picture {
	return picture{
		Program: "bank", PID: 4242, Changes: true, Goroutines: 12,
		Tasks: []task{
			{
				ID: 1, Name: "main", Path: "main", Kernel: 1, Kind: "main", State: "TASK_JOIN", Cycles: 4, Age: 7384, Spawned: "bank/main.go:20",
				Waits: []wait{{"TASK_JOIN", "task main/transfer (3)", []uint64{3}}}, Waiting: new(7383.0),
			},
			{
				ID: 2, Name: "signals", Path: "signals", Kernel: 1, Kind: "service", State: "SIGNAL_WAIT", Cycles: 1, Age: 7384, Spawned: "signal/queue.go:88",
				Waits: []wait{{Op: "SIGNAL_WAIT"}}, Waiting: new(7384.0),
			},
			{
				ID: 3, Name: "transfer", Path: "main/transfer", Parent: 1, Kernel: 1, Kind: "task", State: "LOCK_ACQUIRE", Cycles: 7, Age: 7383, Spawned: "bank/main.go:42",
				Waits: []wait{{"LOCK_ACQUIRE", "Lock 0xc0000140a0(held by task main/audit (4), 1 waiting)", []uint64{4}}}, Waiting: new(42.5),
			},
			{
				ID: 4, Name: "audit", Path: "main/audit", Parent: 1, Kernel: 1, Kind: "task", State: "LOCK_ACQUIRE", Cycles: 9, Age: 7383, Spawned: "bank/main.go:43",
				Waits: []wait{{"LOCK_ACQUIRE", "Lock 0xc0000140b0(held by task main/transfer (3), 1 waiting)", []uint64{3}}}, Waiting: new(41.0),
			},
			{
				ID: 9, Name: "server", Path: "main/server", Parent: 1, Kernel: 1, Kind: "daemon", State: "READ_WAIT", Cycles: 120312, Age: 7000, Spawned: "bank/main.go:50",
				Waits: []wait{{Op: "READ_WAIT", Object: "tcp 127.0.0.1:25000"}}, Waiting: new(0.25), Essential: true, Group: true,
			},
			{
				ID: 17, Name: "GET /accounts", Path: "main/server/GET /accounts", Parent: 9, Kernel: 1, Kind: "task", State: "TIME_SLEEP", Cycles: 2, Age: 3.25, Spawned: "bank/serve.go:7",
				Waits: []wait{{Op: "TIME_SLEEP"}}, Waiting: new(1.5), Until: new(8.5), Deadline: new(26.75),
				Cancelled: &cancellation{By: "main/server", Where: "bank/serve.go:91", Ago: 0.5, Reason: "the client has left"},
			},
		},
	}
}

// deadlocked is the deadlock of the sample.
func deadlocked() []deadlock {
	return []deadlock{{Behind: 1, Circle: []stuck{
		{ID: 3, Name: "main/transfer", Op: "LOCK_ACQUIRE", Object: "Lock 0xc0000140a0(held by task main/audit (4), 1 waiting)", Where: "bank/main.go:77"},
		{ID: 4, Name: "main/audit", Op: "LOCK_ACQUIRE", Object: "Lock 0xc0000140b0(held by task main/transfer (3), 1 waiting)", Where: "bank/main.go:91"},
	}}}
}

// hostile are names that would do something to a terminal, hide, or take room.
var hostile = []string{
	"\x1b[2J\x1b]0;owned\a", "line\nfeed\r", "\u009b31mred", "\u202egpj.exe", "tab\there", "wide 任务任务任务", "e\u0301\u0301\u0301\u0301\u0301\u0301",
	"\xff\xfe not UTF-8", "back\\slash", strings.Repeat("long", 1000), "", "👩‍👩‍👧‍👦 family", "\u200b\u200b", "<b>&amp;'\"",
}

// hostilePicture has tasks with such names everywhere.
func hostilePicture() picture {
	p := picture{Program: hostile[0], PID: 1, Changes: true}
	for i, name := range hostile {
		id := uint64(i + 1)
		p.Tasks = append(p.Tasks, task{
			ID: id, Name: name, Path: name + "/" + name, Parent: uint64(i), State: name, Kind: name, Spawned: name,
			Waits: []wait{{name, name, []uint64{id}}, {name, name, nil}}, Waiting: new(-3.0), Until: new(1e300), Age: 1e18,
			Cancelled: &cancellation{By: name, Where: name, Reason: name},
		})
	}
	return p
}
