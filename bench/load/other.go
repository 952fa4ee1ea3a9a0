//go:build !linux

// Load is a load generator built on epoll.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "load: needs Linux: it is built on epoll")
	os.Exit(1)
}
