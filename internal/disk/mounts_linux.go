package disk

import (
	"bytes"
	"cmp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"unsafe"

	"github.com/curio-go/curio/internal/poll"
)

// mounts is the table of mounts as it was read last. It is never changed.
type mounts struct {
	byPoint map[string]Mount // those that can be reached
	byDev   map[uint64]Mount // all
	risky   bool             // there is one that may hang
}

// table keeps /proc/self/mountinfo open: asking whether it has changed is one system call, reading it a
// hundred.
var table struct {
	mu   sync.Mutex
	fd   int // 0 before the first look, -1 if there is none
	last *mounts
}

// now returns the table of mounts. It is empty on a system without /proc.
func now() *mounts {
	t := &table
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.fd == 0 {
		t.fd, t.last = openTable(), &mounts{}
		if t.fd > 0 {
			t.last = readTable(t.fd)
		}
	} else if t.fd > 0 && changed(t.fd) {
		t.last = readTable(t.fd)
	}
	return t.last
}

func openTable() int {
	for {
		fd, err := syscall.Open("/proc/self/mountinfo", syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
		if err == syscall.EINTR {
			continue
		}
		if err == nil && fd < 3 { // the numbers of the standard streams are not ours
			low := fd
			fd, err = poll.Dup(low)
			syscall.Close(low)
		}
		if err == syscall.EMFILE || err == syscall.ENFILE {
			return 0 // later, perhaps
		}
		if err != nil {
			return -1
		}
		poll.Keep(fd)
		return fd
	}
}

type pollfd struct {
	fd      int32
	events  int16
	revents int16
}

// changed reports whether something was mounted or unmounted since it was last asked.
func changed(fd int) bool {
	const pollPri, pollErr = 0x2, 0x8
	p := pollfd{fd: int32(fd), events: pollPri}
	var at syscall.Timespec
	for {
		_, _, errno := syscall.RawSyscall6(syscall.SYS_PPOLL, uintptr(unsafe.Pointer(&p)), 1, uintptr(unsafe.Pointer(&at)), 0, 0, 0)
		if errno != syscall.EINTR {
			return errno != 0 || p.revents&(pollPri|pollErr) != 0
		}
	}
}

func readTable(fd int) *mounts {
	var all []byte
	buf := make([]byte, 32<<10)
	for {
		n, err := syscall.Pread(fd, buf, int64(len(all)))
		if err == syscall.EINTR {
			continue
		}
		if err != nil || n == 0 {
			return parseTable(all)
		}
		all = append(all, buf[:n]...)
	}
}

// parseTable reads lines such as
//
//	36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
//
// Lines that are different are left out.
func parseTable(text []byte) *mounts {
	var all []Mount
	for line := range bytes.Lines(text) {
		before, after, ok := strings.Cut(strings.TrimSuffix(string(line), "\n"), " - ")
		fields := strings.Fields(before)
		if !ok || len(fields) < 6 {
			continue
		}
		major, minor, _ := strings.Cut(fields[2], ":")
		var m Mount
		var errs [4]error
		var ma, mi uint64
		m.ID, errs[0] = strconv.Atoi(fields[0])
		m.Parent, errs[1] = strconv.Atoi(fields[1])
		ma, errs[2] = strconv.ParseUint(major, 10, 32)
		mi, errs[3] = strconv.ParseUint(minor, 10, 32)
		if errs != [4]error{} {
			continue
		}
		m.Dev, m.Point = device(ma, mi), unescape(fields[4])
		m.Type, _, _ = strings.Cut(after, " ")
		all = append(all, m)
	}
	return arrange(all)
}

// device makes a number of st_dev.
func device(major, minor uint64) uint64 {
	return minor&0xff | major&0xfff<<8 | minor&^0xff<<12 | major&^0xfff<<32
}

// unescape undoes what the system does to blanks, tabs, newlines and backslashes.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		if s[0] == '\\' && len(s) >= 4 {
			if c, err := strconv.ParseUint(s[1:4], 8, 8); err == nil {
				b.WriteByte(byte(c))
				s = s[4:]
				continue
			}
		}
		b.WriteByte(s[0])
		s = s[1:]
	}
	return b.String()
}

// arrange leaves out of byPoint what is hidden by a mount above it or in its place. A mount can be
// reached if its parent is what is found at its point without it.
func arrange(all []Mount) *mounts {
	t := &mounts{byPoint: make(map[string]Mount, len(all)), byDev: make(map[uint64]Mount, len(all))}
	for _, m := range all {
		t.byDev[m.Dev] = m
		t.risky = t.risky || m.mayHang()
	}
	slices.SortStableFunc(all, func(a, b Mount) int { return cmp.Compare(len(a.Point), len(b.Point)) })
	for len(all) > 0 {
		n := 1
		for n < len(all) && len(all[n].Point) == len(all[0].Point) {
			n++
		}
		same := all[:n]
		all = all[n:]
		for again := true; again; {
			again = false
			for i, m := range same {
				if m.ID < 0 {
					continue
				}
				if below, ok := t.find(m.Point); ok && below.ID != m.Parent {
					continue
				}
				t.byPoint[m.Point] = m
				same[i].ID = -1
				again = true
			}
		}
	}
	return t
}

// find returns the mount in which an absolute and clean path is, if no symbolic link leads elsewhere.
func (t *mounts) find(path string) (Mount, bool) {
	for {
		if m, ok := t.byPoint[path]; ok {
			return m, true
		}
		i := strings.LastIndexByte(path, '/')
		switch {
		case i < 0 || path == "/":
			return Mount{}, false
		case i == 0:
			path = "/"
		default:
			path = path[:i]
		}
	}
}

// MountOf returns the mount in which an absolute and clean path is, if no symbolic link leads
// elsewhere.
func MountOf(path string) (Mount, bool) { return now().find(path) }

// ClassOf returns the class of the file system of a device. ok is false if the table of mounts does not
// have it, as for the volumes of btrfs, which have device numbers of their own.
func ClassOf(dev uint64) (c Class, ok bool) {
	m, ok := now().byDev[dev]
	return m.Class(), ok
}

// Believable reports whether what a file system says about the size of a file is this machine's own
// word.
func Believable(dev uint64) bool {
	m, ok := now().byDev[dev]
	return ok && !m.mayHang()
}

// magic has what statfs(2) says of file systems.
var magic = map[int64]Class{
	0xef53: Local, 0x58465342: Local, 0x9123683e: Local, 0xf2f52010: Local,
	0x01021994: Memory, 0x858458f6: Memory, 0x9fa0: Memory, 0x62656572: Memory, 0x27e0eb: Memory, 0x63677270: Memory,
	0x64626720: Memory, 0x74726163: Memory, 0x958458f6: Memory,
}

// AskClass is ClassOf for what is not in the table. It may wait for a server.
func AskClass(fd int) Class {
	var s syscall.Statfs_t
	for {
		err := syscall.Fstatfs(fd, &s)
		if err == nil {
			return magic[int64(uint32(s.Type))]
		}
		if err != syscall.EINTR {
			return Other
		}
	}
}
