// Package disk makes the system calls on files that never wait for a device, and knows what is
// mounted where.
//
// A call that may wait for a disk, a server or a FUSE daemon cannot be interrupted. A caller that makes it in a
// worker pays for two switches of goroutines. The functions of this package find out, with one system
// call, whether that is necessary: they return what the system has in memory, or say that it would have
// to wait. Nothing here asks a file system that may hang: which file system it is comes from the table
// of mounts, and not from statfs(2), which NFS and FUSE answer by asking their server.
package disk

import "syscall"

// A Class says what to expect of a file system.
type Class uint8

const (
	// Other is a file system of which nothing is known: its server may be gone.
	Other Class = iota

	// Local is a file system on a disk of this machine. What is in its caches is answered at once; it
	// is the disk that may take its time.
	Local

	// Memory is a file system that has no device behind it.
	Memory
)

// classes has the types of file systems as the table of mounts names them. What is not in it is Other,
// overlay among them: its layers may be anything.
var classes = map[string]Class{
	"ext2": Local, "ext3": Local, "ext4": Local, "xfs": Local, "btrfs": Local, "f2fs": Local,
	"tmpfs": Memory, "ramfs": Memory, "devtmpfs": Memory, "hugetlbfs": Memory,
	"proc": Memory, "sysfs": Memory, "cgroup": Memory, "cgroup2": Memory,
	"devpts": Memory, "mqueue": Memory, "fusectl": Memory, "binfmt_misc": Memory, "nsfs": Memory,
	"debugfs": Memory, "tracefs": Memory, "securityfs": Memory, "configfs": Memory, "bpf": Memory,
}

// Refused reports whether errno, the error of a ReadNoWait, says that there are no such reads of this
// file: an old system, a sandbox, or a file system without them. EINVAL is what a system says that does
// not know the flag, EPERM what some filters of system calls say.
func Refused(errno syscall.Errno) bool {
	switch errno {
	case syscall.EOPNOTSUPP, syscall.ENOSYS, syscall.EINVAL, syscall.EPERM, syscall.ESPIPE:
		return true
	}
	return false
}

// A Mount is a file system in its place.
type Mount struct {
	ID, Parent int
	Dev        uint64 // as in Stat_t
	Point      string
	Type       string
}

// Class is the class of the file system's type.
func (m Mount) Class() Class { return classes[m.Type] }

// mayHang reports whether somebody who is not this machine may have to answer. An overlay does not
// answer by itself: its layers are somewhere else.
func (m Mount) mayHang() bool { return m.Class() == Other && m.Type != "overlay" }
