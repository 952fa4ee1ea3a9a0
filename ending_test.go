package curio_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/verify/fixture"
)

// The rule for scopes (ending.go) as a table: what a function returns, in which form, out of
// which scope.

var errCleanUp = errors.New("the clean-up failed")

// A form is how a function returns the ending of a scope: alone, or along with an error of
// its own.
type form struct {
	name  string
	along bool
	err   func(ending error) error
}

var forms = []form{
	{"bare", false, func(e error) error { return e }},
	{"wrapped", false, func(e error) error { return fmt.Errorf("reading x: %w", e) }},
	{"wrapped twice", false, func(e error) error { return fmt.Errorf("y: %w", fmt.Errorf("x: %w", e)) }},
	{"joined with itself", false, func(e error) error { return errors.Join(e, e) }},
	{"in an OpError", false, func(e error) error { return &net.OpError{Op: "read", Net: "tcp", Err: e} }},
	{"joined", true, func(e error) error { return errors.Join(e, errCleanUp) }},
	{"joined the other way", true, func(e error) error { return errors.Join(errCleanUp, nil, e) }},
	{"wrapped together", true, func(e error) error { return fmt.Errorf("%w (and %w)", e, errCleanUp) }},
	{"joined and wrapped", true, func(e error) error { return fmt.Errorf("x: %w", errors.Join(errCleanUp, e)) }},
	{"in a type of one's own", true, func(e error) error { return &pair{e, errCleanUp} }},
	{"deep", true, func(e error) error {
		return errors.Join(fmt.Errorf("x: %w", fmt.Errorf("%w: %w", errors.Join(e), e)), fmt.Errorf("y: %w", errCleanUp))
	}},
}

// A pair is an error that wraps two others, as some libraries have.
type pair struct{ a, b error }

func (p *pair) Error() string { return p.a.Error() + " and " + p.b.Error() }

func (p *pair) Unwrap() []error { return []error{p.a, p.b} }

// A source is where the function gets the ending from: an operation of ours, package
// context, or both.
var sources = []struct {
	name string
	err  func(ctx context.Context) error
}{
	{"an operation", fixture.Sleeper},
	{"ctx.Err", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }},
	{"context.Cause", func(ctx context.Context) error { <-ctx.Done(); return context.Cause(ctx) }},
	{"a standard context's Err", func(ctx context.Context) error {
		std, cancel := context.WithCancel(ctx)
		defer cancel()
		<-std.Done()
		return std.Err()
	}},
	{"an operation under a standard context", func(ctx context.Context) error {
		std, cancel := context.WithTimeout(ctx, 1000*time.Hour)
		defer cancel()
		return fixture.Sleeper(std)
	}},
	{"both", func(ctx context.Context) error { return errors.Join(fixture.Sleeper(ctx), ctx.Err()) }},
}

func eachForm(t *testing.T, test func(ctx context.Context, f *fixture.Fixture, fm form, source func(context.Context) error)) {
	for _, fm := range forms {
		for _, s := range sources {
			t.Run(fm.name+"/"+s.name, func(t *testing.T) {
				fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) { test(ctx, f, fm, s.err) })
			})
		}
	}
}

// kept checks that the function's own error is in err, if there was one.
func (fm form) kept(f *fixture.Fixture, what string, err error) {
	f.Helper()
	if errors.Is(err, errCleanUp) != fm.along {
		f.Errorf("%s: %v: the function's own error is in it: %v, should be: %v", what, err, !fm.along, fm.along)
	}
}

// A timeout's own expiry.
func TestOwnEndingOfATimeout(t *testing.T) {
	eachForm(t, func(ctx context.Context, f *fixture.Fixture, fm form, source func(context.Context) error) {
		fn := func(ctx context.Context) error { return fm.err(source(ctx)) }
		err := curio.TimeoutAfter(ctx, time.Second, fn)
		fixture.Is(f, "TimeoutAfter", err, fixture.TaskTimeout...)
		fm.kept(f, "TimeoutAfter", err)

		expired, err := curio.IgnoreAfter(ctx, time.Second, fn)
		if !expired || (err != nil) != fm.along {
			f.Errorf("IgnoreAfter: %v, %v", expired, err)
		}
		fixture.Is(f, "IgnoreAfter", err)
		fm.kept(f, "IgnoreAfter", err)
	})
}

// The expiry of a timeout further out, which passes through the inner one as what it is,
// and ends at its own timeout.
func TestEndingOfAnOuterTimeout(t *testing.T) {
	eachForm(t, func(ctx context.Context, f *fixture.Fixture, fm form, source func(context.Context) error) {
		fn := func(ctx context.Context) error { return fm.err(source(ctx)) }
		var inner error
		var innerExpired bool
		err := curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) error {
			inner = curio.TimeoutAfter(ctx, time.Hour, fn)
			return inner
		})
		if errors.Is(inner, curio.ErrTaskTimeout) || errors.Is(inner, curio.ErrUncaughtTimeout) || !errors.Is(inner, context.DeadlineExceeded) {
			f.Errorf("in between: %v", inner)
		}
		fm.kept(f, "in between", inner)
		fixture.Is(f, "outside", err, fixture.TaskTimeout...)
		fm.kept(f, "outside", err)

		expired, err := curio.IgnoreAfter(ctx, time.Second, func(ctx context.Context) (err error) {
			innerExpired, err = curio.IgnoreAfter(ctx, time.Hour, fn)
			return err
		})
		if innerExpired || !expired {
			f.Errorf("expired: inside %v, outside %v", innerExpired, expired)
		}
		fixture.Is(f, "outer ignore", err)
		fm.kept(f, "outer ignore", err)
	})
}

// The expiry of a timeout further in, which nobody has handled.
func TestEndingOfAnInnerTimeout(t *testing.T) {
	for _, fm := range forms {
		for how, inner := range map[string]func(ctx context.Context) error{
			"TimeoutAfter": func(ctx context.Context) error { return curio.TimeoutAfter(ctx, time.Second, fixture.Sleeper) },
			"WithTimeout": func(ctx context.Context) error {
				ctx, cancel := curio.WithTimeout(ctx, time.Second)
				defer cancel()
				return fixture.Sleeper(ctx)
			},
			"WithTimeout under a standard context": func(ctx context.Context) error {
				ctx, stop := context.WithCancel(ctx)
				defer stop()
				ctx, cancel := curio.WithTimeout(ctx, time.Second)
				defer cancel()
				return fixture.Sleeper(ctx)
			},
		} {
			t.Run(fm.name+"/"+how, func(t *testing.T) {
				fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
					fn := func(ctx context.Context) error { return fm.err(inner(ctx)) }
					err := curio.TimeoutAfter(ctx, time.Hour, fn)
					fixture.Is(f, "TimeoutAfter", err, fixture.Uncaught...)
					fm.kept(f, "TimeoutAfter", err)
					expired, err := curio.IgnoreAfter(ctx, time.Hour, fn)
					if expired {
						f.Error("an inner timeout was taken for its own")
					}
					fixture.Is(f, "IgnoreAfter", err, fixture.Uncaught...)
					fm.kept(f, "IgnoreAfter", err)
				})
			})
		}
	}
}

// Foreign timeouts: another task's, in every way in which its error can arrive, one of a
// goroutine outside of any task, and an earlier one of this task.
func TestTimeoutsOfOthers(t *testing.T) {
	slow := func(ctx context.Context) (int, error) {
		return 0, curio.TimeoutAfter(ctx, time.Second, fixture.Sleeper)
	}
	for how, get := range map[string]func(ctx context.Context) error{
		"Join":  func(ctx context.Context) error { _, err := curio.Spawn(ctx, slow).Join(ctx); return err },
		"Group": func(ctx context.Context) error { return curio.Group(ctx, spawning(slow)) },
		"NextResult": func(ctx context.Context) error {
			return curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
				g.Spawn(slow)
				_, err := g.NextResult(ctx)
				return err
			})
		},
		"Results": func(ctx context.Context) (err error) {
			var group *curio.TaskGroup[int]
			_ = curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
				group = g
				g.Spawn(slow)
				return nil
			})
			_, err = group.Results()
			return err
		},
		"Result.Get": func(ctx context.Context) error {
			var r curio.Result[int]
			curio.Go(ctx, func(ctx context.Context) error { r.Do(ctx, slow); return nil })
			_, err := r.Get(ctx)
			return err
		},
		"Join through two": func(ctx context.Context) error {
			_, err := curio.Spawn(ctx, func(ctx context.Context) (int, error) {
				_, err := curio.Spawn(ctx, slow).Join(ctx)
				return 0, err
			}).Join(ctx)
			return err
		},
	} {
		for _, fm := range forms {
			t.Run(how+"/"+fm.name, func(t *testing.T) {
				fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
					fn := func(ctx context.Context) error { return fm.err(get(ctx)) }
					check := func(what string, err error) {
						f.Helper()
						fixture.Is(f, what, err, context.DeadlineExceeded)
						fm.kept(f, what, err)
					}
					check("by itself", fn(ctx))
					check("TimeoutAfter", curio.TimeoutAfter(ctx, time.Hour, fn))
					expired, err := curio.IgnoreAfter(ctx, time.Hour, fn)
					check("IgnoreAfter", err)
					if expired {
						f.Error("it was ignored")
					}
				})
			})
		}
	}
}

func spawning(fn func(context.Context) (int, error)) func(context.Context, *curio.TaskGroup[int]) error {
	return func(_ context.Context, g *curio.TaskGroup[int]) error { g.Spawn(fn); return nil }
}

// The error of a timeout, kept until later, is no other timeout's own expiry.
func TestTimeoutThatWasKept(t *testing.T) {
	for _, fm := range forms {
		t.Run(fm.name, func(t *testing.T) {
			fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
				earlier := fm.err(curio.TimeoutAfter(ctx, time.Second, fixture.Sleeper))
				fn := func(context.Context) error { return earlier }
				err := curio.TimeoutAfter(ctx, time.Hour, fn)
				fixture.Is(f, "TimeoutAfter", err, context.DeadlineExceeded)
				fm.kept(f, "TimeoutAfter", err)
				expired, err := curio.IgnoreAfter(ctx, time.Hour, fn)
				fixture.Is(f, "IgnoreAfter", err, context.DeadlineExceeded)
				if expired {
					f.Error("it was ignored")
				}
				fixture.Is(f, "what was kept", earlier, fixture.TaskTimeout...)
			})
		})
	}
}

// In a group that a member's failure has cut short, what the body says about that is
// dropped, and nothing else.
func TestEndingOfAGroup(t *testing.T) {
	eachForm(t, func(ctx context.Context, f *fixture.Fixture, fm form, source func(context.Context) error) {
		err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
			g.Spawn(fixture.Fails)
			return fm.err(source(ctx))
		})
		var group *curio.TaskGroupError
		if !errors.As(err, &group) || len(group.Failed) != 1 || (group.Body != nil) != fm.along {
			f.Fatalf("got %v", err)
		}
		fixture.Is(f, "group", err, fixture.ErrBoom)
		fm.kept(f, "group", err)
	})
}

// A member that is cancelled has failed if it returns more than its cancellation.
func TestEndingOfAMember(t *testing.T) {
	eachForm(t, func(ctx context.Context, f *fixture.Fixture, fm form, source func(context.Context) error) {
		var member *curio.Task[struct{}]
		err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[struct{}]) error {
			member = g.Go(func(ctx context.Context) error { return fm.err(source(ctx)) })
			synctest.Wait()
			return nil
		}, curio.WaitNone)
		if failed := err != nil; failed != fm.along {
			f.Errorf("the group: %v", err)
		}
		fixture.Is(f, "member", member.Err(), fixture.TaskCancelled...)
		if _, ok := curio.WhoCancelled(member.Err()); !ok {
			f.Errorf("nobody has cancelled it: %v", member.Err())
		}
		fm.kept(f, "member", member.Err())
	})
}

// Whatever a cancelled task returns, it is not lost who cancelled it and why.
func TestEndingOfATask(t *testing.T) {
	eachForm(t, func(ctx context.Context, f *fixture.Fixture, fm form, source func(context.Context) error) {
		task := curio.Go(ctx, func(ctx context.Context) error { return fm.err(source(ctx)) })
		synctest.Wait()
		_, _ = task.Cancel(ctx, fixture.ErrBoom)
		because0(f, "task", task.Err(), fixture.ErrBoom, fixture.TaskCancelled...)
		fm.kept(f, "task", task.Err())
	})
}

// because0 is because for an error whose text may be the user's.
func because0(f *fixture.Fixture, what string, err, reason error, want ...error) {
	f.Helper()
	fixture.Is(f, what, err, want...)
	if who, ok := curio.WhoCancelled(err); !ok || who.Reason != reason {
		f.Errorf("%s: %v was cancelled because of %v, want %v", what, err, who.Reason, reason)
	}
}

// A failure gets through a group along with the ending of a timeout: in the clean-up of a
// member, before the ending, as a panic, in a group that keeps going.
func TestFailuresInAGroupInATimeout(t *testing.T) {
	var panicked *curio.PanicError
	for what, member := range map[string]func(ctx context.Context) (int, error){
		"in clean-up": func(ctx context.Context) (int, error) { _ = fixture.Sleeper(ctx); return 0, errCleanUp },
		"before":      func(context.Context) (int, error) { return 0, errCleanUp },
		"panic":       func(ctx context.Context) (int, error) { _ = fixture.Sleeper(ctx); panic(errCleanUp) },
		"joined": func(ctx context.Context) (int, error) {
			return 0, errors.Join(fixture.Sleeper(ctx), errCleanUp)
		},
		"in a timeout": func(ctx context.Context) (int, error) {
			return 0, curio.TimeoutAfter(ctx, time.Hour, func(ctx context.Context) error { return errors.Join(fixture.Sleeper(ctx), errCleanUp) })
		},
	} {
		for name, opts := range map[string][]curio.GroupOption{"": nil, ", keeps going": {curio.KeepGoing}} {
			t.Run(what+name, func(t *testing.T) {
				fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
					group := func(ctx context.Context) error {
						return curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
							g.Spawn(member)
							return fixture.Sleeper(ctx)
						}, opts...)
					}
					check := func(what string, err error) {
						f.Helper()
						if !errors.Is(err, errCleanUp) || errors.As(err, &panicked) != (len(f.Journal.Take(fixture.MsgPanic)) > 0) {
							f.Errorf("%s: %v", what, err)
						}
					}
					_, err := curio.IgnoreAfter(ctx, time.Second, group)
					check("IgnoreAfter", err)
					for _, sentinel := range []error{curio.ErrTaskTimeout, curio.ErrTimeoutCancellation} {
						if errors.Is(err, sentinel) {
							f.Errorf("%v is left in %v", sentinel, err)
						}
					}
					check("TimeoutAfter", curio.TimeoutAfter(ctx, time.Second, group))
				})
			})
		}
	}
}

// What is left of an error has the text that the error had, and is still found by its type.
func TestWhatIsLeftOfAnError(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		whole := func(ctx context.Context) error { return &pair{fixture.Sleeper(ctx), &fixture.CustomError{Code: 7}} }
		_, err := curio.IgnoreAfter(ctx, time.Second, whole)
		var p *pair
		var custom *fixture.CustomError
		if !errors.As(err, &p) || !errors.As(err, &custom) || custom.Code != 7 || !errors.Is(err, p) {
			f.Errorf("%v is no pair any more", err)
		}
		var timeout net.Error
		if errors.As(err, &timeout) {
			f.Errorf("%v is still a timeout: %v", err, timeout)
		}
		_, err = curio.IgnoreAfter(ctx, time.Second, func(ctx context.Context) error { return errors.Join(fixture.Sleeper(ctx), errCleanUp) })
		if err != errCleanUp {
			f.Errorf("joined, and %#v is left", err)
		}
		_, err = curio.IgnoreAfter(ctx, time.Second, func(ctx context.Context) error {
			return errors.Join(fixture.Sleeper(ctx), uncomparable{"x"}, errCleanUp)
		})
		if fmt.Sprint(err) != "uncomparable x\nthe clean-up failed" {
			f.Errorf("left: %v", err)
		}
		var op *net.OpError
		err = curio.TimeoutAfter(ctx, time.Second, func(ctx context.Context) error {
			return &net.OpError{Op: "read", Net: "tcp", Err: curio.TimeoutAfter(ctx, time.Hour, fixture.Sleeper)}
		})
		if !errors.As(err, &op) || op.Op != "read" {
			f.Errorf("%v is no OpError any more", err)
		}
		fixture.Is(f, "in an OpError", err, fixture.TaskTimeout...)
	})
}

type uncomparable []string

func (u uncomparable) Error() string { return "uncomparable " + u[0] }

// A standard error is not the ending of a scope that has not ended in that way.
func TestStandardErrorThatIsNotTheScopes(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		for _, std := range []error{context.DeadlineExceeded, context.Canceled, io.EOF} {
			fn := func(context.Context) error { return std }
			if err := curio.TimeoutAfter(ctx, time.Hour, fn); err != std {
				f.Errorf("TimeoutAfter: %v", err)
			}
			if expired, err := curio.IgnoreAfter(ctx, time.Hour, fn); expired || err != std {
				f.Errorf("IgnoreAfter: %v, %v", expired, err)
			}
			task := curio.Go(ctx, fn)
			if _, err := task.Join(ctx); task.Err() != std || !errors.Is(err, std) {
				f.Errorf("task: %v, Join: %v", task.Err(), err)
			}
		}
		// It has expired, but was not cancelled.
		expired, err := curio.IgnoreAfter(ctx, time.Second, func(ctx context.Context) error { _ = fixture.Sleeper(ctx); return context.Canceled })
		if expired || err != context.Canceled {
			f.Errorf("a cancellation of something else: %v, %v", expired, err)
		}
	})
}

// The error of a timeout inside a task is not the task's own ending, even if the task is
// cancelled afterwards: the task has failed.
func TestCancelledTaskThatHadTimedOut(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		task := curio.Go(ctx, func(ctx context.Context) error {
			err := curio.TimeoutAfter(ctx, time.Second, fixture.Sleeper)
			_ = fixture.Sleeper(ctx)
			return err
		})
		_ = curio.Sleep(ctx, time.Minute)
		_, _ = task.Cancel(ctx)
		_, joined := task.Join(ctx)
		fixture.Is(f, "task", task.Err(), fixture.TaskTimeout...)
		fixture.Is(f, "joined", joined, context.DeadlineExceeded)
	})
}

// A reason is for people to read. It does not make a cancellation something else.
func TestReasonIsNoIdentity(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		_, joined := curio.Spawn(ctx, fixture.Fails).Join(ctx)
		for _, reason := range []error{
			io.EOF, fixture.ErrBoom, context.DeadlineExceeded, curio.ErrTaskTimeout, joined,
			curio.TimeoutAfter(ctx, time.Second, fixture.Sleeper),
		} {
			task := curio.Go(ctx, fixture.Sleeper)
			synctest.Wait()
			_, _ = task.Cancel(ctx, reason)
			fixture.Because(f, "task", task.Err(), reason, fixture.TaskCancelled...)
			std, cancel := context.WithCancelCause(ctx)
			cancel(reason)
			fixture.Because(f, "standard", fixture.Sleeper(std), reason, fixture.ScopeCancelled...)
			fixture.Because(f, "below a standard one", curio.TimeoutAfter(std, time.Hour, fixture.Sleeper), reason, fixture.ScopeCancelled...)
			for _, err := range []error{task.Err(), fixture.Sleeper(std)} {
				var failed *curio.TaskError
				if errors.Is(err, io.EOF) || errors.As(err, &failed) {
					f.Errorf("%v is taken for its reason", err)
				}
			}
		}
	})
}

// A cause that is given together with a deadline names that deadline: errors.Is finds it,
// unlike a reason.
func TestNamedDeadline(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		for _, name := range []error{fixture.ErrBoom, curio.ErrTaskTimeout, context.Canceled} {
			std, cancel := context.WithTimeoutCause(ctx, time.Second, name)
			want := fixture.ForeignTimeout
			if name == fixture.ErrBoom {
				want = append(want[:len(want):len(want)], fixture.ErrBoom)
			}
			fixture.Is(f, name.Error(), fixture.Sleeper(std), want...)
			fixture.Is(f, name.Error()+", below", curio.TimeoutAfter(std, time.Hour, fixture.Sleeper), want...)
			cancel()
		}
	})
}

// A box is an error whose type can be compared, but not what is in it.
type box struct{ content any }

func (b box) Error() string { return fmt.Sprint("a box of ", b.content) }

// Errors of any kind come out of a timeout as they are.
func TestErrorThatCannotBeCompared(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		for what, err := range map[string]error{
			"bare":    box{[]int{1}},
			"wrapped": fmt.Errorf("x: %w", box{[]int{1}}),
			"joined":  errors.Join(box{[]int{1}}, errCleanUp),
		} {
			got := curio.TimeoutAfter(ctx, time.Hour, func(context.Context) error { return err })
			var b box
			if got == nil || got.Error() != err.Error() || !errors.As(got, &b) {
				f.Errorf("%s: %v", what, got)
			}
		}
	})
}

// An error that several scopes have taken their endings out of is still found by its type.
func TestErrorThatWasAlteredTwice(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		expired, err := curio.IgnoreAfter(ctx, 2*time.Second, func(outer context.Context) error {
			expired, err := curio.IgnoreAfter(outer, time.Second, func(ctx context.Context) error {
				return &net.OpError{Op: "read", Err: errors.Join(fixture.Sleeper(ctx), fixture.Sleeper(outer), errCleanUp)}
			})
			if !expired {
				f.Error("the inner one has not expired")
			}
			return err
		})
		var op *net.OpError
		if !expired || !errors.As(err, &op) || !errors.Is(err, op) || !errors.Is(err, errCleanUp) || errors.Is(err, context.DeadlineExceeded) {
			f.Errorf("%v, %v", expired, err)
		}
	})
}

// An error of package context inside another task's error is about that task, even if the
// scope here has ended in the same way since then.
func TestStandardErrorOfAnotherTask(t *testing.T) {
	for _, std := range []error{context.DeadlineExceeded, context.Canceled} {
		for _, fm := range forms {
			t.Run(std.Error()+"/"+fm.name, func(t *testing.T) {
				fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
					fails := func(context.Context) error { return fm.err(std) }
					for how, get := range map[string]func(context.Context) error{
						"Join": func(ctx context.Context) error { _, err := curio.Go(ctx, fails).Join(ctx); return err },
						"Group": func(ctx context.Context) error {
							return curio.Group(ctx, spawning(func(ctx context.Context) (int, error) { return 0, fails(ctx) }))
						},
					} {
						late := func(ctx context.Context) error {
							err := fmt.Errorf("got: %w", get(ctx))
							_ = fixture.Sleeper(ctx)
							return err
						}
						expired, err := curio.IgnoreAfter(ctx, time.Second, late)
						if expired || !errors.Is(err, std) {
							f.Errorf("%s: IgnoreAfter: %v, %v", how, expired, err)
						}
						err = curio.TimeoutAfter(ctx, time.Second, late)
						if errors.Is(err, curio.ErrTaskTimeout) || !errors.Is(err, std) {
							f.Errorf("%s: TimeoutAfter: %v", how, err)
						}
						victim := curio.Go(ctx, late)
						synctest.Wait()
						_, _ = victim.Cancel(ctx)
						if err := victim.Err(); errors.Is(err, curio.ErrTaskCancelled) || !errors.Is(err, std) {
							f.Errorf("%s: a task: %v", how, err)
						}
					}
				})
			})
		}
	}
}

// A timeoutError is a library's own timeout error, which wraps what others may have added.
type timeoutError struct{ added []error }

func (e *timeoutError) Error() string { return "the library's context has ended" }

func (e *timeoutError) Unwrap() []error { return e.added }

func (e *timeoutError) Is(target error) bool { return target == context.DeadlineExceeded }

// An error that could wrap others, and wraps none, is itself compared with what ctx.Err
// returns.
func TestErrorThatHoldsNone(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		for _, added := range [][]error{nil, {nil}} {
			expired, err := curio.IgnoreAfter(ctx, time.Second, func(ctx context.Context) error {
				_ = fixture.Sleeper(ctx)
				return &timeoutError{added}
			})
			if !expired || err != nil {
				f.Errorf("%v: %v, %v", added, expired, err)
			}
		}
	})
}
