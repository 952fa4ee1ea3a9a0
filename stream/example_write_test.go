package stream_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"strings"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/socket"
	"github.com/curio-go/curio/stream"
)

// joined returns two connected streams.
func joined() (a, b *stream.Stream) {
	one, other, err := socket.SocketPair(socket.SOCK_STREAM)
	if err != nil {
		log.Fatal(err)
	}
	return stream.New(one), stream.New(other)
}

// What has been read when the time is up is returned, and the rest can be read later.
func ExampleStream_ReadExactly() {
	ctx := context.Background()
	writer, reader := joined()
	defer reader.CloseContext(ctx)
	if _, err := writer.WriteString(ctx, "12345"); err != nil {
		log.Fatal(err)
	}

	var body []byte
	err := curio.TimeoutAfter(ctx, 100*time.Millisecond, func(ctx context.Context) (err error) {
		body, err = reader.ReadExactly(ctx, 8)
		return err
	})
	fmt.Printf("%s, in time: %t\n", body, !errors.Is(err, curio.ErrTaskTimeout))

	if _, err := writer.WriteString(ctx, "67"); err != nil {
		log.Fatal(err)
	}
	if err := writer.CloseContext(ctx); err != nil {
		log.Fatal(err)
	}
	rest, err := reader.ReadExactly(ctx, 8-len(body))
	fmt.Printf("%s, %v\n", rest, err == io.ErrUnexpectedEOF)
	// Output:
	// 12345, in time: false
	// 67, true
}

// A peer that never sends an end of line cannot use up the memory.
func ExampleStream_SetLineLimit() {
	ctx := context.Background()
	writer, reader := joined()
	defer writer.CloseContext(ctx)
	defer reader.CloseContext(ctx)
	reader.SetLineLimit(80)
	if _, err := writer.WriteString(ctx, strings.Repeat("a", 1000)); err != nil {
		log.Fatal(err)
	}
	_, err := reader.ReadLine(ctx)
	fmt.Println(errors.Is(err, stream.ErrLineTooLong))
	// Output: true
}

// Many small writes make few system calls.
func ExampleStream_SetWriteBuffer() {
	ctx := context.Background()
	writer, reader := joined()
	defer reader.CloseContext(ctx)
	writer.SetWriteBuffer(4096)
	for n := range 3 {
		if _, err := writer.WriteString(ctx, fmt.Sprintln("line", n)); err != nil {
			log.Fatal(err)
		}
	}
	if err := writer.Flush(ctx); err != nil { // CloseContext would do it too
		log.Fatal(err)
	}
	for range 3 {
		line, err := reader.ReadLine(ctx)
		fmt.Printf("%q, %v\n", line, err)
	}
	if err := writer.CloseContext(ctx); err != nil {
		log.Fatal(err)
	}
	// Output:
	// "line 0\n", <nil>
	// "line 1\n", <nil>
	// "line 2\n", <nil>
}

// Package json takes an io.Reader and an io.Writer, and no context.
func ExampleStream_Reader() {
	ctx := context.Background()
	writer, reader := joined()
	defer writer.CloseContext(ctx)
	defer reader.CloseContext(ctx)
	if err := json.NewEncoder(writer.Writer(ctx)).Encode(map[string]int{"answer": 42}); err != nil {
		log.Fatal(err)
	}
	var message map[string]int
	err := json.NewDecoder(io.LimitReader(reader.Reader(ctx), 1<<20)).Decode(&message)
	fmt.Println(message, err)
	// Output: map[answer:42] <nil>
}
