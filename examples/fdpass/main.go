// Fdpass is an echo server in two processes. The first one accepts connections, and
// passes their descriptors over a pair of sockets to the second one, which serves them.
//
//	go run ./examples/fdpass [-addr HOST:PORT] [-idle 5m]
//	nc 127.0.0.1 25000
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/network"
	"github.com/curio-go/curio/socket"
	"github.com/curio-go/curio/subprocess"
)

const (
	maxConnections = 1000
	pause          = 100 * time.Millisecond
)

// How the second process knows what it is, and its end of the pair.
const (
	workerVariable = "FDPASS_WORKER"
	workerFD       = 3
)

func main() {
	addr := flag.String("addr", "127.0.0.1:25000", "`HOST:PORT` to listen on")
	idle := flag.Duration("idle", 5*time.Minute, "how long a client may send nothing, or take no answer")
	flag.Parse()
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		if os.Getenv(workerVariable) == "" {
			return listen(ctx, *addr, *idle)
		}
		from, err := socket.FromFD(workerFD)
		if err != nil {
			return err
		}
		defer from.Close()
		return work(ctx, from, *idle)
	}, curio.StopOnSignals())
	curio.Exit(err)
}

// listen is the first process.
func listen(ctx context.Context, addr string, idle time.Duration) error {
	listener, err := network.ListenTCP(ctx, addr, nil)
	if err != nil {
		return err
	}
	defer listener.Close()
	to, worker, err := startWorker(ctx, idle)
	if err != nil {
		return err
	}
	defer func() {
		to.Close() // at which the worker ends, if it works
		_ = curio.DisableCancellation(ctx, func(ctx context.Context) error {
			_, err := worker.Stop(ctx)
			return err
		})
	}()
	fmt.Println("listening on", listener.LocalAddr())
	return pass(ctx, listener, to)
}

// startWorker starts this program once more, with one end of a pair of sockets. It is in a process group of
// its own, so Ctrl-C reaches the first process alone.
func startWorker(ctx context.Context, idle time.Duration) (*socket.Socket, *subprocess.Process, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, nil, err
	}
	ours, theirs, err := socket.SocketPair(socket.SOCK_STREAM)
	if err != nil {
		return nil, nil, err
	}
	defer theirs.Close()
	file, err := theirs.File()
	if err != nil {
		ours.Close()
		return nil, nil, err
	}
	defer file.Close()
	cmd := subprocess.Command(program, "-idle", idle.String())
	cmd.Env = append(os.Environ(), workerVariable+"=1")
	cmd.Stderr, cmd.Group = subprocess.Inherit, subprocess.GroupOwn
	cmd.ExtraFiles = []*os.File{file}
	worker, err := subprocess.Popen(ctx, cmd)
	if err != nil {
		ours.Close()
		return nil, nil, err
	}
	return ours, worker, nil
}

// pass accepts connections and passes them on. Each descriptor has to be sent with a byte
// of data. If the worker is at its limit, pass waits, and clients wait to be accepted.
func pass(ctx context.Context, listener *network.Listener, to *socket.Socket) error {
	for {
		conn, err := listener.Socket().Accept(ctx)
		if cancelled := curio.CheckCancellation(ctx); err != nil && cancelled != nil {
			return cancelled
		}
		if err != nil { // most likely too many open files, which does not last
			log.Print(err)
			if err := curio.Sleep(ctx, pause); err != nil {
				return err
			}
			continue
		}
		_, err = to.SendFDs(ctx, []byte{'c'}, conn.FD())
		conn.Close() // the worker has its own descriptor of it
		if err != nil {
			return err
		}
	}
}

// work is the second process: it serves what it is passed, until the first one has gone.
func work(ctx context.Context, from *socket.Socket, idle time.Duration) error {
	places := curio.NewSemaphore(maxConnections)
	return curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[struct{}]) error {
		for {
			if err := places.Acquire(ctx); err != nil {
				return err
			}
			_, fds, err := from.RecvFDs(ctx, make([]byte, 1), 1)
			if len(fds) == 0 { // then nobody uses the slot
				places.Release(ctx)
			}
			if err == io.EOF {
				return nil
			}
			if err != nil {
				return err
			}
			for _, fd := range fds {
				conn, err := socket.FromFD(fd)
				if err != nil {
					places.Release(ctx)
					os.NewFile(uintptr(fd), "refused").Close() // fd is still ours
					return err
				}
				g.Go(func(ctx context.Context) error {
					defer places.Release(ctx)
					defer conn.Close()
					return echo(ctx, conn, idle)
				}, curio.Daemon())
			}
		}
	})
}

// echo sends back what it receives, until the client has sent all.
func echo(ctx context.Context, conn *socket.Socket, idle time.Duration) error {
	buf := make([]byte, 16<<10)
	for {
		err := curio.TimeoutAfter(ctx, idle, func(ctx context.Context) error {
			n, err := conn.Recv(ctx, buf)
			if err != nil {
				return err
			}
			_, err = conn.SendAll(ctx, buf[:n])
			return err
		})
		if err != nil {
			return nil // the client has gone or is idle, or ctx is done
		}
	}
}
