package browser_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"github.com/curio-go/curio/internal/testutil"
)

// showing opens the page of a stub and waits for its tree.
func showing(t *testing.T, s *stub) *tab {
	t.Helper()
	b := newTab(t)
	b.open(s.URL + "/")
	b.until("document.querySelectorAll('#rows .row').length > 0")
	return b
}

// shape is the tree that the page shows: a line for each row, with its level, and its name and number.
func (b *tab) shape() string {
	b.t.Helper()
	return value[string](b, `[...document.querySelectorAll("#rows .row")].map((row) =>
		"  ".repeat(row.ariaLevel - 1) + row.querySelector(".name").textContent + " " + row.dataset.id).join("\n")`)
}

// focus is the number of the task whose row has the focus, else the id of what has it.
func (b *tab) focus() string {
	b.t.Helper()
	return value[string](b, `document.activeElement.dataset.id ?? document.activeElement.id`)
}

func (b *tab) wantFocus(want string) {
	b.t.Helper()
	if got := b.focus(); got != want {
		b.t.Fatalf("the focus is on %q, not on %q", got, want)
	}
}

func (b *tab) focusRow(id int) {
	b.t.Helper()
	b.do(js(`focusRow(%v)`, id))
}

func row(id int) string { return fmt.Sprintf(`.row[data-id="%d"]`, id) }

func TestTree(t *testing.T) {
	testutil.Need(t, "chromium")
	testutil.NoLeaks(t)
	b := showing(t, newStub(t, family()...))
	want := "main 1\n  server 2\n    handler-a 4\n    handler-b 5\n  worker 3"
	if got := b.shape(); got != want {
		t.Errorf("the tree is\n%s\nnot\n%s", got, want)
	}
	for selector, texts := range map[string][]string{
		"#program": {"chat (4242)"},
		"#summary": {"5 tasks, 14 goroutines"},
		row(1):     {"TASK_JOIN", "task server (2)", "2h02m", "main"},
		row(2):     {"1,201", "250ms"},
		row(3):     {"(3)", "daemon", "LOCK_ACQUIRE", "held by task handler-a (4)", "12s", "17s", "88", "1m00s"},
		row(5):     {"RUNNING", "cancelled"},
	} {
		for _, text := range texts {
			b.has(selector, text)
		}
	}
	if got := value[string](b, "document.title"); got != "chat (4242) – Curio monitor" {
		t.Errorf("the title is %q", got)
	}
	for what, want := range map[string]string{"level": "3", "posinset": "2", "setsize": "2", "expanded": "", "selected": "false", "rowindex": "5"} {
		if got := value[string](b, js(`document.querySelector(%v).getAttribute("aria-" + %v) ?? ""`, row(5), what)); got != want {
			t.Errorf("aria-%s of a handler is %q, not %q", what, got, want)
		}
	}
}

// What changes, changes in the rows that there are: the focus, a selection and a fold stay where they are.
func TestUpdate(t *testing.T) {
	testutil.Need(t, "chromium")
	testutil.NoLeaks(t)
	s := newStub(t, family()...)
	b := showing(t, s)
	b.focusRow(4)
	b.do(js(`void (document.querySelector(%v).mine = "the same")`, row(4)))
	s.do(func() {
		s.tasks[3].State, s.tasks[3].Cycles = "WRITE_WAIT", 13
		s.tasks = append(s.tasks, task{ID: 6, Name: "late", Path: "main/server/late", Parent: 2, Kernel: 1, Kind: "task", State: "INITIAL"})
	})
	b.until(js(`document.querySelector(%v)`, row(6)))
	b.has(row(4), "WRITE_WAIT")
	b.wantFocus("4")

	s.remove(2) // its children move up, and their rows with them
	b.until(js(`!document.querySelector(%v)`, row(2)))
	if got, want := b.shape(), "main 1\n  worker 3\n  handler-a 4\n  handler-b 5\n  late 6"; got != want {
		t.Errorf("the tree is\n%s\nnot\n%s", got, want)
	}
	b.wantFocus("4")
	if got := value[string](b, js(`document.querySelector(%v).mine`, row(4))); got != "the same" {
		t.Error("the row of a task that is still there was made anew")
	}
}

// The row under the cursor does not become another task's when its task ends: the next key would go to that.
func TestFocusStaysWhenTaskEnds(t *testing.T) {
	testutil.Need(t, "chromium")
	testutil.NoLeaks(t)
	s := newStub(t, family()...)
	b := showing(t, s)
	b.focusRow(4)
	s.remove(4)
	b.has(row(4), "ended")
	b.wantFocus("4")
	b.press("c") // for a task that has ended there is nothing to cancel
	b.has("#pane", "Ended")
	if value[bool](b, "document.getElementById('confirm').open") {
		t.Error("it asks whether to cancel a task that has ended")
	}
	b.press(kb.ArrowDown)
	b.wantFocus("5")
	b.until(js(`!document.querySelector(%v)`, row(4)))
	if n := s.count("POST"); n != 0 {
		t.Errorf("%d changes were asked for", n)
	}
}

func TestFilter(t *testing.T) {
	testutil.Need(t, "chromium")
	testutil.NoLeaks(t)
	s := newStub(t, family()...)
	b := showing(t, s)
	b.focusRow(1)
	b.press("/")
	b.wantFocus("filter")
	b.press("h", "a", "n", "d", "l", "e", "r")
	b.until("document.querySelectorAll('#rows .row').length === 2")
	// A task whose parent is not shown has its path for a name.
	if got, want := b.shape(), "main/server/handler-a 4\nmain/server/handler-b 5"; got != want {
		t.Errorf("the tree is\n%s\nnot\n%s", got, want)
	}
	b.has("#summary", "2 tasks match")
	b.has("#said", "2 tasks match") // for screen readers
	b.press(kb.ArrowDown)
	b.until(`document.activeElement.matches(".row")`)

	b.press("/", "x", "x", kb.Enter)
	b.has("#nothing", "No task matches.")
	b.press(kb.Escape) // empties the filter, as browsers have it
	b.until("document.querySelectorAll('#rows .row').length === 5")
	b.press("LOCK_ACQUIRE")
	b.until("document.querySelectorAll('#rows .row').length === 1")
	b.has(row(3), "worker")

	b.do(`void (filterBox = document.getElementById("filter"), filterBox.value = "a&limit=1#é%", filterBox.dispatchEvent(new Event("input")))`)
	testutil.Await(t, "the filter in one piece", func() bool { return s.count("GET /api/tasks?limit=1000&filter=a%26limit%3D1%23%C3%A9%25") > 0 })
}

// All can be done without a mouse.
func TestKeyboard(t *testing.T) {
	testutil.Need(t, "chromium")
	testutil.NoLeaks(t)
	s := newStub(t, family()...)
	b := showing(t, s)
	for range 4 { // the filter, two buttons, and the tree, which is one stop
		b.press(kb.Tab)
	}
	b.wantFocus("1")
	for _, step := range []struct {
		key, focus string
	}{
		{kb.ArrowDown, "2"},
		{kb.ArrowDown, "4"},
		{kb.ArrowRight, "4"}, // nothing to unfold
		{kb.ArrowLeft, "2"},
		{kb.ArrowLeft, "2"}, // folds it
		{kb.ArrowDown, "3"},
		{kb.ArrowUp, "2"},
		{kb.ArrowRight, "2"}, // unfolds it
		{kb.ArrowRight, "4"},
		{kb.End, "3"},
		{kb.ArrowDown, "3"},
		{kb.Home, "1"},
		{kb.PageDown, "3"},
		{kb.PageUp, "1"},
	} {
		b.press(step.key)
		if got := b.focus(); got != step.focus {
			t.Fatalf("after %q the focus is on %q, not on %q", step.key, got, step.focus)
		}
	}
	b.press(kb.ArrowDown, kb.ArrowLeft)
	b.until(js(`document.querySelector(%v).ariaExpanded === "false" && document.querySelectorAll("#rows .row").length === 3`, row(2)))
	b.has(row(2), "+2")
	b.press(kb.ArrowRight)

	b.press(kb.End, kb.Enter)
	b.wantFocus("pane-title")
	b.has("#pane", "worker (3)")
	b.has("#facts", "chat/main.go:33")
	b.has("#facts", "main/worker")
	b.press(kb.Escape)
	b.wantFocus("3")
	b.until(`document.getElementById("pane").hidden`)

	b.press("s")
	b.has("#stack-text", "/src/chat/main.go:60")
	b.has("#stack-pause", "The program paused for 4ms")
	b.press("w")
	b.has("#why-text", "task main/worker (3): LOCK_ACQUIRE at chat/main.go:60, for 12s")
	b.wantFocus("3")

	b.press("?")
	b.until(`document.getElementById("help").open`)
	b.press(kb.Escape)
	b.until(`!document.getElementById("help").open`)
	b.wantFocus("3")

	b.press("c")
	b.wantFocus("keep") // the harmless answer
	b.press(kb.Tab, kb.Enter)
	b.has("#note", "Cancelled main/worker.")
	if got, want := s.last("POST"), (request{"POST", "/api/tasks/3/cancel", "application/json", "worker"}); got != want {
		t.Errorf("it has sent %+v, not %+v", got, want)
	}
	b.has("#pane", "Ended")
}

func TestCancel(t *testing.T) {
	testutil.Need(t, "chromium")
	testutil.NoLeaks(t)
	s := newStub(t, family()...)
	b := showing(t, s)
	b.click(row(4))
	b.has("#pane-title", "handler-a (4)")
	b.click("#cancel")
	b.has("#confirm-title", "Cancel handler-a (4)?")
	b.has("#confirm-text", "main/server/handler-a")
	b.has("#sure", "Cancel handler-a (4)")
	b.click("#keep")
	b.until(`!document.getElementById("confirm").open`)
	b.wantFocus("cancel")
	if n := s.count("POST"); n != 0 {
		t.Fatalf("%d changes were asked for", n)
	}

	// The number and the name that the user has read are sent, whatever the task is called by then.
	b.click("#cancel")
	s.do(func() { s.tasks[3].Name = "handler-z" })
	b.has("#pane-title", "handler-z")
	b.click("#sure")
	b.has("#note", "Not cancelled: the task has another name")
	if got := s.last("POST"); got.body != "handler-a" {
		t.Errorf("it has sent the name %q", got.body)
	}

	// A task that ends while the question is there.
	b.click("#cancel")
	s.remove(4)
	b.has("#confirm-text", "It has ended meanwhile.")
	b.until(`document.getElementById("sure").disabled`)
	b.press(kb.Escape)
	b.until(`document.activeElement !== document.body`)

	b.click(row(5))
	b.click("#cancel")
	b.click("#sure")
	b.has("#note", "Cancelled main/server/handler-b.")
	b.until(js(`!document.querySelector(%v)`, row(5)))
}

func TestReadOnly(t *testing.T) {
	testutil.Need(t, "chromium")
	testutil.NoLeaks(t)
	s := newStub(t, family()...)
	s.readOnly = true
	b := showing(t, s)
	b.has("#summary", "read only")
	b.click(row(3))
	b.until(`document.getElementById("cancel").disabled`)
	b.press("c")
	b.has("#note", "The program allows no changes from here.")
	if value[bool](b, "document.getElementById('confirm').open") || s.count("POST") != 0 {
		t.Error("it would cancel a task")
	}
}

// The pane shows all that is known of a task, and leads to the tasks that it waits for.
func TestPane(t *testing.T) {
	testutil.Need(t, "chromium")
	testutil.NoLeaks(t)
	s := newStub(t, family()...)
	b := showing(t, s)
	b.click(row(5))
	for _, text := range []string{"by main, 250ms ago", "at chat/main.go:50", "because too slow", "task, in a group", "500ms ago", "at chat/main.go:41"} {
		b.has("#facts", text)
	}
	b.click(row(3))
	for _, text := range []string{"Lock 0xc000124000(held by task handler-a (4), 1 waiting) → handler-a (4)", "for 12s, until in 17s", "in 17s", "daemon"} {
		b.has("#facts", text)
	}
	s.do(func() {
		s.tasks[0].Waits = []waiting{{Op: "QUEUE_GET", Object: "Queue 0xd", Perhaps: []int{2}, Lost: true}}
	})
	b.do(`choose(1, false)`)
	b.has("#facts", "QUEUE_GET Queue 0xd, which no task can provide any more")
	b.has("#facts", "perhaps → server (2)")
	b.click(row(3))
	b.do(`fold(2, true)`)
	b.click("#facts .link")
	b.has("#pane-title", "handler-a (4)")
	b.until(js(`document.querySelector(%v)?.ariaSelected === "true"`, row(4))) // it was folded away
	b.wantFocus("pane-title")

	// A task that the filter leaves out is followed by itself.
	b.do(`void (filterBox = document.getElementById("filter"), filterBox.value = "worker", filterBox.dispatchEvent(new Event("input")))`)
	b.until(js(`!document.querySelector(%v)`, row(4)))
	s.do(func() { s.tasks[3].State = "WRITE_WAIT" })
	b.has("#facts", "WRITE_WAIT")
	s.remove(4)
	b.has("#facts", "Ended")
	b.click("#close")
	b.until(`document.getElementById("pane").hidden`)
}

func TestTooEarlyForStack(t *testing.T) {
	testutil.Need(t, "chromium")
	testutil.NoLeaks(t)
	s := newStub(t, family()...)
	s.early = true
	b := showing(t, s)
	b.click(row(3))
	b.click("#stack")
	b.has("#note", "stacks at most once a second")
	b.click("#why") // has an answer without places in the code
	b.has("#why-text", "task main/worker (3): LOCK_ACQUIRE, for 12s")
	b.until(`document.getElementById("note").hidden`)
}

func TestDeadlock(t *testing.T) {
	testutil.Need(t, "chromium")
	testutil.NoLeaks(t)
	s := newStub(t, family()...)
	s.early = true
	b := showing(t, s)
	b.until(`document.getElementById("deadlocks").hidden`)
	s.do(func() {
		s.deadlocks = []deadlock{{Behind: 1, Circle: []stuck{
			{ID: 3, Name: "worker", Op: "LOCK_ACQUIRE", Object: "Lock 0xa", Where: "chat/main.go:71"},
			{ID: 4, Name: "handler-a", Op: "LOCK_ACQUIRE", Object: "Lock 0xb", Where: "chat/main.go:82"},
		}}, {Circle: []stuck{{ID: 5, Name: "handler-b", Op: "LOCK_ACQUIRE", Object: "Lock 0xc", Lost: true, Where: "chat/main.go:93"}}}}
	})
	b.has("#deadlocks", "2 deadlocks")
	b.has("#deadlocks", "2 tasks wait for each other")
	b.has("#deadlocks", "1 other task waits for these.")
	b.has("#deadlocks", "which has ended")
	b.has("#said", "2 deadlocks. worker (3), handler-a (4)")
	b.has(row(3), "deadlock")
	b.until(`document.title.startsWith("Deadlock: ")`)
	s.do(func() { s.early = false }) // places in the code come as soon as they are to be had
	for _, place := range []string{"chat/main.go:71", "chat/main.go:82", "chat/main.go:93"} {
		b.has("#deadlocks", place)
	}
	n := s.count("GET /api/deadlocks?where=1")
	looks := s.count("GET /api/deadlocks")
	testutil.Await(t, "two more looks", func() bool { return s.count("GET /api/deadlocks") > looks+1 })
	s.do(func() { // one more comes to wait for them, and the texts of their objects change by that
		s.deadlocks[0].Behind++
		for i := range s.deadlocks[0].Circle {
			s.deadlocks[0].Circle[i].Object += "(2 waiting)"
		}
	})
	b.has("#deadlocks", "2 other tasks wait for these.")
	b.has("#deadlocks", "Lock 0xa(2 waiting)")
	for _, place := range []string{"chat/main.go:71", "chat/main.go:82", "chat/main.go:93"} {
		b.has("#deadlocks", place)
	}
	if more := s.count("GET /api/deadlocks?where=1"); more != n {
		t.Errorf("it asks again for places that it knows: %d times, then %d", n, more)
	}
	b.click("#circles .link")
	b.wantFocus("pane-title")
	b.has("#pane-title", "worker (3)")
	s.do(func() { s.deadlocks = nil })
	b.until(`document.getElementById("deadlocks").hidden`)
	b.until(js(`!document.querySelector(%v).innerText.includes("deadlock")`, row(3)))
}

// The token comes in the fragment, goes in a header, and is to be seen nowhere.
func TestToken(t *testing.T) {
	testutil.Need(t, "chromium")
	testutil.NoLeaks(t)
	s := newStub(t, family()...)
	s.token = "sesame+/="
	b := newTab(t)
	b.open(s.URL + "/")
	b.until(`!document.getElementById("login").hidden && document.activeElement.id === "token"`)
	b.press("w", "r", "o", "n", "g", kb.Enter)
	b.has("#login-text", "That token is not this program’s.")
	b.press("ключ", kb.Enter) // no header can hold that
	b.until(`document.getElementById("token").value === ""`)
	b.press("s", "e", "s", "a", "m", "e", "+", "/", "=", kb.Enter)
	b.until("document.querySelectorAll('#rows .row').length === 5")
	b.until(`document.getElementById("login").hidden`)

	b.open("about:blank")
	b.open(s.URL + "/#token=wrong")
	b.until(`!document.getElementById("login").hidden`)
	b.do(`void (location.hash = "token=sesame%2B%2F%3D")`) // another address is pasted into the tab
	b.until("document.querySelectorAll('#rows .row').length === 5")
	if got := value[string](b, "location.href"); got != s.URL+"/" {
		t.Errorf("the address is %q", got)
	}
	b.do(`void (document.body.dataset.old = 1, location.reload())`)
	b.until(`document.body && !document.body.dataset.old && document.querySelectorAll("#rows .row").length === 5`)
	if got := value[string](b, "document.cookie"); got != "" {
		t.Errorf("there is a cookie: %q", got)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.seen {
		if strings.Contains(r.path, "sesame") {
			t.Errorf("the token is in the address %s", r.path)
		}
	}
}

// A page that nobody sees asks for nothing, and neither does one that is paused.
func TestPause(t *testing.T) {
	testutil.Need(t, "chromium")
	testutil.NoLeaks(t)
	s := newStub(t, family()...)
	b := showing(t, s)
	b.until("timer !== 0")
	hide := func(hidden bool) {
		b.do(js(`void (Object.defineProperty(document, "hidden", { value: %v, configurable: true }), document.dispatchEvent(new Event("visibilitychange")))`, hidden))
	}
	// Two requests of ours take the time that the page would have for its own; they prove nothing, but a page that asks each
	// second is seen.
	quiet := func(what string) {
		t.Helper()
		b.until(`new Promise((done) => setTimeout(() => done(true), 1500))`) // what was under way is answered
		n := s.count("GET /api/tasks")
		b.until(`new Promise((done) => setTimeout(() => done(true), 2500))`)
		if more := s.count("GET /api/tasks"); more != n {
			t.Errorf("a page that is %s has asked %d times", what, more-n)
		}
	}
	hide(true)
	quiet("hidden")
	n := s.count("GET /api/tasks")
	hide(false)
	testutil.Await(t, "a request at once", func() bool { return s.count("GET /api/tasks") > n })
	b.click("#pause")
	b.has("#summary", "paused")
	quiet("paused")
	n = s.count("GET /api/tasks")
	b.click("#pause")
	testutil.Await(t, "a request", func() bool { return s.count("GET /api/tasks") > n })
	b.until(`!document.getElementById("summary").innerText.includes("paused")`)
}

// A program that has ended, or that does not answer, is said to; what was last seen stays.
func TestLost(t *testing.T) {
	testutil.Need(t, "chromium")
	testutil.NoLeaks(t)
	s := newStub(t, family()...)
	b := showing(t, s)
	s.do(func() { s.gone = true })
	b.has("#trouble", "the program does not answer. Trying again.")
	if n := value[int](b, "document.querySelectorAll('#rows .row').length"); n != 5 {
		t.Errorf("%d rows are left", n)
	}
	b.click(row(3))
	b.click("#why")
	b.has("#note", "no answer")
	s.do(func() { s.gone = false })
	b.until(`document.getElementById("trouble").hidden`)
	b.click("#why")
	b.has("#why-text", "task main/worker (3)")
}

// A connection that the browser has opened in advance may have become one for commands by the time that it is used.
func TestSpoiltConnections(t *testing.T) {
	testutil.Need(t, "chromium")
	testutil.NoLeaks(t)
	s := newStub(t, family()...)
	b := showing(t, s)
	b.click("#pause")
	b.do(`poll()`) // the one that was under way is not heard any more
	b.click(row(3))
	for _, id := range []string{"why", "stack"} {
		s.do(func() { s.spoilt = 3 })
		b.click("#" + id)
		b.until(js(`!document.getElementById(%v).hidden`, id+"-part"))
	}
	s.do(func() { s.spoilt = 3 })
	b.click("#cancel")
	b.click("#sure")
	b.has("#note", "Cancelled main/worker.")
	if n := s.count("POST"); n != 1 {
		t.Errorf("%d requests to cancel a task have arrived", n)
	}
}

// An answer that is not of a monitor's form does not stop the page.
func TestStrangeAnswer(t *testing.T) {
	testutil.Need(t, "chromium")
	testutil.NoLeaks(t)
	s := newStub(t, family()...)
	b := showing(t, s)
	for _, answer := range []string{"", "null", "[]", "<html>", `{"tasks":7}`, `{"tasks":[null]}`, `{"tasks":[{"id":"x","waits":3}]}`} {
		s.do(func() { s.strange = &answer })
		b.do(`poll()`)
		s.do(func() { s.strange = nil })
		b.do(`poll()`)
		b.until(`document.getElementById("trouble").hidden && document.querySelectorAll("#rows .row").length === 5`)
	}
	b.forgive()
}

// With 100,000 tasks there are rows for some, all are counted, and the filter finds each.
func TestHundredThousand(t *testing.T) {
	testutil.Need(t, "chromium")
	testutil.NoLeaks(t)
	tasks := []task{{ID: 1, Name: "main", Path: "main", Kernel: 1, Kind: "main", State: "TASK_JOIN", Age: 99}}
	for i := 2; i <= 100_000; i++ {
		name := fmt.Sprintf("worker-%d", i)
		tasks = append(tasks, task{ID: i, Name: name, Path: "main/" + name, Parent: 1, Kernel: 1, Kind: "task", State: "TIME_SLEEP", Age: 99, Group: true})
	}
	s := newStub(t, tasks...)
	b := showing(t, s)
	b.has("#summary", "100,000 tasks")
	b.has("#more", "99,000 more.")
	rows := "document.querySelectorAll('#rows .row').length"
	if n := value[int](b, rows); n != 1000 {
		t.Errorf("%d rows", n)
	}
	if n := value[string](b, `document.getElementById("tree").getAttribute("aria-rowcount")`); n != "100001" {
		t.Errorf("aria-rowcount is %s", n)
	}
	b.focusRow(1)
	b.press(kb.End)
	b.wantFocus("1000")
	for n := 2000; n <= 5000; n += 1000 {
		b.click("#more-button")
		b.until(js(rows+" === %v", n))
	}
	b.until(`document.getElementById("more-button").hidden`)
	b.has("#more", "95,000 more. Use the filter")
	b.wantFocus("more") // where the button was

	// The page answers while it shows that many: what takes time is an update of all rows.
	took := value[[]float64](b, `(async () => {
		const took = [];
		for (let i = 0; i < 9; i++) {
			const next = structuredClone(picture);
			for (const t of next.tasks) t.age += i;
			const began = performance.now();
			show(next);
			await new Promise(requestAnimationFrame);
			took.push(performance.now() - began);
		}
		return took;
	})()`)
	slices.Sort(took)
	t.Logf("an update of 5,000 rows takes %.0f ms, the median of %d", took[len(took)/2], len(took))

	b.do(`document.getElementById("filter").focus()`)
	b.press("99999")
	b.until(rows + " === 1")
	b.has(row(99_999), "main/worker-99999")
}

// Rows that scroll do not move what is looked at, and the row with the focus is in view below the head of the table.
func TestFocusInView(t *testing.T) {
	testutil.Need(t, "chromium")
	testutil.NoLeaks(t)
	tasks := family()
	for i := 10; i < 300; i++ {
		tasks = append(tasks, task{ID: i, Name: "child", Path: "main/child", Parent: 1, Kernel: 1, Kind: "task", State: "TIME_SLEEP"})
	}
	b := showing(t, newStub(t, tasks...))
	b.focusRow(1)
	for _, key := range []string{kb.End, kb.Home, kb.PageDown, kb.PageDown, kb.ArrowUp, kb.PageUp} {
		b.press(key)
		b.until(`(() => {
			const row = document.activeElement.getBoundingClientRect(), head = document.getElementById("head").getBoundingClientRect();
			const all = document.getElementById("scroller").getBoundingClientRect();
			return row.top >= head.bottom - 1 && row.bottom <= all.bottom + 1;
		})()`)
	}
}
