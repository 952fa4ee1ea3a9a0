package subprocess_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/subprocess"
)

// Everything at once, several at a time, each cancelled at any moment: it returns, with its result or the
// cancellation, and nothing is left. A Communicate that was cut is called again, by several tasks, and all
// agree.
func TestAllIOAtOnce(t *testing.T) {
	testutil.NoLeaks(t)
	scripts := []string{
		"cat", "exit 3", "head -c 200000 /dev/zero", "exec <&-; echo x; sleep 0.001", "kill -9 $$",
		"trap 'echo bye; exit 0' TERM; echo ready; sleep 0.002; cat", "cat >&2 & wait",
	}
	var names []string
	for name := range programs {
		names = append(names, name)
	}
	slices.Sort(names)
	var all sync.WaitGroup
	for worker := range 4 {
		random := rand.New(rand.NewPCG(rand.Uint64(), uint64(worker)))
		all.Go(func() {
			for range testutil.Times(150) {
				program, script := programs[names[random.IntN(len(names))]], scripts[random.IntN(len(scripts))]
				pause := time.Duration(random.IntN(6000)) * time.Microsecond
				task := curio.Go(background, func(ctx context.Context) error { return program(ctx, script) })
				check(t, curio.Sleep(background, pause))
				task.CancelNow()
				joined(t, task.AnyTask)
				var exit *subprocess.ExitError
				if err := task.Err(); err != nil && !errors.Is(err, curio.ErrTaskCancelled) && !errors.As(err, &exit) {
					t.Errorf("%s: %v", script, err)
				}
			}
		})
	}
	all.Wait()
	noChildren(t)
}

// Several tasks that communicate with one program, some of which are cut short, and one that kills it.
func TestCommunicateTogether(t *testing.T) {
	testutil.NoLeaks(t)
	for range testutil.Times(200) {
		p, err := subprocess.Popen(background, piped(subprocess.Command("tee", "/dev/stderr")))
		check(t, err)
		var all sync.WaitGroup
		for n := range 3 {
			all.Go(func() {
				ctx, cancel := curio.WithTimeout(background, time.Duration(rand.IntN(3000))*time.Microsecond)
				defer cancel()
				_, _, err := p.Communicate(ctx, make([]byte, n*50_000))
				if err != nil && !errors.Is(err, curio.ErrTaskTimeout) && !isClosed(err) {
					t.Error(err)
				}
			})
		}
		if rand.IntN(2) == 0 {
			all.Go(func() { _ = p.Kill() })
		}
		all.Wait()
		out, errs, err := p.Communicate(background, nil)
		if err != nil || len(out) > 150_000 || len(errs) > 150_000 {
			t.Errorf("%d and %d bytes, %v", len(out), len(errs), err)
		}
		again, _, err := p.Communicate(background, nil)
		if err != nil || len(again) != len(out) {
			t.Errorf("%d bytes, and again %d, %v", len(out), len(again), err)
		}
		check(t, p.Close())
	}
	noChildren(t)
}
