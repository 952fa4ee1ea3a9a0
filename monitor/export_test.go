package monitor

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/curio-go/curio"
)

// SetGreetAfter sets how long a client may be silent until it gets the prompt, and returns what undoes that.
func SetGreetAfter(d time.Duration) (undo func()) {
	was := greetAfter
	greetAfter = d
	return func() { greetAfter = was }
}

// SetLogTime sets how long a signal waits until it is logged, and returns what undoes that.
func SetLogTime(d time.Duration) (undo func()) {
	was := logTime
	logTime = d
	return func() { logTime = was }
}

// MostGoroutines is with how many goroutines all stacks may be printed.
const MostGoroutines = mostGoroutines

// HoldStacks has somebody look at stacks until the function it returns is called.
func HoldStacks() (done func(), err error) { return stacks.done, stacks.take() }

// ForgetStacks allows the next look at stacks now.
func ForgetStacks() {
	stacks.mu.Lock()
	defer stacks.mu.Unlock()
	stacks.before = time.Time{}
}

// Converse has a client say all of input at once, and returns what it is told, and whether it was sent away before the
// input was at its end.
func Converse(input string, own bool, opts ...Option) (output string, away bool) {
	set := apply(opts)
	s := &session{view: newView(set), ctx: context.Background(), client: "a test", own: own}
	in := lineReader{bufio.NewReader(strings.NewReader(input))}
	var out strings.Builder
	out.WriteString(s.greeting())
	for !s.over {
		line, end := in.next()
		out.WriteString(s.answer(line, end))
		away = end == nil && s.over
	}
	return out.String(), away
}

// PurposeOf returns what a connection is for that begins with a line: "HTTP", "lines", or "" for nothing.
func PurposeOf(first string) string {
	return map[purpose]string{forHTTP: "HTTP", forLines: "lines"}[purposeOf([]byte(first))]
}

// CancelTask cancels a task that somebody has found before.
func CancelTask(t *curio.AnyTask, opts ...Option) (whom string, err error) {
	return newView(apply(opts)).cancel(t, "a test")
}

// ErrorText and KeyText are what is said of an error and of a key.
var (
	ErrorText       = errorText
	KeyText         = keyText
	OnByEnvironment = onByEnvironment
	Page            = func() string { return string(page) }
)

// Limits of connections.
const (
	MostConns   = mostConns
	LongestLine = longestLine
)

// Get writes the answer to a request that needs no token.
func Get(w io.Writer, path string, opts ...Option) {
	r := httptest.NewRequest(http.MethodGet, "http://localhost"+path, nil)
	answer := httptest.NewRecorder()
	Handler(append(opts, OpenReading())...).ServeHTTP(answer, r)
	_, _ = answer.Body.WriteTo(w)
}
