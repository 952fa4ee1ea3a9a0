// Fdpass is an echo server in two processes. The first one accepts connections, and
// passes their descriptors over a pair of sockets to the second one, which serves them.
//
//	go run ./examples/fdpass [-addr HOST:PORT]
//	nc 127.0.0.1 25000
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"os/signal"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/network"
	"github.com/curio-go/curio/socket"
)

// How the second process knows what it is, and its end of the pair.
const (
	workerVariable = "FDPASS_WORKER"
	workerFD       = 3
)

func main() {
	addr := flag.String("addr", "127.0.0.1:25000", "`HOST:PORT` to listen on")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the process at once
	err := curio.Run(ctx, func(ctx context.Context) error {
		if os.Getenv(workerVariable) == "" {
			return listen(ctx, *addr)
		}
		from, err := socket.FromFD(workerFD)
		if err != nil {
			return err
		}
		defer from.Close()
		return work(ctx, from)
	})
	if err != nil && !errors.Is(err, curio.ErrTaskCancelled) {
		log.Fatal(err)
	}
}

// listen is the first process.
func listen(ctx context.Context, addr string) error {
	listener, err := network.ListenTCP(ctx, addr, nil)
	if err != nil {
		return err
	}
	defer listener.Close()
	to, worker, err := startWorker()
	if err != nil {
		return err
	}
	defer func() {
		to.Close()        // at which the worker ends
		_ = worker.Wait() // it has told why it failed, if it has
	}()
	fmt.Println("listening on", listener.LocalAddr())
	return pass(ctx, listener, to)
}

// startWorker starts this program once more, with one end of a pair of sockets.
func startWorker() (*socket.Socket, *exec.Cmd, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, nil, err
	}
	ours, theirs, err := socket.SocketPair(socket.SOCK_STREAM)
	if err != nil {
		return nil, nil, err
	}
	defer theirs.Close()
	worker := exec.Command(program)
	worker.Env = append(os.Environ(), workerVariable+"=1")
	worker.Stderr = os.Stderr
	file, err := theirs.File()
	if err == nil {
		defer file.Close()
		worker.ExtraFiles = []*os.File{file}
		err = worker.Start()
	}
	if err != nil {
		ours.Close()
		return nil, nil, err
	}
	return ours, worker, nil
}

// pass accepts connections and passes them on. A byte has to go with each descriptor.
func pass(ctx context.Context, listener *network.Listener, to *socket.Socket) error {
	for {
		conn, err := listener.Socket().Accept(ctx)
		if err != nil {
			return err
		}
		_, err = to.SendFDs(ctx, []byte{'c'}, conn.Fd())
		conn.Close() // the worker has its own descriptor of it
		if err != nil {
			return err
		}
	}
}

// work is the second process: it serves what it is passed, until the first one has gone.
func work(ctx context.Context, from *socket.Socket) error {
	return curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[struct{}]) error {
		for {
			_, fds, err := from.RecvFDs(ctx, make([]byte, 1), 1)
			if err == io.EOF {
				return nil
			}
			if err != nil {
				return err
			}
			for _, fd := range fds {
				conn, err := socket.FromFD(fd)
				if err != nil {
					return err
				}
				g.Go(func(ctx context.Context) error {
					defer conn.Close()
					return echo(ctx, conn)
				}, curio.Daemon())
			}
		}
	})
}

// echo sends back what it receives, until the client has sent all.
func echo(ctx context.Context, conn *socket.Socket) error {
	buf := make([]byte, 16<<10)
	for {
		n, err := conn.Recv(ctx, buf)
		if err == nil {
			_, err = conn.SendAll(ctx, buf[:n])
		}
		if err != nil {
			return nil // the client has gone, or we are to go
		}
	}
}
