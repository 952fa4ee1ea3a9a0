// Bothworlds serves one handler twice: in tasks, and in plain goroutines of package net. The handler is written for a
// net.Conn, and knows nothing of Curio. As a task it can be cancelled and seen all the same. On the other side, the bound
// for clients and the end at Ctrl-C have to be built by hand.
//
//	go run ./examples/bothworlds [-tasks HOST:PORT] [-goroutines HOST:PORT] [-idle 5m]
//	nc 127.0.0.1 25000
//	nc 127.0.0.1 25001
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/network"
)

const maxConnections = 1000 // of each server

func main() {
	tasks := flag.String("tasks", "127.0.0.1:25000", "`HOST:PORT` to listen on with tasks")
	goroutines := flag.String("goroutines", "127.0.0.1:25001", "`HOST:PORT` to listen on with goroutines")
	idle := flag.Duration("idle", 5*time.Minute, "how long a client may send nothing, or take no answer")
	flag.Parse()
	if *idle <= 0 || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	curio.Exit(curio.Run(context.Background(), func(ctx context.Context) error {
		return run(ctx, os.Stdout, *tasks, *goroutines, *idle)
	}, curio.StopOnSignals()))
}

// run serves on both addresses until ctx is done.
func run(ctx context.Context, out io.Writer, tasks, goroutines string, idle time.Duration) error {
	ours, err := network.ListenTCP(ctx, tasks, &network.ServerConfig{MaxConnections: maxConnections})
	if err != nil {
		return err
	}
	defer ours.Close()
	theirs, err := net.Listen("tcp", goroutines)
	if err != nil {
		return err
	}
	defer theirs.Close()
	fmt.Fprintln(out, "tasks listen on", ours.LocalAddr())
	fmt.Fprintln(out, "goroutines listen on", theirs.Addr())
	return curio.Group(ctx, func(ctx context.Context, g *curio.Tasks) error {
		g.Go(func(ctx context.Context) error { return withTasks(ctx, ours, idle) }, curio.Name("tasks"))
		g.Go(func(ctx context.Context) error { return withGoroutines(ctx, theirs, idle) }, curio.Name("goroutines"))
		return nil
	})
}

// withTasks serves each client in a task. Its reads and writes end with the task's context.
func withTasks(ctx context.Context, listener *network.Listener, idle time.Duration) error {
	return network.RunServer(ctx, listener, func(ctx context.Context, conn network.Conn) error {
		return echo(network.NetConn(ctx, conn), idle)
	})
}

// withGoroutines serves each client in a goroutine. Nothing but closing them ends its accepts, reads and writes, so
// that is what happens when ctx is done.
func withGoroutines(ctx context.Context, listener net.Listener, idle time.Duration) error {
	var clients sync.WaitGroup
	defer clients.Wait()
	defer context.AfterFunc(ctx, func() { listener.Close() })()
	slots := curio.NewSemaphore(maxConnections)
	for {
		if err := slots.Acquire(ctx); err != nil {
			return err
		}
		conn, err := listener.Accept()
		if err != nil {
			slots.Release(ctx)
			if cancelled := curio.CheckCancellation(ctx); cancelled != nil {
				return cancelled
			}
			if errors.Is(err, net.ErrClosed) {
				return err
			}
			if err := curio.Sleep(ctx, 10*time.Millisecond); err != nil { // too many open files, for example
				return err
			}
			continue
		}
		clients.Go(func() {
			defer slots.Release(ctx)
			defer conn.Close()
			defer context.AfterFunc(ctx, func() { conn.Close() })()
			_ = echo(conn, idle) // is about this client
		})
	}
}

// echo sends back what it receives, until the client has sent all. It is what any handler for package net looks like.
func echo(conn net.Conn, idle time.Duration) error {
	buf := make([]byte, 16<<10)
	for {
		if err := conn.SetDeadline(time.Now().Add(idle)); err != nil {
			return err
		}
		n, err := conn.Read(buf)
		if err == io.EOF || errors.Is(err, os.ErrDeadlineExceeded) {
			return nil // it has sent all, or nothing for too long
		}
		if err != nil {
			return err
		}
		if _, err := conn.Write(buf[:n]); err != nil {
			return err
		}
	}
}
