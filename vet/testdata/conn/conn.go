package conn

import (
	"context"
	"io"
	"net"
	"time"
)

func serve(ctx context.Context, l net.Listener) error {
	conn, err := l.Accept() // want `l.Accept goes on when ctx is done: set a deadline, or use package network of Curio, such as network.FromConn`
	if err != nil {
		return err
	}
	buf := make([]byte, 100)
	if _, err := conn.Read(buf); err != nil { // want `conn.Read goes on`
		return err
	}
	if _, err := io.ReadFull(conn, buf); err != nil { // want `io.ReadFull goes on`
		return err
	}
	_, err = io.Copy(io.Discard, conn) // want `io.Copy goes on`
	return err
}

func tcp(ctx context.Context, conn *net.TCPConn, buf []byte) {
	conn.Write(buf) // want `conn.Write goes on`
	defer conn.Write(buf)
	io.Copy(conn, nil) // what it reads from counts
}

func bounded(ctx context.Context, conn net.Conn, buf []byte) (int, error) {
	conn.SetDeadline(time.Now().Add(time.Second))
	return conn.Read(buf)
}

func closed(ctx context.Context, conn net.Conn, buf []byte) (int, error) {
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	return conn.Read(buf)
}

func watched(ctx context.Context, l net.Listener) (net.Conn, error) {
	go func() {
		<-ctx.Done()
		l.Close()
	}()
	return l.Accept()
}

func without(conn net.Conn, buf []byte) { conn.Read(buf) }

type watcher struct{}

func (watcher) Watch(context.Context) {}

func byWatcher(ctx context.Context, conn net.Conn, w watcher, buf []byte) (int, error) {
	w.Watch(ctx)
	return conn.Read(buf)
}

func inBackground(ctx context.Context, l net.Listener) {
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conn.Close()
		}
	}()
}
