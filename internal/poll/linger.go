package poll

import (
	"runtime"
	"sync/atomic"

	"github.com/curio-go/curio/internal/wait"
)

// Before a reader goes to sleep it lingers: it lets others run and tries again, for some
// microseconds. A task that talks to a peer that answers at once then never sleeps, and is never
// woken, which costs both sides far more than the tries. Measured with an echo server in a
// process of its own, against one that goes to sleep at once: with one connection 2.1 to 2.9
// times the messages per second for 0.7 to 0.9 times the CPU per message if the server has a CPU
// to itself, and 1.4 to 1.8 times the messages for 0.6 to 0.7 times the CPU if it shares two with
// its client. With 64, 1,000 and 10,000 connections no difference was to be seen, as it does not
// linger then.
//
// Between two tasks of one process nothing is gained: on one CPU it makes no
// difference, on two a round trip takes some 10 % longer, as the two come to run on
// different ones. That is the price.
//
// What was tried instead: one try only, after runtime.Gosched, gains nothing with one
// connection. Trying without letting others run in between costs a fifth with 64
// connections on one CPU. 5 µs gain nothing with one connection on two CPUs, 20 µs
// are no better than 10. And 10 µs is about what falling asleep and being woken cost
// here, so that one who lingers in vain has paid at most twice.
const lingerFor = 10_000 // nanoseconds

// maxTries is for when there is no clock to go by: in a testing/synctest bubble it stops while
// any goroutine runs.
const maxTries = 64

// A habit says whether to linger: one that was in vain is not repeated for a
// while, twice as long each time. So a connection on which the answers are slow
// in coming pays nearly nothing, and neither does one that is used only once: the
// first time is left out.
//
// It belongs to the operation whose turn it is.
type habit struct {
	last   uint8 // how many were left out after the last one in vain; 0 after one that was not
	skip   uint8 // waits still to be left out
	streak uint8 // how many times in a row it was not in vain
}

const maxSkip = 63

// maxStreak is how often lingering may succeed until one wait is left out. A task that lingers
// keeps the scheduler from looking into the poller: others whose data has come are then only
// found by the runtime's monitor, which looks every 10 ms.
const maxStreak = 128

// crowd says how many waits of the whole process are still to be left out, because
// lingering has shown that others want to run. Then the thread would not fall asleep
// anyway, and who lingers only keeps them from their turn: the scheduler looks into
// the poller when nobody is left to run, and as long as all linger somebody is.
// (Letting others run and trying again gained up to a third with 1,000 connections,
// but then some of 10,000 waited for most of a second.)
//
// With thousands of connections that looked for nothing is what costs, so a crowd that is met
// again and again is left alone for twice as long each time. A task that lingers does not see
// others whose data waits in the poller, but they come to light after a wait that was left out
// (maxStreak): two streaks with nobody in between mean that the crowd has gone.
var crowd struct {
	skip atomic.Int32 // waits still to be left out
	last atomic.Int32 // how many were left out when it was met last; 0 if it has gone
	calm atomic.Int32 // streaks since it was met last
}

const (
	crowdSkip    = 256
	maxCrowdSkip = 8192
)

func meetCrowd() {
	n := min(max(2*crowd.last.Load(), crowdSkip), maxCrowdSkip)
	crowd.last.Store(n)
	crowd.skip.Store(n)
	crowd.calm.Store(0)
}

func beCalm() {
	if crowd.calm.Add(1) >= 2 {
		crowd.last.Store(0)
	}
}

var newHabit = habit{last: 1, skip: 1}

// lingerClock is a variable for tests, which cannot say how long anything takes.
var lingerClock = wait.Now

// linger tries until try succeeds, and reports false if it is time to sleep.
func (h *habit) linger(try func() bool) bool {
	switch {
	case h.skip > 0:
		h.skip--
		return false
	case crowd.skip.Load() > 0:
		crowd.skip.Add(-1)
		return false
	}
	until := lingerClock() + lingerFor
	done, late, tries := false, false, 0
	for ; !done && !late && tries < maxTries; tries++ {
		runtime.Gosched()
		done = try()
		late = lingerClock() >= until
	}
	switch {
	case done && !late:
		h.last = 0
		if h.streak++; h.streak >= maxStreak {
			h.streak, h.skip = 0, 1
			beCalm()
		}
		return true
	case late && tries == 1:
		meetCrowd()
	default:
		h.last, h.streak = min(2*h.last+1, maxSkip), 0
		h.skip = h.last
	}
	return done
}
