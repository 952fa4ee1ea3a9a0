package signal_test

import (
	"context"
	"fmt"
	"os"
	"syscall"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/signal"
)

// A program reads its configuration again on SIGHUP, and stops on SIGINT or SIGTERM.
func Example() {
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		reload := signal.NewQueue(syscall.SIGHUP)
		defer reload.Close()
		stop := signal.NewEvent(syscall.SIGINT, syscall.SIGTERM)
		defer stop.Close()

		_ = syscall.Kill(os.Getpid(), syscall.SIGHUP) // as kill(1) does
		for {
			switch i, err := curio.Select(ctx, reload.GetCase(nil), stop.WaitCase()); {
			case err != nil:
				return err
			case i == 1:
				fmt.Println("stopped by", stop.Signal())
				return nil
			}
			fmt.Println("reading the configuration")
			_ = syscall.Kill(os.Getpid(), syscall.SIGTERM)
		}
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// reading the configuration
	// stopped by terminated
}

// All loops over the signals until the queue is closed or ctx is done.
func ExampleQueue_All() {
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		requests := signal.NewQueue(syscall.SIGUSR1)
		defer requests.Close()
		_ = syscall.Kill(os.Getpid(), syscall.SIGUSR1) // as kill(1) does
		for sig, err := range requests.All(ctx) {
			if err != nil {
				return err
			}
			fmt.Println(sig)
			requests.Close() // one is enough here
		}
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: user defined signal 1
}

// An Event tells that a signal has arrived, and which.
func ExampleEvent() {
	stop := signal.NewEvent(syscall.SIGTERM)
	defer stop.Close()
	_ = syscall.Kill(os.Getpid(), syscall.SIGTERM)
	fmt.Println(stop.Wait(context.Background()), stop.Signal())
	// Output: <nil> terminated
}

// Ignore keeps Ctrl-C from ending the program. An Event for the signal is set all the same.
func ExampleIgnore() {
	restore := signal.Ignore(syscall.SIGINT)
	defer restore()
	interrupted := signal.NewEvent(syscall.SIGINT)
	defer interrupted.Close()
	_ = syscall.Kill(os.Getpid(), syscall.SIGINT)
	fmt.Println(interrupted.Wait(context.Background()), "and still here")
	// Output: <nil> and still here
}
