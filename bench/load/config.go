//go:build linux

package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// config says what to do to which server.
type config struct {
	server      netip.AddrPort
	connections int
	size        int // of a message, in bytes

	connect time.Duration // the longest that getting connected may take
	warmup  time.Duration
	window  time.Duration // measured

	processes []int // whose CPU time and memory to report
	spin      bool  // poll without ever sleeping
	threads   int
}

// The limits keep a slip of the finger from becoming a run of an hour.
const (
	maxConnections = 1 << 20
	maxSize        = 64 << 20
	maxPhase       = 10 * time.Minute
	maxThreads     = 64
)

// parse reads the command line.
func parse(arguments []string, complaints io.Writer) (config, error) {
	var c config
	var seconds, warmup, connect float64
	var pids string
	flags := flag.NewFlagSet("load", flag.ContinueOnError)
	flags.SetOutput(complaints)
	flags.Usage = func() {
		fmt.Fprintln(complaints, "usage: load [flags] 127.0.0.1:PORT")
		flags.PrintDefaults()
	}
	flags.IntVar(&c.connections, "conns", 64, "`number` of connections")
	flags.IntVar(&c.size, "size", 64, "`bytes` in a message")
	flags.Float64Var(&seconds, "seconds", 2, "length of the measured window")
	flags.Float64Var(&warmup, "warmup", 0.5, "seconds of load before it")
	flags.Float64Var(&connect, "connect", 30, "seconds that getting connected may take")
	flags.StringVar(&pids, "pid", "", "`PID[,PID...]` of the server, to report its CPU time and memory")
	flags.BoolVar(&c.spin, "spin", false, "poll without ever sleeping: needs a CPU of its own per thread")
	flags.IntVar(&c.threads, "threads", 1, "`number` of threads")
	if err := flags.Parse(arguments); err != nil {
		return config{}, err
	}
	if flags.NArg() != 1 {
		return config{}, errors.New("one argument is wanted, the server's address, as 127.0.0.1:PORT")
	}
	var err error
	if c.server, err = loopback(flags.Arg(0)); err != nil {
		return config{}, err
	}
	if c.processes, err = numbers(pids); err != nil {
		return config{}, fmt.Errorf("-pid: %w", err)
	}
	c.window, c.warmup, c.connect = duration(seconds), duration(warmup), duration(connect)
	return c, c.check()
}

// check refuses what is out of bounds.
func (c *config) check() error {
	switch {
	case c.connections < 1 || c.connections > maxConnections:
		return fmt.Errorf("-conns: between 1 and %d", maxConnections)
	case c.size < 1 || c.size > maxSize:
		return fmt.Errorf("-size: between 1 and %d", maxSize)
	case c.window <= 0 || c.window > maxPhase:
		return fmt.Errorf("-seconds: more than 0, and at most %v", maxPhase)
	case c.warmup < 0 || c.warmup > maxPhase:
		return fmt.Errorf("-warmup: at least 0, and at most %v", maxPhase)
	case c.connect <= 0 || c.connect > maxPhase:
		return fmt.Errorf("-connect: more than 0, and at most %v", maxPhase)
	case c.threads < 1 || c.threads > maxThreads:
		return fmt.Errorf("-threads: between 1 and %d", maxThreads)
	}
	c.threads = min(c.threads, c.connections)
	return nil
}

// loopback reads the server's address. A load generator pointed at somebody else's machine is a
// weapon, so it knows no names, and only addresses of this machine.
func loopback(text string) (netip.AddrPort, error) {
	address, err := netip.ParseAddrPort(text)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("%q is not 127.0.0.1:PORT", text)
	}
	if !address.Addr().Is4() || !address.Addr().IsLoopback() {
		return netip.AddrPort{}, fmt.Errorf("%s is not an address in 127.0.0.0/8", address.Addr())
	}
	if address.Port() == 0 {
		return netip.AddrPort{}, errors.New("port 0 is nobody's")
	}
	return address, nil
}

func numbers(list string) ([]int, error) {
	if list == "" {
		return nil, nil
	}
	var found []int
	for field := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(field)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("%q is not a process", field)
		}
		found = append(found, n)
	}
	return found, nil
}

func duration(seconds float64) time.Duration {
	// Clamped before it is converted: a float that does not fit gives any integer.
	return time.Duration(min(max(seconds, -1), 2*maxPhase.Seconds()) * float64(time.Second))
}
