package socket_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/netip"
	"os"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/socket"
)

// A server sends each datagram back to the client that sent it.
func ExampleSocket_RecvFromAddrPort() {
	loopback := netip.MustParseAddrPort("127.0.0.1:0") // any port
	server, err := socket.New(socket.AF_INET, socket.SOCK_DGRAM, 0)
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	if err := server.BindAddrPort(loopback); err != nil {
		log.Fatal(err)
	}

	err = curio.Run(context.Background(), func(ctx context.Context) error {
		curio.Go(ctx, func(ctx context.Context) error {
			buf := make([]byte, 65536) // no datagram is longer
			for {
				n, from, err := server.RecvFromAddrPort(ctx, buf, 0)
				if err != nil {
					return err
				}
				if _, err := server.SendToAddrPort(ctx, buf[:n], 0, from); err != nil {
					return err
				}
			}
		}, curio.Daemon(), curio.ReportCrash(false))

		client, err := socket.New(socket.AF_INET, socket.SOCK_DGRAM, 0)
		if err != nil {
			return err
		}
		defer client.Close()
		if err := client.ConnectAddrPort(ctx, server.LocalAddrPort()); err != nil {
			return err
		}
		if _, err := client.Send(ctx, []byte("hello")); err != nil {
			return err
		}
		buf := make([]byte, 100)
		n, err := client.Recv(ctx, buf)
		fmt.Printf("%s, %v\n", buf[:n], err)
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: hello, <nil>
}

// An open file is passed through the socket to the other process.
func ExampleSocket_SendFDs() {
	ctx := context.Background()
	a, b, err := socket.SocketPair(socket.SOCK_STREAM)
	if err != nil {
		log.Fatal(err)
	}
	defer a.Close()
	defer b.Close()

	r, w, err := os.Pipe()
	if err != nil {
		log.Fatal(err)
	}
	if _, err := a.SendFDs(ctx, []byte("read this"), int(r.Fd())); err != nil {
		log.Fatal(err)
	}
	r.Close() // the other side has its own
	fmt.Fprint(w, "what was in the pipe")
	w.Close()

	buf := make([]byte, 100)
	n, fds, err := b.RecvFDs(ctx, buf, 1)
	if err != nil {
		log.Fatal(err)
	}
	if len(fds) != 1 {
		log.Fatalf("%d descriptors came, not 1", len(fds))
	}
	f := os.NewFile(uintptr(fds[0]), "passed")
	defer f.Close()
	text, err := io.ReadAll(f)
	fmt.Printf("%s: %s, %v\n", buf[:n], text, err)
	// Output: read this: what was in the pipe, <nil>
}
