//go:build linux

package main

import (
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/curio-go/curio/bench/internal/measure"
)

// A plan is what the workers of a run share.
type plan struct {
	config
	pattern pattern

	from, to int64 // the window, by clock; set before the workers work
	stop     atomic.Bool
}

// run puts a server under load and says what came of it.
func run(c config) (measure.Sample, error) {
	if err := raiseFileLimit(c.connections); err != nil {
		return measure.Sample{}, err
	}
	p := &plan{config: c, pattern: newPattern(c.size)}
	workers, err := p.hire()
	for _, w := range workers {
		defer w.close()
	}
	if err != nil {
		return measure.Sample{}, err
	}
	// A processor each for the workers, which do not give theirs back, and one
	// for this goroutine. Nothing is allocated under load, so there is nothing
	// to collect, and a collection would stop the workers.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(c.threads + 1))
	defer debug.SetGCPercent(debug.SetGCPercent(-1))

	began := clock()
	each(workers, func(w *worker) { w.connect(began + int64(c.connect)) }).Wait()
	connected := clock()
	result := measure.Sample{Connections: c.connections, ConnectSeconds: seconds(connected - began)}
	for _, w := range workers {
		result.Up += int(w.alive.Load())
	}

	p.from = connected + int64(c.warmup)
	p.to = p.from + int64(c.window)
	working := each(workers, (*worker).work)
	sleepUntil(p.from, workers)
	before := look(c.processes, workers)
	sleepUntil(p.to, workers)
	after := look(c.processes, workers)
	p.stop.Store(true)
	working.Wait()

	account(&result, workers)
	compare(&result, before, after, c.size)
	return result, nil
}

// hire makes the workers and shares out the connections.
func (p *plan) hire() ([]*worker, error) {
	var workers []*worker
	first := 0
	for i := range p.threads {
		share := p.connections / p.threads
		if i < p.connections%p.threads {
			share++
		}
		w, err := newWorker(p, first, share)
		if err != nil {
			return workers, err
		}
		workers = append(workers, w)
		first += share
	}
	return workers, nil
}

// each has every worker do something, all at the same time.
func each(workers []*worker, do func(*worker)) *sync.WaitGroup {
	var group sync.WaitGroup
	for _, w := range workers {
		group.Go(func() { do(w) })
	}
	return &group
}

// sleepUntil returns at that time, or when no connection is left.
func sleepUntil(when int64, workers []*worker) {
	for now := clock(); now < when; now = clock() {
		alive := int64(0)
		for _, w := range workers {
			alive += w.alive.Load()
		}
		if alive == 0 {
			return
		}
		time.Sleep(min(time.Duration(when-now), 100*time.Millisecond))
	}
}
