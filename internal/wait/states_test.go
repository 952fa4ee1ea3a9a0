package wait_test

import (
	"context"
	"testing"

	"github.com/curio-go/curio/internal/wait"
)

// The table in the package comment: what a scope does in each of its states when it is
// cancelled, and what becomes of scopes that are opened in it.
func TestStates(t *testing.T) {
	type heard struct{ scope, below, deaf bool } // who has the cause; deaf is below as well, and detached
	for _, row := range []struct {
		state                    string
		make                     func(parent *wait.Scope) *wait.Scope
		pushed, itself, shutdown heard
		ended                    bool   // has been cancelled, with all below
		child                    string // where a timeout goes that is opened in it
	}{
		{
			"live", live,
			heard{true, true, false},
			heard{true, true, false},
			heard{true, true, true},
			false, "in it",
		},
		{
			"shield", func(p *wait.Scope) *wait.Scope { return wait.New(p, wait.Shield) },
			heard{},
			heard{true, true, false},
			heard{},
			false, "in it",
		},
		{
			"detached", func(p *wait.Scope) *wait.Scope { return &taskIn(context.WithoutCancel(p)).Scope },
			heard{},
			heard{true, true, false},
			heard{true, true, true},
			false, "in it",
		},
		{
			"cancelled", func(p *wait.Scope) *wait.Scope { s := live(p); cancel(s); return s },
			heard{},
			heard{},
			heard{false, false, true},
			true, "in it",
		},
		{
			"sealed", func(p *wait.Scope) *wait.Scope { s := live(p); s.Owner().Seal(); return s },
			heard{false, true, false},
			heard{},
			heard{false, true, true},
			false, "in it",
		},
		{
			"closed", func(p *wait.Scope) *wait.Scope { s := live(p); s.Close(); return s },
			heard{},
			heard{},
			heard{},
			true, "loose",
		},
		{
			"gone", func(p *wait.Scope) *wait.Scope { s := wait.NewTimeout(p, 0); cancel(s); return s },
			heard{},
			heard{},
			heard{},
			true, "in it",
		},
		{
			"loose", func(p *wait.Scope) *wait.Scope { s := live(p); s.Close(); return wait.NewTimeout(s, 0) },
			heard{},
			heard{},
			heard{},
			true, "loose",
		},
		{
			"lost", func(p *wait.Scope) *wait.Scope {
				o := taskIn(p)
				s := wait.NewTimeout(o, 0)
				o.Scope.Close()
				return s
			},
			heard{},
			heard{},
			heard{},
			true, "loose",
		},
	} {
		outside := row.child == "loose" || row.state == "gone" // of the tree, so nothing is below it
		ask := func(what string, want heard, cancel func(parent, s *wait.Scope) *wait.Cause) {
			parent := wait.NewKernel()
			s := row.make(parent)
			if n := parent.Children(); outside != (n == 0) {
				t.Fatalf("%s: the parent has %d children", row.state, n)
			}
			below, deaf := s, s
			if !outside {
				below, deaf = &taskIn(s).Scope, &taskIn(context.WithoutCancel(s)).Scope
			}
			if ended := s.Cause() != nil; ended != row.ended {
				t.Errorf("%s: cancelled is %v", row.state, ended)
			}
			c := cancel(parent, s)
			if got := (heard{s.Cause() == c, below.Cause() == c, deaf.Cause() == c}); got != want {
				t.Errorf("%s, %s: %+v have heard of it, want %+v", row.state, what, got, want)
			}
		}
		ask("pushed", row.pushed, func(parent, _ *wait.Scope) *wait.Cause { return cancelFor(parent, wait.Cancelled) })
		ask("itself", row.itself, func(_, s *wait.Scope) *wait.Cause { return cancelFor(s, wait.Cancelled) })
		ask("shutdown", row.shutdown, func(parent, _ *wait.Scope) *wait.Cause { return cancelFor(parent, wait.Shutdown) })

		parent := wait.NewKernel()
		s := row.make(parent)
		child := wait.NewTimeout(s, 0)
		task := taskIn(s)
		switch {
		case child.Parent() != s || (child.Cause() != nil) != row.ended || (task.Cause() != nil) != row.ended:
			t.Errorf("%s: a timeout in it is below %v, %v; a task is %v", row.state, child.Parent(), child.Cause(), task.Cause())
		case row.child == "in it" && (s.Children() == 0 || task.Parent() != s || parent.Children() == 0):
			t.Errorf("%s: it has %d children; a task in it is below %v", row.state, s.Children(), task.Parent())
		case row.child == "loose" && (s.Children() != 0 || task.Parent() != parent):
			t.Errorf("%s: it has %d children; a task in it is below %v", row.state, s.Children(), task.Parent())
		}
	}
}

func live(parent *wait.Scope) *wait.Scope { return &taskIn(parent).Scope }

func taskIn(ctx context.Context) *wait.Owner {
	o := new(wait.Owner)
	o.InitTask(ctx, wait.Default)
	return o
}

func cancelFor(s *wait.Scope, kind wait.CauseKind) *wait.Cause {
	c := wait.NewCause(s, kind, nil)
	s.Cancel(c)
	return c
}
