//go:build !linux

package file

import (
	"io/fs"
	"os"
	"syscall"
)

// On these systems a Watcher polls: see Watch. What follows is never called.

const kernelWatches = false

func (w *Watcher) joinKernel() error { return nil }

func (w *Watcher) leaveKernel() {}

func (s *watchSpot) add(string, bool) (int32, error) { return 0, fs.ErrClosed }

func (s *watchSpot) forget() {}

func (s *watchSpot) lost(int32) bool { return false }

func fileSystemOf(string) (kind string, blind bool) { return "", false }

func descriptorPath(*os.File) string { return "" }

// changeTime returns when the inode has last changed, in nanoseconds.
func changeTime(st *syscall.Stat_t) int64 { return st.Ctimespec.Nano() }
