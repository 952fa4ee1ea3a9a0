package process_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/process"
)

// What Map takes from its iterator, and what becomes of the rest.

// A source yields numbers, and counts them. It has an end only if most is not 0.
type source struct {
	most  int
	taken atomic.Int64
	ended atomic.Bool // the iterator has returned
}

func (s *source) all() iter.Seq[int] {
	return func(yield func(int) bool) {
		defer s.ended.Store(true)
		for n := 0; s.most == 0 || n < s.most; n++ {
			s.taken.Add(1)
			if !yield(n) {
				return
			}
		}
	}
}

// cpython#74028, #131466: Map takes no more arguments than twice as many as there are workers, counting those
// whose result has not been yielded yet.
func TestMapIsBounded(t *testing.T) {
	for _, workers := range []int{1, 2, 3} {
		for name, opts := range map[string][]process.Option{"ordered": nil, "unordered": {process.Unordered()}} {
			t.Run(fmt.Sprintf("%d workers, %s", workers, name), func(t *testing.T) {
				inPool(t, process.Config{Workers: workers}, func(ctx context.Context, p *process.Pool) {
					s := &source{most: 30}
					got := 0
					var results []int
					for n, err := range process.Map(ctx, double, s.all(), append(opts, process.In(p))...) {
						check(t, err)
						results = append(results, n)
						got++
						if ahead := int(s.taken.Load()) - got; ahead >= 2*workers {
							t.Fatalf("%d arguments have been taken and %d results yielded", s.taken.Load(), got)
						}
					}
					slices.Sort(results) // it is sorted already if it is in order: see TestMapInOrder
					for i, n := range results {
						if n != 2*i {
							t.Fatalf("the results are %v", results)
						}
					}
					if len(results) != s.most || !s.ended.Load() {
						t.Errorf("%d results; the iterator has ended: %v", len(results), s.ended.Load())
					}
				})
			})
		}
	}
}

// A result that waits behind a slow first one counts: nothing more is begun for it.
func TestMapWaitsForTheFirst(t *testing.T) {
	inPool(t, process.Config{Workers: 3}, func(ctx context.Context, p *process.Pool) {
		s := &source{}
		task := curio.Go(ctx, func(ctx context.Context) error {
			for _, err := range process.Map(ctx, firstHangs, s.all(), process.In(p)) {
				return err
			}
			return nil
		}, curio.ReportCrash(false))
		// Twice as many as there are workers, minus the first.
		testutil.Await(t, "results behind the first", func() bool {
			calls := 0
			for _, w := range p.Workers() {
				calls += w.Calls
			}
			return calls == 5
		})
		for range 5 { // it might take more
			runsOn(ctx, t, p)
		}
		if n := s.taken.Load(); n != 6 {
			t.Errorf("%d arguments have been taken", n)
		}
		_, err := task.Cancel(ctx)
		check(t, err)
		if !errors.Is(task.Err(), curio.ErrTaskCancelled) || !s.ended.Load() {
			t.Errorf("the error is %v; the iterator has ended: %v", task.Err(), s.ended.Load())
		}
	})
}

var firstHangs = process.Register("first hangs", func(ctx context.Context, n int) (int, error) {
	if n == 0 {
		<-ctx.Done()
		return 0, ctx.Err()
	}
	return n, nil
})

// Results are in order, or as they come. Of two workers one has to wait with number 0 for a file.
func TestMapInOrder(t *testing.T) {
	inPool(t, process.Config{Workers: 2}, func(ctx context.Context, p *process.Pool) {
		var all []int
		for i := range 10 {
			all = append(all, i)
		}
		for name, opts := range map[string][]process.Option{"in order": nil, "as they come": {process.Unordered()}} {
			file := filepath.Join(t.TempDir(), "go")
			args := func(yield func(string) bool) {
				for i := range all {
					if i == 3 && name == "in order" { // at least one of the others has been begun, or is done
						check(t, os.WriteFile(file, nil, 0o600))
					}
					if !yield(fmt.Sprint(i, " ", file)) {
						return
					}
				}
			}
			var got []int
			for n, err := range process.Map(ctx, zeroWaits, args, append(opts, process.In(p))...) {
				check(t, err)
				if len(got) == 0 && name == "as they come" { // which it could not, if it had to be number 0
					check(t, os.WriteFile(file, nil, 0o600))
				}
				got = append(got, n)
			}
			if name == "in order" && !slices.Equal(got, all) || name == "as they come" && slices.Index(got, 0) < 1 || len(got) != 10 {
				t.Errorf("%s: %v", name, got)
			}
		}
	})
}

// zeroWaits returns a number, zero not before there is a file.
var zeroWaits = process.Register("zero waits", func(ctx context.Context, line string) (n int, err error) {
	var file string
	if _, err := fmt.Sscan(line, &n, &file); err != nil {
		return 0, err
	}
	for n == 0 {
		if _, err := os.Stat(file); err == nil {
			break
		}
		if err := curio.Sleep(ctx, time.Millisecond); err != nil {
			return 0, err
		}
	}
	return n, nil
})

// Breaking out of the loop ends the calls that run, and the iterator, and the pool is as free as before.
func TestMapBreak(t *testing.T) {
	for name, opts := range map[string][]process.Option{"ordered": nil, "unordered": {process.Unordered()}} {
		t.Run(name, func(t *testing.T) {
			inPool(t, process.Config{Workers: 3, Grace: 10 * time.Millisecond}, func(ctx context.Context, p *process.Pool) {
				s := &source{}
				for n, err := range process.Map(ctx, fifthHangs, s.all(), append(opts, process.In(p))...) {
					check(t, err)
					if n == 4 {
						break
					}
				}
				if !s.ended.Load() {
					t.Error("the iterator goes on")
				}
				// All workers are free: otherwise one of these would wait for ever.
				check(t, curio.Group(ctx, func(ctx context.Context, g *curio.Tasks) error {
					for range 3 {
						g.Go(func(ctx context.Context) error {
							_, err := process.Run(ctx, pidOf, 0, process.In(p))
							return err
						})
					}
					return nil
				}))
			})
		})
	}
}

var fifthHangs = process.Register("fifth hangs", func(ctx context.Context, n int) (int, error) {
	if n >= 5 {
		time.Sleep(time.Hour)
	}
	return n, nil
})

// A loop that is left by a panic or by Goexit has been left, too, and an iterator may panic.
func TestMapLeft(t *testing.T) {
	for name, leave := range map[string]func(){
		"panic":  func() { panic("as planned") },
		"Goexit": runtime.Goexit,
	} {
		t.Run(name, func(t *testing.T) {
			inPool(t, process.Config{Workers: 2}, func(ctx context.Context, p *process.Pool) {
				s := &source{}
				for where, body := range map[string]func(ctx context.Context) error{
					"the loop": func(ctx context.Context) error {
						for _, err := range process.Map(ctx, fifthHangs, s.all(), process.In(p)) {
							check(t, err)
							leave()
						}
						return nil
					},
					"the iterator": func(ctx context.Context) error {
						args := func(yield func(int) bool) {
							defer s.ended.Store(true)
							if yield(1) {
								leave()
							}
						}
						for _, err := range process.Map(ctx, fifthHangs, args, process.In(p)) {
							check(t, err)
						}
						return nil
					},
				} {
					s.ended.Store(false)
					task := curio.Go(ctx, body, curio.ReportCrash(false))
					check(t, task.Wait(ctx))
					var panicked *curio.PanicError
					if err := task.Err(); !errors.As(err, &panicked) && !errors.Is(err, curio.ErrGoexit) || errors.Is(err, curio.ErrGoexit) != (name == "Goexit") {
						t.Errorf("in %s: the error is %v", where, err)
					}
					if !s.ended.Load() {
						t.Errorf("in %s: the iterator goes on", where)
					}
					runsOn(ctx, t, p)
				}
			})
		})
	}
}

// A call that fails, or whose worker dies, is one result, in its place, and the others come all the same.
func TestMapGoesOnAfterFailures(t *testing.T) {
	inPool(t, process.Config{Workers: 2}, func(ctx context.Context, p *process.Pool) {
		lines := []string{"say 0", "fail 1", "say 2", "suicide", "say 4", "panic 5", "say 6"}
		i := 0
		for text, err := range process.Map(ctx, act, slices.Values(lines), process.In(p)) {
			var remote *process.RemoteError
			var died *process.WorkerError
			switch i {
			case 1, 5:
				if !errors.As(err, &remote) || remote.Panic != (i == 5) {
					t.Errorf("%s: %v", lines[i], err)
				}
			case 3:
				if !errors.As(err, &died) {
					t.Errorf("%s: %v", lines[i], err)
				}
			default:
				if err != nil || text != fmt.Sprint(i) {
					t.Errorf("%s: %q, %v", lines[i], text, err)
				}
			}
			i++
		}
		if i != len(lines) {
			t.Errorf("there were %d results", i)
		}
	})
}

func init() {
	acts["say"] = func(_ context.Context, text string) (string, error) { return text, nil }
	acts["fail"] = func(_ context.Context, text string) (string, error) { return "", errors.New(text) }
	acts["panic"] = func(_ context.Context, text string) (string, error) { panic(text) }
}

// A loop over Map that is cancelled ends once, with its context's error, and so does its iterator.
func TestMapCancelled(t *testing.T) {
	inPool(t, process.Config{Workers: 2, Grace: 10 * time.Millisecond}, func(ctx context.Context, p *process.Pool) {
		s := &source{}
		yields, last := 0, error(nil)
		late, err := curio.IgnoreAfter(ctx, 50*time.Millisecond, func(ctx context.Context) error {
			for _, err := range process.Map(ctx, fifthHangs, s.all(), process.In(p)) {
				if last != nil {
					t.Errorf("after %v there was %v", last, err)
				}
				yields, last = yields+1, err
			}
			return last
		})
		if !late || err != nil || !errors.Is(last, curio.ErrTaskTimeout) || !s.ended.Load() {
			t.Errorf("late: %v; errors %v and %v; the iterator has ended: %v", late, err, last, s.ended.Load())
		}
		runsOn(ctx, t, p)
	})
}
