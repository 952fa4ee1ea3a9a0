//go:build linux

package main

import (
	"golang.org/x/sys/unix"

	"github.com/curio-go/curio/bench/internal/measure"
)

// A view is what the counters say at one edge of the window. What happened in
// the window is the difference of two.
type view struct {
	at       int64
	messages uint64
	vain     int64   // nanoseconds the workers polled for nothing
	self     float64 // CPU seconds of this process
	machine  float64 // CPU seconds of all processes
	server   usage
}

// look reads the counters: the slow ones first, so that what comes between the
// time and the messages is little.
func look(processes []int, workers []*worker) view {
	var v view
	v.machine = machineSeconds()
	for _, pid := range processes {
		v.server.add(process(pid))
	}
	v.self = clockSeconds(unix.CLOCK_PROCESS_CPUTIME_ID)
	v.at = clock()
	for _, w := range workers {
		v.messages += w.messages.Load()
		v.vain += w.vain.Load()
	}
	return v
}

// account sums up what the workers counted. They must have ended.
func account(result *measure.Sample, workers []*worker) {
	var latency histogram
	for _, w := range workers {
		latency.merge(&w.latency)
		result.Errors += w.errors
		result.Mismatches += w.mismatches
		result.Alive += int(w.alive.Load())
		result.Oldest = max(result.Oldest, microseconds(w.oldest))
	}
	result.P50 = latency.quantile(0.5) / 1e3
	result.P99 = latency.quantile(0.99) / 1e3
	result.P999 = latency.quantile(0.999) / 1e3
	result.Max = microseconds(latency.max)
}

// compare turns two views into rates.
func compare(result *measure.Sample, before, after view, size int) {
	result.Seconds = seconds(after.at - before.at)
	result.Messages = after.messages - before.messages
	if result.Seconds <= 0 || result.Messages == 0 {
		return
	}
	result.MessagesPerSecond = float64(result.Messages) / result.Seconds
	result.MegabytesPerSecond = result.MessagesPerSecond * float64(size) / 1e6
	self := after.self - before.self
	result.LoadBusy = max(0, self-seconds(after.vain-before.vain)) / result.Seconds

	server := after.server.minus(before.server)
	if server.cpu <= 0 {
		return // none was named, or one has ended
	}
	perMessage := 1e6 / float64(result.Messages)
	result.Server = &measure.Server{
		CPU:     server.cpu * perMessage,
		User:    server.user * perMessage,
		System:  server.system * perMessage,
		Busy:    server.cpu / result.Seconds,
		RSS:     after.server.rss,
		Foreign: max(0, after.machine-before.machine-server.cpu-self) / result.Seconds,
	}
}

func seconds(nanoseconds int64) float64 { return float64(nanoseconds) / 1e9 }

func microseconds(nanoseconds int64) float64 { return float64(nanoseconds) / 1e3 }
