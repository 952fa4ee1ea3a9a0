package curio_test

import (
	"context"
	"testing"
	"time"

	"github.com/curio-go/curio"
)

// Which member Completed returns, for each policy, with KeepGoing and without. The members
// end one after the other, a second apart. The table has the index of the member, or -1 for
// none.
func TestCompleted(t *testing.T) {
	value := 1
	type end struct {
		what string // ok, nil, fail, cancel (by its own Cancel), late (after an hour), stubborn (returns a value when it is cancelled)
	}
	ends := func(what ...string) (all []end) {
		for _, w := range what {
			all = append(all, end{w})
		}
		return all
	}
	for _, c := range []struct {
		what                 string
		members              []end
		take                 bool // the body takes the first with NextDone
		all, any, obj, none  int
		allK, anyK, objK, nK int // with KeepGoing
	}{
		{"nobody", nil, false, -1, -1, -1, -1, -1, -1, -1, -1},
		{"first of two", ends("ok", "ok"), false, 0, 0, 0, -1, 0, 0, 0, -1},
		{"nil first", ends("nil", "ok"), false, 0, 0, 1, -1, 0, 0, 1, -1},
		{"all nil", ends("nil", "nil"), false, 0, 0, -1, -1, 0, 0, -1, -1},
		{"failure first", ends("fail", "ok"), false, -1, 0, -1, -1, 1, 1, 1, -1},
		{"failure second", ends("ok", "fail"), false, 0, 0, 0, -1, 0, 0, 0, -1},
		{"all fail", ends("fail", "fail"), false, -1, 0, -1, -1, -1, -1, -1, -1},
		{"cancelled first", ends("cancel", "ok"), false, 1, 1, 1, -1, 1, 1, 1, -1},
		{"all cancelled", ends("cancel", "cancel"), false, -1, -1, -1, -1, -1, -1, -1, -1},
		{"value in spite of a failure", ends("fail", "stubborn"), false, -1, 0, -1, -1, 1, 1, 1, -1},
		{"taken", ends("ok", "late"), true, 0, 0, 0, 0, 0, 0, 0, 0},
		{"taken failure", ends("fail", "ok"), true, 1, 1, 1, -1, 1, 1, 1, -1},
	} {
		for i, want := range []int{c.all, c.any, c.obj, c.none, c.allK, c.anyK, c.objK, c.nK} {
			policy, opts := policies[i%4], []curio.GroupOption{policies[i%4].opt}
			if i >= 4 {
				opts = append(opts, curio.KeepGoing)
			}
			inKernel(t, func(ctx context.Context, f *fixture) {
				var group *curio.TaskGroup[*int]
				var members []*curio.Task[*int]
				_ = curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[*int]) error {
					group = g
					g.Spawn(after(time.Millisecond, &value, nil), curio.Daemon()) // never counts
					for i, e := range c.members {
						d := time.Duration(i+1) * time.Second
						m := g.Spawn(func(ctx context.Context) (*int, error) {
							switch e.what {
							case "ok":
								return after(d, &value, nil)(ctx)
							case "nil":
								return after[*int](d, nil, nil)(ctx)
							case "fail":
								return after[*int](d, nil, errBoom)(ctx)
							case "late":
								return after(time.Hour, &value, nil)(ctx)
							case "stubborn":
								_ = curio.Sleep(ctx, d)
								return &value, nil
							}
							return nil, sleeper(ctx)
						})
						if e.what == "cancel" {
							curio.Go(ctx, func(ctx context.Context) error {
								if err := curio.Sleep(ctx, d); err != nil {
									return err
								}
								m.CancelNow()
								return nil
							})
						}
						members = append(members, m)
					}
					if c.take {
						_, _ = g.NextDone(ctx)
					}
					return nil
				}, opts...)
				got := -1
				for i, m := range members {
					if m == group.Completed() {
						got = i
					}
				}
				if got != want || (group.Completed() != nil) != (want >= 0) {
					f.Errorf("%s, wait=%s, KeepGoing %v: it is member %d, want %d", c.what, policy.what, i >= 4, got, want)
				}
			})
		}
	}
}
