package core_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/verify/fixture"
)

// stubborn spawns a task that ends when it is let go, and not when it is cancelled.
func stubborn(ctx context.Context) (task *curio.Task[int], letGo func()) {
	var e curio.Event
	return curio.Spawn(ctx, func(ctx context.Context) (int, error) {
		return 1, curio.DisableCancellation(ctx, e.Wait)
	}, curio.Name("stubborn")), e.Set
}

// ofTask is an operation that waits for a task to end.
func ofTask(method string, state string, run func(ctx context.Context, f *fixture.Fixture, task *curio.Task[int]) error) operation {
	return operation{name: method, covers: []string{method}, state: state, begin: func(ctx context.Context, f *fixture.Fixture) *blocked {
		task, letGo := stubborn(ctx)
		return &blocked{
			run: func(ctx context.Context) error { return run(ctx, f, task) },
			works: func(ctx context.Context) error {
				letGo()
				if err := run(ctx, f, task); err != nil {
					return err
				}
				v, err := task.Join(ctx)
				if err == nil && v != 1 {
					return fmt.Errorf("joined %d", v)
				}
				return err
			},
		}
	}}
}

var operationsOfTasks = []operation{
	ofTask("Task.Join", "TASK_JOIN", func(ctx context.Context, f *fixture.Fixture, task *curio.Task[int]) error {
		v, err := task.Join(ctx)
		if _, ok := err.(*curio.TaskError); ok {
			f.Errorf("the error is said to be the task's: %v", err)
		}
		return fixture.NoResult(f, v, err)
	}),
	ofTask("AnyTask.Wait", "TASK_WAIT", func(ctx context.Context, _ *fixture.Fixture, task *curio.Task[int]) error { return task.Wait(ctx) }),
	ofTask("AnyTask.Cancel", "TASK_CANCEL", func(ctx context.Context, _ *fixture.Fixture, task *curio.Task[int]) error {
		_, err := task.Cancel(ctx) // that it did is no result of the wait
		return err
	}),
	ofTask("AnyTask.Stop", "TASK_STOP", func(ctx context.Context, _ *fixture.Fixture, task *curio.Task[int]) error { return task.Stop(ctx, -1) }),
}

// ofGroup is an operation of a group with a member that sleeps, as the last thing that
// the group's function does. It works if the next group's does, with a member that ends.
func ofGroup(name, state string, covers []string, run func(ctx context.Context, f *fixture.Fixture, g *curio.TaskGroup[int]) error, opts ...curio.GroupOption) operation {
	return operation{name: name, covers: covers, state: state, begin: func(_ context.Context, f *fixture.Fixture) *blocked {
		group := func(member func(context.Context) (int, error)) func(ctx context.Context) error {
			return func(ctx context.Context) error {
				return curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
					g.Spawn(member)
					return run(ctx, f, g)
				}, opts...)
			}
		}
		return &blocked{run: group(fixture.Sleeping), works: group(fixture.After(time.Millisecond, 1, nil))}
	}}
}

// ofPlace is an operation that waits for a place in a group with a limit.
func ofPlace(method string, spawn func(context.Context, *curio.TaskGroup[int]) (*curio.Task[int], error)) operation {
	return operation{name: method, covers: []string{method}, state: "GROUP_LIMIT", begin: func(_ context.Context, f *fixture.Fixture) *blocked {
		group := func(ctx context.Context, letGo bool) error {
			return curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
				var e curio.Event
				g.Go(e.Wait)
				if letGo {
					e.Set()
				}
				task, err := spawn(ctx, g)
				if letGo {
					return err
				}
				return fixture.NoResult(f, task, err)
			}, curio.Limit(1))
		}
		return &blocked{
			run:   func(ctx context.Context) error { return group(ctx, false) },
			works: func(ctx context.Context) error { return group(ctx, true) },
		}
	}}
}

// ofStart is an operation that waits for a task to be ready.
func ofStart(name string, start func(context.Context, func(context.Context, func(int) error) error) (int, error)) operation {
	return operation{name: name, covers: []string{name}, state: "SELECT", begin: func(_ context.Context, f *fixture.Fixture) *blocked {
		var e curio.Event
		run := func(ctx context.Context) (int, error) {
			return start(ctx, func(ctx context.Context, ready func(int) error) error {
				if err := e.Wait(ctx); err != nil {
					return err
				}
				return ready(1)
			})
		}
		return &blocked{
			run: func(ctx context.Context) error {
				v, err := run(ctx)
				return fixture.NoResult(f, v, err)
			},
			works: func(ctx context.Context) error {
				e.Set()
				v, err := run(ctx)
				if err == nil && v != 1 {
					return fmt.Errorf("it was told %d", v)
				}
				synctest.Wait() // until the task has ended
				return err
			},
		}
	}}
}

var operationsOfGroups = []operation{
	ofGroup("Group", "TASKGROUP_JOIN", []string{"Group"}, func(context.Context, *fixture.Fixture, *curio.TaskGroup[int]) error { return nil }),
	ofGroup("Group, WaitAny", "TASKGROUP_JOIN", nil, func(context.Context, *fixture.Fixture, *curio.TaskGroup[int]) error { return nil }, curio.WaitAny),
	ofGroup("Group, WaitObject", "TASKGROUP_JOIN", nil, func(context.Context, *fixture.Fixture, *curio.TaskGroup[int]) error { return nil }, curio.WaitObject),
	ofGroup("TaskGroup.Join", "TASKGROUP_JOIN", []string{"TaskGroup.Join"}, func(ctx context.Context, _ *fixture.Fixture, g *curio.TaskGroup[int]) error {
		return g.Join(ctx)
	}),
	ofGroup("TaskGroup.Stop", "TASK_STOP", []string{"TaskGroup.Stop"}, func(ctx context.Context, _ *fixture.Fixture, g *curio.TaskGroup[int]) error {
		return g.Stop(ctx, -1)
	}),
	ofGroup("TaskGroup.NextDone", "TASKGROUP_NEXT", []string{"TaskGroup.NextDone"}, func(ctx context.Context, f *fixture.Fixture, g *curio.TaskGroup[int]) error {
		task, err := g.NextDone(ctx)
		return fixture.NoResult(f, task, err)
	}),
	ofGroup("TaskGroup.NextResult", "TASKGROUP_NEXT", []string{"TaskGroup.NextResult"}, func(ctx context.Context, f *fixture.Fixture, g *curio.TaskGroup[int]) error {
		v, err := g.NextResult(ctx)
		return fixture.NoResult(f, v, err)
	}),
	ofGroup("TaskGroup.Done", "TASKGROUP_NEXT", []string{"TaskGroup.Done"}, func(ctx context.Context, f *fixture.Fixture, g *curio.TaskGroup[int]) error {
		for task, err := range g.Done(ctx) {
			if err != nil {
				return fixture.NoResult(f, task, err)
			}
			if _, err := task.Result(); err != nil {
				f.Errorf("the loop got %v, which ended with %v", task, err)
			}
		}
		return nil
	}),
	ofPlace("TaskGroup.SpawnWait", func(ctx context.Context, g *curio.TaskGroup[int]) (*curio.Task[int], error) {
		return g.SpawnWait(ctx, fixture.Returns(1))
	}),
	ofPlace("TaskGroup.GoWait", func(ctx context.Context, g *curio.TaskGroup[int]) (*curio.Task[int], error) {
		return g.GoWait(ctx, func(context.Context) error { return nil })
	}),
	ofStart("Start", func(ctx context.Context, fn func(context.Context, func(int) error) error) (int, error) {
		_, v, err := curio.Start(ctx, fn)
		return v, err
	}),
	ofStart("StartIn", func(ctx context.Context, fn func(context.Context, func(int) error) error) (v int, err error) {
		_ = curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[string]) error {
			_, v, err = curio.StartIn(ctx, g, fn)
			return err
		})
		return v, err
	}),
	ofGather("Gather", func(ctx context.Context, fns ...fixture.Racer) ([]int, error) { return curio.Gather(ctx, fns) }, "Gather"),
	ofGather("Gather, Limit, KeepGoing", func(ctx context.Context, fns ...fixture.Racer) ([]int, error) {
		return curio.Gather(ctx, fns, curio.Limit(1), curio.KeepGoing)
	}),
	ofGather("Map", func(ctx context.Context, fns ...fixture.Racer) ([]int, error) {
		return curio.Map(ctx, fns, fixture.CallRacer)
	}, "Map"),
	ofGather("Map, Limit", func(ctx context.Context, fns ...fixture.Racer) ([]int, error) {
		return curio.Map(ctx, fns, fixture.CallRacer, curio.Limit(1))
	}),
	{name: "TaskGroup.CancelRemaining", covers: []string{"TaskGroup.CancelRemaining"}, state: "TASK_WAIT", begin: func(context.Context, *fixture.Fixture) *blocked {
		cancels := func(ctx context.Context, letGo bool) error {
			var e curio.Event
			return curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
				defer e.Set() // the group waits for its member
				g.Go(func(ctx context.Context) error { return curio.DisableCancellation(ctx, e.Wait) })
				if letGo {
					e.Set()
				}
				return g.CancelRemaining(ctx)
			})
		}
		return &blocked{
			run:   func(ctx context.Context) error { return cancels(ctx, false) },
			works: func(ctx context.Context) error { return cancels(ctx, true) },
		}
	}},
}

// ofGather is a Gather of a function that sleeps and one that does not.
func ofGather(name string, gather func(ctx context.Context, fns ...fixture.Racer) ([]int, error), covers ...string) operation {
	return operation{name: name, covers: covers, state: "TASKGROUP_JOIN", begin: func(_ context.Context, f *fixture.Fixture) *blocked {
		return &blocked{
			run: func(ctx context.Context) error {
				v, err := gather(ctx, fixture.Sleeping, fixture.Returns(1))
				return fixture.NoResult(f, append(v, 0)[0], err)
			},
			works: func(ctx context.Context) error {
				v, err := gather(ctx, fixture.Returns(1), fixture.After(time.Millisecond, 2, nil))
				if err == nil && !slices.Equal(v, []int{1, 2}) {
					return fmt.Errorf("gathered %v", v)
				}
				return err
			},
		}
	}}
}

// ofThread is an operation that waits for what runs in a thread: for the function, or,
// behind others, for its turn. before is in the way, if it is not nil; it has to end when
// the doorway is open.
func ofThread(name, state string, covers []string, run func(ctx context.Context, d *doorway) (int, error), before func(ctx context.Context, d *doorway) (int, error)) operation {
	return operation{name: name, covers: covers, state: state, begin: func(ctx context.Context, f *fixture.Fixture) *blocked {
		d := newDoorway()
		occupant := curio.Spawn(ctx, func(ctx context.Context) (int, error) {
			if before == nil {
				return 0, nil
			}
			return before(ctx, d)
		}, curio.Name("occupant"))
		synctest.Wait()
		return &blocked{
			run: func(ctx context.Context) error {
				v, err := run(ctx, d)
				return fixture.NoResult(f, v, err)
			},
			works: func(ctx context.Context) error {
				d.open()
				v, err := run(ctx, d)
				if err == nil && v != 1 {
					return fmt.Errorf("it returned %d", v)
				}
				_, joined := occupant.Join(ctx)
				synctest.Wait()
				if calls := f.Kernel.ThreadCalls(); len(calls) > 0 {
					return fmt.Errorf("functions still run: %v", calls)
				}
				return errors.Join(err, joined)
			},
		}
	}}
}

var operationsOfThreads = func() []operation {
	runs := func(ctx context.Context, d *doorway) (int, error) { return curio.RunInThread(ctx, d.pass) }
	limited := func(ctx context.Context, d *doorway) (int, error) {
		return curio.RunInThreadLimited(ctx, d.slots, d.pass)
	}
	blocks := func(ctx context.Context, d *doorway) (int, error) { return curio.BlockInThread(ctx, d, d.pass) }
	executes := func(ctx context.Context, d *doorway) (int, error) {
		return curio.RunInExecutor(ctx, goroutines{}, d.pass)
	}
	abides := func(ctx context.Context, d *doorway) (int, error) {
		release, err := curio.Abide(ctx, locker{d})
		if (release == nil) != (err != nil) {
			return 2, err
		}
		if err != nil {
			return 0, err
		}
		release()
		return 1, nil
	}
	return []operation{
		ofThread("RunInThread", "THREAD_CALL", []string{"RunInThread"}, runs, nil),
		ofThread("RunInThread without a place", "THREAD_SLOT", nil, runs, runs),
		ofThread("RunInThreadLimited", "THREAD_CALL", []string{"RunInThreadLimited"}, limited, nil),
		ofThread("RunInThreadLimited without a slot", "THREAD_SLOT", nil, limited, limited),
		ofThread("BlockInThread", "THREAD_CALL", []string{"BlockInThread"}, blocks, nil),
		ofThread("BlockInThread behind another", "THREAD_TURN", nil, blocks, blocks),
		ofThread("RunInExecutor", "THREAD_CALL", []string{"RunInExecutor"}, executes, nil),
		ofThread("Abide", "ABIDE", []string{"Abide"}, abides, nil),
		ofThread("Abide behind another", "THREAD_TURN", nil, abides, abides),
	}
}()

// A locker is a lock that can be had when the doorway is open.
type locker struct{ *doorway }

func (l locker) Lock() { <-l.opened }

func (locker) Unlock() {}
