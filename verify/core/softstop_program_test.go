package core_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/httptask"
	"github.com/curio-go/curio/network"
	"github.com/curio-go/curio/stream"
	"github.com/curio-go/curio/subprocess"
	"github.com/curio-go/curio/verify/fixture"
)

// This file is a program that has everything that a program may have to stop: a server of HTTP and one of
// lines, a worker of a queue, a child process, a task that ignores the request to stop, and a service,
// which prints what the others say. softstop_test.go stops it.

// A stopWay says what the program makes of a stop.
type stopWay struct {
	pause     bool // there is a time in which it only says that it is stopping
	left      bool // main does not wait for the other tasks
	straggler bool // one task does not hear of the request
	stubborn  bool // and that one goes on when it is cancelled
	service   bool // the service does not end when it is cancelled
	orphan    bool // the child process is not stopped
}

var stopWays = map[string]stopWay{
	"in time":             {},
	"straggler":           {straggler: true},
	"stubborn":            {straggler: true, stubborn: true},
	"left":                {left: true, straggler: true},
	"left stubborn":       {left: true, straggler: true, stubborn: true},
	"service":             {service: true},
	"orphan":              {straggler: true, orphan: true},
	"pause":               {pause: true, straggler: true},
	"pause stubborn":      {pause: true, straggler: true, stubborn: true},
	"left pause stubborn": {left: true, pause: true, straggler: true, stubborn: true},
}

// Its arguments are the way, and the grace time.
func init() {
	fixture.Children["everything that has to stop"] = func() {
		w := stopWays[os.Args[2]]
		grace, err := time.ParseDuration(os.Args[3])
		if err != nil {
			panic(err)
		}
		options := []curio.KernelOption{curio.StopOnSignals(), curio.Grace(grace)}
		if w.pause {
			options = append(options, curio.Pause(time.Hour))
		}
		curio.Exit(curio.Run(context.Background(), (&everything{stopWay: w}).run, options...))
	}
	fixture.Children["stops softly"] = func() {
		curio.Exit(curio.Run(context.Background(), func(ctx context.Context) error {
			fmt.Println("ready")
			if err := untilAsked(ctx); err != nil {
				return err
			}
			fmt.Println("finished")
			return nil
		}, curio.StopOnSignals(), curio.Grace(time.Hour)))
	}
}

type everything struct {
	stopWay
	lines curio.Queue[string] // for the service
	main  context.Context     // of the main task
}

func (e *everything) say(format string, args ...any) {
	_ = e.lines.TryPut(fmt.Sprintf(format, args...)) // there is no bound
}

func (e *everything) run(ctx context.Context) error {
	e.main = ctx
	curio.Go(ctx, e.print, curio.Service(), curio.Name("printer"))
	parts := map[string]func(context.Context) error{
		"http": e.serveHTTP, "lines": e.serveLines, "worker": e.work, "child": e.keepChild, "health": e.tellStopping,
	}
	if e.straggler {
		parts["straggler"] = e.straggle
	}
	if e.left {
		for name, part := range parts {
			curio.Go(ctx, part, curio.Name(name))
		}
		return untilAsked(ctx)
	}
	return curio.Group(ctx, func(ctx context.Context, g *curio.Tasks) error {
		for name, part := range parts {
			g.Go(part, curio.Name(name))
		}
		return nil
	})
}

// untilAsked waits for the request to stop. Any other end of the wait is an error.
func untilAsked(ctx context.Context) error {
	asked, cancel := curio.UntilStop(ctx)
	defer cancel()
	err := curio.Sleep(asked, time.Hour)
	if cancelled := curio.CheckCancellation(ctx); cancelled != nil {
		return cancelled
	}
	if errors.Is(err, curio.ErrStopping) {
		return nil
	}
	return fmt.Errorf("the wait ended with %w", err)
}

const moment = 10 * time.Millisecond

// finish is work that ends some time after the request to stop.
func (e *everything) finish(ctx context.Context, what string, after time.Duration) error {
	e.say("%s begun", what)
	err := untilAsked(ctx)
	if err == nil {
		err = curio.Sleep(ctx, after)
	}
	if err != nil {
		e.say("%s cut off", what)
		return err
	}
	e.say("%s done", what)
	return nil
}

// print is the service. It is cancelled when there is nobody any more who might say something.
func (e *everything) print(ctx context.Context) error {
	for line, err := range e.lines.All(ctx) {
		if err != nil {
			break
		}
		fmt.Println(line)
	}
	for line, err := e.lines.TryGet(); err == nil; line, err = e.lines.TryGet() {
		fmt.Println(line)
	}
	fmt.Println("service cancelled")
	if e.service {
		return curio.DisableCancellation(ctx, fixture.Sleeper)
	}
	fmt.Println("service ended")
	return nil
}

func (e *everything) serveHTTP(ctx context.Context) error {
	listener, err := network.ListenTCP(ctx, "127.0.0.1:0", nil)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/quick", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "at once") })
	mux.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) {
		if e.finish(r.Context(), "request", moment) == nil {
			fmt.Fprint(w, "finished")
		}
	})
	mux.HandleFunc("/upgrade", func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack() // after which no http.Server waits for it
		if err != nil {
			e.say("not upgraded: %v", err)
			return
		}
		curio.Go(e.main, func(ctx context.Context) error { // but Run does
			defer conn.Close()
			err := e.finish(ctx, "upgrade", 10*moment) // longer than the others
			if err == nil {
				fmt.Fprint(conn, "finished")
			}
			return err
		}, curio.Name("upgrade"))
	})
	server := &http.Server{Handler: httptask.Handler(mux), BaseContext: func(net.Listener) context.Context { return ctx }}
	accepting := network.NetListener(context.Background(), listener) // connections may outlive main
	serving := curio.Go(ctx, func(context.Context) error { return server.Serve(accepting) }, curio.Name("serve"))
	e.say("http %s", listener.LocalAddr())
	_ = untilAsked(ctx)
	if err := server.Shutdown(ctx); err != nil {
		server.Close()
	}
	if _, err := serving.Join(context.Background()); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return curio.CheckCancellation(ctx)
}

func (e *everything) serveLines(ctx context.Context) error {
	listener, err := network.ListenTCP(ctx, "127.0.0.1:0", nil)
	if err != nil {
		return err
	}
	e.say("lines %s", listener.LocalAddr())
	return network.RunServer(ctx, listener, func(ctx context.Context, conn network.Conn) error {
		s := stream.New(conn)
		for {
			idle, cancel := curio.UntilStop(ctx)
			line, err := s.ReadLine(idle)
			cancel()
			if err != nil {
				return err
			}
			if line == "slow\n" {
				if err := e.finish(ctx, "line", moment); err != nil {
					return err
				}
			}
			if _, err := s.WriteString(ctx, line); err != nil {
				return err
			}
		}
	})
}

func (e *everything) work(ctx context.Context) error {
	var items curio.Queue[int]
	for i := range 3 {
		if err := items.Put(ctx, i+1); err != nil {
			return err
		}
	}
	for {
		idle, cancel := curio.UntilStop(ctx)
		item, err := items.Get(idle)
		cancel()
		if err != nil {
			return err
		}
		if err := e.finish(ctx, fmt.Sprint("item ", item), moment); err != nil {
			return err
		}
	}
}

// polite is a child that has something to say at its end.
const polite = `trap 'echo good-bye; exit 3' TERM; echo begun; read line; exit 4`

// careless is a child that only a signal ends.
const careless = `echo begun; exec sleep 1000`

// keepChild has a child, which is stopped when the request comes. A third signal kills it in a group of its
// own, in which no terminal reaches it.
func (e *everything) keepChild(ctx context.Context) error {
	cmd := subprocess.Command("/bin/sh", "-c", polite)
	if e.orphan {
		cmd = subprocess.Command("/bin/sh", "-c", careless)
	}
	cmd.Stdin, cmd.Stdout, cmd.Group = subprocess.Pipe, subprocess.Pipe, subprocess.GroupOwn
	child, err := subprocess.Popen(ctx, cmd)
	if err != nil {
		return err
	}
	defer child.Close()
	line, err := child.Stdout.ReadLine(ctx)
	if err != nil {
		return err
	}
	e.say("child %s %d", strings.TrimSpace(line), child.Pid())
	_ = untilAsked(ctx)
	if e.orphan {
		return curio.DisableCancellation(ctx, fixture.Sleeper)
	}
	status, err := child.Stop(ctx)
	if err != nil {
		return err
	}
	if line, err = child.Stdout.ReadLine(ctx); err == nil {
		e.say("child %s, status %d", strings.TrimSpace(line), status.Code)
	}
	return err
}

// tellStopping is a health check.
func (e *everything) tellStopping(ctx context.Context) error {
	for !curio.Stopping(ctx) {
		if err := curio.Sleep(ctx, time.Millisecond); err != nil {
			return err
		}
	}
	e.say("stopping")
	return nil
}

func (e *everything) straggle(ctx context.Context) error {
	e.say("straggler begun")
	err := fixture.Sleeper(ctx)
	e.say("straggler cancelled")
	if e.stubborn {
		_ = curio.DisableCancellation(ctx, fixture.Sleeper)
	}
	return err
}
