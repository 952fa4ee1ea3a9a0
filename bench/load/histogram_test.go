//go:build linux

package main

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestHistogramQuantiles(t *testing.T) {
	source := rand.New(rand.NewPCG(1, 1))
	for name, next := range map[string]func() int64{
		"small":       func() int64 { return source.Int64N(300) },
		"uniform":     func() int64 { return source.Int64N(1_000_000) },
		"exponential": func() int64 { return int64(source.ExpFloat64() * 50_000) },
		"wide":        func() int64 { return 1 << source.Int64N(50) },
		"equal":       func() int64 { return 123_456 },
	} {
		t.Run(name, func(t *testing.T) {
			// In two halves, so that merging is tested as well.
			var halves [2]histogram
			var values []int64
			for i := range 20_000 {
				v := next()
				values = append(values, v)
				halves[i%2].add(v)
			}
			h := &halves[0]
			h.merge(&halves[1])
			slices.Sort(values)
			for _, q := range []float64{0, 0.5, 0.9, 0.99, 0.999, 1} {
				rank := max(1, int(q*float64(len(values))+0.5))
				want := float64(values[rank-1])
				if got := h.quantile(q); math.Abs(got-want) > want/256 {
					t.Errorf("quantile %g: got %g, want %g", q, got, want)
				}
			}
			if h.max != values[len(values)-1] || h.total != uint64(len(values)) {
				t.Errorf("max %d, total %d", h.max, h.total)
			}
		})
	}
}

func TestHistogramBounds(t *testing.T) {
	var h histogram
	if got := h.quantile(0.5); got != 0 {
		t.Errorf("of nothing: %g", got)
	}
	h.add(0)
	h.add(math.MaxInt64)
	if got := h.quantile(0); got != 0 {
		t.Errorf("the least: %g", got)
	}
	if last := bucket(math.MaxUint64); last != len(h.counts)-1 {
		t.Errorf("the last step is %d of %d", last, len(h.counts))
	}
}
