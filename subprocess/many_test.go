package subprocess_test

import (
	"context"
	"os"
	"runtime"
	"sync"
	"testing"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/subprocess"
)

func threads(t testing.TB) int {
	t.Helper()
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Skipf("threads cannot be counted here: %v", err)
	}
	return len(tasks)
}

// A thousand children at once, each with a task that waits for it, take no more threads than ten do, and
// leave no zombie and no descriptor.
func TestThousandChildren(t *testing.T) {
	inEachWay(t, func(t *testing.T) {
		most := testutil.Times(1000)
		before := len(testutil.Descriptors(os.Getpid()))
		in := stdin(t, nil)
		check(t, curio.Run(background, func(ctx context.Context) error {
			var all []*subprocess.Process
			var waits sync.WaitGroup
			more := func(n int) {
				for range n {
					p, err := subprocess.Start(ctx, subprocess.Command("/bin/cat"), in)
					check(t, err)
					all = append(all, p)
					waits.Go(func() { waitFor(t, p) })
				}
				testutil.Await(t, "all waiting", func() bool {
					for _, p := range all {
						if p.Waiting() != 1 {
							return false
						}
					}
					return true
				})
			}
			more(10)
			with10 := threads(t)
			more(most - 10)
			// The runtime starts a thread when it finds one busy in a system call, as a fork is: a handful
			// may have come by that, but not one for each child.
			if with := threads(t); with > with10+5 && with > with10+most/20 {
				t.Errorf("%d threads with 10 children, %d with %d", with10, with, most)
			} else {
				t.Logf("%d threads with 10 children, %d with %d", with10, with, most)
			}
			for _, p := range all {
				check(t, p.Close())
			}
			waits.Wait()
			return nil
		}))
		noChildren(t)
		testutil.NoMoreDescriptors(t, before+2) // stdin's
		runtime.KeepAlive(in)
	})
}
