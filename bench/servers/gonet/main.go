// Gonet is the echo server that a Go programmer writes first: package net and
// a goroutine per connection. The others are measured against it.
//
//	gonet PORT
package main

import (
	"log"
	"net"
	"os"
)

// bufferSize is the same in every server here that chooses one.
const bufferSize = 16 << 10

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: gonet PORT")
	}
	// Package net asks for the longest backlog that the system allows.
	listener, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", os.Args[1]))
	if err != nil {
		log.Fatal(err)
	}
	for {
		conn, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go echo(conn)
	}
}

func echo(conn net.Conn) {
	defer conn.Close()
	buffer := make([]byte, bufferSize)
	for {
		n, err := conn.Read(buffer)
		if n > 0 {
			if _, err := conn.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
