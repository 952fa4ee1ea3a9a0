// Package curioprom exports the counts of curio.ReadStats to Prometheus: how many tasks there have been, how they
// ended, and what the living ones wait for.
//
//	registry.MustRegister(curioprom.NewCollector())
//
// These are the metrics. Their labels have a fixed set of values, so there are 28 series, whatever the program does:
// nothing is labelled by a task's name or number, of which there may be millions.
//
//	curio_tasks_created_total      tasks spawned, main tasks included
//	curio_tasks_ended_total        tasks that have ended
//	curio_tasks_failed_total       of these, with an error of their own or a panic
//	curio_tasks_panicked_total     of these, with a panic
//	curio_tasks_cancelled_total    of those that have ended, the ones that had been cancelled before
//	curio_timeouts_expired_total   deadlines that have passed
//	curio_tasks{kind}              tasks now: "task", "main", "daemon", "service"
//	curio_tasks_by_state{state}    the same tasks by what they do: "running", "sleep", "read", "lock", …
//	curio_tasks_stopping           tasks that have been cancelled and not ended yet
//	curio_thread_calls             functions that run in threads
//	curio_thread_calls_abandoned   of these, the ones whose caller has given up
//	curio_kernels                  kernels that have not been shut down
//
// The documentation of [curio.Stats] defines what each of them counts, and the classes of states.
package curioprom

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/curio-go/curio"
)

// NewCollector returns a collector of the whole process's counts, to be registered once. Each scrape
// calls [curio.ReadStats], and costs as much: some 50 ms of processor time with 100,000 tasks.
// Between scrapes it does nothing. It is safe for concurrent use.
func NewCollector() prometheus.Collector { return collector{} }

type collector struct{}

// A counter or gauge without labels.
type single struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(*curio.Stats) float64
}

func counter(name, help string, value func(*curio.Stats) uint64) single {
	return single{newDesc(name, help), prometheus.CounterValue, func(s *curio.Stats) float64 { return float64(value(s)) }}
}

func gauge(name, help string, value func(*curio.Stats) int) single {
	return single{newDesc(name, help), prometheus.GaugeValue, func(s *curio.Stats) float64 { return float64(value(s)) }}
}

func newDesc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("curio_"+name, help, labels, nil)
}

var singles = []single{
	counter("tasks_created_total", "Tasks that were spawned, main tasks included.", func(s *curio.Stats) uint64 { return s.Created }),
	counter("tasks_ended_total", "Tasks that have ended.", func(s *curio.Stats) uint64 { return s.Ended }),
	counter("tasks_failed_total", "Tasks that have ended with an error of their own or a panic.", func(s *curio.Stats) uint64 { return s.Failed }),
	counter("tasks_panicked_total", "Tasks that have panicked.", func(s *curio.Stats) uint64 { return s.Panicked }),
	counter("tasks_cancelled_total", "Tasks that had been cancelled when they ended.", func(s *curio.Stats) uint64 { return s.Cancelled }),
	counter("timeouts_expired_total", "Timeouts whose deadline has passed.", func(s *curio.Stats) uint64 { return s.TimeoutsExpired }),
	gauge("tasks_stopping", "Tasks that have been cancelled and have not ended yet.", func(s *curio.Stats) int { return s.Stopping }),
	gauge("thread_calls", "Functions that run in threads.", func(s *curio.Stats) int { return s.ThreadCalls }),
	gauge("thread_calls_abandoned", "Functions that run in threads and whose caller has given up.", func(s *curio.Stats) int { return s.AbandonedCalls }),
	gauge("kernels", "Kernels that have not been shut down.", func(s *curio.Stats) int { return s.Kernels }),
}

var (
	byKind  = newDesc("tasks", "Tasks that have not ended, by kind.", "kind")
	byState = newDesc("tasks_by_state", "Tasks that have not ended, by what they do or wait for.", "state")
)

// Describe implements prometheus.Collector.
func (collector) Describe(to chan<- *prometheus.Desc) {
	for _, s := range singles {
		to <- s.desc
	}
	to <- byKind
	to <- byState
}

// Collect implements prometheus.Collector.
func (collector) Collect(to chan<- prometheus.Metric) {
	stats := curio.ReadStats()
	for _, s := range singles {
		to <- prometheus.MustNewConstMetric(s.desc, s.kind, s.value(&stats))
	}
	for kind, n := range stats.ByKind {
		to <- prometheus.MustNewConstMetric(byKind, prometheus.GaugeValue, float64(n), string(kind))
	}
	for state, n := range stats.ByState {
		to <- prometheus.MustNewConstMetric(byState, prometheus.GaugeValue, float64(n), state)
	}
}
