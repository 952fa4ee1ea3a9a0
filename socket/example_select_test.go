package socket_test

import (
	"context"
	"fmt"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/socket"
)

// A task takes jobs from a queue and messages from a socket, in the order in which they arrive.
func ExampleSocket_ReadCase() {
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		a, b, err := socket.SocketPair(socket.SOCK_STREAM)
		if err != nil {
			return err
		}
		defer a.Close()
		defer b.Close()
		var jobs curio.Queue[string]
		if err := jobs.Put(ctx, "a job"); err != nil {
			return err
		}
		for range 2 {
			var job string
			i, err := curio.Select(ctx, jobs.GetCase(&job), a.ReadCase())
			if err != nil {
				return err
			}
			switch i {
			case 0:
				fmt.Println("from the queue:", job)
				if _, err := b.SendAll(ctx, []byte("a message")); err != nil {
					return err
				}
			case 1:
				buf := make([]byte, 100)
				n, err := a.Recv(ctx, buf)
				if err != nil {
					return err
				}
				fmt.Printf("from the socket: %s\n", buf[:n])
			}
		}
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// from the queue: a job
	// from the socket: a message
}
