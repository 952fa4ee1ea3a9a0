//go:build linux

// Network compares what echo servers on bare TCP do not show, between Curio and
// package net: large messages, files, TLS, connections that come and go, and the memory
// of those that only wait.
//
//	go run ./network
//	go run ./network -only tls,idle -rounds 9 -secs 2
//	go run ./network -write ../docs/performance.md
//
// Server and client are processes of their own, each on one CPU. The client is the same
// for both: package net. The two servers take turns, in an order that changes with each
// round, and each sample is compared with the other server's of the same round.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/curio-go/curio/bench/internal/tables"
)

// The roles in which the program runs itself.
const (
	roleServer = "server" // IMPLEMENTATION WORK
	roleClient = "client" // WORK ADDRESS PID SECONDS CONNECTIONS
)

func main() {
	playRole()
	o := options{}
	flag.IntVar(&o.rounds, "rounds", 7, "`N` samples of each server")
	flag.Float64Var(&o.seconds, "secs", 1, "`S` seconds for a sample")
	only := flag.String("only", "", "`NAMES` of works, or beginnings of them, with commas: "+strings.Join(names(), ", "))
	flag.StringVar(&o.cpus, "cpus", "0,1", "`SERVER,CLIENT`: the CPUs they run on")
	flag.Var(&o.write, "write", "put the table into this `document`, too; may be repeated")
	flag.Parse()
	for _, w := range works {
		if *only == "" || slices.ContainsFunc(strings.Split(*only, ","), func(n string) bool { return strings.HasPrefix(w.name, n) }) {
			o.works = append(o.works, w)
		}
	}
	exit(compare(o))
}

// playRole does what a child is for, and returns if this process is none.
func playRole() {
	if len(os.Args) < 4 {
		return
	}
	switch os.Args[1] {
	case roleServer:
		exit(serverMain(os.Args[2], os.Args[3]))
	case roleClient:
		exit(clientMain(os.Args[2:]))
	}
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "network:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

type options struct {
	rounds  int
	seconds float64
	works   []work
	cpus    string
	write   tables.Documents
}

// place is what the place of the table is called in a document.
const place = "network"

// implementations are what is compared; the first is the reference.
var implementations = []string{"net", "curio"}

// A sample is what a client measures.
type sample struct {
	PerSecond float64 // messages, files, connections; bytes per connection if idle
	CPU       float64 // microseconds of the server for each
}

func compare(o options) error {
	runtime.LockOSThread() // children die with the thread that started them
	server, client, ok := strings.Cut(o.cpus, ",")
	if !ok {
		return fmt.Errorf("-cpus %s is not SERVER,CLIENT", o.cpus)
	}
	if err := o.write.Check(place); err != nil {
		return err
	}
	lines := [][]string{{"work", "unit", "net", "curio", "curio ÷ net"}}
	for _, w := range o.works {
		samples := map[string][]sample{}
		for round := range o.rounds {
			for i := range implementations {
				name := implementations[(i+round)%len(implementations)]
				s, err := measure(name, w, o.seconds, server, client)
				if err != nil {
					return fmt.Errorf("%s, %s: %w", w.name, name, err)
				}
				samples[name] = append(samples[name], s)
			}
		}
		fmt.Fprintf(os.Stderr, "%s is done\n", w.name)
		lines = append(lines, report(w, samples)...)
	}
	text := fmt.Sprintf("%s, %s/%s, server and client on one CPU each; %d rounds of %g s.\n\n",
		runtime.Version(), runtime.GOOS, runtime.GOARCH, o.rounds, o.seconds) +
		tables.Align(lines, func(column int) bool { return column >= 2 })
	fmt.Print(text)
	return o.write.Replace(place, text)
}

// measure is one sample.
func measure(name string, w work, seconds float64, serverCPU, clientCPU string) (s sample, err error) {
	server, err := startSelf(serverCPU, roleServer, name, w.name)
	if err != nil {
		return s, err
	}
	defer server.kill()
	addr, err := server.line()
	if err != nil {
		return s, err
	}
	client, err := startSelf(clientCPU, roleClient, w.name, addr, fmt.Sprint(server.pid()), fmt.Sprint(seconds), fmt.Sprint(w.connections))
	if err != nil {
		return s, err
	}
	defer client.kill()
	line, err := client.line()
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal([]byte(line), &s)
}

// report returns the lines of a work: medians, and of the rounds' ratios the range, too.
func report(w work, samples map[string][]sample) (lines [][]string) {
	row := func(unit string, of func(sample) float64) {
		var ratios []float64
		values := map[string][]float64{}
		for i, s := range samples["curio"] {
			ratios = append(ratios, of(s)/of(samples["net"][i]))
		}
		for name, all := range samples {
			for _, s := range all {
				values[name] = append(values[name], of(s))
			}
		}
		lines = append(lines, []string{
			w.name, unit, tables.SpreadOf(values["net"]).FormatMedian(1, 1),
			tables.SpreadOf(values["curio"]).FormatMedian(1, 1), tables.SpreadOf(ratios).Format(1, 2),
		})
	}
	row(w.unit, func(s sample) float64 { return s.PerSecond })
	if w.rate {
		row("CPU µs of the server for each", func(s sample) float64 { return s.CPU })
	}
	return lines
}

func names() (all []string) {
	for _, w := range works {
		all = append(all, w.name)
	}
	return all
}

// warmUp is how long a client runs before it measures.
const warmUp = 200 * time.Millisecond
