package poll

import (
	"iter"
	"syscall"
	"unsafe"
)

// Descriptors yields pointers to the descriptors in ancillary data, with the type of the
// control message that each is a part of. If the data is truncated at its end, it yields
// those that are complete.
func Descriptors(control []byte) iter.Seq2[int, *int32] {
	return func(yield func(int, *int32) bool) {
		for len(control) >= syscall.CmsgLen(0) {
			h := (*syscall.Cmsghdr)(unsafe.Pointer(&control[0]))
			size := int(h.Len)
			if size < syscall.CmsgLen(0) {
				return // not a control message, so nobody can tell where the next one begins
			}
			size = min(size, len(control)) // a length near the largest int would overflow in CmsgSpace
			data := control[syscall.CmsgLen(0):size]
			for h.Level == syscall.SOL_SOCKET && isDescriptors(int(h.Type)) && len(data) >= 4 {
				if !yield(int(h.Type), (*int32)(unsafe.Pointer(&data[0]))) {
					return
				}
				data = data[4:]
			}
			control = control[min(syscall.CmsgSpace(size-syscall.CmsgLen(0)), len(control)):]
		}
	}
}

// scmPidfd is the type for a pidfd of the sending process, which comes with Linux's option
// SO_PASSPIDFD.
const scmPidfd = 0x4

// isDescriptors reports whether a control message of level SOL_SOCKET and this type
// contains descriptors that were given to this process.
func isDescriptors(typ int) bool { return typ == syscall.SCM_RIGHTS || typ == scmPidfd && !bsd }

// liftDescriptors moves descriptors that came with a message away from the numbers of the
// standard streams. It reports false if it could not move one: that one is closed, and
// replaced by -1.
func liftDescriptors(control []byte) bool {
	all := true
	for _, fd := range Descriptors(control) {
		if *fd < 0 || *fd >= firstFree {
			continue
		}
		n, err := aboveStdio(int(*fd))
		if err != nil {
			n, all = -1, false
		}
		*fd = int32(n)
	}
	return all
}
