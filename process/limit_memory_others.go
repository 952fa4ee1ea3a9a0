//go:build !linux

package process

import "errors"

// RLIMIT_DATA counts here what no program has used for long, and RLIMIT_AS counts what a Go program only
// reserves.
const limitsMemory = false

func limitMemory(int64) error { return errors.ErrUnsupported }

// preferForOOM does nothing: it is decided by the size of processes alone.
func preferForOOM() {}

// showName does nothing: a worker is started by the path of the program, and has its name.
func showName() {}
