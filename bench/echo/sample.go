//go:build linux

package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/bench/internal/measure"
)

// A mode says who runs where.
type mode struct {
	name   string
	server []int // CPUs; as many as its GOMAXPROCS
	load   []int
	spin   bool
}

// modes returns the modes of that name on two CPUs.
func modes(names []string, cpus []int) []mode {
	var found []mode
	for _, name := range names {
		m := mode{name: name, server: cpus, load: cpus}
		if name == "1cpu" {
			// A load generator that slept would have to be woken, and the
			// server's send would pay for that, which it does not when its
			// peer is another machine.
			m = mode{name: name, server: cpus[:1], load: cpus[1:], spin: true}
		}
		found = append(found, m)
	}
	return found
}

// An outcome is what one sample came to.
type outcome struct {
	measure.Sample
	Failed string `json:"failed,omitempty"` // why there are no figures
	Noisy  bool   `json:"noisy,omitempty"`
}

func (o outcome) good() bool { return o.Failed == "" }

func failed(format string, arguments ...any) outcome {
	return outcome{Failed: fmt.Sprintf(format, arguments...)}
}

const (
	// settle is a pause between the start of a server and its load: runtimes
	// start threads and write logs.
	settle = 200 * time.Millisecond
	// starved is how long a message may wait for its echo, in microseconds.
	starved = 5e6
)

// sample starts a server, puts it under load, and kills it.
func (b *bench) sample(ctx context.Context, s server, m mode, c cell) outcome {
	r, err := start(ctx, m, s.command)
	if err != nil {
		return failed("%v", err)
	}
	defer r.stop()
	if err := curio.Sleep(ctx, settle); err != nil {
		return failed("%v", err)
	}
	got, err := b.load(ctx, r, m, c)
	if err != nil {
		return failed("%v", err)
	}
	if err := r.alive(); err != nil {
		return failed("%v", err)
	}
	switch {
	case got.Errors > 0 || got.Mismatches > 0 || got.Alive < c.Connections || got.Messages == 0 || got.Server == nil:
		return failed("%d of %d connected, %d left, %d errors, %d wrong echoes, %d messages",
			got.Up, c.Connections, got.Alive, got.Errors, got.Mismatches, got.Messages)
	case got.Oldest > starved:
		return failed("a message had no echo for %.1f s", got.Oldest/1e6)
	}
	return outcome{Sample: got, Noisy: got.Server.Foreign > b.options.noise}
}

// load runs the load generator.
func (b *bench) load(ctx context.Context, r *running, m mode, c cell) (measure.Sample, error) {
	var pids []string
	for _, pid := range family(r.command.Process.Pid) {
		pids = append(pids, strconv.Itoa(pid))
	}
	line := []string{
		b.generator, "-conns", strconv.Itoa(c.Connections), "-size", strconv.Itoa(c.Size),
		"-seconds", fmt.Sprint(b.options.seconds), "-warmup", fmt.Sprint(b.options.warmup),
		"-pid", strings.Join(pids, ","), fmt.Sprintf("-spin=%t", m.spin), fmt.Sprintf("127.0.0.1:%d", r.port),
	}
	// It bounds itself; this is for the case that it fails to.
	ctx, cancel := context.WithTimeout(ctx, time.Duration((b.options.seconds+b.options.warmup+60)*float64(time.Second)))
	defer cancel()
	command, err := command(ctx, m.load, line...)
	if err != nil {
		return measure.Sample{}, err
	}
	complaints := &tail{}
	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, complaints
	failure := command.Run()
	// It fails when there were errors too, and then says all the same which.
	var got measure.Sample
	if err := json.Unmarshal(output.Bytes(), &got); err != nil {
		return got, fmt.Errorf("the load generator: %w: %s", cmp.Or(failure, err), complaints)
	}
	return got, nil
}

// cleanSample is a sample, taken once more if it was noisy; the quieter one.
func (b *bench) cleanSample(ctx context.Context, s server, m mode, c cell) outcome {
	first := b.sample(ctx, s, m, c)
	if !first.good() || !first.Noisy {
		return first
	}
	second := b.sample(ctx, s, m, c)
	if !second.good() || second.Server.Foreign < first.Server.Foreign {
		return second
	}
	return first
}
