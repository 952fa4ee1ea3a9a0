// Netpoll is an echo server on cloudwego/netpoll with its default
// configuration, reading and writing through its buffers.
//
//	netpoll PORT
package main

import (
	"context"
	"log"
	"net"
	"os"

	"github.com/cloudwego/netpoll"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: netpoll PORT")
	}
	// Its listener is package net's, and so is the backlog.
	listener, err := netpoll.CreateListener("tcp", net.JoinHostPort("127.0.0.1", os.Args[1]))
	if err != nil {
		log.Fatal(err)
	}
	loop, err := netpoll.NewEventLoop(echo)
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(loop.Serve(listener))
}

// echo runs whenever a connection has input.
func echo(_ context.Context, connection netpoll.Connection) error {
	reader, writer := connection.Reader(), connection.Writer()
	received, err := reader.Next(reader.Len()) // a view, valid until Release
	if err != nil {
		return err
	}
	if _, err := writer.WriteBinary(received); err != nil {
		return err
	}
	// Flush before Release: a large message is not copied by WriteBinary.
	if err := writer.Flush(); err != nil {
		return err
	}
	return reader.Release()
}
