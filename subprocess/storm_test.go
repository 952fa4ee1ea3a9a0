package subprocess_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/subprocess"
)

// Everything at once, in every kind of scope, on one processor and on many: what succeeds has moved every
// byte, in order, and what fails does so by its context alone.
func TestStorm(t *testing.T) {
	for _, processors := range []int{1, 8} {
		t.Run(fmt.Sprint("processors ", processors), func(t *testing.T) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(processors))
			inEachWay(t, func(t *testing.T) {
				check(t, curio.Run(background, func(ctx context.Context) error {
					var all sync.WaitGroup
					for range 4 {
						all.Go(func() {
							for range testutil.Times(200) {
								inSomeScope(ctx, func(ctx context.Context) { somethingVerified(ctx, t) })
							}
						})
					}
					all.Wait()
					return nil
				}))
				noChildren(t)
			})
		})
	}
}

// inSomeScope calls fn with a context that may end at any moment, or not at all.
func inSomeScope(ctx context.Context, fn func(ctx context.Context)) {
	task := func(ctx context.Context) error { fn(ctx); return nil }
	limit := time.Duration(rand.IntN(30)) * time.Millisecond
	switch rand.IntN(6) {
	case 0:
		fn(background)
	case 1:
		inner, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		fn(foreignContext{inner})
	case 2:
		inner, cancel := curio.WithTimeout(ctx, limit)
		defer cancel()
		fn(inner)
	case 3:
		running := curio.Go(ctx, task)
		_ = curio.Sleep(ctx, limit)
		_, _ = running.Cancel(ctx)
	case 4:
		inner, cancel := curio.WithTimeout(ctx, limit)
		defer cancel()
		_ = curio.DisableCancellation(inner, task)
	case 5:
		k := curio.NewKernel()
		var down sync.WaitGroup
		down.Go(func() {
			_ = curio.Sleep(background, limit)
			_ = k.Shutdown(background)
		})
		_ = k.Run(background, task)
		down.Wait()
	}
}

// somethingVerified runs some program in some way, and looks at what comes of it.
func somethingVerified(ctx context.Context, t *testing.T) {
	data := testutil.Pattern(rand.IntN(200), rand.IntN(200_000))
	if rand.IntN(3) == 0 {
		data = data[:min(len(data), rand.IntN(3))]
	}
	ways := verified
	way := ways[rand.IntN(len(ways))]
	got, err := way.run(ctx, data)
	switch {
	case errors.Is(err, curio.ErrCancelled) || errors.Is(err, context.DeadlineExceeded):
	case err != nil:
		t.Errorf("%s: %v", way.name, err)
	case !bytes.Equal(got, data):
		t.Errorf("%s: %d bytes in, %d bytes out, or others", way.name, len(data), len(got))
	}
}

var verified = []struct {
	name string
	run  func(ctx context.Context, data []byte) ([]byte, error)
}{
	{"Run", func(ctx context.Context, data []byte) ([]byte, error) {
		c := subprocess.Command("cat")
		c.Stdin, c.Group = subprocess.Bytes(data), subprocess.ProcessGroup(rand.IntN(4))
		done, err := subprocess.Run(ctx, c)
		if err != nil {
			return nil, err
		}
		return done.Stdout, nil
	}},
	{"Reader and Writer", func(ctx context.Context, data []byte) ([]byte, error) {
		c, out := subprocess.Command("cat"), new(screen)
		c.Stdin, c.Stdout = subprocess.Reader(iotest.HalfReader(bytes.NewReader(data))), subprocess.Writer(out)
		_, err := subprocess.Run(ctx, c)
		return []byte(out.String()), err
	}},
	{"RunPipeline", func(ctx context.Context, data []byte) ([]byte, error) {
		first := subprocess.Command("cat")
		first.Stdin = subprocess.Bytes(data)
		done, err := subprocess.RunPipeline(ctx, first, subprocess.Command("cat"), subprocess.Command("cat"))
		if err != nil {
			return nil, err
		}
		return done[2].Stdout, nil
	}},
	{"Communicate in pieces", func(ctx context.Context, data []byte) ([]byte, error) {
		p, err := subprocess.Popen(ctx, piped(subprocess.Command("cat")))
		if err != nil {
			return nil, err
		}
		defer func() {
			_ = p.Close() // which does not wait
			_, _ = p.Wait(background)
		}()
		for input := data; ; input = nil {
			inner, cancel := curio.WithTimeout(ctx, time.Duration(rand.IntN(2000))*time.Microsecond)
			out, _, err := p.Communicate(inner, input)
			cancel()
			if ended := curio.CheckCancellation(ctx); ended != nil || !errors.Is(err, curio.ErrTaskTimeout) {
				return out, errors.Join(err, ended)
			}
		}
	}},
	{"Lines", func(ctx context.Context, data []byte) (all []byte, err error) {
		c := subprocess.Command("cat")
		c.Stdin = subprocess.Bytes(data)
		for line, err := range subprocess.Lines(ctx, c) {
			if err != nil {
				return nil, err
			}
			all = append(all, line...)
		}
		return all, nil
	}},
	{"on a terminal", func(ctx context.Context, data []byte) ([]byte, error) {
		text := strings.Repeat("line\n", len(data)/100)
		c := subprocess.Command("cat") // which closes its standard output before it ends
		c.Terminal, c.Stdin, c.Stdout = new(subprocess.Terminal), subprocess.Bytes([]byte(text)), subprocess.TTY
		out, err := subprocess.CheckOutput(ctx, c)
		if err == nil && string(out) != strings.ReplaceAll(text, "\n", "\r\n") {
			err = fmt.Errorf("%d bytes in, %q out", len(text), abridged(out))
		}
		return data, err
	}},
	{"Stop", func(ctx context.Context, data []byte) ([]byte, error) {
		c := shell("trap 'exit 7' TERM; sleep 1000 & wait")
		c.Grace = time.Duration(rand.IntN(20)) * time.Millisecond
		p, err := subprocess.Popen(ctx, c)
		if err != nil {
			return nil, err
		}
		defer p.Close()
		_, err = p.Stop(ctx)
		if _, ended := p.Poll(); !ended {
			err = fmt.Errorf("it runs: %v", err)
		}
		return data, err
	}},
}
