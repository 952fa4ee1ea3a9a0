package testutil

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
)

// A Journal is a slog.Handler that keeps what is logged. The zero value is empty.
type Journal struct {
	mu      sync.Mutex
	records []Record
}

// A Record is a line of a Journal. Values of attributes are as they were given, so
// errors are errors and not their text.
type Record struct {
	Level slog.Level
	Text  string
	Attrs map[string]any
}

// String is for messages of tests.
func (r Record) String() string { return fmt.Sprintf("%v %s %v", r.Level, r.Text, r.Attrs) }

// CaptureLog makes slog.Default log to a Journal until the test ends.
func CaptureLog(t testing.TB) *Journal {
	j := new(Journal)
	logger, output, flags := slog.Default(), log.Writer(), log.Flags()
	slog.SetDefault(slog.New(j))
	t.Cleanup(func() {
		slog.SetDefault(logger)
		log.SetOutput(output) // which the former default writes to, and SetDefault has changed
		log.SetFlags(flags)
	})
	return j
}

// Enabled is true: the journal keeps all levels.
func (j *Journal) Enabled(context.Context, slog.Level) bool { return true }

// WithAttrs leaves the attributes out, as nobody uses them.
func (j *Journal) WithAttrs([]slog.Attr) slog.Handler { return j }

// WithGroup leaves the group out.
func (j *Journal) WithGroup(string) slog.Handler { return j }

// Handle keeps r.
func (j *Journal) Handle(_ context.Context, r slog.Record) error {
	kept := Record{r.Level, r.Message, map[string]any{}}
	r.Attrs(func(a slog.Attr) bool {
		kept.Attrs[a.Key] = a.Value.Any()
		return true
	})
	j.mu.Lock()
	defer j.mu.Unlock()
	j.records = append(j.records, kept)
	return nil
}

// Find returns the records whose message contains text.
func (j *Journal) Find(text string) []Record {
	j.mu.Lock()
	defer j.mu.Unlock()
	var found []Record
	for _, r := range j.records {
		if strings.Contains(r.Text, text) {
			found = append(found, r)
		}
	}
	return found
}

// Lines returns all records as text.
func (j *Journal) Lines() []string {
	var lines []string
	for _, r := range j.Find("") {
		lines = append(lines, r.String())
	}
	return lines
}

// Take is Find, and removes what it returns.
func (j *Journal) Take(text string) []Record {
	j.mu.Lock()
	defer j.mu.Unlock()
	var taken []Record
	j.records = slices.DeleteFunc(j.records, func(r Record) bool {
		if strings.Contains(r.Text, text) {
			taken = append(taken, r)
			return true
		}
		return false
	})
	return taken
}

// TakeOne waits for a record whose message contains text, and takes it. More than
// one is an error.
func (j *Journal) TakeOne(t testing.TB, text string) Record {
	t.Helper()
	Await(t, "log of "+text, func() bool { return len(j.Find(text)) > 0 })
	found := j.Take(text)
	if len(found) > 1 {
		t.Errorf("logged %d times: %v", len(found), found)
	}
	return found[0]
}

// Empty fails the test if the journal has a record of this level or a higher one.
func (j *Journal) Empty(t testing.TB, from slog.Level) {
	t.Helper()
	for _, r := range j.Find("") {
		if r.Level >= from {
			t.Errorf("unexpected in the log: %v", r)
		}
	}
}
