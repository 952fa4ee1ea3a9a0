package main

import (
	"context"
	"math"

	"github.com/curio-go/curio/process"
)

// A span is the numbers that a worker searches in one call.
type span struct {
	From, To uint64 // without To
}

// A found is what there is in a span.
type found struct {
	Primes  int
	Largest uint64
}

func (f *found) add(more found) {
	f.Primes += more.Primes
	if more.Primes > 0 {
		f.Largest = more.Largest
	}
}

// search runs in a worker process.
var search = process.Register("search", searchSpan)

const blockSize = 1 << 20 // numbers that are sieved at a time, in memory that fits into a processor's cache

// searchSpan sieves a span block by block. Between two blocks it says how many numbers are done, and asks
// whether anybody is still interested.
func searchSpan(ctx context.Context, s span) (all found, err error) {
	small := primesUpTo(uint64(math.Sqrt(float64(s.To))) + 1)
	for from := s.From; from < s.To; from += blockSize {
		to := min(from+blockSize, s.To)
		all.add(sieve(from, to, small))
		if err := process.Report(ctx, to-from); err != nil {
			return all, err
		}
		if err := ctx.Err(); err != nil {
			return all, err
		}
	}
	return all, nil
}

// sieve counts the primes in from <= n < to. It is given the primes up to the root of to.
func sieve(from, to uint64, small []uint64) (f found) {
	composite := make([]bool, to-from)
	for _, p := range small {
		if p*p >= to {
			break
		}
		for n := max(p*p, (from+p-1)/p*p); n < to; n += p {
			composite[n-from] = true
		}
	}
	for n := max(from, 2); n < to; n++ {
		if !composite[n-from] {
			f.Primes++
			f.Largest = n
		}
	}
	return f
}

func primesUpTo(most uint64) (primes []uint64) {
	composite := make([]bool, most+1)
	for n := uint64(2); n <= most; n++ {
		if composite[n] {
			continue
		}
		primes = append(primes, n)
		for m := n * n; m <= most; m += n {
			composite[m] = true
		}
	}
	return primes
}
