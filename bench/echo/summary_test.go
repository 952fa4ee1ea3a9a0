//go:build linux

package main

import (
	"strings"
	"testing"

	"github.com/curio-go/curio/bench/internal/measure"
	"github.com/curio-go/curio/bench/internal/tables"
)

func sampled(rate, cpu float64) outcome {
	return outcome{Sample: measure.Sample{MessagesPerSecond: rate, Server: &measure.Server{CPU: cpu}}}
}

func noisy(o outcome) outcome {
	o.Noisy = true
	return o
}

func TestSummarise(t *testing.T) {
	rounds := []round{
		{"ref": sampled(100, 10), "mine": sampled(150, 5)},
		{"ref": sampled(200, 20), "mine": sampled(200, 20)},
		{"ref": sampled(50, 30), "mine": sampled(100, 15)},
		{"ref": sampled(1, 1), "mine": noisy(sampled(1000, 1))},
		{"ref": noisy(sampled(1, 1)), "mine": sampled(160, 5)},
		{"ref": sampled(1, 1), "mine": failed("broke")},
		{"ref": failed("broke"), "mine": sampled(170, 5)},
		{"ref": sampled(1, 1)},
	}
	got := summarise(rounds, "mine", "ref")
	if *got.RateRatio != (tables.Spread{Median: 1.5, Min: 1, Max: 2}) {
		t.Errorf("rate ratio %v", *got.RateRatio)
	}
	if *got.CPURatio != (tables.Spread{Median: 0.5, Min: 0.5, Max: 1}) {
		t.Errorf("CPU ratio %v", *got.CPURatio)
	}
	if *got.Rate != (tables.Spread{Median: 160, Min: 100, Max: 200}) {
		t.Errorf("rate %v", *got.Rate)
	}
	if got.Samples != 7 || got.Failed != 1 || got.Noisy != 1 || got.Why != "broke" {
		t.Errorf("got %+v", got)
	}
}

// TestSummariseNoisy has no clean sample: noisy figures are better than none.
func TestSummariseNoisy(t *testing.T) {
	rounds := []round{{"ref": noisy(sampled(100, 10)), "mine": sampled(150, 5)}}
	if got := summarise(rounds, "mine", "ref"); *got.RateRatio != (tables.Spread{Median: 1.5, Min: 1.5, Max: 1.5}) {
		t.Errorf("rate ratio %v", *got.RateRatio)
	}
	if got := summarise(rounds, "ref", "ref"); *got.Rate != (tables.Spread{Median: 100, Min: 100, Max: 100}) || got.Noisy != 1 {
		t.Errorf("got %+v", got)
	}
}

func TestMarkdown(t *testing.T) {
	r := &report{Ref: "ref", servers: []server{{name: "ref"}, {name: "mine"}, {name: "none"}, {name: "absent", missing: "no module"}}}
	r.add(mode{name: "1cpu"}, cell{64, 128}, []round{
		{"ref": sampled(1000, 10), "mine": sampled(1500, 5), "none": failed("broke")},
		{"ref": sampled(1000, 10), "mine": sampled(1700, 5), "none": failed("broke")},
	})
	text := r.markdown()
	for _, want := range []string{
		"### 1cpu",
		"| connections × bytes | server |            msg/s |            ÷ ref | CPU µs/msg |            ÷ ref | p99 µs | RSS MiB | noisy |",
		"|---------------------|--------|-----------------:|",
		"| 64 × 128            | mine   | 1600 [1500–1700] | 1.60 [1.50–1.70] |       5.00 | 0.50 [0.50–0.50] |",
		"| 64 × 128            | none   |                - |                - |          - |",
		"| 64 × 128            | absent |        not there |                - |          - |",
		"1cpu 64x128 none: 2 of 2 samples failed: broke",
		"absent is not there: no module\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}
