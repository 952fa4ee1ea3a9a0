//go:build !linux

package file_test

import "testing"

func noKernelWatches(testing.TB) {}
