// Hello is a family that has to leave. A kid asks to play until its parent allows it, builds something together
// with friends, and does not notice that time is up. So the parent cancels it, and the kid saves its work first.
//
//	go run ./examples/hello [-pace 1s]
//
// Ctrl-C ends it earlier: the kid saves its work then, too.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/curio-go/curio"
)

func main() {
	pace := flag.Duration("pace", time.Second, "how long the kid waits before it asks again")
	flag.Parse()
	if *pace <= 0 || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	curio.Exit(curio.Run(context.Background(), func(ctx context.Context) error {
		return (&family{out: os.Stdout, pace: *pace}).run(ctx)
	}, curio.StopOnSignals()))
}

// A family is its members, who talk at the same time.
type family struct {
	pace    time.Duration
	allowed curio.Event // the kid may play

	mu  sync.Mutex
	out io.Writer
}

func (f *family) say(who, what string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fmt.Fprintf(f.out, "%s: %s\n", who, what)
}

// run is the parent.
func (f *family) run(ctx context.Context) error {
	kid := curio.Go(ctx, f.kid, curio.Name("kid"))
	if err := curio.Sleep(ctx, 2*f.pace+f.pace/2); err != nil {
		return err
	}
	f.say("parent", "yes, go play")
	f.allowed.Set()
	if err := curio.Sleep(ctx, 2*f.pace); err != nil {
		return err
	}
	f.say("parent", "let's go")
	err := curio.TimeoutAfter(ctx, 2*f.pace, kid.Wait)
	if errors.Is(err, curio.ErrTaskTimeout) {
		f.say("parent", "we are leaving!")
		_, err = kid.Cancel(ctx, errors.New("it is time to leave")) // returns when the kid has ended
	}
	if err != nil {
		return err
	}
	f.say("parent", "we have left")
	return nil
}

// kid asks to play, and then plays for as long as it is allowed to.
func (f *family) kid(ctx context.Context) error {
	for {
		f.say("kid", "can I play?")
		err := curio.TimeoutAfter(ctx, f.pace, f.allowed.Wait)
		if err == nil {
			break
		}
		if !errors.Is(err, curio.ErrTaskTimeout) {
			return err
		}
		f.say("kid", "wha!?!")
	}
	f.say("kid", "building a castle")
	err := curio.Group(ctx, func(ctx context.Context, g *curio.Tasks) error {
		for _, name := range []string{"Max", "Lillian"} {
			g.Go(func(ctx context.Context) error { return f.friend(ctx, name) }, curio.Name(name))
		}
		return curio.Sleep(ctx, 1000*f.pace)
	})
	if !errors.Is(err, curio.ErrTaskCancelled) {
		return err
	}
	// The friends have ended. The kid has been cancelled, so saving would be, too, without the shield.
	return errors.Join(err, curio.DisableCancellation(ctx, func(ctx context.Context) error {
		return curio.TimeoutAfter(ctx, 10*f.pace, func(ctx context.Context) error {
			if who, ok := curio.WhoCancelled(err); ok && who.Reason != nil {
				f.say("kid", "fine, "+who.Reason.Error())
			}
			if err := curio.Sleep(ctx, f.pace/4); err != nil {
				return err
			}
			f.say("kid", "my work is saved")
			return nil
		})
	}))
}

// friend plays along until somebody says that it is over.
func (f *family) friend(ctx context.Context, name string) error {
	err := curio.Sleep(ctx, 1000*f.pace)
	if errors.Is(err, curio.ErrCancelled) {
		f.say(name, "going home")
	}
	return err
}
