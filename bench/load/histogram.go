//go:build linux

package main

import "math/bits"

// A histogram counts durations in nanoseconds in steps that grow with them:
// 2^precision steps per power of two, so a quantile is off by less than 0.4 %
// and counting is one increment. Its zero value is empty.
type histogram struct {
	counts [(64 - precision + 1) << precision]uint64
	total  uint64
	max    int64
}

const precision = 7

func (h *histogram) add(nanoseconds int64) {
	h.counts[bucket(uint64(nanoseconds))]++
	h.total++
	h.max = max(h.max, nanoseconds)
}

func (h *histogram) merge(other *histogram) {
	for i, n := range other.counts {
		h.counts[i] += n
	}
	h.total += other.total
	h.max = max(h.max, other.max)
}

// quantile returns the duration that a share q of those counted do not exceed,
// or 0 if none was counted.
func (h *histogram) quantile(q float64) float64 {
	want := max(1, uint64(q*float64(h.total)+0.5))
	seen := uint64(0)
	for i, n := range h.counts {
		if seen += n; seen >= want {
			return middle(i)
		}
	}
	return 0
}

// bucket returns the step that v falls into: itself while it is small, else
// its highest bits, after as many steps as the smaller powers of two have.
func bucket(v uint64) int {
	if v < 1<<precision {
		return int(v)
	}
	shift := bits.Len64(v) - 1 - precision
	return shift<<precision + int(v>>shift)
}

// middle returns the value in the middle of a step.
func middle(bucket int) float64 {
	if bucket < 2<<precision {
		return float64(bucket)
	}
	shift := bucket>>precision - 1
	low := uint64(bucket&(1<<precision-1)+1<<precision) << shift
	return float64(low) + float64(uint64(1)<<shift)/2
}
