package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/channel"
	"github.com/curio-go/curio/internal/testutil"
)

func TestMain(m *testing.M) { testutil.Main(m, main) }

var testKey = []byte("a key for tests, of 32 bytes ...")

// keyFile makes a file with a key.
func keyFile(t *testing.T, key []byte) string {
	t.Helper()
	return testutil.WriteFile(t, "key", key)
}

// freeAddress returns an address at which nobody listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// sums is what a producer prints of six numbers.
const sums = `1000001 = 101 × 9901
1000002 = 2 × 3 × 166667
1000003 = 1000003
1000004 = 2 × 2 × 53 × 53 × 89
1000005 = 3 × 5 × 163 × 409
1000006 = 2 × 7 × 71429
`

func ends(t *testing.T, c *testutil.Child, want string, code int) {
	t.Helper()
	if printed, status := c.Rest(); printed != want || status != code {
		t.Errorf("it printed %q and ended with status %d, want %q and %d; standard error:\n%s", printed, status, want, code, c.Stderr())
	}
}

// endsAny is ends for lines in any order: a number that somebody else had first comes later.
func endsAny(t *testing.T, c *testutil.Child, want string) {
	t.Helper()
	printed, status := c.Rest()
	if got := strings.Join(slices.Sorted(strings.Lines(printed)), ""); got != want || status != 0 {
		t.Errorf("it printed %q and ended with status %d, want %q and 0", printed, status, want)
	}
}

// factored is what a consumer prints of six numbers.
func factored(from int) string {
	var text strings.Builder
	for n := from; n <= 1_000_006; n++ {
		fmt.Fprintln(&text, "factoring", n)
	}
	return text.String()
}

// The consumer is there first, and waits for the producer.
func TestBothInGo(t *testing.T) {
	testutil.NoLeaks(t)
	key, addr := keyFile(t, testKey), freeAddress(t)
	consumer := testutil.Self(t, "-key", key, "-addr", addr, "consume")
	producer := testutil.Self(t, "-key", key, "-addr", addr, "-count", "6", "produce")
	producer.After("listening on " + addr)
	ends(t, producer, sums, 0)
	ends(t, consumer, factored(1_000_001), 0)
}

func TestProducerInGo(t *testing.T) {
	testutil.Need(t, "python3")
	testutil.NoLeaks(t)
	key := keyFile(t, testKey)
	producer := testutil.Self(t, "-key", key, "-addr", "127.0.0.1:0", "-count", "6", "produce")
	addr := producer.After("listening on ")
	wrong := testutil.Program(t, "python3", "consumer.py", "--key", keyFile(t, []byte("not the key at all")), "--addr", addr)
	if status := wrong.Wait(); status == 0 || !strings.Contains(wrong.Stderr(), "AuthenticationError") {
		t.Errorf("with another key it ended with status %d: %s", status, wrong.Stderr())
	}
	consumer := testutil.Program(t, "python3", "consumer.py", "--key", key, "--addr", addr)
	ends(t, producer, sums, 0)
	ends(t, consumer, factored(1_000_001), 0)
}

func TestProducerInPython(t *testing.T) {
	testutil.Need(t, "python3")
	testutil.NoLeaks(t)
	key := keyFile(t, testKey)
	producer := testutil.Program(t, "python3", "producer.py", "--key", key, "--addr", "127.0.0.1:0", "--count", "6")
	addr := producer.After("listening on ")
	wrong := testutil.Self(t, "-key", keyFile(t, []byte("not the key at all")), "-addr", addr, "consume")
	refused(t, wrong)
	first := testutil.Self(t, "-key", key, "-addr", addr, "-pace", "1h", "-grace", "1h", "consume")
	first.After("factoring 1000001")
	first.Kill()
	second := testutil.Self(t, "-key", key, "-addr", addr, "consume")
	ends(t, producer, sums, 0)
	ends(t, second, factored(1_000_001), 0)
}

// The few lines of Python in docs/processes.md do what is said there.
func TestDocumentedPython(t *testing.T) {
	testutil.Need(t, "python3")
	testutil.NoLeaks(t)
	text, err := os.ReadFile("../../docs/processes.md")
	if err != nil {
		t.Fatal(err)
	}
	_, program, ok := strings.Cut(string(text), "```python\n")
	program, _, end := strings.Cut(program, "```")
	if !ok || !end {
		t.Fatal("there is no Python")
	}
	addr := freeAddress(t)
	_, port, _ := strings.Cut(addr, ":")
	program = strings.NewReplacer("25003", port, `"key"`, strconv.Quote(keyFile(t, testKey))).Replace(program)
	python := testutil.Program(t, "python3", "-c", program)
	conn, err := channel.Connect(t.Context(), "tcp", addr, &channel.Config{Key: testKey})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var sum int
	if err := errors.Join(conn.Send(t.Context(), map[string][]int{"Inputs": {1, 2, 3}}), conn.Recv(t.Context(), &sum)); err != nil || sum != 6 {
		t.Errorf("the sum is %d, %v", sum, err)
	}
	ends(t, python, "", 0)
}

// refused checks that a consumer is refused, and is told nothing but that.
func refused(t *testing.T, c *testutil.Child) {
	t.Helper()
	if printed, status := c.Rest(); printed != "" || status != 1 || !strings.Contains(c.Stderr(), "refused") {
		t.Errorf("with another key it printed %q and ended with status %d: %s", printed, status, c.Stderr())
	}
}

// Consumers that die, say nothing or have another key cost nothing.
func TestBadConsumers(t *testing.T) {
	testutil.NoLeaks(t)
	key := keyFile(t, testKey)
	producer := testutil.Self(t, "-key", key, "-addr", "127.0.0.1:0", "-count", "6", "produce")
	addr := producer.After("listening on ")
	refused(t, testutil.Self(t, "-key", keyFile(t, []byte("not the key at all")), "-addr", addr, "consume"))

	testutil.Dial(t, addr) // and says nothing
	dead := testutil.Self(t, "-key", key, "-addr", addr, "-pace", "1h", "consume")
	dead.After("factoring 1000001")
	dead.Kill()

	good := testutil.Self(t, "-key", key, "-addr", addr, "consume")
	ends(t, producer, sums, 0)
	if said := producer.Stderr(); !strings.Contains(said, "1000001 is for another consumer") {
		t.Errorf("the producer said %q", said)
	}
	endsAny(t, good, factored(1_000_001))
}

// A consumer that has no time for its number does not keep it.
func TestSlow(t *testing.T) {
	testutil.NoLeaks(t)
	cfg := &channel.Config{Key: testKey}
	ctx := t.Context()
	l, err := channel.Listen(ctx, "tcp", "127.0.0.1:0", cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	slow := curio.Spawn(ctx, func(ctx context.Context) (*channel.Conn, error) {
		return channel.Connect(ctx, "tcp", l.LocalAddr().String(), cfg)
	})
	conn, err := l.Accept(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	p := newProducer(&settings{first: 2, count: 3, within: time.Millisecond})
	if err := p.feed(ctx, conn); err != nil || p.open.Len() != 3 {
		t.Errorf("feed: %v; there are %d items", err, p.open.Len())
	}
	if other, err := slow.Join(ctx); err != nil || other.Close() != nil {
		t.Error(err)
	}
}

// A consumer that lies is found out.
func TestNonsense(t *testing.T) {
	for name, answers := range map[string][]answer{
		"no factor":       {{ID: 0, Factors: []int64{7, 142857}}},
		"zero":            {{ID: 0, Factors: []int64{0}}},
		"something left":  {{ID: 0, Factors: []int64{101}}},
		"another item's":  {{ID: 1, Factors: []int64{101, 9901}}},
		"right and wrong": {{ID: 0, Factors: []int64{101, 9901}}, {ID: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			testutil.NoLeaks(t)
			key := keyFile(t, testKey)
			producer := testutil.Self(t, "-key", key, "-addr", "127.0.0.1:0", "-count", "6", "produce")
			addr := producer.After("listening on ")
			bad, err := channel.Connect(t.Context(), "tcp", addr, &channel.Config{Key: testKey})
			if err != nil {
				t.Fatal(err)
			}
			defer bad.Close()
			for _, a := range answers {
				var it item
				if err := errors.Join(bad.Recv(t.Context(), &it), bad.Send(t.Context(), a)); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := bad.RecvBytes(t.Context()); err != io.EOF {
				t.Errorf("the producer goes on: %v", err)
			}
			good := testutil.Self(t, "-key", key, "-addr", addr, "consume")
			ends(t, producer, sums, 0)
			endsAny(t, good, factored(1_000_000+len(answers)))
			if said := producer.Stderr(); !strings.Contains(said, errNonsense.Error()) {
				t.Errorf("it said %q", said)
			}
		})
	}
}

// A program that waits stops at the first Ctrl-C, a consumer that has a number at the second.
func TestInterrupt(t *testing.T) {
	testutil.NoLeaks(t)
	key := keyFile(t, testKey)
	producer := testutil.Self(t, "-key", key, "-addr", "127.0.0.1:0", "-count", "1", "produce")
	addr := producer.After("listening on ")
	busy := testutil.Self(t, "-key", key, "-addr", addr, "-pace", "1h", "-grace", "1h", "consume")
	busy.After("factoring 1000001")
	idle := testutil.Self(t, "-key", key, "-addr", addr, "consume")
	early := testutil.Self(t, "-key", key, "-addr", testutil.Refusing(t), "consume")
	for _, c := range []*testutil.Child{idle, early, producer} {
		c.Interrupt()
		if said := c.EndedBy(syscall.SIGINT); said != "" {
			t.Errorf("it said %q", said)
		}
	}
	busy.Interrupt()
	if status := busy.InterruptAgain(); status != -1 {
		t.Errorf("it ended with status %d", status)
	}
}

func TestFactor(t *testing.T) {
	for n, want := range map[int64][]int64{2: {2}, 3: {3}, 4: {2, 2}, 91: {7, 13}, largest: slices.Concat(slices.Repeat([]int64{2}, 12), slices.Repeat([]int64{5}, 12))} {
		if got := factor(n); !slices.Equal(got, want) {
			t.Errorf("the factors of %d: %d", n, got)
		}
	}
}

func TestBadInput(t *testing.T) {
	testutil.NoLeaks(t)
	key, open := keyFile(t, testKey), keyFile(t, testKey)
	if err := os.Chmod(open, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		said string
		code int
	}{
		{[]string{"-key", filepath.Join(t.TempDir(), "missing"), "produce"}, "no such file", 1},
		{[]string{"-key", t.TempDir(), "produce"}, "not a regular file", 1},
		{[]string{"-key", open, "produce"}, "open to other users", 1},
		{[]string{"-key", keyFile(t, []byte("short")), "consume"}, "5 bytes", 1},
		{[]string{"-key", keyFile(t, make([]byte, longestKey+1)), "consume"}, "4096", 1},
		{[]string{"produce"}, "Usage", 2},
		{[]string{"-key", key}, "Usage", 2},
		{[]string{"-key", key, "eat"}, "Usage", 2},
		{[]string{"-key", key, "produce", "more"}, "Usage", 2},
		{[]string{"-key", key, "-count", "0", "produce"}, "Usage", 2},
		{[]string{"-key", key, "-first", "1", "produce"}, "Usage", 2},
		{[]string{"-key", key, "-addr", testutil.Refusing(t), "-patience", "1ms", "consume"}, "connect", 1},
	} {
		child := testutil.Self(t, c.args...)
		if printed, status := child.Rest(); printed != "" || status != c.code || !strings.Contains(child.Stderr(), c.said) {
			t.Errorf("%q: it printed %q, said %q and ended with status %d", c.args, printed, child.Stderr(), status)
		}
	}
}
