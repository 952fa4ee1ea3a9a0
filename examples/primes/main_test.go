package main

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/process"
)

func TestMain(m *testing.M) {
	process.Main()
	testutil.Main(m, main)
}

func TestProgram(t *testing.T) {
	testutil.NoLeaks(t)
	for _, c := range []struct{ below, want string }{
		{"0", "no primes below 0\n"},
		{"2", "no primes below 2\n"},
		{"3", "1 primes below 3, the largest is 2\n"},
		{"10000000", "664579 primes below 10000000, the largest is 9999991\n"},
		{"20000000", "1270607 primes below 20000000, the largest is 19999999\n"}, // two spans
	} {
		child := testutil.Self(t, "-below", c.below, "-quiet")
		if said, status := child.Rest(); said != c.want || status != 0 || child.Stderr() != "" {
			t.Errorf("it said %q, complained %q and ended with %d; want %q", said, child.Stderr(), status, c.want)
		}
	}
}

// Pieces of any size add up to the same.
func TestSpans(t *testing.T) {
	testutil.NoLeaks(t)
	if err := curio.Run(t.Context(), func(ctx context.Context) error {
		for _, size := range []uint64{1 << 24, 5000, 997} {
			var out, progress bytes.Buffer
			if err := run(ctx, &out, &progress, 20_000, size); err != nil {
				return err
			}
			if out.String() != "2262 primes below 20000, the largest is 19997\n" || !strings.HasSuffix(progress.String(), "\rsearched 20000 of 20000\n") {
				t.Errorf("size %d: it said %q, %q", size, &out, &progress)
			}
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}

func TestSieve(t *testing.T) {
	prime := func(n uint64) bool {
		for d := uint64(2); d*d <= n; d++ {
			if n%d == 0 {
				return false
			}
		}
		return n >= 2
	}
	for from := range uint64(150) {
		var want found
		for to := from; to < 300; to++ {
			if got := sieve(from, to, primesUpTo(18)); got != want {
				t.Fatalf("from %d to %d: %+v, want %+v", from, to, got, want)
			}
			if prime(to) {
				want = found{want.Primes + 1, to}
			}
		}
	}
}

// searching starts a search without end, and waits until it has made progress.
func searching(t *testing.T) *testutil.Child {
	t.Helper()
	testutil.NoLeaks(t)
	child := testutil.Self(t, "-below", "1000000000000", "-grace", "1h")
	testutil.Await(t, "progress", func() bool { return strings.Contains(child.Stderr(), "\rsearched ") })
	return child
}

// At Ctrl-C what the workers are at is finished, and all of it is counted.
func TestInterrupt(t *testing.T) {
	child := searching(t)
	child.Interrupt()
	said := child.EndedBy(syscall.SIGINT)
	var got found
	var below uint64
	if _, err := fmt.Sscanf(said, "%d primes below %d, the largest is %d, when it was stopped\n", &got.Primes, &below, &got.Largest); err != nil || below%spanSize != 0 {
		t.Fatalf("it said %q: %v", said, err)
	}
	var want found
	small := primesUpTo(1_000_000)
	for from := uint64(0); from < below; from += blockSize {
		want.add(sieve(from, from+blockSize, small))
	}
	if got != want {
		t.Errorf("it found %+v below %d, and there are %+v", got, below, want)
	}
}

// At the second Ctrl-C it does not wait.
func TestInterruptedTwice(t *testing.T) {
	child := searching(t)
	child.Interrupt()
	_ = child.InterruptAgain()
	if said := child.EndedBy(syscall.SIGINT); !strings.Contains(said, ", when it was stopped\n") && !strings.Contains(said, ", before it was ended\n") {
		t.Errorf("it said %q", said)
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{{"-workers", "-1"}, {"-below", fmt.Sprint(uint64(most) + 1)}, {"-below", "many"}, {"10"}} {
		c := testutil.Self(t, args...)
		if said, status := c.Rest(); said != "" || status != 2 || !strings.Contains(c.Stderr(), "-grace duration") {
			t.Errorf("%q: it said %q, complained %q and ended with %d", args, said, c.Stderr(), status)
		}
	}
}
