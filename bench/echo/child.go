//go:build linux

package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/curio-go/curio"
)

// command prepares a child that runs on those CPUs alone, in a process group
// of its own, and that is killed when this process ends in whatever way.
func command(ctx context.Context, cpus []int, line ...string) (*exec.Cmd, error) {
	line, err := pinned(cpus, line)
	if err != nil {
		return nil, err
	}
	c := exec.CommandContext(ctx, line[0], line[1:]...)
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	// The group, as a server may have children. or be a wrapper of one.
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
	c.WaitDelay = time.Second // should a child of it hold on to its output
	return c, nil
}

// A running server.
type running struct {
	command *exec.Cmd
	port    int
	output  *tail
	kill    context.CancelFunc
	ended   chan struct{} // closed once it has been waited for
}

// patience is how long a server may take until it listens.
const patience = 20 * time.Second

// start starts a server and returns when it listens.
func start(ctx context.Context, m mode, line []string) (*running, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	c, err := command(ctx, m.server, append(line[:len(line):len(line)], fmt.Sprint(port))...)
	if err != nil {
		cancel()
		return nil, err
	}
	s := &running{command: c, port: port, output: &tail{}, kill: cancel, ended: make(chan struct{})}
	c.Stdout, c.Stderr = s.output, s.output
	c.Env = append(os.Environ(), fmt.Sprintf("GOMAXPROCS=%d", len(m.server)))
	// The event loop of asyncio receives into a new buffer of 256 KiB each time, which glibc would get from the
	// system and give back for each message. Nothing in Go reads these.
	c.Env = append(c.Env, "MALLOC_MMAP_THRESHOLD_=33554432", "MALLOC_TRIM_THRESHOLD_=67108864")
	if err := c.Start(); err != nil {
		cancel()
		return nil, err
	}
	go func() {
		_ = c.Wait() // it is killed, or its state is asked for
		close(s.ended)
	}()
	if err := s.awaitListening(ctx); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

func (s *running) awaitListening(ctx context.Context) error {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		if err := s.alive(); err != nil {
			return fmt.Errorf("before it listened: %w", err)
		}
		if listening(s.port) {
			return nil
		}
		if err := curio.Sleep(ctx, 5*time.Millisecond); err != nil {
			return err
		}
	}
	return fmt.Errorf("not listening after %v: %s", patience, s.output)
}

// alive returns an error if the server has ended.
func (s *running) alive() error {
	select {
	case <-s.ended:
		return fmt.Errorf("the server ended (%v): %s", s.command.ProcessState, s.output)
	default:
		return nil
	}
}

// stop kills the server and all that it started in its group.
func (s *running) stop() {
	s.kill()
	<-s.ended
	// Again, as the context kills nobody once the leader has ended by itself,
	// and may have left others.
	_ = syscall.Kill(-s.command.Process.Pid, syscall.SIGKILL)
}

// Ports below the ephemeral range, from which clients take theirs.
const firstPort, lastPort = 20000, 31999

var lastTried = firstPort + os.Getpid()%(lastPort-firstPort)

// freePort returns a port that nothing is bound to.
func freePort() (int, error) {
	for range lastPort - firstPort {
		if lastTried++; lastTried > lastPort {
			lastTried = firstPort
		}
		listener, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", lastTried))
		if err == nil {
			return lastTried, listener.Close()
		}
	}
	return 0, fmt.Errorf("no free port between %d and %d", firstPort, lastPort)
}

// A tail keeps the end of what a child says.
type tail struct {
	mu   sync.Mutex
	text []byte
}

const tailSize = 2000

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	t.text = t.text[max(0, len(t.text)-tailSize):]
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.text))
}
