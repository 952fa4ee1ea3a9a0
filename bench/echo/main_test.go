//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"testing"
)

// The test binary plays the children: itself as pin, and servers. Of these the
// tests must leave none.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 {
		last := os.Args[len(os.Args)-1]
		switch os.Args[1] {
		case pinCommand:
			complain(pin(os.Args[2:]))
			os.Exit(1)
		case "serve":
			serve(last, func([]byte) {})
		case "serve-wrongly":
			serve(last, func(b []byte) { b[0]++ })
		case "start-and-die":
			startAndDie(last)
		}
	}
	code := m.Run()
	if left := family(os.Getpid())[1:]; code == 0 && len(left) > 0 {
		fmt.Fprintf(os.Stderr, "children are left: %v\n", left)
		code = 1
	}
	os.Exit(code)
}

func serve(port string, change func([]byte)) {
	listener, err := net.Listen("tcp4", "127.0.0.1:"+port)
	if err != nil {
		complain(err)
		os.Exit(1)
	}
	for {
		conn, err := listener.Accept()
		if err != nil {
			os.Exit(1)
		}
		go io.Copy(changing{conn, change}, conn)
	}
}

type changing struct {
	net.Conn
	change func([]byte)
}

func (c changing) Write(p []byte) (int, error) {
	c.change(p)
	return c.Conn.Write(p)
}

// startAndDie starts a server, says which, and is killed.
func startAndDie(string) {
	s, err := start(context.Background(), mode{server: []int{firstCPU()}}, testServer("serve").command)
	if err != nil {
		complain(err)
		os.Exit(1)
	}
	fmt.Println(s.command.Process.Pid)
	self, _ := os.FindProcess(os.Getpid())
	_ = self.Kill()
	select {}
}

// testServer is the test binary as a server.
func testServer(name string) server {
	self, err := os.Executable()
	if err != nil {
		panic(err)
	}
	return server{name: name, command: []string{self, name}}
}

func firstCPU() int {
	cpus, err := allowedCPUs()
	if err != nil {
		panic(err)
	}
	return cpus[0]
}

// needGo skips a test that builds.
func needGo(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("there is no go command in PATH, with which the servers are built")
	}
	if testing.Short() {
		t.Skip("-short: this test builds the servers")
	}
}
