//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// pinCommand makes this program a stand-in for taskset(1), which not every
// system has:
//
//	echo pin CPUS -- COMMAND
const pinCommand = "pin"

// pinned returns the command line that runs command on those CPUs alone.
func pinned(cpus []int, command []string) ([]string, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	names := make([]string, len(cpus))
	for i, cpu := range cpus {
		names[i] = strconv.Itoa(cpu)
	}
	return append([]string{self, pinCommand, strings.Join(names, ","), "--"}, command...), nil
}

// pin becomes the command. It must run in the main goroutine, locked to its
// thread: a thread is what has an affinity, and the one that calls exec is the
// one that remains.
func pin(arguments []string) error {
	if len(arguments) < 3 || arguments[1] != "--" {
		return errors.New("usage: echo pin CPUS -- COMMAND")
	}
	cpus, err := parseCPUs(arguments[0])
	if err != nil {
		return err
	}
	var set unix.CPUSet
	for _, cpu := range cpus {
		set.Set(cpu)
	}
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return fmt.Errorf("pinning to CPUs %s: %w", arguments[0], err)
	}
	command := arguments[2:]
	path, err := exec.LookPath(command[0])
	if err != nil {
		return err
	}
	return fmt.Errorf("%s: %w", path, syscall.Exec(path, command, os.Environ()))
}

// allowedCPUs returns the CPUs that this process may use.
func allowedCPUs() ([]int, error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return nil, err
	}
	var cpus []int
	for cpu := range len(set) * 64 {
		if set.IsSet(cpu) {
			cpus = append(cpus, cpu)
		}
	}
	return cpus, nil
}
