package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"

	"github.com/curio-go/curio/internal/testutil"
)

// A terminal is a terminal of tmux, with a shell in it that runs the program and then says how it has ended.
type terminal struct {
	t      *testing.T
	socket string
}

// openTerminal runs the program with arguments in a terminal of the given size. The environment is NAME=VALUE each.
func openTerminal(t *testing.T, width, height int, environment []string, arguments ...string) *terminal {
	t.Helper()
	dir, err := os.MkdirTemp("", "tmux")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	term := &terminal{t, filepath.Join(dir, "s")}
	t.Cleanup(func() { _, _ = term.try("kill-server") }) // it may be gone
	words := []string{"env", "LC_ALL=C.UTF-8", ownVariable + "=1"}
	words = append(append(append(words, environment...), binary), arguments...)
	for i, word := range words {
		words[i] = "'" + word + "'"
	}
	script := strings.Join(words, " ") + `; echo "status $?"; exec cat`
	term.tmux("-f", "/dev/null", "new-session", "-d", "-x", fmt.Sprint(width), "-y", fmt.Sprint(height), script)
	return term
}

func (term *terminal) try(arguments ...string) (string, error) {
	command := testutil.Command(term.t, "tmux", append([]string{"-S", term.socket, "-u"}, arguments...)...)
	out, err := command.CombinedOutput()
	return string(out), err
}

func (term *terminal) tmux(arguments ...string) string {
	term.t.Helper()
	out, err := term.try(arguments...)
	if err != nil {
		term.t.Fatalf("tmux %q: %v\n%s", arguments, err, out)
	}
	return out
}

func (term *terminal) keys(keys ...string) {
	term.t.Helper()
	term.tmux(append([]string{"send-keys"}, keys...)...)
}

func (term *terminal) screen() string { return term.tmux("capture-pane", "-p") }

// shows waits until all of the texts are on the screen.
func (term *terminal) shows(texts ...string) string {
	term.t.Helper()
	var screen string
	if !testutil.Eventually(func() bool {
		screen = term.screen()
		for _, text := range texts {
			if !strings.Contains(screen, text) {
				return false
			}
		}
		return true
	}) {
		term.t.Fatalf("there is not all of %q in\n%s", texts, screen)
	}
	return screen
}

// lacks waits until the text is not on the screen any more.
func (term *terminal) lacks(text string) {
	term.t.Helper()
	testutil.Await(term.t, "a screen without "+text, func() bool { return !strings.Contains(term.screen(), text) })
}

// ends waits for the program's end and looks at how it leaves the terminal.
func (term *terminal) ends(status int) string {
	term.t.Helper()
	screen := term.shows(fmt.Sprintf("status %d", status))
	if flags := strings.TrimSpace(term.tmux("display-message", "-p", "alternate #{alternate_on}, cursor #{cursor_flag}")); flags != "alternate 0, cursor 1" {
		term.t.Errorf("it leaves the terminal with %s", flags)
	}
	// The terminal echoes, and takes whole lines.
	term.keys("echoed", "Enter")
	term.shows("echoed\nechoed")
	return screen
}

func TestTopInTmux(t *testing.T) {
	testutil.Need(t, "tmux")
	testutil.NoLeaks(t)
	s := newStub(t)
	s.change(func() { s.deadlocks = deadlocked() })
	s.change(func() {
		s.stacks = map[uint64]stack{3: {3, "bank/main.go:77", "goroutine 5 [select]:\nmain.transfer(0x1)\n\t/src/bank/main.go:77 +0x2d\n", 0.001}}
	})
	s.change(func() {
		s.why = map[uint64]string{3: "task main/transfer (3): LOCK_ACQUIRE at bank/main.go:77\n\ttask main/audit (4): LOCK_ACQUIRE at bank/main.go:91\n\t\tsee above, a circle\n"}
	})
	term := openTerminal(t, 80, 24, nil, "top", s.address)
	save := saver(t)
	save("start", term.shows("bank (4242)  6 tasks  1 deadlock: press d", ">    1  TASK_JOIN", "└─ server", "?:help  q:quit"))
	term.keys("j", "w")
	save("stack", term.shows("stack of main/transfer (3)", "/src/bank/main.go:77"))
	term.keys("Escape")
	term.lacks("stack of") // or the next key would be one with Alt
	term.keys("y")
	save("why", term.shows("why is it waiting: main/transfer (3)", "see above, a circle"))
	term.keys("d")
	save("deadlocks", term.shows("deadlock of 2 tasks", "waits for task main/audit (4)"))
	term.keys("?")
	save("help", term.shows("suspend, quit"))
	term.keys("Escape")
	term.lacks("suspend, quit")
	term.keys("/", "server", "Enter")
	save("filter", term.shows(`with "server"`, "1 of 6 tasks"))
	term.keys("Escape")
	term.lacks("of 6 tasks")
	term.keys("Up", "c")
	save("cancel", term.shows("? y: yes, any other key: no"))
	term.keys("y")
	save("cancelled", term.shows("cancelled main/audit (4)"))
	if heard := s.heard(); heard == "" {
		t.Error("the monitor has heard nothing")
	}
	// Values change while nobody presses a key.
	s.change(func() { s.picture.Tasks[0].State = "CHANGED" })
	term.shows("CHANGED")
	term.keys("q")
	term.ends(0)
}

// The screen is right after any change of its size, down to one character.
func TestTopResized(t *testing.T) {
	testutil.Need(t, "tmux")
	testutil.NoLeaks(t)
	s := newStub(t)
	s.change(func() { s.picture.Tasks = append(s.picture.Tasks, hostilePicture().Tasks[5:]...) })
	term := openTerminal(t, 80, 24, nil, "top", s.address)
	save := saver(t)
	term.shows("bank (4242)")
	for _, size := range []struct {
		width, height int
		want          string
	}{
		{40, 10, "server"},
		{200, 50, "WAITS FOR"},
		{1, 1, "…"},
		{2, 2, "b…"},
		{12, 5, "main"},
		{80, 3, "bank (4242)"},
		{80, 24, "READ_WAIT"},
	} {
		term.tmux("resize-window", "-x", fmt.Sprint(size.width), "-y", fmt.Sprint(size.height))
		testutil.Await(t, "the new size", func() bool { return strings.Count(term.screen(), "\n") == size.height })
		save(fmt.Sprintf("%dx%d", size.width, size.height), term.shows(size.want))
		if size.height > 3 && size.width > 30 {
			first, _, _ := strings.Cut(term.shows("q:quit"), "\n") // nothing of an older screen is left
			if !strings.HasPrefix(first, "bank (4242)") {
				t.Errorf("at %dx%d the first line is %q", size.width, size.height, first)
			}
		}
	}
	term.keys("C-c")
	term.ends(0)
}

// Without colours all is said in words, and in bold and reversed; on a terminal of ASCII the tree is, too.
func TestTopWithoutColours(t *testing.T) {
	testutil.Need(t, "tmux")
	testutil.NoLeaks(t)
	s := newStub(t)
	s.change(func() { s.deadlocks = deadlocked() })
	term := openTerminal(t, 80, 24, []string{"NO_COLOR=1", "LC_ALL=C"}, "top", s.address)
	save := saver(t)
	save("no-colour", term.shows("1 deadlock: press d", "`- server"))
	styled := term.tmux("capture-pane", "-p", "-e")
	if strings.Contains(styled, "[31") || strings.Contains(styled, ";31") || !strings.Contains(styled, "\x1b[7m") {
		t.Errorf("the styles are wrong:\n%q", styled)
	}
	term.keys("q")
	term.ends(0)
}

// A program that goes away is shown as gone, and what was seen last stays.
func TestTopOfAProgramThatEnds(t *testing.T) {
	testutil.Need(t, "tmux")
	testutil.NoLeaks(t)
	s := newStub(t)
	term := openTerminal(t, 100, 24, nil, "top", s.address)
	term.shows("bank (4242)")
	s.change(func() { s.fails = true })
	saver(t)("gone", term.shows(`the stub \x1b[31mfails`, "audit"))
	s.change(func() { s.fails = false })
	term.lacks("fails")
	term.keys("q")
	term.ends(0)
}

// panicInTop is top with a bug.
func panicInTop() int {
	at, err := parseAddress(os.Args[2])
	if err != nil {
		return 5
	}
	from, err := newClient(at, "")
	if err != nil {
		return 5
	}
	c := newCall(context.Background(), commands()[0], thisSystem())
	err = show(&panicking{top: newTop(c, from, 1, selection{limit: 1}), in: os.Args[3]})
	if errors.Is(err, tea.ErrProgramPanic) {
		return 7
	}
	return 6
}

type panicking struct {
	*top
	in string
}

func (p *panicking) Init() tea.Cmd { return nil }

func (p *panicking) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	key, ok := msg.(tea.KeyPressMsg)
	if !ok || key.String() != "x" {
		_, _ = p.top.Update(msg)
		return p, nil
	}
	if p.in == "command" {
		return p, func() tea.Msg { panic("a bug") }
	}
	if p.in == "update" {
		panic("a bug")
	}
	p.in = "now"
	return p, nil
}

func (p *panicking) View() tea.View {
	if p.in == "now" {
		panic("a bug")
	}
	return p.top.View()
}

// After a panic the terminal is as it was, and the panic can be read.
func TestTerminalAfterAPanic(t *testing.T) {
	testutil.Need(t, "tmux")
	testutil.NoLeaks(t)
	s := newStub(t)
	for _, in := range []string{"update", "view", "command"} {
		term := openTerminal(t, 80, 24, []string{ownVariable + "=panics"}, "top", s.address, in)
		term.shows("0 tasks")
		term.keys("x")
		if screen := term.ends(7); !strings.Contains(term.tmux("capture-pane", "-p", "-S", "-"), "a bug") {
			t.Errorf("in %s: the panic is not shown\n%s", in, screen)
		}
	}
}

// saver returns a function that keeps screens in the directory named by CURIO_SCREENS, to be looked at.
func saver(t *testing.T) func(name, screen string) {
	dir := os.Getenv("CURIO_SCREENS")
	return func(name, screen string) {
		if dir == "" {
			return
		}
		if err := os.WriteFile(filepath.Join(dir, t.Name()+"-"+name+".txt"), []byte(screen), 0o600); err != nil {
			t.Error(err)
		}
	}
}
