package main

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"net/url"
	"strconv"
)

// maxTasks is how many tasks a monitor sends at most.
const maxTasks = 100_000

// A selection is which tasks are asked for.
type selection struct {
	filter string
	limit  int
}

func (s *selection) addTo(c *call) {
	c.flags.StringVar(&s.filter, "filter", "", "only tasks with `TEXT` in their name or state, or as their number")
	c.flags.IntVar(&s.limit, "limit", maxTasks, "show at most `N` tasks, the oldest")
}

// ask returns the tasks. It is done if the answer has been printed as it came.
func (s *selection) ask(c *call, from *client) (p picture, done bool, err error) {
	ctx, cancel := c.bounded()
	defer cancel()
	if c.set.json {
		query := url.Values{"limit": {strconv.Itoa(s.limit)}}
		if s.filter != "" {
			query.Set("filter", s.filter)
		}
		return picture{}, true, c.printRaw(ctx, from, "/api/tasks?"+query.Encode())
	}
	p, err = from.picture(ctx, s.filter, s.limit)
	return p, false, err
}

// sayLeftOff tells what the list lacks, where it does not disturb a program that reads the list.
func (c *call) sayLeftOff(p picture) {
	if p.LeftOff > 0 {
		fmt.Fprintf(c.stderr, "curio: %s more left off: see -limit and -filter\n", plural(p.LeftOff, "task"))
	}
}

func runPS(c *call, args []string) error {
	var chosen selection
	chosen.addTo(c)
	c.addJSON()
	by := c.flags.String("sort", "age", "sort by `KEY`: "+orderNames())
	reverse := c.flags.Bool("r", false, "reverse the order")
	arguments, err := c.parse(args, 0)
	if err != nil {
		return err
	}
	sorting, ok := orderNamed(*by)
	if !ok {
		return c.misuse("-sort takes one of " + orderNames())
	}
	if err := chosen.check(c); err != nil {
		return err
	}
	from, err := c.client(arguments)
	if err != nil {
		return err
	}
	p, done, err := chosen.ask(c, from)
	if done || err != nil {
		return err
	}
	if err := writePS(c.stdout, p.Tasks, sorting.comparing(*reverse), c.width); err != nil {
		return err
	}
	c.sayLeftOff(p)
	return nil
}

func writePS(w io.Writer, tasks []task, compare func(a, b *task) int, width int) error {
	rows := make([][]string, len(tasks))
	for i, t := range sorted(tasks, compare) {
		rows[i] = psRow(t)
	}
	return writeTable(w, psColumns, rows, width)
}

func (s *selection) check(c *call) error {
	if s.limit < 1 || s.limit > maxTasks {
		return c.misuse(fmt.Sprintf("-limit takes a number from 1 to %d", maxTasks))
	}
	return nil
}

var psColumns = []column{
	{"TASK", true},
	{"STATE", false},
	{"CYCLES", true},
	{"AGE", true},
	{"WAITS", true},
	{"TIMEOUT", true},
	{"NAME", false},
	{"WAITS FOR", false},
}

func psRow(t *task) []string {
	return []string{
		strconv.FormatUint(t.ID, 10), clean(t.State), strconv.FormatUint(t.Cycles, 10), short(t.Age),
		shortOf(t.Waiting), shortOf(t.timeout()), clean(t.Path), t.waitsFor(),
	}
}

// timeout is when the wait ends by itself, or a deadline that is earlier, nil if there is none.
func (t *task) timeout() *float64 {
	if t.Until == nil || t.Deadline == nil {
		if t.Until != nil {
			return t.Until
		}
		return t.Deadline
	}
	return new(math.Min(*t.Until, *t.Deadline))
}

func runTree(c *call, args []string) error {
	var chosen selection
	chosen.addTo(c)
	c.addJSON()
	arguments, err := c.parse(args, 0)
	if err != nil {
		return err
	}
	if err := chosen.check(c); err != nil {
		return err
	}
	from, err := c.client(arguments)
	if err != nil {
		return err
	}
	p, done, err := chosen.ask(c, from)
	if done || err != nil {
		return err
	}
	out := bufio.NewWriter(c.stdout)
	open := func(uint64) bool { return false }
	for _, r := range forest(p.Tasks, branchesFor(isUTF8(c.getenv)), orders[0].comparing(false), open) {
		writeLine(out, r.treeLine(), c.width)
	}
	if err := out.Flush(); err != nil {
		return err
	}
	c.sayLeftOff(p)
	return nil
}

// treeLine is a task in the output of "curio tree".
func (r row) treeLine() string {
	t := r.task
	line := r.label() + " (" + strconv.FormatUint(t.ID, 10) + ") " + clean(t.State)
	if t.Waiting != nil {
		line += " " + short(*t.Waiting)
	}
	if text := t.waitsFor(); text != "" {
		line += "  " + text
	}
	return line
}

// label is the task's name behind the lines of the tree. A root has its whole path: its parent may not be in the picture.
func (r row) label() string {
	name := clean(r.task.Name)
	if r.depth == 0 && r.task.Path != "" {
		name = clean(r.task.Path)
	}
	if r.depth > maxIndent {
		name = fmt.Sprintf("[%d] %s", r.depth, name)
	}
	return r.prefix + name
}
