package subprocess_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"sync"
	"syscall"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/subprocess"
)

// Everything that can be done to a process is done to it at the moment in which it ends: all see the same
// end, and nothing is left.
func TestAllAtOnce(t *testing.T) {
	inEachWay(t, func(t *testing.T) {
		for range testutil.Times(300) {
			c := subprocess.Command("/bin/true")
			c.Grace = long
			p, err := subprocess.Start(background, c)
			check(t, err)
			allAtOnce(t, p)
			if t.Failed() {
				return
			}
		}
		testutil.Await(t, "nobody listed", func() bool { return subprocess.Listed() == 0 })
		noChildren(t)
	})
}

func allAtOnce(t *testing.T, p *subprocess.Process) {
	signals := []syscall.Signal{0, syscall.SIGCONT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGKILL, syscall.SIGSTOP}
	var all sync.WaitGroup
	var mu sync.Mutex
	var seen []subprocess.ExitStatus
	ended := func(s subprocess.ExitStatus) {
		mu.Lock()
		seen = append(seen, s)
		mu.Unlock()
	}
	for range 2 {
		all.Go(func() {
			s, err := p.Wait(background)
			if err != nil {
				t.Errorf("Wait: %v", err)
			}
			ended(s)
		})
	}
	all.Go(func() {
		for {
			if s, over := p.Poll(); over {
				ended(s)
				return
			}
		}
	})
	all.Go(func() {
		for range 3 {
			sig := signals[rand.N(len(signals))]
			if err := p.SendSignal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
				t.Errorf("SendSignal(%v): %v", sig, err)
			}
		}
		_ = p.Stopped()
		_ = p.String()
		_ = p.SendSignal(syscall.SIGCONT)
		if rand.N(2) == 0 {
			if err := p.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		}
		s, err := p.Stop(background)
		if err != nil {
			t.Errorf("Stop: %v", err)
		}
		ended(s)
	})
	all.Go(func() {
		ctx, cancel := context.WithCancel(background)
		if rand.N(2) == 0 {
			cancel()
		}
		s, err := p.Stop(ctx)
		cancel()
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("Stop: %v", err)
		}
		ended(s)
	})
	all.Wait()
	for _, s := range seen[1:] {
		if s != seen[0] {
			t.Errorf("one was told %+v, another %+v", seen[0], s)
		}
	}
	if err := p.Kill(); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("Kill after the end: %v", err)
	}
}

// Starts that are cancelled at any moment leave nothing.
func TestStartAndCancel(t *testing.T) {
	inEachWay(t, func(t *testing.T) {
		for range testutil.Times(200) {
			ctx, cancel := context.WithCancel(background)
			var all sync.WaitGroup
			all.Go(func() {
				for range rand.N(4) {
					testutil.Rest()
				}
				cancel()
			})
			p, err := subprocess.Start(ctx, shell("read line"), stdin(t, nil))
			if err != nil {
				wantError(t, err, context.Canceled)
			} else {
				_, err := p.Stop(ctx)
				if err != nil {
					wantError(t, err, context.Canceled)
				}
			}
			all.Wait()
			noChildren(t)
		}
	})
}
