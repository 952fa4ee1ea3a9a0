package main

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/curio-go/curio/internal/quote"
	"github.com/curio-go/curio/internal/testutil"
)

// A driver runs the model of top without a terminal: keys go in, and questions are asked and answered at once. Ticks are
// left out, so a test says when the next picture comes.
type driver struct {
	t *testing.T
	m *top
}

func drive(t *testing.T, s *stub, width, height int) *driver {
	t.Helper()
	at, err := parseAddress(s.address)
	if err != nil {
		t.Fatal(err)
	}
	from, err := newClient(at, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(from.http.CloseIdleConnections)
	c := newCall(t.Context(), commands()[0], system{getenv: func(string) string { return "UTF-8" }})
	m := newTop(c, from, time.Second, selection{limit: 1000})
	first := m.ask()
	if first.err != nil {
		t.Fatal(first.err)
	}
	m.receive(first)
	m.move(0)
	d := &driver{t, m}
	d.m.Update(tea.WindowSizeMsg{Width: width, Height: height})
	return d
}

// keys presses keys: single characters, or names in angle brackets.
func (d *driver) keys(text string) {
	for _, key := range regexp.MustCompile(`<\w+>|.`).FindAllString(text, -1) {
		d.do(d.m.press(pressed(key)))
	}
}

func pressed(key string) tea.KeyPressMsg {
	if len(key) > 1 && key[0] == '<' {
		special := map[string]rune{
			"<up>": tea.KeyUp, "<down>": tea.KeyDown, "<left>": tea.KeyLeft, "<right>": tea.KeyRight, "<enter>": tea.KeyEnter, "<esc>": tea.KeyEscape,
			"<tab>": tea.KeyTab, "<end>": tea.KeyEnd, "<home>": tea.KeyHome, "<pgup>": tea.KeyPgUp, "<pgdown>": tea.KeyPgDown, "<backspace>": tea.KeyBackspace,
		}
		return tea.KeyPressMsg{Code: special[key]}
	}
	r := []rune(key)[0]
	return tea.KeyPressMsg{Code: r, Text: key}
}

// do asks what a key has led to, and gives the answer to the model.
func (d *driver) do(cmd tea.Cmd) {
	for cmd != nil {
		msg := cmd()
		if _, ok := msg.(pictureMsg); ok { // what follows is a tick
			d.m.Update(msg)
			return
		}
		_, cmd = d.m.Update(msg)
	}
}

// look has the next picture come.
func (d *driver) look() { d.do(d.m.poll()) }

var escapes = regexp.MustCompile(`\x1b\[[0-9;]*m`)

// screen returns the lines without their styles, and without blanks at their ends.
func (d *driver) screen() string {
	var b strings.Builder
	for _, line := range d.m.screen() {
		b.WriteString(strings.TrimRight(escapes.ReplaceAllString(line, ""), " ") + "\n")
	}
	return b.String()
}

func (d *driver) shows(want ...string) {
	d.t.Helper()
	got := d.screen()
	for _, w := range want {
		if !strings.Contains(got, w) {
			d.t.Errorf("there is no %q in\n%s", w, got)
		}
	}
}

func TestTopScreen(t *testing.T) {
	testutil.NoLeaks(t)
	s := newStub(t)
	s.change(func() { s.deadlocks = deadlocked() })
	d := drive(t, s, 80, 12)
	const want = `bank (4242)  6 tasks  1 deadlock: press d  by tree  12 goroutines
  TASK  STATE          WAITS  NAME                 WAITS FOR
>    1  TASK_JOIN      2h03m  main                 task main/transfer (3)
 !   3  LOCK_ACQUIRE     42s  ├─ transfer          Lock 0xc0000140a0(held by ta…
 !   4  LOCK_ACQUIRE     41s  ├─ audit             Lock 0xc0000140b0(held by ta…
     9  READ_WAIT       0.2s  └─ server            tcp 127.0.0.1:25000
    17  TIME_SLEEP      1.5s     └─ GET /accounts  [cancelled by main/server 0.…
     2  SIGNAL_WAIT    2h03m  signals



?:help  q:quit  enter:details  w:stack  y:why  d:deadlocks  c:cancel  /:filter
`
	if got := d.screen(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// A task that moves, or others that come and go, do not change what is selected.
func TestSelectionSticksToTheTask(t *testing.T) {
	testutil.NoLeaks(t)
	s := newStub(t)
	d := drive(t, s, 80, 24)
	d.keys("jjj") // the server
	if d.m.selected != 9 {
		t.Fatalf("selected %d\n%s", d.m.selected, d.screen())
	}
	s.change(func() {
		s.picture.Tasks = slices.Insert(s.picture.Tasks, 4, task{ID: 5, Name: "new", Path: "main/new", Parent: 1}, task{ID: 6, Name: "newer", Parent: 1})
	})
	d.look()
	d.keys("s") // by age
	d.shows(">    9  READ_WAIT")
	d.keys("r")
	d.shows(">    9  READ_WAIT")
	d.keys("ss")
	d.shows(">    9  READ_WAIT")

	// When it has ended nothing is selected, and keys that do something to a task do nothing.
	s.change(func() { s.picture.Tasks = slices.DeleteFunc(s.picture.Tasks, func(t task) bool { return t.ID == 9 }) })
	d.look()
	if d.m.selected != 0 || strings.Contains(d.screen(), ">") {
		t.Errorf("selected %d\n%s", d.m.selected, d.screen())
	}
	d.shows("the selected task is not in the list any more")
	d.keys("c")
	d.shows("select a task first")
	d.keys("yw")
	d.shows("select a task first")
	d.keys("j")
	if d.m.selected == 0 {
		t.Error("a key that moves selects none")
	}
	if s.heard() != "" {
		t.Errorf("cancelled: %s", s.heard())
	}
}

func TestTopCancels(t *testing.T) {
	testutil.NoLeaks(t)
	s := newStub(t)
	d := drive(t, s, 80, 24)
	d.keys("jjc")
	d.shows("cancel task 4, main/audit? y: yes, any other key: no")
	d.keys("q") // an answer, and not the end
	d.shows("not cancelled")
	d.keys("cn")
	d.shows("not cancelled")
	d.keys("c<enter>")
	d.shows("not cancelled")
	if s.heard() != "" {
		t.Fatalf("cancelled: %s", s.heard())
	}
	// The question is about the task for which it was asked, whatever the list does meanwhile.
	d.keys("c")
	s.change(func() { s.picture.Tasks[3], s.picture.Tasks[4] = s.picture.Tasks[4], s.picture.Tasks[3] })
	d.look()
	d.shows("cancel task 4, main/audit?")
	d.keys("y")
	d.shows("cancelled main/audit (4)")
	if s.heard() != "4 audit" {
		t.Errorf("cancelled: %s", s.heard())
	}
	// A number with another name: it is not what the user has seen.
	d.keys("jc")
	s.change(func() {
		for i := range s.picture.Tasks {
			s.picture.Tasks[i].Name = "other"
		}
	})
	d.keys("y")
	d.shows("not cancelled: task 9 is not server")
	s.change(func() { s.picture.Changes = false })
	d.look()
	d.keys("c")
	d.shows("this monitor changes nothing")
	if s.heard() != "4 audit" {
		t.Errorf("cancelled: %s", s.heard())
	}
}

// Nobody is asked a question that cannot be read.
func TestNoCancelOnSmallScreens(t *testing.T) {
	testutil.NoLeaks(t)
	s := newStub(t)
	d := drive(t, s, 19, 10)
	d.keys("c")
	d.shows("the screen is too ")
	d.m.Update(tea.WindowSizeMsg{Width: 20, Height: 3})
	d.keys("c")
	if d.m.mode != confirming {
		t.Error("it does not ask")
	}
	d.shows("cancel task 1, main")
	d.m.Update(tea.WindowSizeMsg{Width: 1, Height: 1})
	d.keys("y")
	if s.heard() != "" {
		t.Errorf("cancelled: %s", s.heard())
	}
}

// Another process has other tasks with the same numbers.
func TestTopOfAnotherProcess(t *testing.T) {
	testutil.NoLeaks(t)
	s := newStub(t)
	d := drive(t, s, 80, 24)
	d.keys("jw<tab>c")
	s.change(func() { s.picture.PID = 4243 })
	d.look()
	d.shows("this is another process: 4243")
	d.keys("y<pgdown>")
	if s.heard() != "" {
		t.Errorf("cancelled: %s", s.heard())
	}
}

func TestTopFilter(t *testing.T) {
	testutil.NoLeaks(t)
	s := newStub(t)
	d := drive(t, s, 80, 24)
	d.keys("/LOCKx<backspace>")
	d.shows("filter: LOCK")
	if v := d.m.View(); v.Cursor == nil || v.Cursor.Y != 23 || v.Cursor.X != len("filter: LOCK") {
		t.Errorf("the cursor is at %+v", v.Cursor)
	}
	d.keys("<enter>")
	d.shows(`2 of 6 tasks`, `with "LOCK"`, "main/transfer", "main/audit")
	if len(d.m.rows) != 2 || d.m.selected != 3 {
		t.Errorf("%d rows, selected %d", len(d.m.rows), d.m.selected)
	}
	d.keys("/\u202eevil<esc>") // nothing of it is taken
	d.keys("<esc>")
	if len(d.m.rows) != 6 || d.m.filter != "" {
		t.Errorf("%d rows with %q", len(d.m.rows), d.m.filter)
	}
	d.keys("/")
	d.m.Update(tea.PasteMsg{Content: "audit\x1b[2J\nrm -rf"})
	d.shows("filter: audit[2J")
	d.keys("<esc>/nobody<enter>")
	d.shows("0 of 6 tasks", "no task")
	d.keys("jkcwy d")
}

func TestTopPanes(t *testing.T) {
	testutil.NoLeaks(t)
	s := newStub(t)
	s.change(func() {
		s.stacks = map[uint64]stack{3: {3, "bank/main.go:77", "goroutine 5:\n" + strings.Repeat("frame\n", 100), 0.001}}
	})
	s.change(func() { s.why = map[uint64]string{3: "task main/transfer (3): LOCK_ACQUIRE\n\ttask main/audit (4)"} })
	s.change(func() { s.deadlocks = deadlocked() })
	d := drive(t, s, 80, 24)
	d.keys("jw")
	d.shows("stack of main/transfer (3)  [1/", "goroutine 5:", "main.go:77", "├─ transfer")
	d.keys("<end>")
	d.shows("[104/104]")
	d.keys("<home><tab>j") // in the list again
	d.shows("stack of main/transfer (3)  [1/", ">!   4")
	d.keys("ky")
	d.shows("why is it waiting: main/transfer (3)", "    task main/audit (4)")
	d.keys("d")
	d.shows(" deadlocks", "deadlock of 2 tasks; 1 more wait behind:", "waits for task main/audit (4)")
	d.keys("<esc><enter>")
	d.shows("spawned   bank/main.go:42")
	d.keys("j") // the details of the selected task
	d.shows("spawned   bank/main.go:43")
	d.keys("?")
	d.shows("ctrl+z q         suspend, quit")
	d.keys("<esc>")
	if d.m.pane != nil {
		t.Error("the pane is still there")
	}
	s.change(func() { s.busy = 2 })
	d.keys("w")
	d.shows("stacks were taken a moment ago")
	d.keys("y") // busy: asked once more, without lines
	d.shows("(without lines of code: stacks were taken a moment ago)")

	// An answer that comes when its pane is closed is not shown in another.
	late := d.m.press(pressed("w"))
	d.keys("<esc>?")
	d.do(late)
	d.shows("ctrl+z q         suspend, quit")
}

func TestTopFolds(t *testing.T) {
	testutil.NoLeaks(t)
	s := newStub(t)
	d := drive(t, s, 80, 24)
	d.keys("jjj ")
	d.shows("└─ server [+1]")
	if strings.Contains(d.screen(), "GET /accounts") {
		t.Errorf("it is still there\n%s", d.screen())
	}
	d.look()
	d.shows(">    9")
	d.keys("<left>") // to its parent
	d.shows(">    1")
	d.keys("<left>")
	d.shows("main [+3]")
	d.keys("<right>jjj<right>")
	d.shows("GET /accounts")
	// A task that goes below one that is folded up takes the selection there.
	d.keys("kk<left>") // audit to its parent
	d.keys("j ")
	if d.m.selected != 3 {
		t.Fatalf("selected %d", d.m.selected)
	}
}

func TestTopFailures(t *testing.T) {
	testutil.NoLeaks(t)
	s := newStub(t)
	d := drive(t, s, 100, 24)
	s.change(func() { s.fails = true })
	d.look()
	d.shows(`the stub \x1b[31mfails`, "transfer") // what was there last
	d.keys("w")
	d.shows(`the stub \x1b[31mfails`)
	s.change(func() { s.fails = false })
	d.look()
	if strings.Contains(strings.Split(d.screen(), "\n")[0], "fails") {
		t.Errorf("the error is still there\n%s", d.screen())
	}
}

// An answer to a question that is not asked any more changes nothing, and starts no second row of ticks.
func TestTopDropsOldAnswers(t *testing.T) {
	testutil.NoLeaks(t)
	s := newStub(t)
	d := drive(t, s, 80, 24)
	old := d.m.poll()
	s.change(func() { s.picture.Program = "other" })
	answer := old()
	newer := d.m.poll()
	if _, cmd := d.m.Update(answer); cmd != nil || d.m.picture.Program != "bank" {
		t.Errorf("it is taken for new: %s", d.m.picture.Program)
	}
	if _, cmd := d.m.Update(newer()); cmd == nil {
		t.Error("there is no next picture")
	}
	d.keys("p")
	d.shows("paused")
	if _, cmd := d.m.Update(tickMsg{d.m.asked}); cmd != nil {
		t.Error("it goes on though it is paused")
	}
	if cmd := d.m.press(pressed("p")); cmd == nil {
		t.Error("it does not go on")
	}
	if _, cmd := d.m.Update(tickMsg{d.m.asked - 1}); cmd != nil {
		t.Error("an old tick asks")
	}
}

// A program with many tasks is not kept busy by being watched.
func TestTopLooksLessOften(t *testing.T) {
	m := newTop(newCall(t.Context(), commands()[0], system{getenv: func(string) string { return "" }}), nil, time.Second, selection{})
	m.receive(pictureMsg{picture: sample(), took: time.Millisecond})
	if m.period != time.Second {
		t.Errorf("every %v", m.period)
	}
	m.receive(pictureMsg{picture: sample(), took: 500 * time.Millisecond, deadlocks: &deadlockList{}, lookTook: time.Second})
	if m.period != 5*time.Second || time.Until(m.nextLook) < 50*time.Second {
		t.Errorf("every %v, deadlocks in %v", m.period, time.Until(m.nextLook))
	}
}

// Whatever the program has for tasks, the screen for a size, and the user for keys: each screen has exactly as many lines as
// fit, none of them wider than the screen, and nothing in it that the terminal would obey but our own styles. A task that
// stays in the list stays selected.
func TestEveryScreenFits(t *testing.T) {
	testutil.NoLeaks(t)
	s := newStub(t)
	s.change(func() { s.deadlocks = deadlocked() })
	d := drive(t, s, 80, 24)
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 1))
	keys := strings.Fields("j k j k <up> <down> <left> <right> <enter> <esc> <tab> <home> <end> <pgup> <pgdown> w y d c n y s r / x <backspace> <enter> p u ? z")
	for step := range testutil.Times(30_000) {
		what := ""
		switch n := random.IntN(20); n {
		case 0, 1:
			msg := tea.WindowSizeMsg{Width: random.IntN(100), Height: random.IntN(30)}
			if n == 0 {
				msg = tea.WindowSizeMsg{Width: random.IntN(4), Height: random.IntN(4)}
			}
			what = fmt.Sprint(msg)
			d.m.Update(msg)
		case 2:
			what = "another picture"
			s.change(func() { s.picture, s.fails = randomPicture(random), random.IntN(10) == 0 })
			was, pid := d.m.selected, d.m.picture.PID
			d.look()
			_, stays := slices.BinarySearchFunc(d.m.picture.Tasks, was, func(t task, id uint64) int { return int(t.ID) - int(id) })
			if was != d.m.selected && stays && len(d.m.closed) == 0 && d.m.picture.PID == pid {
				t.Fatalf("seed %d, step %d: selected %d, was %d", seed, step, d.m.selected, was)
			}
		default:
			what = keys[random.IntN(len(keys))]
			d.keys(what)
		}
		if problem := d.misfit(); problem != "" {
			t.Fatalf("seed %d, step %d, after %s, at %d x %d: %s\n%s", seed, step, what, d.m.width, d.m.height, problem, d.screen())
		}
	}
}

// randomPicture has some of the hostile tasks.
func randomPicture(random *rand.Rand) picture {
	p := hostilePicture()
	p.Tasks = slices.DeleteFunc(p.Tasks, func(task) bool { return random.IntN(3) == 0 })
	for i := range p.Tasks {
		p.Tasks[i].Parent = random.Uint64N(15)
	}
	return p
}

func (d *driver) misfit() string {
	lines := d.m.screen()
	if d.m.width < 1 || d.m.height < 1 {
		if len(lines) > 0 {
			return "there are lines on no screen"
		}
		return ""
	}
	if len(lines) != d.m.height {
		return fmt.Sprintf("%d lines", len(lines))
	}
	for _, line := range lines {
		line = escapes.ReplaceAllString(line, "")
		if w := quote.Width(line); w > d.m.width {
			return fmt.Sprintf("%q takes %d columns", line, w)
		}
		for _, r := range line {
			if quote.Text(string(r), 0) != string(r) && r != '\\' && !isMark(r) {
				return fmt.Sprintf("there is %U in %q", r, line)
			}
		}
	}
	return ""
}

func isMark(r rune) bool { return quote.Width(string(r)) == 0 }
