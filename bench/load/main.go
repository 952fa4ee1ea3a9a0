//go:build linux

// Load is a closed-loop load generator for a TCP echo server on this machine.
//
//	load -conns 64 -size 64 -seconds 2 -pid PID 127.0.0.1:PORT
//
// Every connection keeps one message outstanding: send it, wait for the whole
// echo, compare it byte for byte, send the next. A run has three phases:
// connect, warm up, measure. The result is one line of JSON on standard output.
//
// Every phase is bounded: connecting by -connect, each connection by a number
// of attempts, a server that dies ends the run early, and one that hangs does
// not lengthen it.
//
// Exit status: 0 measured, 1 an error, no connection, or a wrong or missing
// echo (see "errors" and "mismatches"), 2 wrong usage.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"
)

// overtime is what a run may take beyond its phases before it is ended by
// force. Closing ten thousand connections takes a second.
const overtime = 15 * time.Second

func main() {
	config, err := parse(os.Args[1:], os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(2)
	}
	time.AfterFunc(config.connect+config.warmup+config.window+overtime, func() {
		fmt.Fprintln(os.Stderr, "load: did not end in time")
		os.Exit(1)
	})
	sample, err := run(config)
	if err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
	if err := json.NewEncoder(os.Stdout).Encode(sample); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
	if sample.Up == 0 || sample.Errors > 0 || sample.Mismatches > 0 {
		os.Exit(1)
	}
}
