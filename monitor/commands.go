package monitor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/quote"
)

// A session is a conversation by lines. It knows nothing of the connection.
type session struct {
	view   *view
	ctx    context.Context
	client string
	own    bool // needs no token
	proved bool // has given it
	bad    int  // commands that there are not
	over   bool
}

const prompt = "curio > "

// trusted reports whether the client is the same user, or has given the token.
func (s *session) trusted() bool { return s.own || s.proved }

// mayRead reports whether the client may ask for what changes nothing.
func (s *session) mayRead() bool { return s.trusted() || s.view.open }

func (s *session) greeting() string {
	if !s.mayRead() {
		return "\nCurio Monitor\nType help for commands\n" + prompt
	}
	n := len(s.view.tasks())
	word := "tasks"
	if n == 1 {
		word = "task"
	}
	return fmt.Sprintf("\nCurio Monitor: %d %s running\nType help for commands\n%s", n, word, prompt)
}

// A command is what a line can begin with. Its first letters will do, from least on, if it changes nothing.
type command struct {
	name, least string
	args        string // what has to follow, for the help
	help        string
	need        need
	do          func(s *session, arg string) (string, error)
}

// A need is what a client has to show.
type need int

const (
	nothing   need = iota
	reading        // the token, unless reading is open
	changing       // the token, always
	stackCost      // as reading; and it stops the program for a moment
)

// commands is set by init, as help is one of them.
var commands []command

func init() {
	commands = []command{
		{"help", "h", "", "Show this list", nothing, (*session).help},
		{"token", "token", "TOKEN", "Give the token", nothing, (*session).token},
		{"ps", "p", "", "Show task table", reading, (*session).ps},
		{"tree", "t", "", "Show tasks below their parents, and what they wait for", reading, (*session).tree},
		{"where", "w", "ID", "Show the stack of a task", stackCost, (*session).where},
		{"parents", "pa", "ID", "List task parents", reading, (*session).parents},
		{"why", "why", "ID", "Show what a task waits for, and which task holds it", stackCost, (*session).why},
		{"deadlocks", "d", "", "Show tasks that can never go on", stackCost, (*session).deadlocks},
		{"cancel", "cancel", "ID", "Cancel a task", changing, (*session).cancel},
		{"signal", "signal", "NAME", "Send a Unix signal to the process", changing, (*session).signal},
		{"log", "log", "LEVEL", "Set the level of the log", changing, (*session).log},
		{"exit", "e", "", "Leave the monitor", nothing, (*session).exit},
		{"quit", "q", "", "Leave the monitor", nothing, (*session).exit},
	}
}

// commandOf returns the command that a word stands for.
func commandOf(word string) (command, bool) {
	word = strings.ToLower(word)
	for _, c := range commands {
		if strings.HasPrefix(word, c.least) && strings.HasPrefix(c.name, word) {
			return c, true
		}
	}
	return command{}, false
}

// answer does what a line asks for, and returns what is to be sent for it. end is the error of reading it: io.EOF at the end
// of the input, which is answered, too, as nc goes on reading.
func (s *session) answer(line string, end error) string {
	switch {
	case errors.Is(end, errLong):
		s.over = true
		return "Line too long.\n"
	case errors.Is(end, errBinary) || looksLikeHTTP(line):
		s.over = true
		return "This is not a command of the monitor.\n"
	case end != nil && !errors.Is(end, io.EOF):
		s.over = true
		return ""
	case end != nil:
		s.over = true
	}
	text := s.obey(strings.Fields(line))
	if s.over {
		return text
	}
	return text + prompt
}

// obey does a command.
func (s *session) obey(words []string) string {
	if len(words) == 0 {
		return ""
	}
	c, ok := commandOf(words[0])
	if !ok {
		if s.bad++; s.bad > 1 {
			s.over = true
			return "Unknown command. Leaving monitor.\n"
		}
		return "Unknown command. Type help.\n"
	}
	if s.trusted() {
		s.bad = 0 // a person mistypes now and then; a request in disguise does nothing else
	}
	switch args := words[1:]; {
	case c.args == "" && len(args) > 0:
		return fmt.Sprintf("Bad command. %s takes no arguments.\n", c.name)
	case c.args != "" && len(args) != 1:
		return fmt.Sprintf("Bad command. Usage: %s %s\n", c.name, c.args)
	case c.need == changing && !s.trusted(), c.need != nothing && !s.mayRead():
		return "Give the token first: token TOKEN\n"
	case c.args == "":
		words = append(words, "")
	}
	text, err := c.do(s, words[1])
	if err != nil {
		said := quote.Text(err.Error(), objectColumns)
		return text + strings.ToUpper(said[:1]) + said[1:] + ".\n"
	}
	return text
}

func (s *session) help(string) (string, error) {
	var b strings.Builder
	b.WriteString("Commands:\n")
	for _, c := range commands {
		fmt.Fprintf(&b, "  %-16s : %s\n", strings.TrimSpace(c.name+" "+c.args), c.help+needed(c.need, s.view.changes))
	}
	b.WriteString("The first letters will do for commands that change nothing.\n")
	b.WriteString("For where, why and deadlocks, all goroutines are stopped for a moment, once a second at most:\n")
	b.WriteString("some milliseconds for a thousand of them. Each answer says for how long.\n")
	return b.String(), nil
}

func needed(n need, changes bool) string {
	if n == changing && !changes {
		return " (switched off)"
	}
	return ""
}

func (s *session) token(token string) (string, error) {
	if s.view.isToken(token) {
		s.proved = true
		return "Welcome.\n", nil
	}
	if s.bad++; s.bad > 1 {
		s.over = true
	}
	return "", errors.New("that is not the token")
}

func (s *session) ps(string) (string, error) {
	infos, rest := s.inspect()
	return table(infos, time.Now()) + rest, nil
}

func (s *session) tree(string) (string, error) {
	infos, rest := s.inspect()
	return tree(infos, time.Now()) + rest, nil
}

// inspect returns what tasks do, the oldest first: of all of them if the client is trusted, as it costs memory and time. rest
// says how many are left out.
func (s *session) inspect() (infos []curio.TaskInfo, rest string) {
	tasks := s.view.tasks()
	if more := len(tasks) - someTasks; more > 0 && !s.trusted() {
		tasks = tasks[:someTasks]
		rest = fmt.Sprintf("%d more\n", more)
	}
	return curio.InspectTasks(tasks...), rest
}

// task returns the task with the number in text.
func (s *session) task(text string) (*curio.AnyTask, error) {
	id, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("bad command: %s is not the number of a task", text)
	}
	if t := s.view.task(id); t != nil {
		return t, nil
	}
	return nil, noTaskError(id)
}

// mostStack bounds the lines of a stack. The runtime prints the innermost and the outermost fifty calls at most.
const mostStack = 250

func (s *session) where(arg string) (string, error) {
	t, err := s.task(arg)
	if err != nil {
		return "", err
	}
	l, err := s.view.look(s.ctx, t, true)
	if err != nil {
		return "", err
	}
	if l.stack == "" {
		return fmt.Sprintf("Task %d has not begun or has ended.\n", t.ID()), nil
	}
	return fmt.Sprintf("Task %d, %s, is at %s. %s\n%s", t.ID(), named(t), quote.Text(l.where, objectColumns), stopped(l.pause),
		quote.Lines(l.stack, mostStack, 500)), nil
}

func stopped(pause time.Duration) string {
	if pause == 0 {
		return "The goroutines were stopped for a moment only."
	}
	return "All goroutines were stopped for " + roughly(pause) + " at most."
}

func (s *session) parents(arg string) (string, error) {
	t, err := s.task(arg)
	if err != nil {
		return "", err
	}
	return parents(t), nil
}

// why sends what Why returns as it is: names are quoted in it.
func (s *session) why(arg string) (string, error) {
	t, err := s.task(arg)
	if err != nil {
		return "", err
	}
	if err := await(s.ctx, stacks.takeAll); err != nil { // it says the rest
		return t.Why(false) + "Without code lines: ", err
	}
	defer stacks.done()
	began := time.Now()
	text := t.Why(true)
	return text + stopped(time.Since(began)) + "\n", nil
}

// deadlocks looks for code lines only if there is a deadlock.
func (s *session) deadlocks(string) (string, error) {
	found := s.view.deadlocks()
	if len(found) == 0 {
		return deadlockText(nil, nil), nil
	}
	if err := await(s.ctx, stacks.takeAll); err != nil {
		return deadlockText(found, nil) + "Without code lines: ", err
	}
	defer stacks.done()
	began := time.Now()
	places := whereAre(found)
	return deadlockText(found, places) + stopped(time.Since(began)) + "\n", nil
}

func (s *session) cancel(arg string) (string, error) {
	if !s.view.changes {
		return "", errOff
	}
	t, err := s.task(arg)
	if err != nil {
		return "", err
	}
	whom, err := s.view.cancel(t, s.client)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("Cancelling task %d, %s\n", t.ID(), quote.Text(whom, objectColumns)), nil
}

func (s *session) signal(name string) (string, error) {
	its, err := s.view.signal(name, s.client)
	if err != nil {
		return "", err
	}
	return "Sent " + its + "\n", nil
}

func (s *session) log(level string) (string, error) {
	its, err := s.view.log(level, s.client)
	if err != nil {
		return "", err
	}
	return "The level of the log is " + its + "\n", nil
}

func (s *session) exit(string) (string, error) {
	s.over = true
	return "Leaving monitor.\n", nil
}
