//go:build !freebsd

package process

import "syscall"

// Unlimited is no limit.
const Unlimited = ^uint64(0)

// OwnLimit returns a resource limit of this process.
func OwnLimit(resource int) (soft, hard uint64, err error) {
	var l syscall.Rlimit
	err = syscall.Getrlimit(resource, &l)
	return l.Cur, l.Max, err
}

// SetOwnLimit sets a resource limit of this process.
func SetOwnLimit(resource int, soft, hard uint64) error {
	return syscall.Setrlimit(resource, &syscall.Rlimit{Cur: soft, Max: hard})
}
