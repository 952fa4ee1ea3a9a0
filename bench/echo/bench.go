//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"syscall"
	"time"

	"github.com/curio-go/curio/bench/servers/python"
)

// A bench is what is needed to take samples.
type bench struct {
	options   options
	generator string   // the load generator
	servers   []server // those that are missing, too
	notes     []string // what runs the servers
	cells     []cell
	modes     []mode
}

// newBench builds what is to be run. A server that cannot be built is shown as missing,
// unless the others would have nothing to be compared with.
func newBench(ctx context.Context, o options, directory string) (*bench, error) {
	cpus := o.cpus
	if cpus == nil {
		allowed, err := allowedCPUs()
		if err != nil {
			return nil, err
		}
		cpus = allowed[:min(2, len(allowed))]
	}
	if len(cpus) != 2 {
		return nil, fmt.Errorf("two CPUs are needed, not %d", len(cpus))
	}
	b := &bench{options: o, modes: modes(o.modes, cpus)}
	for _, c := range o.cells {
		if err := raiseFileLimit(c.Connections); err != nil {
			say("%v: left out: %v", c, err)
			continue
		}
		b.cells = append(b.cells, c)
	}
	if len(b.cells) == 0 {
		return nil, errors.New("no cell is left to measure")
	}
	var err error
	if b.generator, err = build(ctx, directory, "load"); err != nil {
		return nil, err
	}
	if err := b.prepare(ctx, directory); err != nil {
		return nil, err
	}
	return b, nil
}

// prepare finds out how each of the servers is run.
func (b *bench) prepare(ctx context.Context, directory string) error {
	o, scripts := b.options, &pythons{directory: filepath.Join(directory, "python")}
	for _, s := range o.servers {
		var err error
		if script, ok := python.Servers[s.name]; ok && s.command == nil {
			s.command, err = scripts.command(ctx, o, script)
		} else if s.command == nil {
			var binary string
			binary, err = build(ctx, directory, "servers/"+s.name)
			s.command = []string{binary}
		}
		if err != nil && s.name == o.ref {
			return err
		}
		if err != nil {
			say("%s is not there: %v", s.name, err)
			s.missing = err.Error()
		}
		b.servers = append(b.servers, s)
	}
	b.notes = scripts.notes()
	return nil
}

// raiseFileLimit makes room for a server's connections. A server in Go would
// raise its soft limit by itself, others would not; and the hard one is for the
// privileged to raise.
func raiseFileLimit(connections int) error {
	const spare = 256
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	need := uint64(connections + spare)
	// Set even what is enough already: Go hands its children the soft limit it
	// found, not the one it raised for itself, unless it was told to set one.
	limit.Cur, limit.Max = max(limit.Cur, need), max(limit.Max, need)
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("%d open files are needed: %w", need, err)
	}
	return nil
}

// run measures every cell in every mode.
func (b *bench) run(ctx context.Context) *report {
	r := newReport(b)
	servers := 0
	for _, s := range b.servers {
		if s.missing == "" {
			servers++
		}
	}
	samples := len(b.modes) * len(b.cells) * b.options.rounds * servers
	each := b.options.seconds + b.options.warmup + 0.7
	say("servers: %d, samples: %d, about %v", servers, samples,
		time.Duration(float64(samples)*each*float64(time.Second)).Round(time.Second))
	for _, m := range b.modes {
		for _, c := range b.cells {
			rounds := b.rounds(ctx, m, c)
			if ctx.Err() != nil {
				return r // an interrupted cell has no comparison to offer
			}
			r.add(m, c, rounds)
		}
	}
	return r
}

// A round holds one sample of each server, by its name.
type round map[string]outcome

// maxFailures is how often a server may fail in a cell before it is left out
// of the rest: each failure may take half a minute.
const maxFailures = 2

// rounds has the servers take turns, each time beginning with another one.
func (b *bench) rounds(ctx context.Context, m mode, c cell) []round {
	rounds := make([]round, b.options.rounds)
	failures := map[string]int{}
	for i := range rounds {
		rounds[i] = round{}
		for j := range b.servers {
			s := b.servers[(i+j)%len(b.servers)]
			if s.missing != "" || failures[s.name] >= maxFailures {
				continue
			}
			got := b.cleanSample(ctx, s, m, c)
			if errors.Is(ctx.Err(), context.Canceled) {
				return nil
			}
			rounds[i][s.name] = got
			if !got.good() {
				failures[s.name]++
				say("%s %v %d/%d %s: failed: %s", m.name, c, i+1, len(rounds), s.name, got.Failed)
				continue
			}
			say("%s %v %d/%d %-8s %8.0f/s %6.2f µs busy %.2f load %.2f p99 %.0f µs foreign %.2f", m.name, c, i+1, len(rounds),
				s.name, got.MessagesPerSecond, got.Server.CPU, got.Server.Busy, got.LoadBusy, got.P99, got.Server.Foreign)
		}
	}
	return rounds
}
