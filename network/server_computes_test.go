package network_test

import (
	"context"
	"fmt"
	"net"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
	"github.com/curio-go/curio/stream"
)

// computesMain is a server on args[0] processors. To the line "compute" its handler computes for ever, without any call. Other
// lines come back.
func computesMain(args []string) {
	n, err := strconv.Atoi(args[0])
	if err == nil {
		runtime.GOMAXPROCS(n)
		err = curio.Run(context.Background(), func(ctx context.Context) error {
			listener, err := network.ListenTCP(ctx, "127.0.0.1:0", nil)
			if err != nil {
				return err
			}
			fmt.Println("listening on", listener.LocalAddr())
			return network.RunServer(ctx, listener, func(ctx context.Context, conn network.Conn) error {
				s := stream.New(conn)
				for {
					line, err := s.ReadLine(ctx)
					if err != nil {
						return err
					}
					for x := 1; line == "compute\n"; x++ {
						sum += x
					}
					if _, err := s.WriteString(ctx, line); err != nil {
						return err
					}
				}
			})
		}, curio.StopOnSignals())
	}
	curio.Exit(err)
}

var sum int // what is computed

// A server that has been idle, and of which as many handlers begin to compute as there are processors, serves the
// others all the same. The runtime's monitor, which makes a goroutine give way that computes, sleeps while all
// is idle, for up to a minute. Only system calls of which the runtime knows wake it.
func TestHandlersThatCompute(t *testing.T) {
	for _, processors := range []int{1, 2} {
		t.Run(fmt.Sprint("processors ", processors), func(t *testing.T) {
			testutil.NoLeaks(t)
			child := testutil.Self(t, "computes", strconv.Itoa(processors))
			addr := child.After("listening on ")
			ask := func(conn net.Conn) {
				t.Helper()
				if err := testutil.Echo(conn, []byte("still there?\n")); err != nil {
					t.Fatal(err)
				}
			}
			last := testutil.Dial(t, addr)
			ask(last)
			var busy []net.Conn
			for range processors {
				busy = append(busy, testutil.Dial(t, addr))
				ask(busy[len(busy)-1])
			}
			time.Sleep(100 * time.Millisecond) // it is idle, for longer than the monitor takes to notice
			for _, conn := range busy {
				if _, err := conn.Write([]byte("compute\n")); err != nil {
					t.Fatal(err)
				}
			}
			for range 10 { // the first ones may come before they compute
				ask(last)
			}
		})
	}
}
