//go:build !linux

// Network compares servers on Curio and on package net.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "network: needs Linux: it pins processes to CPUs and reads /proc")
	os.Exit(1)
}
