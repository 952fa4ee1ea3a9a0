// Package signals distributes the signals that the process gets to those in this module who have
// asked for them. It stands on package os/signal, so it takes nothing from others who use that,
// and no handler of ours is ever installed in the system.
//
// Each signal that somebody has asked for has a line: a channel of its own with room for one, as
// a full channel must not cost another signal, and a goroutine that empties it. The goroutine
// belongs to no task, and ends with the last subscription. The system and the Go runtime both keep
// one bit for each signal, so that of several in a row one may be delivered; what is kept here is
// no worse: a signal that comes while an earlier one of its kind is being delivered is delivered
// after it.
package signals

import (
	"fmt"
	"os"
	"os/signal"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/curio-go/curio/internal/wait"
)

// A Subscriber is told of signals. Deliver is called with a lock of this package held, by one
// goroutine at a time for each signal. It must return at once, and must not call this package.
type Subscriber interface{ Deliver(sig syscall.Signal) }

// A Sharer is a Subscriber that is told, just before Deliver, if others are delivered the same signal.
type Sharer interface{ Shared() }

// A line delivers one signal.
type line struct {
	from        chan os.Signal
	ended       chan struct{}
	subscribers []Subscriber
}

// lines has those that somebody has subscribed to, and those whose last subscriber is about to go.
var lines = struct {
	mu     sync.Mutex
	of     map[syscall.Signal]*line
	ending []*line
}{of: make(map[syscall.Signal]*line)}

// ignoredAtStart is which signals were ignored when the program was started, as nohup does with
// SIGHUP and a shell with SIGINT for what it runs in the background. It is asked for before anybody
// can have called signal.Notify, as that makes the answer false for ever.
var ignoredAtStart = func() (ignored [maximum + 1]bool) {
	for sig := syscall.Signal(1); sig <= maximum; sig++ {
		ignored[sig] = signal.Ignored(sig)
	}
	return ignored
}()

// IgnoredAtStart reports whether sig was ignored when the program was started.
func IgnoredAtStart(sig syscall.Signal) bool {
	return sig > 0 && sig <= maximum && ignoredAtStart[sig]
}

// maximum is the greatest number that a signal can have, on any system.
const maximum = 128

// Check returns sig as the system's, or an error that says why nobody can subscribe to it.
func Check(sig os.Signal) (syscall.Signal, error) {
	s, ok := sig.(syscall.Signal)
	switch {
	case !ok:
		return 0, fmt.Errorf("%v of type %T is not a signal of the system", sig, sig)
	case s == syscall.SIGKILL || s == syscall.SIGSTOP:
		return 0, fmt.Errorf("%s cannot be caught", Name(s))
	case s == syscall.SIGSEGV || s == syscall.SIGBUS || s == syscall.SIGFPE:
		return 0, fmt.Errorf("%s reports an error of the program, and is handled by the Go runtime", Name(s))
	case s <= 0 || s > maximum || isReserved(s):
		return 0, fmt.Errorf("there is no signal %d for programs", int(s))
	}
	return s, nil
}

// Subscribe has the given signals, which Check has accepted, delivered to s until Unsubscribe. A
// signal that was ignored when the program was started stays so.
func Subscribe(s Subscriber, sigs ...syscall.Signal) {
	if wait.InBubble() {
		panic("curio/signal: signals come from outside, and do not reach a testing/synctest bubble")
	}
	lines.mu.Lock()
	defer lines.mu.Unlock()
	for _, sig := range sigs {
		if IgnoredAtStart(sig) {
			continue
		}
		l := lines.of[sig]
		if l == nil {
			l = &line{from: make(chan os.Signal, 1), ended: make(chan struct{})}
			lines.of[sig] = l
			time.AfterFunc(0, func() { l.deliver(sig) }) // a goroutine without the caller's pprof labels
			signal.Notify(l.from, sig)
		}
		l.subscribers = append(l.subscribers, s)
	}
}

func (l *line) deliver(sig syscall.Signal) {
	defer close(l.ended)
	for range l.from {
		lines.mu.Lock()
		for _, s := range l.subscribers {
			if sharer, ok := s.(Sharer); ok && len(l.subscribers) > 1 {
				sharer.Shared()
			}
			s.Deliver(sig)
		}
		lines.mu.Unlock()
	}
	lines.mu.Lock()
	defer lines.mu.Unlock()
	lines.ending = slices.DeleteFunc(lines.ending, func(other *line) bool { return other == l })
}

// Unsubscribe ends all subscriptions of s. After that nothing is delivered to it any more, and a
// signal that nobody else has asked for does what it did before. One that the runtime has caught already is
// still delivered: to s, if there is nobody else.
func Unsubscribe(s Subscriber) {
	for _, l := range unsubscribe(s) {
		<-l.ended
	}
}

// unsubscribe returns the lines that end with s. They keep it until they have ended, as a signal may be on
// its way.
func unsubscribe(s Subscriber) (ending []*line) {
	lines.mu.Lock()
	defer lines.mu.Unlock()
	other := func(o Subscriber) bool { return o != s }
	for sig, l := range lines.of {
		if slices.ContainsFunc(l.subscribers, other) {
			l.subscribers = slices.DeleteFunc(l.subscribers, func(o Subscriber) bool { return o == s })
			continue
		}
		delete(lines.of, sig)
		lines.ending = append(lines.ending, l)
		signal.Stop(l.from) // after which nobody sends any more
		close(l.from)
	}
	for _, l := range lines.ending { // also the subscribers of a call at the same time
		if slices.Contains(l.subscribers, s) {
			ending = append(ending, l)
		}
	}
	return ending
}
