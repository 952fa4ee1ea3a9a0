package wait

import (
	"context"
	"testing"
	"testing/synctest"
)

// WhenDone calls its function once, when the context is done, for every kind of context, and not
// at all once it has been told to forget it. Then nothing is left in the scope.
func TestWhenDone(t *testing.T) {
	for name, derive := range map[string]func() (ctx context.Context, end func(), scope *Scope){
		"scope": func() (context.Context, func(), *Scope) {
			s := NewTimeout(context.Background(), 0)
			return s, s.Close, s
		},
		"value of a scope": func() (context.Context, func(), *Scope) {
			s := NewTimeout(context.Background(), 0)
			return context.WithValue(s, scopeKey{}, s), s.Close, s
		},
		"standard": func() (context.Context, func(), *Scope) {
			ctx, cancel := context.WithCancel(context.Background())
			return ctx, cancel, nil
		},
		"standard, below a scope that ends": func() (context.Context, func(), *Scope) {
			s := NewTimeout(context.Background(), 0)
			ctx, cancel := context.WithCancel(s)
			_ = cancel
			return ctx, s.Close, s
		},
		"unknown": func() (context.Context, func(), *Scope) {
			ctx, cancel := context.WithCancel(context.Background())
			return struct{ context.Context }{ctx}, cancel, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				calls := 0
				ctx, end, scope := derive()
				forgotten := WhenDone(ctx, func() { t.Error("it was forgotten") })
				kept := WhenDone(ctx, func() { calls++ })
				forgotten()
				forgotten()
				if scope != nil && scope.Waiters() > 1 {
					t.Errorf("%d are registered", scope.Waiters())
				}
				end()
				synctest.Wait()
				if calls != 1 {
					t.Errorf("it was called %d times", calls)
				}
				kept()
				if WhenDone(ctx, func() { calls++ }) != nil || calls != 2 {
					t.Errorf("when ctx is done, it has been called %d times", calls)
				}
				if scope != nil && scope.Waiters() > 0 {
					t.Errorf("%d are registered", scope.Waiters())
				}
			})
		})
	}
	if WhenDone(context.Background(), func() {}) != nil || WhenDone(context.WithoutCancel(t.Context()), func() {}) != nil {
		t.Error("there is something to undo of what never happens")
	}
}
