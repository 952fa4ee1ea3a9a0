package poll

import (
	"iter"
	"syscall"
	"unsafe"
)

// Descriptors yields the descriptors in ancillary data, where they stand in it, and the type
// of what they are a part of. What is cut off at its end is there as far as it goes.
func Descriptors(control []byte) iter.Seq2[int, *int32] {
	return func(yield func(int, *int32) bool) {
		for len(control) >= syscall.CmsgLen(0) {
			h := (*syscall.Cmsghdr)(unsafe.Pointer(&control[0]))
			size := int(h.Len)
			if size < syscall.CmsgLen(0) {
				return // it is none, and nobody can tell where the next one begins
			}
			data := control[syscall.CmsgLen(0):min(size, len(control))]
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

// scmPidfd is a descriptor of the sending process, with the option SO_PASSPIDFD of Linux.
const scmPidfd = 0x4

// isDescriptors reports whether ancillary data of the level SOL_SOCKET and this type is
// descriptors that the process has got with it.
func isDescriptors(typ int) bool { return typ == syscall.SCM_RIGHTS || typ == scmPidfd && !bsd }

// liftDescriptors moves descriptors that came with a message off the numbers of the standard
// streams. It reports false if it could not move one: that one is closed, and a number that no
// descriptor has stands in its place.
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
