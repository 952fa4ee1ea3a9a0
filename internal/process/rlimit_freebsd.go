package process

import (
	"math"
	"syscall"
)

// Unlimited is no limit.
const Unlimited = uint64(math.MaxInt64)

// OwnLimit returns a resource limit of this process.
func OwnLimit(resource int) (soft, hard uint64, err error) {
	var l syscall.Rlimit
	err = syscall.Getrlimit(resource, &l)
	return uint64(l.Cur), uint64(l.Max), err
}

// SetOwnLimit sets a resource limit of this process.
func SetOwnLimit(resource int, soft, hard uint64) error {
	return syscall.Setrlimit(resource, &syscall.Rlimit{Cur: int64(soft), Max: int64(hard)})
}
