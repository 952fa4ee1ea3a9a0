//go:build !linux

package poll

import "github.com/curio-go/curio/internal/wait"

// watchByPoller is for systems where we have a poller of our own.
func watchByPoller(fd int, write bool, w *wait.Waiter) *Watch { return nil }
