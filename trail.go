package curio

import (
	"fmt"
	"slices"
	"strings"
)

// trailLength is how many names a trail remembers at most.
const trailLength = 16

// A trail is the path of a task as it was at one moment, for errors and for the log. It
// keeps no task in memory, and its text is put together when somebody reads it. If the path
// is longer than trailLength, it has only the innermost names, so that noting who did
// something costs the same however deep the tree is.
type trail struct {
	names []label // from the outermost
	cut   bool    // there are more further out

	few [2]label // room for names
}

// A label is the name of a task before it is worked out.
type label struct {
	name  string // as given to Spawn
	entry uintptr
	id    uint64
}

func (t *AnyTask) label() label {
	return label{name: t.givenName(), entry: t.entry, id: t.owner.ID}
}

func (l label) String() string {
	if l.name != "" {
		return l.name
	}
	if name := functionName(l.entry); name != "" {
		return name
	}
	return fmt.Sprintf("task %d", l.id)
}

// trailOf returns the path of t; it is empty for nil.
func trailOf(t *AnyTask) *trail {
	tr := new(trail)
	tr.names = tr.few[:0]
	for ; t != nil && len(tr.names) < trailLength; t = t.Parent() {
		tr.names = append(tr.names, t.label())
	}
	tr.cut = t != nil
	slices.Reverse(tr.names)
	return tr
}

// authorOf returns t as the author of a cancellation, nil if t is nil.
func authorOf(t *AnyTask) fmt.Stringer {
	if t == nil {
		return nil
	}
	return trailOf(t)
}

// TaskID returns the number of the task whose path it is, or 0 for none.
func (t *trail) TaskID() uint64 {
	if len(t.names) == 0 {
		return 0
	}
	return t.names[len(t.names)-1].id
}

// String returns the names with slashes between them, and "…" for those that are left out.
func (t *trail) String() string {
	var b strings.Builder
	if t.cut {
		b.WriteString("…/")
	}
	for i, l := range t.names {
		if i > 0 {
			b.WriteByte('/')
		}
		b.WriteString(l.String())
	}
	return b.String()
}

// trail returns the path of t for a message, "" if t is nil.
func (t *AnyTask) trail() string {
	if t == nil {
		return ""
	}
	return trailOf(t).String()
}
