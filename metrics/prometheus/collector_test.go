package curioprom_test

import (
	"bufio"
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	promtest "github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	curioprom "github.com/curio-go/curio/metrics/prometheus"
)

func TestMain(m *testing.M) { testutil.Main(m, func() {}) }

func Example() {
	registry := prometheus.NewRegistry() // or prometheus.DefaultRegisterer
	registry.MustRegister(curioprom.NewCollector())

	server := httptest.NewServer(promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	defer server.Close()
	response, err := http.Get(server.URL)
	if err != nil {
		log.Fatal(err)
	}
	defer response.Body.Close()
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "curio_tasks{") {
			fmt.Println(lines.Text())
		}
	}
	// Output:
	// curio_tasks{kind="daemon"} 0
	// curio_tasks{kind="main"} 0
	// curio_tasks{kind="service"} 0
	// curio_tasks{kind="task"} 0
}

// scraper returns a function that scrapes a server, and returns its samples by name and labels.
func scraper(t *testing.T) (scrape func() map[string]float64) {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(curioprom.NewCollector())
	server := httptest.NewServer(promhttp.HandlerFor(registry, promhttp.HandlerOpts{ErrorHandling: promhttp.HTTPErrorOnError}))
	t.Cleanup(server.Close)
	return func() map[string]float64 {
		response, err := server.Client().Get(server.URL)
		if err != nil {
			t.Error(err)
			return nil
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK {
			t.Errorf("scraping: %s", response.Status)
		}
		samples := map[string]float64{}
		for lines := bufio.NewScanner(response.Body); lines.Scan(); {
			line := lines.Text()
			if strings.HasPrefix(line, "#") {
				continue
			}
			end := strings.LastIndexByte(line, ' ')
			if samples[line[:end]], err = strconv.ParseFloat(line[end+1:], 64); err != nil {
				t.Errorf("%q: %v", line, err)
			}
		}
		return samples
	}
}

func TestScrape(t *testing.T) {
	scrape := scraper(t)
	before := scrape()
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
		now := scrape()
		for name, want := range map[string]float64{
			"curio_tasks_created_total":             3,
			`curio_tasks{kind="main"}`:              1,
			`curio_tasks{kind="daemon"}`:            1,
			`curio_tasks{kind="task"}`:              1,
			`curio_tasks_by_state{state="lock"}`:    1,
			`curio_tasks_by_state{state="thread"}`:  1,
			`curio_tasks_by_state{state="running"}`: 1,
			"curio_thread_calls":                    1,
			"curio_kernels":                         1,
		} {
			if got := now[name] - before[name]; got != want {
				t.Errorf("while tasks wait: %s has grown by %v, want %v", name, got, want)
			}
		}
		if _, err := waiting.Cancel(ctx); err != nil {
			return err
		}
		_ = curio.TimeoutAfter(ctx, 0, func(ctx context.Context) error { return curio.Sleep(ctx, 1) })
		if _, err := calling.Cancel(ctx); err != nil {
			return err
		}
		if n := scrape()["curio_thread_calls_abandoned"]; n != 1 {
			t.Errorf("%v calls are abandoned, want 1", n)
		}
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
	after := scrape()
	for name, want := range map[string]float64{
		"curio_tasks_ended_total":      4,
		"curio_tasks_failed_total":     1,
		"curio_tasks_panicked_total":   1,
		"curio_tasks_cancelled_total":  2,
		"curio_timeouts_expired_total": 1,
		"curio_tasks_stopping":         0,
		`curio_tasks{kind="task"}`:     0,
		"curio_kernels":                0,
	} {
		if got := after[name] - before[name]; got != want {
			t.Errorf("when all is over: %s has grown by %v, want %v", name, got, want)
		}
	}
	if len(after) != 28 || len(before) != 28 {
		t.Errorf("there are %d and then %d series, want 28 as the documentation says", len(before), len(after))
	}
}

// Prometheus's own rules for names, units and texts.
func TestLint(t *testing.T) {
	problems, err := promtest.CollectAndLint(curioprom.NewCollector())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// A task's name makes no series, however many there are.
func TestMillionNames(t *testing.T) {
	scrape := scraper(t)
	err := curio.Run(t.Context(), func(ctx context.Context) error {
		for i := range testutil.Times(1_000_000) {
			curio.Go(ctx, func(context.Context) error { return nil }, curio.Name("\xff\"}\n"+strconv.Itoa(i)))
			if i%10_000 == 0 {
				if n := len(scrape()); n != 28 {
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

// Several servers scrape at once, while tasks come and go.
func TestScrapesAtOnce(t *testing.T) {
	scrape := scraper(t)
	var scraping sync.WaitGroup
	err := curio.Run(t.Context(), func(ctx context.Context) error {
		for range 4 {
			scraping.Go(func() {
				last := 0.0
				for range testutil.Times(1000) {
					now := scrape()
					if created, ended := now["curio_tasks_created_total"], now["curio_tasks_ended_total"]; created < last || ended > created {
						t.Errorf("%v tasks were created and %v have ended, after %v", created, ended, last)
					} else {
						last = created
					}
				}
			})
		}
		over := make(chan struct{})
		go func() { scraping.Wait(); close(over) }()
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

func BenchmarkCollect(b *testing.B) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(curioprom.NewCollector())
	for b.Loop() {
		if _, err := registry.Gather(); err != nil {
			b.Fatal(err)
		}
	}
}
