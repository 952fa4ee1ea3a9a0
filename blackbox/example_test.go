package blackbox_test

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"os"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/blackbox"
)

// What tasks do, in the form of a report.
func ExampleWrite() {
	var lock curio.Lock
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		if err := lock.Acquire(ctx); err != nil {
			return err
		}
		defer lock.Release(ctx)
		curio.Go(ctx, lock.Acquire, curio.Name("waiter"))
		if err := curio.Sleep(ctx, 1); err != nil { // let it begin
			return err
		}
		var file bytes.Buffer
		if err := blackbox.Write(&file); err != nil {
			return err
		}
		report, err := blackbox.Read(&file)
		if err != nil {
			return err
		}
		for _, task := range report.Tasks {
			if task.Name == "waiter" {
				fmt.Println(task.Name, task.State != "")
			}
		}
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: waiter true
}

// The report of a program that something is wrong with.
func ExampleOn() {
	dir, err := os.MkdirTemp("", "blackbox")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	stop, err := blackbox.On(blackbox.Options{Dir: dir, Quit: true, Mapped: true, CrashOutput: true})
	if err != nil {
		log.Fatal(err)
	}
	defer stop()
	fmt.Println(curio.Run(context.Background(), func(context.Context) error {
		return nil // the program
	}))
	// Output: <nil>
}
