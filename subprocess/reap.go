package subprocess

import (
	"context"
	"sync"
	"syscall"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/signals"
	"github.com/curio-go/curio/internal/wait"
)

// Each child has an owner that collects its status, whatever becomes of the tasks that wait for it:
// with a pidfd a goroutine of its own, which sleeps in the poller and costs no thread; without one
// the collector, which all such children share. Neither ever waits for "any child", which would
// collect the children of other code.

// own gives c its owner.
func (c *child) own() {
	if c.fd == nil {
		theCollector.add(c)
		return
	}
	go c.reap()
}

// reap waits on the pidfd. That is readable before the status is there if somebody else traces the
// process, and then stays so: hence the pauses.
func (c *child) reap() {
	forever := context.Background()
	pause := wait.Pause{First: time.Millisecond, Most: 250 * time.Millisecond}
	for {
		_ = c.fd.WaitRead(forever) // if it fails, the pauses do
		if c.collect() {
			break
		}
		_ = pause.Sleep(forever)
	}
	c.settle()
}

// A collector owns the children that have no pidfd. It looks at each of them whenever a SIGCHLD has
// come: signals coalesce, so one may stand for many. It looks now and then without one, too: somebody may
// have called signal.Ignore for it, after which none comes.
type collector struct {
	rung curio.Event // a SIGCHLD has come, or a new child

	mu       sync.Mutex
	children map[*child]struct{}
	running  bool
}

var theCollector = &collector{children: make(map[*child]struct{})}

const lookNowAndThen = 200 * time.Millisecond

// A bell rings for a collector while that runs.
type bell struct{ of *collector }

// Deliver is called when a SIGCHLD has come.
func (b *bell) Deliver(signals.Signal) { b.of.rung.Set() }

func (k *collector) add(c *child) {
	k.mu.Lock()
	k.children[c] = struct{}{}
	start := !k.running
	k.running = true
	k.mu.Unlock()
	k.rung.Set() // it may have ended before anybody listened to signals
	if start {
		go k.run()
	}
}

// run looks at all children until there are none.
func (k *collector) run() {
	b := &bell{k} // its own: the next run may begin before this one has unsubscribed
	signals.Subscribe(b, syscall.SIGCHLD)
	defer signals.Unsubscribe(b)
	for {
		k.rung.Clear()
		for _, c := range k.all() {
			if c.collect() {
				k.remove(c)
				c.settle()
			}
		}
		if k.stop() {
			return
		}
		_, _ = curio.Select(context.Background(), k.rung.WaitCase(), curio.AfterCase(lookNowAndThen))
	}
}

func (k *collector) all() []*child {
	k.mu.Lock()
	defer k.mu.Unlock()
	all := make([]*child, 0, len(k.children))
	for c := range k.children {
		all = append(all, c)
	}
	return all
}

func (k *collector) remove(c *child) {
	k.mu.Lock()
	delete(k.children, c)
	k.mu.Unlock()
}

// stop reports whether there are no children. After that the next one starts the collector anew.
func (k *collector) stop() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.children) > 0 {
		return false
	}
	k.running = false
	k.children = make(map[*child]struct{}) // a map does not shrink
	return true
}
