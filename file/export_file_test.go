package file

import (
	"os"
	"sync/atomic"
	"syscall"
)

// The ways of reading: see File.access.
const (
	Direct  = direct
	NoWait  = noWait
	HandOff = handOff

	MaxWorkers = maxWorkers
	Piece      = piece
)

// Stall has hook called in workers before their system calls, until restore is called.
func Stall(hook func(op, path string)) (restore func()) {
	stallHook.Store(&hook)
	return func() { stallHook.Store(nil) }
}

// Access is how f is read, which a test may change.
func Access(f *File) *atomic.Int32 { return &f.access }

// FD is the number of f's descriptor.
func FD(f *File) int { return f.fd }

// Ahead is how many bytes f keeps in memory.
func Ahead(f *File) int { return cap(f.ahead.unread) }

// Forget makes f one of whose file system nothing is known.
func Forget(f *File) {
	f.local = false
	f.access.Store(handOff)
}

// Lie changes the answers to reads without waiting, until restore is called.
func Lie(answer func(n int, errno syscall.Errno) (int, syscall.Errno)) (restore func()) {
	lie = answer
	return func() { lie = nil }
}

// LookedAt has hook called between the two looks of OpenRegular, until restore is called.
func LookedAt(hook func()) (restore func()) {
	lookedAt = hook
	return func() { lookedAt = nil }
}

// Fail replaces fsync(2) and close(2), if these are not nil, until restore is called.
func Fail(sync, closes func(*os.File) error) (restore func()) {
	oldSync, oldClose := syncFunc, closeFunc
	if sync != nil {
		syncFunc = sync
	}
	if closes != nil {
		closeFunc = closes
	}
	return func() { syncFunc, closeFunc = oldSync, oldClose }
}
