package signal_test

import (
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/signal"
)

// A storm of signals while queues come and go: no queue gets a signal that it did not ask for, and
// after the last signal of each kind each queue that is still there for it gets one.
func TestStorm(t *testing.T) {
	testutil.NoLeaks(t)
	storm := 10_000
	if os.Getenv("CURIO_LONG") != "" {
		storm = 100_000
	}
	kinds := []syscall.Signal{syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGHUP, syscall.SIGWINCH, syscall.SIGTERM}
	// One queue keeps the deadly ones from ending the program.
	guard := signal.NewQueue(syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGHUP, syscall.SIGWINCH, syscall.SIGTERM)
	defer guard.Close()
	var over atomic.Bool
	var taken atomic.Int64
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for !over.Load() {
				one, other := kinds[rand.IntN(len(kinds))], kinds[rand.IntN(len(kinds))]
				q := signal.NewQueue(one, other)
				for range rand.IntN(5) {
					sig, err := q.TryGet()
					if err == nil && sig != one && sig != other {
						t.Errorf("a queue for %v and %v got %v", one, other, sig)
					}
					if err == nil {
						taken.Add(1)
					}
				}
				q.Close()
				for {
					sig, err := q.TryGet()
					if err == curio.ErrQueueClosed {
						break
					}
					if err != nil || sig != one && sig != other {
						t.Errorf("a closed queue for %v and %v got %v, %v", one, other, sig, err)
						break
					}
				}
			}
		})
	}
	for range storm {
		raise(kinds[rand.IntN(len(kinds))])
	}
	over.Store(true)
	all.Wait()
	for _, sig := range kinds {
		raise(sig)
	}
	missing := map[os.Signal]bool{}
	for _, sig := range kinds {
		missing[sig] = true
	}
	for len(missing) > 0 {
		sig, err := guard.Get(background)
		if err != nil {
			t.Fatal(err)
		}
		delete(missing, sig)
	}
	t.Logf("the queues that came and went took %d", taken.Load())
}
