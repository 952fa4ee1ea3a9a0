//go:build linux

package main

import (
	"crypto/tls"
	"io"
	"net"
	"os"
)

// serveNet is what a Go programmer writes first.
func (s *site) serveNet() error {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return err
	}
	listening(listener.Addr())
	for {
		conn, err := listener.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer conn.Close()
			if s.tls != nil {
				conn = tls.Server(conn, s.tls)
			}
			_ = s.handleNet(conn) // the client has gone
		}()
	}
}

func (s *site) handleNet(conn net.Conn) error {
	buf := make([]byte, bufferSize(s.work.size))
	for {
		n, err := conn.Read(buf)
		if err != nil {
			return err
		}
		if s.file != nil {
			err = s.sendNet(conn)
		} else {
			_, err = conn.Write(buf[:n])
		}
		if err != nil || s.work.is("accept") {
			return err
		}
	}
}

// sendNet sends the file as package net does without being asked. As copying goes by the
// file's own offset, each connection has a description of its own.
func (s *site) sendNet(conn net.Conn) error {
	f, err := os.Open(pathOf(s.file))
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.CopyN(conn, f, int64(s.work.size))
	return err
}
