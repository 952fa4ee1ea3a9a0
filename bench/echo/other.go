//go:build !linux

// Echo compares echo servers under a load generator built on epoll.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "echo: needs Linux: it pins processes to CPUs, and its load generator is built on epoll")
	os.Exit(1)
}
