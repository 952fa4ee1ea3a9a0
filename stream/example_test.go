package stream_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/socket"
	"github.com/curio-go/curio/stream"
)

func Example() {
	ctx := context.Background()
	a, b, err := socket.SocketPair(socket.SOCK_STREAM)
	if err != nil {
		log.Fatal(err)
	}
	client, server := stream.New(a), stream.New(b)

	if _, err := client.WriteString(ctx, "PUT 5\nhello"); err != nil {
		log.Fatal(err)
	}
	if err := client.CloseContext(ctx); err != nil {
		log.Fatal(err)
	}

	var size int
	line, err := server.ReadLine(ctx)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := fmt.Sscanf(line, "PUT %d", &size); err != nil {
		log.Fatal(err)
	}
	if size < 0 || size > 1<<20 { // the peer has chosen it
		log.Fatalf("PUT of %d bytes", size)
	}
	body, err := server.ReadExactly(ctx, size)
	fmt.Printf("%s, %v\n", body, err)
	_, err = server.ReadLine(ctx)
	fmt.Println(err == io.EOF)
	if err := server.CloseContext(ctx); err != nil {
		log.Fatal(err)
	}
	// Output:
	// hello, <nil>
	// true
}

// The part of a line that has arrived when the time is up is not lost.
func ExampleStream_ReadLine() {
	ctx := context.Background()
	r, w, err := os.Pipe()
	if err != nil {
		log.Fatal(err)
	}
	s, err := stream.FromFile(r)
	if err != nil {
		log.Fatal(err)
	}
	defer s.CloseContext(ctx)

	fmt.Fprint(w, "half a ")
	err = curio.TimeoutAfter(ctx, 10*time.Millisecond, func(ctx context.Context) error {
		_, err := s.ReadLine(ctx)
		return err
	})
	fmt.Println(errors.Is(err, curio.ErrTaskTimeout))
	fmt.Fprint(w, "line\n")
	line, err := s.ReadLine(ctx)
	fmt.Printf("%q, %v\n", line, err)
	w.Close()
	// Output:
	// true
	// "half a line\n", <nil>
}

func ExampleStream_Lines() {
	ctx := context.Background()
	a, b, err := socket.SocketPair(socket.SOCK_STREAM)
	if err != nil {
		log.Fatal(err)
	}
	writer, reader := stream.New(a), stream.New(b)
	defer reader.CloseContext(ctx)
	if _, err := writer.WriteLines(ctx, slices.Values([]string{"one\n", "two\n", "three"})); err != nil {
		log.Fatal(err)
	}
	if err := writer.CloseContext(ctx); err != nil {
		log.Fatal(err)
	}
	for line, err := range reader.Lines(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%q\n", line)
	}
	// Output:
	// "one\n"
	// "two\n"
	// "three"
}

// A line that is too long is skipped, and the next one is read.
func ExampleStream_SkipLine() {
	ctx := context.Background()
	r, w, err := os.Pipe()
	if err != nil {
		log.Fatal(err)
	}
	s, err := stream.FromFile(r)
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close() // there is nothing to send
	s.SetLineLimit(20)
	fmt.Fprint(w, "first\n", strings.Repeat("spam ", 1000), "\nsecond\n")
	w.Close()
	for {
		line, err := s.ReadLine(ctx)
		switch {
		case errors.Is(err, stream.ErrLineTooLong):
			n, err := s.SkipLine(ctx)
			fmt.Println("skipped", n, err)
		case err == io.EOF:
			return
		case err != nil:
			log.Fatal(err)
		default:
			fmt.Print(line)
		}
	}
	// Output:
	// first
	// skipped 5001 <nil>
	// second
}
