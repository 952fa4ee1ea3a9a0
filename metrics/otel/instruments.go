// Package curiootel exports the counts of curio.ReadStats to OpenTelemetry: how many tasks there have been, how they
// ended, and what the living ones wait for.
//
//	registration, err := curiootel.Register(provider)
//
// These are the instruments, all observable. Their attributes have a fixed set of values, so there are 28 series,
// whatever the program does: nothing is labelled by a task's name or number, of which there may be millions.
//
//	curio.task.created               counter of {task}, tasks spawned, main tasks included
//	curio.task.ended                 counter of {task}, tasks that have ended
//	curio.task.failed                counter of {task}, of these, with an error of their own or a panic
//	curio.task.panicked              counter of {task}, of these, with a panic
//	curio.task.cancelled             counter of {task}, of those that have ended, the ones that had been cancelled before
//	curio.timeout.expired            counter of {timeout}, deadlines that have passed
//	curio.task.count                 up-down counter of {task}, tasks now, by curio.task.kind: "task", "main", "daemon", "service"
//	curio.task.state.count           up-down counter of {task}, the same, by curio.task.state: "running", "sleep", "read", …
//	curio.task.stopping              up-down counter of {task}, tasks that have been cancelled and not ended yet
//	curio.thread.call.count          up-down counter of {call}, functions that run in threads
//	curio.thread.call.abandoned      up-down counter of {call}, of these, the ones whose caller has given up
//	curio.kernel.count               up-down counter of {kernel}, kernels that have not been shut down
//
// The documentation of [curio.Stats] defines what each of them counts, and the classes of states.
package curiootel

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/curio-go/curio"
)

// scope is the name of the instrumentation.
const scope = "github.com/curio-go/curio/metrics/otel"

// Register registers the whole process's counts as instruments of provider, or of the global
// provider (see [otel.GetMeterProvider]) if provider is nil. Call it once for each provider. The
// instruments are observed until Unregister of the registration is called.
//
// Each collection calls [curio.ReadStats] once, and costs as much: some 50 ms of processor time with
// 100,000 tasks. Between collections nothing is done. If the provider refuses an instrument, the
// error is the provider's, and none is registered.
func Register(provider metric.MeterProvider) (metric.Registration, error) {
	if provider == nil {
		provider = otel.GetMeterProvider()
	}
	i := maker{meter: provider.Meter(scope)}
	counters := []observed[uint64]{
		{i.counter("curio.task.created", "{task}", "Tasks that were spawned, main tasks included."), func(s *curio.Stats) uint64 { return s.Created }},
		{i.counter("curio.task.ended", "{task}", "Tasks that have ended."), func(s *curio.Stats) uint64 { return s.Ended }},
		{i.counter("curio.task.failed", "{task}", "Tasks that have ended with an error of their own or a panic."), func(s *curio.Stats) uint64 { return s.Failed }},
		{i.counter("curio.task.panicked", "{task}", "Tasks that have panicked."), func(s *curio.Stats) uint64 { return s.Panicked }},
		{i.counter("curio.task.cancelled", "{task}", "Tasks that had been cancelled when they ended."), func(s *curio.Stats) uint64 { return s.Cancelled }},
		{i.counter("curio.timeout.expired", "{timeout}", "Timeouts whose deadline has passed."), func(s *curio.Stats) uint64 { return s.TimeoutsExpired }},
	}
	numbers := []observed[int]{
		{i.number("curio.task.stopping", "{task}", "Tasks that have been cancelled and have not ended yet."), func(s *curio.Stats) int { return s.Stopping }},
		{i.number("curio.thread.call.count", "{call}", "Functions that run in threads."), func(s *curio.Stats) int { return s.ThreadCalls }},
		{i.number("curio.thread.call.abandoned", "{call}", "Functions that run in threads and whose caller has given up."), func(s *curio.Stats) int { return s.AbandonedCalls }},
		{i.number("curio.kernel.count", "{kernel}", "Kernels that have not been shut down."), func(s *curio.Stats) int { return s.Kernels }},
	}
	byKind := i.number("curio.task.count", "{task}", "Tasks that have not ended, by kind.")
	byState := i.number("curio.task.state.count", "{task}", "Tasks that have not ended, by what they do or wait for.")
	if i.failed != nil {
		return nil, i.failed
	}
	return i.meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		s := curio.ReadStats()
		for _, c := range counters {
			o.ObserveInt64(c.instrument, int64(c.value(&s)))
		}
		for _, n := range numbers {
			o.ObserveInt64(n.instrument, int64(n.value(&s)))
		}
		for kind, n := range s.ByKind {
			o.ObserveInt64(byKind, int64(n), metric.WithAttributes(attribute.String("curio.task.kind", string(kind))))
		}
		for state, n := range s.ByState {
			o.ObserveInt64(byState, int64(n), metric.WithAttributes(attribute.String("curio.task.state", state)))
		}
		return nil
	}, i.made...)
}

// An observed is an instrument without attributes.
type observed[T any] struct {
	instrument metric.Int64Observable
	value      func(*curio.Stats) T
}

// A maker makes instruments.
type maker struct {
	meter  metric.Meter
	made   []metric.Observable
	failed error
}

func (m *maker) counter(name, unit, description string) metric.Int64Observable {
	c, err := m.meter.Int64ObservableCounter(name, metric.WithUnit(unit), metric.WithDescription(description))
	m.add(c, err)
	return c
}

func (m *maker) number(name, unit, description string) metric.Int64Observable {
	c, err := m.meter.Int64ObservableUpDownCounter(name, metric.WithUnit(unit), metric.WithDescription(description))
	m.add(c, err)
	return c
}

func (m *maker) add(o metric.Observable, err error) {
	m.made = append(m.made, o)
	m.failed = errors.Join(m.failed, err)
}
