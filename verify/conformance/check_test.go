package conformance

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// patience is how long one history may take to be checked. They take far less than a
// millisecond; what is not decided in this time counts as a failure.
const patience = 20 * time.Second

// workers is how many histories of an object run at once. They sleep most of their time,
// and the more there is to run, the more the scheduler mixes.
const workers = 6

// A tally says what histories consisted of, so that a reader of the log sees whether
// they were worth anything.
type tally struct{ histories, calls, cancelled, overlapping, panicked, closed, refused atomic.Int64 }

func (t *tally) add(log []porcupine.Operation) {
	t.histories.Add(1)
	t.calls.Add(int64(len(log)))
	for _, o := range log {
		switch o.Output.(answer).end {
		case cancelled:
			t.cancelled.Add(1)
		case panicked:
			t.panicked.Add(1)
		case closed:
			t.closed.Add(1)
		case refused, isEmpty, isFull:
			t.refused.Add(1)
		}
		if o.Return > o.Call+1 { // something else happened meanwhile
			t.overlapping.Add(1)
		}
	}
}

func (t *tally) String() string {
	return fmt.Sprintf("%d histories, %d calls: %d overlap others, %d were cancelled, %d refused, %d found it closed, %d panicked",
		t.histories.Load(), t.calls.Load(), t.overlapping.Load(), t.cancelled.Load(), t.refused.Load(), t.closed.Load(), t.panicked.Load())
}

// each calls f with many seeds, in several goroutines, until it returns false.
func each(f func(seed uint64) bool) {
	base := *theSeed
	if base == 0 {
		base = rand.Uint64()
	}
	var next atomic.Int64
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			for {
				i := next.Add(1) - 1
				if i >= int64(*histories) {
					return
				}
				seed := base
				if *theSeed == 0 {
					seed += uint64(i)
				}
				if !f(seed) {
					next.Store(int64(*histories))
				}
			}
		})
	}
	all.Wait()
}

// check tests that the histories of an object are linearizable.
func check(t *testing.T, start func(*rand.Rand) *trial) {
	t.Parallel()
	var total tally
	each(func(seed uint64) bool {
		// Some are impatient as those of the twins are: an object that is in order
		// must pass these too, or what is found in the twins would say nothing.
		h, log := run(seed, start, seed%4 > 0)
		total.add(log)
		if result := porcupine.CheckOperationsTimeout(h.model, log, patience); result != porcupine.Ok {
			t.Errorf("seed %d: %s\n%s", seed, result, describe(h.model, log))
			return false
		}
		if left := h.left(); left != "" {
			t.Errorf("seed %d: %s\n%s", seed, left, describe(h.model, log))
			return false
		}
		return true
	})
	t.Log(total.String())
	if calls := total.calls.Load(); 20*total.cancelled.Load() < calls || 50*total.overlapping.Load() < calls {
		t.Error("too few calls overlap or are cancelled: these histories show little")
	}
}

// find tests that a broken object does not pass.
func find(t *testing.T, name string, start func(*rand.Rand) *trial) {
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		var looked, found atomic.Int64
		each(func(seed uint64) bool {
			h, log := run(seed, start, false)
			looked.Add(1)
			switch porcupine.CheckOperationsTimeout(h.model, log, patience) {
			case porcupine.Illegal:
				found.Add(1)
			case porcupine.Unknown:
				t.Errorf("seed %d: no decision", seed)
			}
			return found.Load() == 0
		})
		if found.Load() == 0 {
			t.Errorf("the fault was not found in %d histories", looked.Load())
		}
		t.Logf("found after %d histories", looked.Load())
	})
}

// describe writes down a history, and the calls that find no place.
func describe(m porcupine.Model, log []porcupine.Operation) string {
	slices.SortFunc(log, func(a, b porcupine.Operation) int { return int(a.Call - b.Call) })
	var text strings.Builder
	for _, o := range log {
		fmt.Fprintf(&text, "%4d to %-4d client %d as %-3d %s: %s\n",
			o.Call, o.Return, o.ClientId, o.Input.(call).who, o.Input.(call), o.Output.(answer))
	}
	_, info := porcupine.CheckOperationsVerbose(m, log, patience)
	var longest []porcupine.Operation
	for _, orders := range info.PartialLinearizationsOperations() {
		for _, order := range orders {
			if len(order) > len(longest) {
				longest = order
			}
		}
	}
	fmt.Fprintf(&text, "the longest order found begins the calls at:")
	for _, o := range longest {
		fmt.Fprintf(&text, " %d", o.Call)
	}
	return text.String()
}
