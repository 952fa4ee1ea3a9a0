package monitor_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/signal"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/debug"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/monitor"
)

const token = "0123456789abcdef"

var withToken = map[string]string{"Authorization": "Bearer " + token}

// also returns withToken with more headers, as name and value.
func also(pairs ...string) map[string]string {
	all := map[string]string{"Authorization": "Bearer " + token}
	for i := 0; i < len(pairs); i += 2 {
		all[pairs[i]] = pairs[i+1]
	}
	return all
}

// get decodes an answer.
func get[T any](t *testing.T, addr, path string) (v T) {
	t.Helper()
	status, body, _ := do(t, addr, request{path: path, header: withToken})
	if status != http.StatusOK {
		t.Fatalf("%s: %d %s", path, status, body)
	}
	if err := json.Unmarshal([]byte(body), &v); err != nil {
		t.Fatalf("%s: %v in %s", path, err, body)
	}
	return v
}

type (
	tasks struct {
		Program           string
		PID               int
		Changes           bool
		Goroutines, Total int
		LeftOff           int `json:"left_off"`
		Tasks             []task
	}
	task struct {
		ID, Parent, Kernel, Cycles uint64
		Name, Path, Kind, State    string
		Spawned                    string
		Age                        float64
		Waits                      []struct {
			Op, Object string
			On         []uint64
		}
		Waiting, Until, Deadline *float64
		Cancelled                *struct {
			By, Where, Reason string
			Ago               float64
			Expired           bool
		}
		Essential, Group bool
	}
)

// The picture as JSON, with each field.
func TestTasksJSON(t *testing.T) {
	w := newWorld(t)
	a, b, c := w.deadlock()
	var gate curio.Event
	defer gate.Set()
	d := w.task("d", "EVENT_WAIT", func(ctx context.Context) error {
		return curio.TimeoutAfter(ctx, time.Hour, func(ctx context.Context) error {
			return curio.DisableCancellation(ctx, gate.Wait)
		})
	}, curio.Daemon())
	d.CancelNow()
	sleeper := w.sleeper("<b>\x1b[31m\xff\u202e")
	s := on(t, "127.0.0.1:0", w.Kernel, monitor.Token(token))
	all := get[tasks](t, s.Addr(), "/api/tasks")
	if all.Program == "" || all.PID != os.Getpid() || all.Changes || all.Goroutines < 6 || all.Total != 6 || all.LeftOff != 0 || len(all.Tasks) != 6 {
		t.Errorf("got %+v", all)
	}
	by := make(map[uint64]task)
	var last uint64
	for _, its := range all.Tasks {
		if its.ID <= last {
			t.Errorf("%d comes after %d", its.ID, last)
		}
		last = its.ID
		by[its.ID] = its
	}
	its := by[a.ID()]
	if its.Name != "a" || !strings.HasSuffix(its.Path, "/a") || its.Parent != a.Parent().ID() || its.Kernel != w.ID() || its.Kind != "task" ||
		its.State != "LOCK_ACQUIRE" || its.Cycles == 0 || its.Age <= 0 || !strings.HasPrefix(its.Spawned, "monitor/main_test.go:") ||
		len(its.Waits) != 1 || its.Waits[0].Op != "LOCK_ACQUIRE" || !strings.Contains(its.Waits[0].Object, "/b, 1 waiting)") ||
		len(its.Waits[0].On) != 1 || its.Waits[0].On[0] != b.ID() || its.Waiting == nil || its.Until != nil || its.Deadline != nil || its.Cancelled != nil {
		t.Errorf("a: %+v", its)
	}
	if its := by[c.ID()]; its.Waits[0].On[0] != a.ID() {
		t.Errorf("c: %+v", its)
	}
	if its := by[d.ID()]; its.Kind != "daemon" || its.Cancelled == nil || !strings.Contains(its.Cancelled.Where, "handler_test.go:") || its.Parent != 0 {
		t.Errorf("d: %+v", its)
	}
	if its := by[sleeper.ID()]; its.Name != "<b>\x1b[31m\ufffd\u202e" || its.Until == nil || *its.Until > 3600 || *its.Until < 3000 {
		t.Errorf("sleeper: %+v", its)
	}
	if one := get[task](t, s.Addr(), fmt.Sprintf("/api/tasks/%d", a.ID())); one.Name != "a" || one.State != "LOCK_ACQUIRE" {
		t.Errorf("one: %+v", one)
	}
	// Bounds and choices.
	page := get[tasks](t, s.Addr(), "/api/tasks?limit=2")
	if len(page.Tasks) != 2 || page.LeftOff != 4 || page.Total != 6 {
		t.Errorf("limit=2: %+v", page)
	}
	page = get[tasks](t, s.Addr(), fmt.Sprintf("/api/tasks?limit=100&after=%d", page.Tasks[1].ID))
	if len(page.Tasks) != 4 || page.LeftOff != 0 {
		t.Errorf("after: %+v", page)
	}
	for filter, n := range map[string]int{"lock_acq": 2, "<B>": 1, "EVENT": 1, "none": 0, fmt.Sprint(b.ID()): 1} {
		if page := get[tasks](t, s.Addr(), "/api/tasks?filter="+filter); len(page.Tasks) != n || page.Tasks == nil {
			t.Errorf("filter=%s: %+v", filter, page)
		}
	}
	for _, path := range []string{"/api/tasks?limit=x", "/api/tasks?limit=-1", "/api/tasks?after=x"} {
		if status, body, _ := do(t, s.Addr(), request{path: path, header: withToken}); status != http.StatusBadRequest || !strings.HasPrefix(body, `{"error":`) {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
}

// Stack, why, deadlocks, threads; and not more than one look at stacks a second.
func TestOthersJSON(t *testing.T) {
	w := newWorld(t)
	a, b, _ := w.deadlock()
	var gate curio.Event
	defer gate.Set()
	w.task("call", "THREAD_CALL", func(ctx context.Context) error {
		_, err := curio.BlockInThread(ctx, "a key", func() (int, error) { return 0, gate.Wait(context.Background()) })
		return err
	})
	s := on(t, socketIn(t), w.Kernel)
	monitor.ForgetStacks()
	stack := get[struct {
		ID           uint64
		Where, Stack string
		Pause        float64
	}](t, s.Addr(), fmt.Sprintf("/api/tasks/%d/stack", a.ID()))
	if stack.ID != a.ID() || !strings.HasPrefix(stack.Where, "monitor/main_test.go:") || !strings.HasPrefix(stack.Stack, "goroutine ") || stack.Pause <= 0 {
		t.Errorf("got %+v", stack)
	}
	why := fmt.Sprintf("/api/tasks/%d/why", a.ID())
	for _, path := range []string{fmt.Sprintf("/api/tasks/%d/stack", a.ID()), why + "?where=1", "/api/deadlocks?where=1"} {
		done, err := monitor.HoldStacks()
		if err != nil {
			monitor.ForgetStacks()
			done, err = monitor.HoldStacks()
		}
		if err != nil {
			t.Fatal(err)
		}
		if status, body, header := do(t, s.Addr(), request{path: path}); status != http.StatusTooManyRequests || header.Get("Retry-After") != "1" {
			t.Errorf("%s at once: %d %s", path, status, body)
		}
		done()
		if status, body, _ := do(t, s.Addr(), request{path: path}); status != http.StatusTooManyRequests && !strings.Contains(body, "main_test.go") {
			t.Errorf("%s soon after: %d %s", path, status, body)
		}
		monitor.ForgetStacks()
		if status, body, _ := do(t, s.Addr(), request{path: path}); status != http.StatusOK || !strings.Contains(body, "main_test.go") {
			t.Errorf("%s later: %d %s", path, status, body)
		}
		monitor.ForgetStacks()
	}
	if text := get[struct{ Text string }](t, s.Addr(), why).Text; !strings.Contains(text, "/b (") || strings.Contains(text, "main_test.go") {
		t.Errorf("why: %s", text)
	}
	locks := get[struct {
		Deadlocks []struct {
			Circle []struct {
				ID                      uint64
				Name, Op, Object, Where string
				Lost                    bool
			}
			Behind int
		}
	}](t, s.Addr(), "/api/deadlocks").Deadlocks
	if len(locks) != 1 || len(locks[0].Circle) != 2 || locks[0].Behind != 1 || locks[0].Circle[0].ID != a.ID() || locks[0].Circle[1].Name != "b" ||
		locks[0].Circle[1].Op != "LOCK_ACQUIRE" || locks[0].Circle[1].ID != b.ID() || locks[0].Circle[1].Where != "" {
		t.Errorf("deadlocks: %+v", locks)
	}
	calls := get[struct {
		Threads []struct {
			Op, Name, Task, Key string
			Age                 float64
			Abandoned           bool
		}
	}](t, s.Addr(), "/api/threads").Threads
	if len(calls) != 1 || calls[0].Op != "BlockInThread" || calls[0].Key != "a key" || !strings.HasSuffix(calls[0].Task, "/call") {
		t.Errorf("threads: %+v", calls)
	}
}

// Who may read: nobody without the token, on TCP. The page has no secrets.
func TestReadingNeedsTheToken(t *testing.T) {
	w := newWorld(t)
	s := on(t, "127.0.0.1:0", w.Kernel, monitor.Token(token))
	open := on(t, "127.0.0.1:0", w.Kernel, monitor.Token(token), monitor.OpenReading())
	paths := []string{"/api/tasks", "/api/tasks/1", "/api/tasks/1/stack", "/api/tasks/1/why", "/api/deadlocks", "/api/threads"}
	for _, path := range paths {
		for _, auth := range []string{"", "Bearer", "Bearer ", "Bearer 0123456789abcdeX", "Basic " + token, token} {
			status, body, header := do(t, s.Addr(), request{path: path, header: map[string]string{"Authorization": auth}})
			if status != http.StatusUnauthorized || header.Get("WWW-Authenticate") != "Bearer" || !strings.HasPrefix(body, `{"error":`) {
				t.Errorf("%s with %q: %d %s", path, auth, status, body)
			}
		}
		if status, _, _ := do(t, s.Addr(), request{path: path, header: withToken}); status == http.StatusUnauthorized {
			t.Errorf("%s with the token: %d", path, status)
		}
		if status, _, _ := do(t, open.Addr(), request{path: path}); status == http.StatusUnauthorized {
			t.Errorf("%s where reading is open: %d", path, status)
		}
	}
	if status, body, _ := do(t, s.Addr(), request{path: "/"}); status != http.StatusOK || body != monitor.Page() || strings.Contains(body, token) {
		t.Errorf("the page: %d %s", status, body)
	}
	if !strings.HasSuffix(s.URL(), "/#token="+token) || !strings.HasPrefix(s.URL(), "http://"+s.Addr()) {
		t.Errorf("the URL is %s", s.URL())
	}
	const strange = `a"b%41#c<d>/e?f\g`
	s = on(t, "127.0.0.1:0", w.Kernel, monitor.Token(strange))
	u, err := url.Parse(s.URL())
	if err != nil || u.Fragment != "token="+strange || strings.ContainsAny(s.URL(), `"<>\`) {
		t.Errorf("the URL is %s, %v", s.URL(), err)
	}
}

// DNS rebinding: the request comes from a page whose server has the name evil.example stand for this machine.
func TestHost(t *testing.T) {
	w := newWorld(t)
	s := on(t, "127.0.0.1:0", w.Kernel, monitor.Token(token), monitor.OpenReading(), monitor.Hosts("box.example"))
	_, port, _ := strings.Cut(s.Addr(), ":")
	for host, want := range map[string]int{
		"evil.example:" + port: 421, "evil.example": 421, "127.0.0.1.evil.example": 421, "localhost.evil.example": 421, "0.0.0.0:" + port: 421,
		"192.0.2.1": 421, "[::]:1": 421, "localhost@evil.example": 421, "127.0.0.1 evil": 421,
		"localhost:" + port: 200, "LOCALHOST": 200, "127.0.0.1": 200, "127.0.0.1:1": 200, "[::1]:" + port: 200, "box.example:" + port: 200,
		"[::ffff:127.0.0.1]": 200,
	} {
		for _, path := range []string{"/", "/api/tasks"} {
			status, _, _ := do(t, s.Addr(), request{path: path, header: also("Host", host, "Origin", "http://"+host)})
			if status != want {
				t.Errorf("%s of %s: %d, want %d", path, host, status, want)
			}
		}
	}
	for _, r := range []string{"GET /api/tasks HTTP/1.0\r\n\r\n", "GET /api/tasks HTTP/1.1\r\nHost:\r\n\r\n"} {
		c := connect(t, s.Addr())
		c.say(r)
		if said, _ := c.in.ReadString('\n'); !strings.Contains(said, " 421 ") {
			t.Errorf("%q: %q", r, said)
		}
	}
}

// A page of another server can do nothing, and see nothing, also where no token is needed.
func TestCrossSite(t *testing.T) {
	w := newWorld(t)
	victim := w.sleeper("victim")
	s := on(t, socketIn(t), w.Kernel, monitor.AllowChanges())
	cancel := fmt.Sprintf("/api/tasks/%d/cancel", victim.ID())
	const body = `{"name":"victim"}`
	for _, c := range []struct {
		request
		want int
	}{
		{request{"POST", cancel, body, map[string]string{"Content-Type": "application/json", "Origin": "http://evil.example"}}, 403},
		{request{"POST", cancel, body, map[string]string{"Content-Type": "application/json", "Origin": "null"}}, 403},
		{request{"POST", cancel, body, map[string]string{"Content-Type": "application/json", "Origin": "http://localhost:1"}}, 403},
		{request{"POST", cancel, body, map[string]string{"Content-Type": "application/json", "Sec-Fetch-Site": "cross-site"}}, 403},
		{request{"POST", cancel, body, map[string]string{"Content-Type": "application/json", "Sec-Fetch-Site": "same-site"}}, 403},
		{request{"POST", cancel, body, map[string]string{"Content-Type": "text/plain"}}, 415},
		{request{"POST", cancel, body, map[string]string{"Content-Type": "application/x-www-form-urlencoded"}}, 415},
		{request{"POST", cancel, body, nil}, 415},
		{request{"OPTIONS", cancel, "", map[string]string{"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}}, 403},
		{request{"GET", cancel, "", nil}, 405},
		{request{"GET", cancel + "?name=victim", "", map[string]string{"Content-Type": "application/json"}}, 405},
		{request{"HEAD", cancel, "", nil}, 405},
		{request{"PUT", cancel, body, map[string]string{"Content-Type": "application/json"}}, 405},
		{request{"GET", fmt.Sprintf("/api/tasks/%d/stack", victim.ID()), "", map[string]string{"Sec-Fetch-Site": "cross-site"}}, 403},
		{request{"GET", "/api/tasks", "", map[string]string{"Origin": "http://evil.example"}}, 403},
		{request{"GET", "/api/tasks", "", map[string]string{"Origin": "http://evil.example", "Sec-Fetch-Site": "same-site"}}, 403},
		{request{"GET", "/api/tasks", "", map[string]string{"Origin": "https://app.example", "Sec-Fetch-Site": "same-origin"}}, 200}, // behind a proxy
		{request{"GET", "/api/tasks", "", map[string]string{"Sec-Fetch-Site": "none"}}, 200},
		{request{"POST", "/api/tasks", "", nil}, 405},
		{request{"GET", "/", "", map[string]string{"Sec-Fetch-Site": "cross-site"}}, 200}, // a link to the page
		{request{"GET", "/api/none", "", nil}, 404},
		{request{"GET", "/none", "", nil}, 404},
	} {
		status, body, header := do(t, s.Addr(), c.request)
		if status != c.want {
			t.Errorf("%s %s %v: %d %s, want %d", c.method, c.path, c.header, status, body, c.want)
		}
		for name := range header {
			if strings.HasPrefix(name, "Access-Control-") || name == "Set-Cookie" {
				t.Errorf("%s %s: header %s", c.method, c.path, name)
			}
		}
	}
	if victim.Cancelled() {
		t.Error("it was cancelled")
	}
	// A line in the body of a request is no command.
	c := connect(t, s.Addr())
	lines := fmt.Sprintf("cancel %d\r\ncancel %[1]d\r\n", victim.ID())
	c.say(fmt.Sprintf("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s", len(lines), lines))
	if said, _ := c.in.ReadString('\n'); !strings.HasPrefix(said, "HTTP/1.1 405 ") || victim.Cancelled() {
		t.Errorf("it said %q", said)
	}
}

// What changes something, with all that it takes.
func TestChanges(t *testing.T) {
	w := newWorld(t)
	var level slog.LevelVar
	logged := make(chan slog.Record, 10)
	log := slog.New(recorder{logged})
	s := on(t, "127.0.0.1:0", w.Kernel, monitor.Token(token), monitor.AllowChanges(), monitor.LogLevel(&level), monitor.Logger(log), monitor.OpenReading())
	off := on(t, "127.0.0.1:0", w.Kernel, monitor.Token(token), monitor.LogLevel(&level))
	victim := w.sleeper("\xff victim")
	cancel := fmt.Sprintf("/api/tasks/%d/cancel", victim.ID())
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGWINCH)
	defer signal.Stop(hangup)
	kind := []string{"Content-Type", "application/json; charset=utf-8"}
	for _, c := range []struct {
		addr, path, body string
		header           map[string]string
		want             int
		says             string
	}{
		{s.Addr(), cancel, `{"name":"\ufffd victim"}`, map[string]string{"Content-Type": "application/json"}, 401, "token"},
		{s.Addr(), "/api/signal", `{"name":"SIGKILL"}`, map[string]string{"Content-Type": "application/json"}, 401, "token"},
		{s.Addr(), "/api/log", `{"level":"DEBUG"}`, map[string]string{"Content-Type": "application/json"}, 401, "token"},
		{off.Addr(), cancel, `{"name":"\ufffd victim"}`, also(kind...), 403, "AllowChanges"},
		{off.Addr(), "/api/signal", `{"name":"SIGKILL"}`, also(kind...), 403, "AllowChanges"},
		{off.Addr(), "/api/log", `{"level":"DEBUG"}`, also(kind...), 403, "AllowChanges"},
		{s.Addr(), cancel, `{"name":"another"}`, also(kind...), 409, "another name"},
		{s.Addr(), cancel, `{}`, also(kind...), 409, "another name"},
		{s.Addr(), cancel, `name=victim`, also(kind...), 400, "JSON"},
		{s.Addr(), cancel, `{"name":"` + strings.Repeat("x", 1<<20), also(kind...), 400, "JSON"},
		{s.Addr(), "/api/tasks/99999999/cancel", `{"name":"x"}`, also(kind...), 404, "no task 99999999"},
		{s.Addr(), "/api/tasks/x/cancel", `{"name":"x"}`, also(kind...), 404, "number"},
		{s.Addr(), "/api/signal", `{"name":"SIGNONE"}`, also(kind...), 400, "unknown signal"},
		{s.Addr(), "/api/log", `{"level":"LOUD"}`, also(kind...), 400, "unknown level"},
		{s.Addr(), "/api/log", `{"level":"warn"}`, also(kind...), 200, `{"level":"WARN"}`},
		{s.Addr(), "/api/signal", `{"name":"winch"}`, also(kind...), 200, `{"signal":"SIGWINCH"}`},
	} {
		status, body, _ := do(t, c.addr, request{"POST", c.path, c.body, c.header})
		if status != c.want || !strings.Contains(body, c.says) {
			t.Errorf("%s %s: %d %s, want %d", c.path, c.body[:min(len(c.body), 50)], status, body, c.want)
		}
	}
	testutil.Receive(t, "the signal", hangup)
	if level.Level() != slog.LevelWarn || victim.Cancelled() {
		t.Errorf("the level is %v; cancelled: %v", level.Level(), victim.Cancelled())
	}
	status, body, _ := do(t, s.Addr(), request{"POST", cancel, `{"name":"\ufffd victim"}`, also(kind...)})
	if status != 200 || !strings.Contains(body, `/\ufffd victim"}`) && !strings.Contains(body, "/\ufffd victim\"}") {
		t.Errorf("cancel: %d %s", status, body)
	}
	testutil.Await(t, "the end of the victim", victim.Terminated)
	if who, _ := curio.WhoCancelled(victim.Err()); who.Reason == nil || who.Reason.Error() != "cancelled through the monitor" {
		t.Errorf("cancelled by %+v", who)
	}
	for n := range 3 {
		r := testutil.Receive(t, "a record", logged)
		var text strings.Builder
		_ = slog.NewTextHandler(&text, nil).Handle(t.Context(), r)
		if strings.Contains(text.String(), token) || !strings.Contains(text.String(), "client=127.0.0.1:") {
			t.Errorf("record %d: %s", n, text.String())
		}
	}
}

// What a program has very many of makes no answer long: tasks, for a client without the token; a circle; the waits of a task.
func TestBounds(t *testing.T) {
	w := newWorld(t)
	const n = 150
	locks, events := make([]curio.Lock, n), make([]curio.Event, n)
	var taken sync.WaitGroup
	taken.Add(n)
	var begin curio.Event
	for i := range n {
		curio.Go(w.main, func(ctx context.Context) error {
			return locks[i].Do(ctx, func(ctx context.Context) error {
				taken.Done()
				if err := begin.Wait(ctx); err != nil {
					return err
				}
				return locks[(i+1)%n].Acquire(ctx)
			})
		}, curio.Name("stuck"))
	}
	taken.Wait()
	begin.Set()
	selecting := w.task("selecting", "SELECT", func(ctx context.Context) error {
		cases := make([]curio.Case, n)
		for i := range cases {
			cases[i] = events[i].WaitCase()
		}
		_, err := curio.Select(ctx, cases...)
		return err
	})
	for range 1000 {
		curio.Go(w.main, func(ctx context.Context) error { return curio.Sleep(ctx, time.Hour) }, curio.Name("sleeps"))
	}
	total := len(w.Tasks())
	testutil.Await(t, "a deadlock", func() bool { return len(w.Deadlocks()) == 1 })
	s := on(t, "127.0.0.1:0", w.Kernel, monitor.Token(token), monitor.OpenReading())

	some := func(header map[string]string) (answer tasks) {
		status, body, _ := do(t, s.Addr(), request{path: "/api/tasks?limit=100000", header: header})
		if err := json.Unmarshal([]byte(body), &answer); status != 200 || err != nil {
			t.Errorf("%d, %v", status, err)
		}
		return answer
	}
	if got := some(nil); len(got.Tasks) != 1000 || got.LeftOff != total-1000 {
		t.Errorf("without the token: %d tasks, and %d left off", len(got.Tasks), got.LeftOff)
	}
	if got := some(withToken); len(got.Tasks) != total || got.LeftOff != 0 {
		t.Errorf("with the token: %d tasks, and %d left off", len(got.Tasks), got.LeftOff)
	}
	one := get[struct {
		Waits []struct{}
		More  int `json:"more_waits"`
	}](t, s.Addr(), fmt.Sprintf("/api/tasks/%d", selecting.ID()))
	if len(one.Waits) != 100 || one.More != 50 {
		t.Errorf("%d waits, and %d more", len(one.Waits), one.More)
	}
	found := get[struct {
		Deadlocks []struct {
			Circle []struct{}
			More   int
		}
	}](t, s.Addr(), "/api/deadlocks").Deadlocks
	if len(found) != 1 || len(found[0].Circle) != 100 || found[0].More != 50 {
		t.Errorf("%+v", found)
	}
	c := connect(t, s.Addr())
	c.begin()
	if said := c.asks("deadlocks"); strings.Count(said, "  task ") != 100 || !strings.Contains(said, "  and 50 more tasks\n") {
		t.Errorf("deadlocks: %s", said)
	}
	rest := fmt.Sprintf("\n%d more\n", total-1000)
	for _, line := range []string{"ps", "tree"} {
		if said := c.asks(line); strings.Count(said, "\n") > 1003 || !strings.HasSuffix(said, rest) {
			t.Errorf("%s has %d lines", line, strings.Count(said, "\n"))
		}
	}
	c.asks("token " + token)
	for _, line := range []string{"ps", "tree"} {
		if said := c.asks(line); strings.Count(said, "\n") < total || strings.HasSuffix(said, rest) {
			t.Errorf("%s with the token has %d lines", line, strings.Count(said, "\n"))
		}
	}
}

// Only errors whose types are known to call nothing are asked for their text, and a name of a type is nothing to go by.
func TestErrorText(t *testing.T) {
	inner := errors.New("inner")
	for _, c := range []struct {
		err  error
		want string
	}{
		{nil, ""},
		{inner, "inner"},
		{fmt.Errorf("number %d", 1), "number 1"},
		{fmt.Errorf("outer: %w", inner), "outer: inner"},
		{fmt.Errorf("%w and %w", inner, inner), "inner and inner"},
		{context.DeadlineExceeded, "context deadline exceeded"},
		{syscall.ENOENT, "no such file or directory"},
		{hangingError{}, "a monitor_test.hangingError"},
		{errors.Join(inner, hangingError{}), "a *errors.joinError"},
	} {
		if got := monitor.ErrorText(c.err); got != c.want {
			t.Errorf("%T: %q, want %q", c.err, got, c.want)
		}
	}
}

// A hangingError must not be asked for its text.
type hangingError struct{}

func (hangingError) Error() string { panic("it is asked for its text") }

// A recorder keeps what is logged.
type recorder struct{ to chan<- slog.Record }

func (r recorder) Enabled(context.Context, slog.Level) bool { return true }
func (r recorder) Handle(_ context.Context, record slog.Record) error {
	r.to <- record
	return nil
}
func (r recorder) WithAttrs([]slog.Attr) slog.Handler { return r }
func (r recorder) WithGroup(string) slog.Handler      { return r }

// A task that ends while somebody cancels it has not been cancelled.
func TestCancelEnded(t *testing.T) {
	w := newWorld(t)
	victim := w.sleeper("victim")
	victim.CancelNow()
	testutil.Await(t, "the end of the victim", victim.Terminated)
	whom, err := monitor.CancelTask(victim, monitor.AllowChanges(), monitor.Logger(slog.New(slog.DiscardHandler)))
	if whom != "" || err == nil || err.Error() != fmt.Sprintf("no task %d", victim.ID()) {
		t.Errorf("got %q, %v", whom, err)
	}
}

// A log handler that hangs, or worse, does not keep a change from being made and answered.
func TestLogHangs(t *testing.T) {
	w := newWorld(t)
	hangs := make(chan slog.Record)
	s := on(t, socketIn(t), w.Kernel, monitor.AllowChanges(), monitor.Logger(slog.New(recorder{hangs})))
	for range 100 {
		victim := w.sleeper("victim")
		status, body, _ := do(t, s.Addr(), request{
			"POST", fmt.Sprintf("/api/tasks/%d/cancel", victim.ID()), `{"name":"victim"}`,
			map[string]string{"Content-Type": "application/json"},
		})
		if status != 200 {
			t.Errorf("%d %s", status, body)
		}
	}
	for range 16 { // more did not wait for it
		testutil.Receive(t, "a record", hangs)
	}
}

// A signal is sent when it has been logged, as it may end the program.
func TestSignalIsLoggedBefore(t *testing.T) {
	w := newWorld(t)
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGWINCH)
	defer signal.Stop(hangup)
	early := make(chan bool, 1)
	log := slog.New(handler(func() {
		for range 1000 {
			runtime.Gosched() // time for what does not wait
		}
		early <- len(hangup) > 0
	}))
	s := on(t, socketIn(t), w.Kernel, monitor.AllowChanges(), monitor.Logger(log))
	defer monitor.SetLogTime(testutil.Patience)()
	for range testutil.Times(200) {
		status, body, _ := do(t, s.Addr(), request{"POST", "/api/signal", `{"name":"WINCH"}`, map[string]string{"Content-Type": "application/json"}})
		if status != 200 {
			t.Fatalf("%d %s", status, body)
		}
		if testutil.Receive(t, "the record", early) {
			t.Error("it was sent before")
		}
		testutil.Receive(t, "the signal", hangup)
	}
}

// A handler calls a function for each record.
type handler func()

func (handler) Enabled(context.Context, slog.Level) bool { return true }
func (h handler) Handle(context.Context, slog.Record) error {
	h()
	return nil
}
func (h handler) WithAttrs([]slog.Attr) slog.Handler { return h }
func (h handler) WithGroup(string) slog.Handler      { return h }

// The headers that keep what is shown from others, and the hashes that let the page's own script run.
func TestHeaders(t *testing.T) {
	w := newWorld(t)
	s := on(t, socketIn(t), w.Kernel)
	for _, path := range []string{"/", "/api/tasks", "/none"} {
		_, _, header := do(t, s.Addr(), request{path: path})
		for name, want := range map[string]string{
			"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY",
		} {
			if got := header.Get(name); got != want {
				t.Errorf("%s: %s is %q", path, name, got)
			}
		}
	}
	_, page, header := do(t, s.Addr(), request{path: "/"})
	policy := header.Get("Content-Security-Policy")
	for _, tag := range []string{"style", "script"} {
		_, text, _ := strings.Cut(page, "<"+tag+">")
		text, _, _ = strings.Cut(text, "</"+tag+">")
		sum := sha256.Sum256([]byte(text))
		if want := tag + "-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"; !strings.Contains(policy, want) {
			t.Errorf("%q lacks %q", policy, want)
		}
	}
	for _, want := range []string{"default-src 'none'", "connect-src 'self'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("%q lacks %q", policy, want)
		}
	}
	for _, bad := range []string{"http://", "https://", "innerHTML", "insertAdjacentHTML", "document.write", "eval(", "style="} {
		if strings.Contains(page, bad) {
			t.Errorf("the page has %q", bad)
		}
	}
	before, rest, _ := strings.Cut(page, "<script>")
	_, after, _ := strings.Cut(rest, "</script>")
	attribute := regexp.MustCompile(`(?i)<[^>]* on[a-z]+=`)
	if found := attribute.FindString(before + after); found != "" || !attribute.MatchString(`<b id="x" onclick="f()">`) {
		t.Errorf("the page has %q", found)
	}
}

// A handler in a server of the program's, below a path: the token alone counts, and nothing is registered anywhere.
func TestHandler(t *testing.T) {
	w := newWorld(t)
	mux := http.NewServeMux()
	mux.Handle("/debug/curio/", http.StripPrefix("/debug/curio", monitor.Handler(monitor.Token(token), monitor.Kernel(w.Kernel))))
	server := httptest.NewServer(mux)
	defer server.Close()
	addr := strings.TrimPrefix(server.URL, "http://")
	if status, body, _ := do(t, addr, request{path: "/debug/curio/api/tasks", header: withToken}); status != 200 || !strings.Contains(body, `"RUNNING"`) {
		t.Errorf("%d %s", status, body)
	}
	if status, _, _ := do(t, addr, request{path: "/debug/curio/api/tasks"}); status != 401 {
		t.Errorf("without a token: %d", status)
	}
	if status, body, _ := do(t, addr, request{path: "/debug/curio/"}); status != 200 || body != monitor.Page() {
		t.Errorf("the page: %d", status)
	}
	forwarded := also("Host", "app.example", "X-Forwarded-For", "127.0.0.1", "X-Forwarded-Host", "localhost")
	if status, _, _ := do(t, addr, request{path: "/debug/curio/api/tasks", header: forwarded}); status != 421 {
		t.Errorf("under another name: %d", status)
	}
	for _, path := range []string{"/debug/curio/", "/api/tasks", "/debug/pprof/", "/debug/vars"} {
		r := httptest.NewRequestWithContext(t.Context(), "GET", path, nil)
		if _, pattern := http.DefaultServeMux.Handler(r); pattern != "" {
			t.Errorf("%s is in the default mux", path)
		}
	}
	// Without a token nobody can read.
	closed := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(t.Context(), "GET", "http://localhost/api/tasks", nil)
	r.Header.Set("Authorization", "Bearer ")
	if monitor.Handler().ServeHTTP(closed, r); closed.Code != 401 {
		t.Errorf("without any token: %d", closed.Code)
	}
	for _, bad := range []string{"", "short", "with a space in it", "0123456789abcde\n"} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("the token %q is allowed", bad)
				}
			}()
			monitor.Handler(monitor.Token(bad))
		}()
		if _, err := monitor.On("127.0.0.1:0", monitor.Token(bad)); err == nil {
			t.Errorf("On allows the token %q", bad)
		}
	}
}

// Among very many goroutines only the stack of a task that has the label of its ID is looked for: that stops the others for
// a moment only.
func TestStackAmongMany(t *testing.T) {
	w := newWorld(t)
	bare := w.sleeper("bare")
	defer debug.SetLabels(debug.SetLabels(debug.TaskIDs))
	labelled := w.sleeper("labelled")
	release := make(chan struct{})
	var many sync.WaitGroup
	for range monitor.MostGoroutines {
		many.Go(func() { <-release })
	}
	defer many.Wait()
	defer close(release)
	s := on(t, socketIn(t), w.Kernel)
	monitor.ForgetStacks()
	path := func(task *curio.AnyTask) string { return fmt.Sprintf("/api/tasks/%d/stack", task.ID()) }
	got := get[struct{ Where, Stack string }](t, s.Addr(), path(labelled))
	if !strings.HasPrefix(got.Where, "monitor/main_test.go:") || !strings.Contains(got.Stack, "sleeper") {
		t.Errorf("the stack of the one with the label is %+v", got)
	}
	for _, path := range []string{path(bare), fmt.Sprintf("/api/tasks/%d/why?where=1", labelled.ID())} {
		monitor.ForgetStacks()
		if status, body, _ := do(t, s.Addr(), request{path: path}); status != http.StatusServiceUnavailable || !strings.Contains(body, "goroutines") {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
}
