package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"unicode"
	"unicode/utf8"
)

// printRaw prints an answer as it came.
func (c *call) printRaw(ctx context.Context, from *client, path string) error {
	text, err := patiently(ctx, func() ([]byte, error) { return from.raw(ctx, path) })
	if err != nil {
		return err
	}
	return c.printJSON(text)
}

func (c *call) printJSON(text []byte) error {
	_, err := c.stdout.Write(escapeJSON(append(bytes.TrimRight(text, "\n"), '\n')))
	return err
}

// escapeJSON writes what a terminal may obey as \u escapes. Such characters can only be in strings of JSON, for which
// that makes no difference.
func escapeJSON(text []byte) []byte {
	isPlain := func(r rune) bool { return r == '\n' || r == '\t' || r != utf8.RuneError && unicode.IsPrint(r) }
	if bytes.IndexFunc(text, func(r rune) bool { return !isPlain(r) }) < 0 {
		return text
	}
	var out bytes.Buffer
	for _, r := range string(text) {
		switch {
		case isPlain(r):
			out.WriteRune(r)
		case r == '\r': // between two tokens
			out.WriteByte('\n')
		case r > 0xFFFF:
			r -= 0x10000
			fmt.Fprintf(&out, `\u%04x\u%04x`, 0xD800+r>>10, 0xDC00+r&0x3FF)
		default:
			fmt.Fprintf(&out, `\u%04x`, r)
		}
	}
	return out.Bytes()
}

// printLines prints lines that are clean. They are not cut.
func (c *call) printLines(all []string) error {
	out := bufio.NewWriter(c.stdout)
	for _, line := range all {
		writeLine(out, line, 0)
	}
	return out.Flush()
}

func runWhere(c *call, args []string) error {
	c.addJSON()
	return c.aboutTask(args, func(ctx context.Context, from *client, t task) error {
		if c.set.json {
			return c.printRaw(ctx, from, taskPath(t.ID)+"/stack")
		}
		s, err := patiently(ctx, func() (stack, error) { return from.stack(ctx, t.ID) })
		if err != nil {
			return err
		}
		return c.printLines(append(t.details(), stackLines(s)...))
	})
}

// aboutTask calls show with the task that args name, in the time that a command has.
func (c *call) aboutTask(args []string, show func(ctx context.Context, from *client, t task) error) error {
	arguments, err := c.parse(args, 1)
	if err != nil {
		return err
	}
	from, err := c.client(arguments[1:])
	if err != nil {
		return err
	}
	ctx, cancel := c.bounded()
	defer cancel()
	t, err := c.find(ctx, from, arguments[0])
	if err != nil {
		return err
	}
	return show(ctx, from, t)
}

// stackLines is a stack, with where the task is and what it has cost in front.
func stackLines(s stack) []string {
	var all []string
	if s.Where != "" {
		all = append(all, "is at     "+clean(s.Where))
	}
	if s.Pause > 0 {
		all = append(all, "pause     "+pauseText(s.Pause))
	}
	if s.Stack == "" {
		return append(all, "", "it has no stack: it has not begun, or it has ended")
	}
	return append(append(all, ""), lines(s.Stack)...)
}

func pauseText(seconds float64) string {
	return fmt.Sprintf("the program was stopped for %.1f ms to see the stack", seconds*1000)
}

func runWhy(c *call, args []string) error {
	c.addJSON()
	withLines := c.flags.Bool("lines", true, "show where in the code each task is; this stops the program for a moment")
	return c.aboutTask(args, func(ctx context.Context, from *client, t task) error {
		if c.set.json {
			return c.printRaw(ctx, from, taskPath(t.ID)+"/why"+where(*withLines))
		}
		why, err := withOrWithout(*withLines, c.note, func(lines bool) (chain, error) {
			return patiently(ctx, func() (chain, error) { return from.why(ctx, t.ID, lines) })
		})
		if err != nil {
			return err
		}
		return c.printLines(quotedLines(why.Text))
	})
}

// note prints something that is worth knowing, and no failure.
func (c *call) note(what string) { fmt.Fprintln(c.stderr, "curio:", what) }

// withOrWithout asks for an answer with lines of code. If the monitor refuses these, as it does if it was asked for
// stacks a moment ago or if there are too many goroutines, it asks for an answer without, and notes why.
func withOrWithout[T any](lines bool, note func(string), ask func(lines bool) (T, error)) (T, error) {
	answer, err := ask(lines)
	var no *refusal
	if !lines || !errors.As(err, &no) || no.status != http.StatusTooManyRequests && no.status < 500 {
		return answer, err
	}
	answer, err = ask(false)
	if err == nil {
		note("without lines of code: " + no.Error())
	}
	return answer, err
}

// patiently asks again, a few times, if the monitor says when that makes sense: it takes stacks once a second at most.
func patiently[T any](ctx context.Context, ask func() (T, error)) (T, error) {
	const times = 3
	for n := 1; ; n++ {
		answer, err := ask()
		var no *refusal
		if n == times || !errors.As(err, &no) || !no.again {
			return answer, err
		}
		rest, cancel := context.WithTimeout(ctx, no.after)
		<-rest.Done()
		cancel()
	}
}

func runDeadlocks(c *call, args []string) error {
	c.addJSON()
	withLines := c.flags.Bool("lines", true, "show where in the code each task is; this stops the program for a moment")
	arguments, err := c.parse(args, 0)
	if err != nil {
		return err
	}
	from, err := c.client(arguments)
	if err != nil {
		return err
	}
	ctx, cancel := c.bounded()
	defer cancel()
	if c.set.json {
		text, err := patiently(ctx, func() ([]byte, error) { return from.raw(ctx, "/api/deadlocks"+where(*withLines)) })
		if err != nil {
			return err
		}
		var list deadlockList
		if err := errors.Join(json.Unmarshal(text, &list), c.printJSON(text)); err != nil || len(list.Deadlocks) == 0 {
			return err
		}
		return errFound
	}
	list, err := withOrWithout(*withLines, c.note, func(lines bool) (deadlockList, error) {
		return patiently(ctx, func() (deadlockList, error) { return from.deadlocks(ctx, lines) })
	})
	if err != nil {
		return err
	}
	if len(list.Deadlocks) == 0 {
		return c.printLines([]string{"no deadlock"})
	}
	if err := c.printLines(list.text()); err != nil {
		return err
	}
	return errFound
}

// text is all deadlocks as lines, with an empty line between two.
func (l deadlockList) text() []string {
	var all []string
	for i := range l.Deadlocks {
		if i > 0 {
			all = append(all, "")
		}
		all = append(all, l.Deadlocks[i].text()...)
	}
	return all
}
