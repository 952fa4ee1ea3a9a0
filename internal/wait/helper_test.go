package wait_test

import (
	"context"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/curio-go/curio/internal/wait"
)

// newTask returns the scope of a task in a kernel of its own.
func newTask(tb testing.TB) *wait.Owner {
	tb.Helper()
	return taskUnder(tb, wait.NewKernel())
}

func taskUnder(tb testing.TB, ctx context.Context) *wait.Owner {
	tb.Helper()
	o := new(wait.Owner)
	if !o.InitTask(ctx, wait.Default) {
		tb.Fatal("the kernel is closed")
	}
	return o
}

func cancel(s *wait.Scope) bool { return s.Cancel(wait.NewCause(s, wait.Cancelled, nil)) }

// A box is the smallest object that can be waited for: it holds tokens.
type box struct {
	mu      sync.Mutex
	tokens  int
	waiters wait.List
}

// take gets a token.
func (b *box) take(ctx context.Context) error {
	p, err := wait.At(ctx)
	if err != nil {
		return err
	}
	return b.takeAt(p)
}

func (b *box) takeAt(p wait.Place) error {
	b.mu.Lock()
	if b.tokens > 0 {
		b.tokens--
		b.mu.Unlock()
		return nil
	}
	if p.Untrusted() {
		b.mu.Unlock()
		return p.Follow(b.takeAt)
	}
	w := p.Waiter("BOX", b)
	b.waiters.Push(w)
	b.mu.Unlock()
	ok := w.Wait()
	if !ok {
		b.mu.Lock()
		b.waiters.Remove(w)
		b.mu.Unlock()
	}
	w.Free()
	if !ok {
		return p.Failure()
	}
	return nil
}

// put hands a token to the longest waiting, or keeps it.
func (b *box) put() {
	b.mu.Lock()
	w := b.waiters.Pop()
	if w == nil {
		b.tokens++
	}
	b.mu.Unlock()
	if w != nil {
		w.Wake()
	}
}

func (b *box) state() (tokens, waiters int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.tokens, b.waiters.Len()
}

// until spins until cond holds; it is for conditions that are certain to come.
func until(tb testing.TB, what string, cond func() bool) {
	tb.Helper()
	for start := time.Now(); !cond(); runtime.Gosched() {
		if time.Since(start) > 30*time.Second {
			tb.Fatalf("waited in vain for: %s", what)
		}
	}
}

func TestMain(m *testing.M) {
	code := m.Run()
	if code == 0 {
		code = leftGoroutines()
	}
	os.Exit(code)
}

// leftGoroutines fails the run if a goroutine of ours outlives the tests.
func leftGoroutines() int {
	var left string
	for range 1000 {
		buf := make([]byte, 1<<20)
		left = ""
		for g := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
			if strings.Contains(g, "curio-go/curio/internal/wait") && !strings.Contains(g, "TestMain") {
				left = g
			}
		}
		if left == "" {
			return 0
		}
		runtime.Gosched()
	}
	println("a goroutine is left:\n" + left)
	return 1
}
