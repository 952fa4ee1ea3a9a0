package process

import "syscall"

// CloseOnExecFrom marks all descriptors of this process from first on to be closed on exec. It is for a
// process that opens none meanwhile, as one that has just begun.
func CloseOnExecFrom(first int) error {
	if err := closeRange(first); err == nil {
		return nil
	}
	open, err := descriptors()
	for _, fd := range open {
		if fd >= first {
			syscall.CloseOnExec(fd)
		}
	}
	return err
}
