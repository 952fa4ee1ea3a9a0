package process

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/gobs"
	"github.com/curio-go/curio/internal/signals"
	"github.com/curio-go/curio/internal/wait"
	"github.com/curio-go/curio/socket"
)

// A server is a worker, seen from inside. Its main task reads frames, and each call is a task of its own.
//
// It ends in one way: the context of the call is done, and the process ends when the function has returned,
// or after the grace time. It begins to end at a SIGTERM, which the parent sends, at the end of the link,
// and at a SIGHUP, which the system sends when the parent dies. These may come together.
type server struct {
	link   *link
	ctx    context.Context // of the main task
	limits limits          // from greet on
	dec    gobs.Decoder    // for the call that runs

	// writing is for one at a time: for enc and link.out. It is no Lock, as several goroutines of a task
	// may report.
	writing *curio.Semaphore
	enc     gobs.Encoder

	ending sync.Once

	mu       sync.Mutex
	grace    time.Duration
	current  *invocation // nil for none
	stopping bool        // no more calls are begun
}

// serve is what a worker does. It never returns.
func serve() {
	if !serving.CompareAndSwap(false, true) {
		select {} // the other call of Main serves
	}
	sock, err := socket.FromFD(socketFD)
	if err != nil {
		fmt.Fprintln(os.Stderr, "process: the link to the parent cannot be used:", err)
		os.Exit(1)
	}
	s := &server{link: newLink(sock), writing: curio.NewSemaphore(1)}
	signals.Subscribe(s, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGINT)
	err = curio.Run(context.Background(), func(ctx context.Context) error {
		s.ctx = ctx
		if err := s.greet(ctx); err != nil {
			return err
		}
		return s.loop(ctx)
	})
	fmt.Fprintln(os.Stderr, err) // loop never returns without one
	os.Exit(1)
}

// Deliver is called when a signal has arrived. SIGINT is meant for the parent: it is caught, not
// ignored, as programs that are started here would inherit that.
func (s *server) Deliver(sig signals.Signal) {
	switch sig {
	case syscall.SIGTERM:
		s.end(func() { s.die(sig) })
	case syscall.SIGHUP: // the system sends it when the parent dies, and any other process may
		s.end(func() {
			pause := wait.Pause{First: time.Millisecond, Most: 10 * time.Millisecond}
			for began := time.Now(); !s.isOrphan() && time.Since(began) < confirmDeath; {
				_ = pause.Sleep(context.Background())
			}
			s.die(sig)
		})
	}
}

// confirmDeath is how long it may take until the parent's death can be seen, from the signal on: the thread
// that has started this process dies before the others do.
const confirmDeath = 200 * time.Millisecond

// isOrphan reports whether the parent has gone, or has become another program.
func (s *server) isOrphan() bool { return os.Getppid() != parent || s.link.isCut() }

// die ends the process: with all that it has started if the parent has gone, as nobody else would do that,
// and by sig otherwise, so that the parent sees what has ended it.
func (s *server) die(sig syscall.Signal) {
	if s.isOrphan() && syscall.Getpgrp() == os.Getpid() {
		_ = syscall.Kill(0, syscall.SIGKILL)
	}
	signals.Die(sig)
}

// end ends the process by die when the current call has ended, but after the grace time in any case.
func (s *server) end(die func()) {
	s.ending.Do(func() {
		s.mu.Lock()
		s.stopping = true
		c, grace := s.current, s.grace
		s.mu.Unlock()
		go func() {
			if c != nil {
				c.scope.Cancel()
				_ = curio.TimeoutAfter(context.Background(), max(grace, 0), c.over.Wait)
			}
			die()
		}()
	})
}

// greet takes the settings from the parent.
func (s *server) greet(ctx context.Context) error {
	f, err := s.link.receive(ctx)
	if err != nil {
		s.orphaned()
	}
	var g greeting
	if err := json.Unmarshal(f.body, &g); err != nil || f.kind != aGreeting {
		return errProtocol
	}
	h := hello{Version: version, Build: theBuild()}
	if g.Version == h.Version && g.Build == h.Build {
		s.mu.Lock()
		s.grace = g.Grace
		s.mu.Unlock()
		s.limits = g.Limits
		runtime.GOMAXPROCS(g.Processors)
		if err := prepareWorker(g.Limits); err != nil {
			h.Refusal = err.Error()
		}
	}
	return s.link.send(ctx, aHello, 0, h.pack(), nil)
}

// loop reads frames until the parent has gone, and then for ever waits for the end of the process.
func (s *server) loop(ctx context.Context) error {
	for {
		f, err := s.link.receive(ctx)
		if cut := curio.CheckCancellation(ctx); cut != nil { // by an Essential task of the function's that has failed
			fmt.Fprintln(os.Stderr, cut)
			s.end(func() { os.Exit(1) })
			select {}
		}
		if err != nil {
			s.orphaned()
		}
		switch f.kind {
		case aCall:
			err = s.begin(ctx, f)
		case aRoom:
			err = s.room(f)
		default:
			err = errProtocol
		}
		if err != nil {
			return err
		}
	}
}

// orphaned ends the process, as the parent has gone or wants nothing more. It never returns.
func (s *server) orphaned() {
	s.end(func() { s.die(syscall.SIGTERM) })
	select {} // it may have been about to end already
}

// begin starts a call.
func (s *server) begin(ctx context.Context, f frame) error {
	h, arg, err := unpackCall(f.body)
	if err != nil {
		return err
	}
	c := &invocation{server: s, number: f.call, head: h, room: window}
	c.line.Mutex, c.line.State, c.line.Object, c.line.Serve = &c.mu, "PROCESS_REPORT", c, c.serveLocked
	s.mu.Lock()
	busy, stopping := s.current != nil, s.stopping
	if !busy && !stopping {
		s.current = c
	}
	s.mu.Unlock()
	switch {
	case busy:
		return errProtocol
	case stopping:
		return nil
	}
	curio.Go(ctx, func(ctx context.Context) error { c.run(ctx, arg); return nil }, curio.Name(h.function))
	return nil
}

// room is about progress values for which there is room again.
func (s *server) room(f frame) error {
	u := unpacker{rest: f.body}
	n := u.number()
	if err := u.err(); err != nil {
		return err
	}
	s.mu.Lock()
	c := s.current
	s.mu.Unlock()
	if c != nil && c.number == f.call { // else it has ended meanwhile
		c.give(int(min(n, window)))
	}
	return nil
}
