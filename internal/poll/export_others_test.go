//go:build !linux

package poll

import "testing"

// OnOurs does nothing: there is the runtime's poller only.
func OnOurs() {}

// OnTheRuntimes does nothing.
func OnTheRuntimes(testing.TB) {}
