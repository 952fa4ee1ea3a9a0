package curiootel_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"strconv"
	"strings"
	"sync"
	"testing"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	curiootel "github.com/curio-go/curio/metrics/otel"
)

func TestMain(m *testing.M) { testutil.Main(m, func() {}) }

func Example() {
	reader := sdk.NewManualReader() // or the reader of an exporter
	provider := sdk.NewMeterProvider(sdk.WithReader(reader))
	registration, err := curiootel.Register(provider)
	if err != nil {
		log.Fatal(err)
	}
	defer registration.Unregister()

	var found metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &found); err != nil {
		log.Fatal(err)
	}
	for _, m := range found.ScopeMetrics[0].Metrics {
		if m.Name == "curio.kernel.count" {
			fmt.Println(m.Name, m.Data.(metricdata.Sum[int64]).DataPoints[0].Value)
		}
	}
	// Output: curio.kernel.count 1
}

// collector returns a function that collects, and returns the values by name and attributes.
func collector(t *testing.T) (collect func() map[string]int64) {
	t.Helper()
	reader := sdk.NewManualReader()
	provider := sdk.NewMeterProvider(sdk.WithReader(reader))
	registration, err := curiootel.Register(provider)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := registration.Unregister(); err != nil {
			t.Error(err)
		}
		if values := values(t, reader); len(values) > 0 {
			t.Errorf("after Unregister there are %v", values)
		}
		if err := provider.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return func() map[string]int64 { return values(t, reader) }
}

// values collects from reader.
func values(t *testing.T, reader sdk.Reader) map[string]int64 {
	t.Helper()
	var found metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &found); err != nil {
		t.Error(err)
	}
	all := map[string]int64{}
	for _, scope := range found.ScopeMetrics {
		for _, m := range scope.Metrics {
			sum, ok := m.Data.(metricdata.Sum[int64])
			if !ok {
				t.Errorf("%s is a %T", m.Name, m.Data)
				continue
			}
			last := m.Name[strings.LastIndexByte(m.Name, '.')+1:]
			counts := strings.Contains("created ended failed panicked cancelled expired", last)
			if sum.IsMonotonic != counts || sum.Temporality != metricdata.CumulativeTemporality {
				t.Errorf("%s: monotonic is %v, temporality is %v", m.Name, sum.IsMonotonic, sum.Temporality)
			}
			if !strings.HasPrefix(m.Unit, "{") || m.Description == "" {
				t.Errorf("%s has unit %q and description %q", m.Name, m.Unit, m.Description)
			}
			for _, p := range sum.DataPoints {
				var name strings.Builder
				name.WriteString(m.Name)
				for _, a := range p.Attributes.ToSlice() {
					name.WriteString(" " + string(a.Key) + "=" + a.Value.AsString())
				}
				all[name.String()] = p.Value
			}
		}
	}
	return all
}

func TestCollect(t *testing.T) {
	collect := collector(t)
	before := collect()
	release := make(chan struct{})
	err := curio.Run(t.Context(), func(ctx context.Context) error {
		var lock curio.Lock
		if err := lock.Acquire(ctx); err != nil {
			return err
		}
		waiting := curio.Go(ctx, lock.Acquire, curio.Daemon())
		calling := curio.Go(ctx, func(ctx context.Context) error {
			_, err := curio.RunInThread(ctx, func() (int, error) { <-release; return 0, nil })
			return err
		})
		testutil.Await(t, "a waiter", func() bool { return waiting.State() == "LOCK_ACQUIRE" && calling.State() == "THREAD_CALL" })
		grown(t, before, collect(), map[string]int64{
			"curio.task.created":                              3,
			"curio.task.count curio.task.kind=main":           1,
			"curio.task.count curio.task.kind=daemon":         1,
			"curio.task.count curio.task.kind=task":           1,
			"curio.task.state.count curio.task.state=lock":    1,
			"curio.task.state.count curio.task.state=thread":  1,
			"curio.task.state.count curio.task.state=running": 1,
			"curio.thread.call.count":                         1,
			"curio.kernel.count":                              1,
		})
		if _, err := waiting.Cancel(ctx); err != nil {
			return err
		}
		_ = curio.TimeoutAfter(ctx, 0, func(ctx context.Context) error { return curio.Sleep(ctx, 1) })
		if _, err := calling.Cancel(ctx); err != nil {
			return err
		}
		grown(t, before, collect(), map[string]int64{"curio.thread.call.abandoned": 1})
		close(release)
		_, err := curio.Go(ctx, func(context.Context) error { panic("boom") }, curio.ReportCrash(false)).Join(ctx)
		if err == nil {
			t.Error("a panic is no error")
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	after := collect()
	grown(t, before, after, map[string]int64{
		"curio.task.ended":                      4,
		"curio.task.failed":                     1,
		"curio.task.panicked":                   1,
		"curio.task.cancelled":                  2,
		"curio.timeout.expired":                 1,
		"curio.task.stopping":                   0,
		"curio.task.count curio.task.kind=task": 0,
		"curio.kernel.count":                    0,
	})
	if len(after) != 28 || len(before) != 28 {
		t.Errorf("there are %d and then %d series, want 28 as the documentation says", len(before), len(after))
	}
}

// grown checks by how much values have grown.
func grown(t *testing.T, before, after, want map[string]int64) {
	t.Helper()
	for name, n := range want {
		was, there := before[name]
		if is, stays := after[name]; is-was != n || !there || !stays {
			t.Errorf("%s was %d and is %d, want %d more", name, was, is, n)
		}
	}
}

// A task's name makes no series, however many there are.
func TestMillionNames(t *testing.T) {
	collect := collector(t)
	err := curio.Run(t.Context(), func(ctx context.Context) error {
		for i := range testutil.Times(1_000_000) {
			curio.Go(ctx, func(context.Context) error { return nil }, curio.Name("\xff="+strconv.Itoa(i)))
			if i%10_000 == 0 {
				if n := len(collect()); n != 28 {
					return fmt.Errorf("there are %d series, want 28", n)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// Without a provider it is the global one.
func TestGlobalProvider(t *testing.T) {
	reader := sdk.NewManualReader()
	before := otel.GetMeterProvider()
	otel.SetMeterProvider(sdk.NewMeterProvider(sdk.WithReader(reader)))
	defer otel.SetMeterProvider(before)
	registration, err := curiootel.Register(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer registration.Unregister()
	if n := len(values(t, reader)); n != 28 {
		t.Errorf("there are %d series, want 28", n)
	}
}

// Several readers collect at once, while tasks come and go.
func TestCollectsAtOnce(t *testing.T) {
	err := curio.Run(t.Context(), func(ctx context.Context) error {
		var collecting sync.WaitGroup
		for range 4 {
			collect := collector(t)
			collecting.Go(func() {
				last := int64(0)
				for range testutil.Times(1000) {
					now := collect()
					if created, ended := now["curio.task.created"], now["curio.task.ended"]; created < last || ended > created {
						t.Errorf("%d tasks were created and %d have ended, after %d", created, ended, last)
					} else {
						last = created
					}
				}
			})
		}
		over := make(chan struct{})
		go func() { collecting.Wait(); close(over) }()
		for {
			select {
			case <-over:
				return nil
			default:
				if _, err := curio.Go(ctx, func(context.Context) error { return nil }).Join(ctx); err != nil {
					return err
				}
			}
		}
	})
	if err != nil {
		t.Error(err)
	}
}

// A provider that refuses an instrument is not registered with half of them.
func TestRefused(t *testing.T) {
	registration, err := curiootel.Register(refusing{})
	if !errors.Is(err, errRefused) || registration != nil {
		t.Errorf("Register: %v, %v; want no registration and %v", registration, err, errRefused)
	}
}

var errRefused = errors.New("no such instrument")

// refusing is a provider whose meters have no up-down counters.
type refusing struct{ noop.MeterProvider }

func (refusing) Meter(string, ...metric.MeterOption) metric.Meter { return refusingMeter{} }

type refusingMeter struct{ noop.Meter }

func (refusingMeter) Int64ObservableUpDownCounter(string, ...metric.Int64ObservableUpDownCounterOption) (metric.Int64ObservableUpDownCounter, error) {
	return nil, errRefused
}

func (refusingMeter) RegisterCallback(metric.Callback, ...metric.Observable) (metric.Registration, error) {
	panic("a callback for instruments that there are not")
}
