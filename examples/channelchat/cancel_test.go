package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/curiotest"
	"github.com/curio-go/curio/stream"
)

// A screen is an output that puts what is written into a queue.
type screen struct{ *curio.Queue[string] }

func (s screen) Write(p []byte) (int, error) { return len(p), s.TryPut(string(p)) }

// Two members run in one group, which is cancelled at each of their waits.
func TestCancelled(t *testing.T) {
	n := 0
	curiotest.CancelEverywhere(t, func(ctx context.Context) error {
		n++
		dir := fmt.Sprint(folder(t), "/", n)
		if err := os.Mkdir(dir, 0o700); err != nil {
			return err
		}
		names := []string{"Ann", "Bob"}
		var screens []screen
		return curio.Group(ctx, func(ctx context.Context, g *curio.Tasks) error {
			var keyboards []*os.File
			defer func() {
				for _, w := range keyboards {
					w.Close()
				}
			}()
			for i, name := range names {
				r, w, err := os.Pipe()
				if err != nil {
					return err
				}
				keyboards = append(keyboards, w)
				lines, err := stream.FromFile(r)
				if err != nil {
					r.Close()
					return err
				}
				out := screen{curio.NewQueue[string](0)}
				screens = append(screens, out)
				others := slices.Delete(slices.Clone(names), i, i+1)
				c := &chat{me: name, others: others, dir: dir, out: out, patience: time.Minute}
				g.Go(func(ctx context.Context) error {
					defer lines.Close()
					return c.run(ctx, lines)
				}, curio.Name(name))
				if _, err := out.Get(ctx); err != nil { // it listens, so the next one need not try twice
					return err
				}
			}
			for _, s := range screens {
				if _, err := s.Get(ctx); err != nil { // the other one is here
					return err
				}
			}
			if _, err := io.WriteString(keyboards[0], "hello\n"); err != nil {
				if ended := curio.CheckCancellation(ctx); ended != nil { // that is why nobody reads
					return ended
				}
				return err
			}
			for _, s := range screens[1:] {
				switch line, err := s.Get(ctx); {
				case err != nil:
					return err
				case line != "Ann: hello\n":
					return errors.New("it heard " + line)
				}
			}
			return nil
		})
	})
}
