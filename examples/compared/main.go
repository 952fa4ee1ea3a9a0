// Compared runs one of four programs that are written twice: with Curio and, with -std, with
// the standard library and errgroup. README.md says how they differ.
//
//	go run ./examples/compared [-std] chat HOST:PORT
//	go run ./examples/compared [-std] balancer HOST:PORT BACKEND:PORT ...
//	go run ./examples/compared [-std] fetch URL ...
//	go run ./examples/compared [-std] pipeline
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/examples/compared/balancer"
	"github.com/curio-go/curio/examples/compared/chat"
	"github.com/curio-go/curio/examples/compared/fetch"
	"github.com/curio-go/curio/examples/compared/pipeline"
)

func main() {
	std := flag.Bool("std", false, "run the version of the standard library")
	flag.Parse()
	program := func(ctx context.Context) error { return run(ctx, *std, flag.Arg(0), flag.Args()) }
	if *std {
		runStd(program)
		return
	}
	curio.Exit(curio.Run(context.Background(), program, curio.StopOnSignals()))
}

// runStd is Run with StopOnSignals, and Exit, as far as that is easy with the standard library: for
// Ctrl-C alone.
func runStd(program func(context.Context) error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the process at once
	err := program(ctx)
	if err != nil && !errors.Is(err, context.Canceled) {
		log.Fatal(err)
	}
	if ctx.Err() != nil {
		stop() // and end by the signal, so that a shell sees it
		_ = syscall.Kill(os.Getpid(), syscall.SIGINT)
		_ = curio.Sleep(context.Background(), time.Second) // until it is delivered
	}
}

// run runs a program, whose name is the first of args.
func run(ctx context.Context, std bool, name string, args []string) error {
	switch {
	case name == "chat" && len(args) == 2:
		return either(std, chat.ServeCurio, chat.ServeStd)(ctx, args[1], chat.Default, listening)
	case name == "balancer" && len(args) > 2:
		settings := balancer.Default
		for _, addr := range args[2:] {
			settings.Backends = append(settings.Backends, &balancer.Backend{Addr: addr})
		}
		return either(std, balancer.ServeCurio, balancer.ServeStd)(ctx, args[1], settings, listening)
	case name == "fetch":
		pages, err := either(std, fetch.AllCurio, fetch.AllStd)(ctx, args[1:], fetch.Default)
		for i, page := range pages {
			if page != nil {
				fmt.Println(len(page), "bytes:", args[i+1])
			}
		}
		return err
	case name == "pipeline" && len(args) == 1:
		return either(std, pipeline.RunCurio[int, int], pipeline.RunStd[int, int])(ctx, squares(), pipeline.Default)
	}
	return errors.New("usage: compared [-std] chat|balancer|fetch|pipeline ARGUMENTS")
}

func either[F any](std bool, withCurio, withStd F) F {
	if std {
		return withStd
	}
	return withCurio
}

func listening(addr net.Addr) { fmt.Println("listening on", addr) }

// squares takes its time to print squares, until it is interrupted.
func squares() (stages pipeline.Stages[int, int]) {
	last := 0
	stages.Next = func(ctx context.Context) (int, error) {
		last++
		return last, ctx.Err()
	}
	stages.Work = func(ctx context.Context, n int) (int, error) { return n * n, curio.Sleep(ctx, time.Second) }
	stages.Store = func(_ context.Context, square int) error {
		_, err := fmt.Println(square)
		return err
	}
	return stages
}
