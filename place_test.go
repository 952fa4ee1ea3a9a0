package curio_test

import (
	"context"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/verify/fixture"
)

// Where returns the line of the innermost call that is neither in this module nor in the
// standard library. If there is none, it returns the line that spawned the task.
func TestWhereIsInTheUsersCode(t *testing.T) {
	fixture.InKernel(t, func(ctx context.Context, f *fixture.Fixture) {
		var l curio.Lock
		var r curio.Result[int]
		q := curio.NewQueue[int](0)
		if err := l.Acquire(ctx); err != nil {
			f.Fatal(err)
		}
		pr, pw := io.Pipe()
		var inside, want string
		var tasks []spawned
		add := func(what string, task *curio.AnyTask, place *string) {
			synctest.Wait() // it has set inside
			tasks = append(tasks, spawned{what, task, *place})
		}

		// In the standard library, called by the user.
		add("time.Sleep", curio.Go(ctx, func(context.Context) error {
			inside = fixture.Here(1)
			time.Sleep(time.Hour)
			return nil
		}).AnyTask, &inside)
		add("io.ReadAll", curio.Go(ctx, func(context.Context) error {
			inside = fixture.Here(1)
			_, err := io.ReadAll(pr)
			return err
		}).AnyTask, &inside)
		add("a goroutine that ours calls", curio.Go(ctx, func(ctx context.Context) error {
			inside = fixture.Here(1)
			_, err := curio.RunInThread(ctx, func() (int, error) { time.Sleep(time.Hour); return 0, nil })
			return err
		}).AnyTask, &inside)

		// No user code is running.
		want = fixture.Here(1)
		add("Go of a method", curio.Go(ctx, l.Acquire).AnyTask, &want)
		want = fixture.Here(1)
		add("Spawn of a method", curio.Spawn(ctx, r.Get).AnyTask, &want)
		want = fixture.Here(1)
		add("SpawnThread of a method", curio.SpawnThread(ctx, q.Get).AnyTask, &want)
		err := curio.Group(ctx, func(_ context.Context, g *curio.TaskGroup[int]) error {
			g.Go(fixture.Sleeper)
			want = fixture.Here(1)
			add("a member in line", g.Go(fixture.Sleeper).AnyTask, &want)
			want = fixture.Here(1)
			add("a member in line, of Spawn", g.Spawn(q.Get).AnyTask, &want)
			checkPlaces(f, tasks)
			return nil
		}, curio.Limit(1), curio.WaitNone)
		if err != nil {
			f.Error(err)
		}
		_ = pw.Close()
		for _, s := range tasks {
			s.task.CancelNow()
		}
		time.Sleep(2 * time.Hour)
	})
}

// A spawned task, and where it should be.
type spawned struct {
	what  string
	task  *curio.AnyTask
	place string
}

func checkPlaces(f *fixture.Fixture, tasks []spawned) {
	f.Helper()
	for _, s := range tasks {
		if file, line := s.task.Where(); fmt.Sprintf("%s:%d", file, line) != s.place {
			f.Errorf("%s: at %s:%d, want %s", s.what, file, line, s.place)
		}
	}
}

// A main task that runs no user code is where Run was called.
func TestWhereOfAMainTaskThatIsOurs(t *testing.T) {
	var e curio.Event
	k := curio.NewKernel()
	want := fixture.Here(1)
	go func() { _ = k.Run(context.Background(), e.Wait) }()
	testutil.Await(t, "the wait", func() bool { return len(e.Snapshot().Waiters) > 0 })
	if file, line := k.Tasks()[0].Where(); fmt.Sprintf("%s:%d", file, line) != want {
		t.Errorf("at %s:%d, want %s", file, line, want)
	}
	e.Set()
	if err := k.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
}
