package browser_test

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// A stub is a monitor that says what the test wants, in the form of the real one.
type stub struct {
	*httptest.Server

	mu        sync.Mutex
	tasks     []task
	deadlocks []deadlock
	token     string // what it asks for, "" for none
	readOnly  bool
	early     bool    // stacks and places in the code are refused: too soon after the last ones
	gone      bool    // connections are dropped without an answer
	spoilt    int     // how many requests get a prompt for an answer
	strange   *string // the answer to all that is asked
	seen      []request
}

type task struct {
	ID        int           `json:"id"`
	Name      string        `json:"name"`
	Path      string        `json:"path"`
	Parent    int           `json:"parent"`
	Kernel    int           `json:"kernel"`
	Kind      string        `json:"kind"`
	State     string        `json:"state"`
	Cycles    int           `json:"cycles"`
	Age       float64       `json:"age"`
	Spawned   string        `json:"spawned"`
	Waits     []waiting     `json:"waits,omitempty"`
	Waiting   *float64      `json:"waiting,omitempty"`
	Until     *float64      `json:"until,omitempty"`
	Deadline  *float64      `json:"deadline,omitempty"`
	Cancelled *cancellation `json:"cancelled,omitempty"`
	Essential bool          `json:"essential"`
	Group     bool          `json:"group"`
}

type waiting struct {
	Op     string `json:"op"`
	Object string `json:"object"`
	On     []int  `json:"on,omitempty"`

	Perhaps []int `json:"perhaps,omitempty"`
	Lost    bool  `json:"lost,omitempty"`
}

type cancellation struct {
	By      string  `json:"by"`
	Where   string  `json:"where"`
	Ago     float64 `json:"ago"`
	Reason  string  `json:"reason"`
	Expired bool    `json:"expired"`
}

type deadlock struct {
	Circle []stuck `json:"circle"`
	Behind int     `json:"behind"`
}

type stuck struct {
	ID     int    `json:"id"`
	Name   string `json:"name"`
	Op     string `json:"op"`
	Object string `json:"object"`
	Lost   bool   `json:"lost"`
	Where  string `json:"where,omitempty"`
}

// A request is one that has come to the stub, except those for pictures.
type request struct {
	method, path, contentType, body string
}

// newStub starts a stub with these tasks.
func newStub(t testing.TB, tasks ...task) *stub {
	t.Helper()
	s := &stub{tasks: tasks}
	page, err := os.ReadFile("../../monitor/page.html")
	must(t, err)
	policy := contentPolicy(t, string(page))
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Security-Policy", policy)
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write(page)
	})
	mux.HandleFunc("GET /api/tasks", s.list)
	mux.HandleFunc("GET /api/tasks/{id}", s.one)
	mux.HandleFunc("GET /api/tasks/{id}/stack", s.stack)
	mux.HandleFunc("GET /api/tasks/{id}/why", s.why)
	mux.HandleFunc("POST /api/tasks/{id}/cancel", s.cancel)
	mux.HandleFunc("GET /api/deadlocks", s.locked)
	s.Server = httptest.NewServer(s.guard(mux))
	t.Cleanup(s.Close)
	return s
}

var block = regexp.MustCompile(`(?s)<(style|script)>(.*?)</(?:style|script)>`)

// contentPolicy is the policy of the real monitor, and forbids the page besides to make elements from text.
func contentPolicy(t testing.TB, page string) string {
	t.Helper()
	var policy strings.Builder
	policy.WriteString("default-src 'none'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; " +
		"require-trusted-types-for 'script'; trusted-types 'none'")
	found := block.FindAllStringSubmatch(page, -1)
	if len(found) != 2 || found[0][1] != "style" || found[1][1] != "script" {
		t.Fatalf("the page has not one style and one script, in this order, but %d of both", len(found))
	}
	for _, f := range found {
		sum := sha256.Sum256([]byte(f[2]))
		policy.WriteString(fmt.Sprintf("; %s-src 'sha256-%s'", f[1], base64.StdEncoding.EncodeToString(sum[:])))
	}
	return policy.String()
}

func (s *stub) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		gone, token, strange := s.gone, s.token, s.strange
		s.mu.Unlock()
		if s.isSpoilt() && r.URL.Path != "/" {
			if c, _, err := http.NewResponseController(w).Hijack(); err == nil {
				_, _ = c.Write([]byte("\nCurio Monitor: 5 tasks running\nType help for commands\ncurio > "))
				c.Close()
			}
			return
		}
		if gone {
			panic(http.ErrAbortHandler)
		}
		if token != "" && r.URL.Path != "/" && r.Header.Get("Authorization") != "Bearer "+token {
			refuse(w, http.StatusUnauthorized, "the token is missing or wrong")
			return
		}
		if strange != nil && r.URL.Path != "/" {
			_, _ = w.Write([]byte(*strange))
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (s *stub) isSpoilt() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.spoilt--
	return s.spoilt >= 0
}

func refuse(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": text})
}

func (s *stub) list(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.note(r, "")
	limit := 1000
	if n, err := strconv.Atoi(r.FormValue("limit")); err == nil {
		limit = n
	}
	text := r.FormValue("filter")
	matching := slices.DeleteFunc(slices.Clone(s.tasks), func(t task) bool {
		return !strings.Contains(t.Name, text) && !strings.Contains(t.State, text) && strconv.Itoa(t.ID) != text
	})
	slices.SortFunc(matching, func(a, b task) int { return cmp.Compare(a.ID, b.ID) })
	shown := matching[:min(limit, len(matching))]
	_ = json.NewEncoder(w).Encode(map[string]any{
		"program": "chat", "pid": 4242, "changes": !s.readOnly, "goroutines": len(s.tasks) + 9,
		"total": len(s.tasks), "left_off": len(matching) - len(shown), "tasks": shown,
	})
}

// note is called with mu held.
func (s *stub) note(r *http.Request, body string) {
	s.seen = append(s.seen, request{r.Method, r.URL.RequestURI(), r.Header.Get("Content-Type"), body})
}

// find returns the task that a request is about, or refuses the request. It is called with mu held.
func (s *stub) find(w http.ResponseWriter, r *http.Request) (int, bool) {
	id, _ := strconv.Atoi(r.PathValue("id"))
	i := slices.IndexFunc(s.tasks, func(t task) bool { return t.ID == id })
	if i < 0 {
		refuse(w, http.StatusNotFound, "there is no such task")
	}
	return i, i >= 0
}

func (s *stub) one(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i, ok := s.find(w, r); ok {
		_ = json.NewEncoder(w).Encode(s.tasks[i])
	}
}

func (s *stub) stack(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.note(r, "")
	i, ok := s.find(w, r)
	if !ok {
		return
	}
	if s.early {
		refuse(w, http.StatusTooManyRequests, "stacks at most once a second")
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{
		"id": s.tasks[i].ID, "where": "chat/main.go:60", "pause": 0.004,
		"stack": "goroutine 7 [select]:\nmain.worker(0xc000)\n\t/src/chat/main.go:60 +0x1d\ncreated by main.main\n\t/src/chat/main.go:12 +0x2a\n",
	})
}

func (s *stub) why(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.note(r, "")
	i, ok := s.find(w, r)
	if !ok {
		return
	}
	where := ""
	if r.FormValue("where") == "1" {
		if s.early {
			refuse(w, http.StatusTooManyRequests, "stacks at most once a second")
			return
		}
		where = " at chat/main.go:60"
	}
	t := s.tasks[i]
	var text strings.Builder
	text.WriteString(fmt.Sprintf("task %s (%d): %s%s, for 12s", t.Path, t.ID, t.State, where))
	for _, wait := range t.Waits {
		text.WriteString("\n  " + wait.Object)
	}
	_ = json.NewEncoder(w).Encode(map[string]string{"text": text.String()})
}

func (s *stub) cancel(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var body struct {
		Name string `json:"name"`
	}
	err := json.NewDecoder(r.Body).Decode(&body)
	s.note(r, body.Name)
	i, ok := s.find(w, r)
	switch {
	case !ok:
	case err != nil || r.Header.Get("Content-Type") != "application/json":
		refuse(w, http.StatusUnsupportedMediaType, "no JSON")
	case s.readOnly:
		refuse(w, http.StatusForbidden, "changes are switched off")
	case body.Name != s.tasks[i].Name:
		refuse(w, http.StatusConflict, "the task has another name")
	default:
		path := s.tasks[i].Path
		s.tasks = slices.Delete(s.tasks, i, i+1)
		_ = json.NewEncoder(w).Encode(map[string]string{"cancelled": path})
	}
}

func (s *stub) locked(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.note(r, "")
	found := slices.Clone(s.deadlocks)
	if r.FormValue("where") != "1" {
		for i := range found {
			found[i].Circle = slices.Clone(found[i].Circle)
			for j := range found[i].Circle {
				found[i].Circle[j].Where = ""
			}
		}
	} else if s.early {
		refuse(w, http.StatusTooManyRequests, "stacks at most once a second")
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"deadlocks": found})
}

// do changes the stub.
func (s *stub) do(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

// count is how many requests have come whose method and path begin so.
func (s *stub) count(prefix string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.seen {
		if strings.HasPrefix(r.method+" "+r.path, prefix) {
			n++
		}
	}
	return n
}

// last is the last request whose method and path begin so.
func (s *stub) last(prefix string) (last request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.seen {
		if strings.HasPrefix(r.method+" "+r.path, prefix) {
			last = r
		}
	}
	return last
}

// remove has a task end. Its children move up.
func (s *stub) remove(id int) {
	s.do(func() {
		i := slices.IndexFunc(s.tasks, func(t task) bool { return t.ID == id })
		parent := s.tasks[i].Parent
		s.tasks = slices.Delete(s.tasks, i, i+1)
		for i := range s.tasks {
			if s.tasks[i].Parent == id {
				s.tasks[i].Parent = parent
			}
		}
	})
}

// family are tasks in a tree: main, with a server that has two handlers, and a worker that waits for a lock.
func family() []task {
	return []task{
		{
			ID: 1, Name: "main", Path: "main", Kernel: 1, Kind: "main", State: "TASK_JOIN", Cycles: 3, Age: 7325, Spawned: "chat/main.go:12",
			Waits: []waiting{{Op: "TASK_JOIN", Object: "task server (2)", On: []int{2}}}, Waiting: new(7324.5),
		},
		{
			ID: 2, Name: "server", Path: "main/server", Parent: 1, Kernel: 1, Kind: "task", State: "ACCEPT", Cycles: 1201, Age: 7324,
			Spawned: "chat/main.go:20", Waits: []waiting{{Op: "ACCEPT", Object: "fd 5 127.0.0.1:25000"}}, Waiting: new(0.25),
		},
		{
			ID: 3, Name: "worker", Path: "main/worker", Parent: 1, Kernel: 1, Kind: "daemon", State: "LOCK_ACQUIRE", Cycles: 88, Age: 60.25,
			Spawned: "chat/main.go:33", Waits: []waiting{{Op: "LOCK_ACQUIRE", Object: "Lock 0xc000124000(held by task handler-a (4), 1 waiting)", On: []int{4}}},
			Waiting: new(12.5), Until: new(17.5), Deadline: new(17.5), Group: true,
		},
		{
			ID: 4, Name: "handler-a", Path: "main/server/handler-a", Parent: 2, Kernel: 1, Kind: "task", State: "READ_WAIT", Cycles: 12,
			Age: 30, Spawned: "chat/main.go:41", Waits: []waiting{{Op: "READ_WAIT", Object: "fd 7 127.0.0.1:25000←127.0.0.1:50112"}}, Waiting: new(3.5), Group: true,
		},
		{
			ID: 5, Name: "handler-b", Path: "main/server/handler-b", Parent: 2, Kernel: 1, Kind: "task", State: "RUNNING", Cycles: 4, Age: 0.5,
			Spawned: "chat/main.go:41", Group: true, Cancelled: &cancellation{By: "main", Where: "chat/main.go:50", Ago: 0.25, Reason: "too slow"},
		},
	}
}
