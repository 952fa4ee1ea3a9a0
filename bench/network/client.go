//go:build linux

package main

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// clientMain does the work and prints a sample.
func clientMain(args []string) error {
	w, err := workOf(args[0])
	if err != nil {
		return err
	}
	addr := args[1]
	pid, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	seconds, err := strconv.ParseFloat(args[3], 64)
	if err != nil {
		return err
	}
	if w.connections, err = strconv.Atoi(args[4]); err != nil {
		return err
	}
	var s sample
	if w.is("idle") {
		s, err = idle(w, addr, pid)
	} else {
		s, err = rate(w, addr, pid, time.Duration(seconds*float64(time.Second)))
	}
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(s)
}

// rate has each connection do its work in a loop, and counts.
func rate(w work, addr string, pid int, d time.Duration) (s sample, err error) {
	var done atomic.Int64
	var stop atomic.Bool
	failed := make(chan error, w.connections)
	var clients sync.WaitGroup
	for i := range w.connections {
		clients.Go(func() {
			if err := repeat(w, addr, i, &done, &stop); err != nil && !stop.Load() {
				failed <- err
			}
		})
	}
	time.Sleep(warmUp)
	cpu, err := cpuOf(pid)
	if err != nil {
		return s, err
	}
	before, began := done.Load(), time.Now()
	for done.Load() == before { // at least one, however long it takes
		select {
		case err := <-failed:
			return s, err
		case <-time.After(d):
		}
	}
	n, took := float64(done.Load()-before), time.Since(began)
	after, err := cpuOf(pid)
	if err != nil {
		return s, err
	}
	stop.Store(true)
	clients.Wait()
	return sample{PerSecond: n / took.Seconds(), CPU: (after - cpu).Seconds() * 1e6 / n}, nil
}

// repeat does the work of one connection until stop is set.
func repeat(w work, addr string, number int, done *atomic.Int64, stop *atomic.Bool) error {
	message, back := make([]byte, w.size), make([]byte, w.size)
	for i := range message {
		message[i] = byte(i * (number + 1))
	}
	if w.is("accept") {
		for !stop.Load() {
			if err := visit(addr, number, message, back); err != nil {
				return err
			}
			done.Add(1)
		}
		return nil
	}
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	if w.is("tls") {
		conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true}) // it is certain who is at the other end
	}
	if w.is("sendfile") {
		message = message[:1]
	}
	for !stop.Load() {
		if err := exchange(conn, message, back); err != nil {
			return err
		}
		done.Add(1)
	}
	return nil
}

// exchange sends a message while it receives the answer, which is larger than what the
// system would keep.
func exchange(conn net.Conn, message, back []byte) error {
	if _, err := conn.Write(message); err != nil {
		return err
	}
	if _, err := io.ReadFull(conn, back); err != nil {
		return err
	}
	if last := len(message) - 1; len(message) == len(back) && back[last] != message[last] {
		return errors.New("another message came back")
	}
	return nil
}

// visit connects, exchanges one message, and leaves. Each goroutine comes from an address
// of its own, as one address has not enough ports for all that are in TIME_WAIT.
func visit(addr string, number int, message, back []byte) error {
	from := &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(2+number))}
	conn, err := (&net.Dialer{LocalAddr: from}).Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := exchange(conn, message, back); err != nil {
		return err
	}
	return conn.(*net.TCPConn).SetLinger(0)
}

// idle opens connections, exchanges a message on each, and sees what they cost when
// nothing happens any more.
func idle(w work, addr string, pid int) (s sample, err error) {
	before, err := residentOf(pid)
	if err != nil {
		return s, err
	}
	conns := make([]net.Conn, 0, w.connections)
	defer func() {
		for _, conn := range conns {
			conn.Close()
		}
	}()
	message, back := make([]byte, w.size), make([]byte, w.size)
	for i := range w.connections {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			return s, fmt.Errorf("connection %d: %w", i, err)
		}
		conns = append(conns, conn)
		if err := exchange(conn, message, back); err != nil {
			return s, fmt.Errorf("connection %d: %w", i, err)
		}
	}
	time.Sleep(time.Second) // for the collector's last round
	after, err := residentOf(pid)
	return sample{PerSecond: (after - before) / float64(w.connections)}, err
}
