package curio

import (
	"fmt"
	"slices"
	"strings"
)

// trailLength is how many names a trail remembers.
const trailLength = 16

// A trail is the path of a task as it was at one moment, for errors and for the log. It
// keeps no task, and its text is put together when somebody reads it. Of a path that is
// longer than trailLength it has the innermost names, so that to note who did something
// costs the same however deep the tree is.
type trail struct {
	names []label // from the outermost
	cut   bool    // there are more further out

	few [2]label // room for names
}

// A label is what a task is called, before it is worked out.
type label struct {
	name  string // as given to Spawn
	entry uintptr
	id    uint64
}

func (t *AnyTask) label() label { return label{t.name, t.entry, t.owner.ID} }

func (l label) String() string {
	if l.name != "" {
		return l.name
	}
	if name := functionName(l.entry); name != "" {
		return name
	}
	return fmt.Sprintf("task %d", l.id)
}

// trailOf is the path of t; that of nil is empty.
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

// authorOf is t as the author of a cancellation, nil for none.
func authorOf(t *AnyTask) fmt.Stringer {
	if t == nil {
		return nil
	}
	return trailOf(t)
}

// String is the names with slashes between, and "…" for those that are left out.
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

// trail is the path of t for a message. That of nil is "".
func (t *AnyTask) trail() string {
	if t == nil {
		return ""
	}
	return trailOf(t).String()
}
