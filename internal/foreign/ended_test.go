package foreign_test

import (
	"context"
	"io"
	"net"
	"testing"

	"github.com/curio-go/curio/internal/foreign"
	"github.com/curio-go/curio/internal/wait"
)

// A pipe of package net whose other side has been closed lets nobody set a deadline. It is
// no pipe without deadlines for that: who reads on, when a read was cancelled in this very
// moment, comes to its end.
func TestCancelledAsTheOtherSideCloses(t *testing.T) {
	for range 2000 {
		a, b := net.Pipe()
		f := foreign.New(a)
		scope := wait.NewTimeout(context.Background(), 0)
		done := make(chan struct{})
		go func() {
			defer close(done)
			b.Close()
			scope.Close()
		}()
		_, first := f.Recv(scope, make([]byte, 1))
		<-done
		if _, err := f.Recv(context.Background(), make([]byte, 1)); err != io.EOF {
			t.Fatalf("after %v: %v, want the end", first, err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
