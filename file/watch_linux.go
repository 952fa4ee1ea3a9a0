package file

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"runtime/pprof"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/curio-go/curio/internal/poll"
	"github.com/curio-go/curio/internal/wait"
)

// The kernel's side of a Watcher. One inotify instance serves all Watchers of the process, as a user may
// have only 128 of them. It starts with the first Watcher and ends with the last.
//
// Only directories are watched, files by their names in them. So a file that is removed and made again
// is the same to the kernel's watch, and no descriptor of the kernel's ever stands for a file.
//
// The kernel has one watch for each inode, however many ask for it, and knows it by a number. A watch here
// is the set of all spots with that number: the kernel reports what any of them asks for (IN_MASK_ADD,
// as otherwise the last one that asks would decide for all), and the reader passes on to each what it
// has asked for. The watch is removed with its last spot.
//
// Between the system call that adds a watch and the moment at which its spot is noted, the watch may go,
// because another spot was its last or because the directory was removed. So whatever goes while
// somebody adds is kept in gone, and the one that adds begins again.
//
// Order of locks: kernelWatch.mu < rawEvents.mu, Watcher.mu. Under kernelWatch.mu there are only system calls that
// do not wait: inotify_init1 and inotify_rm_watch.

const kernelWatches = true

var kernelWatch struct {
	mu       sync.Mutex
	fd       *poll.FD // nil if there is no instance
	sysfd    int
	watches  map[int32][]*watchSpot
	watchers map[*Watcher]struct{}
	adding   int // system calls that add watches; they keep the instance
	gone     map[int32]struct{}
	epoch    int // counts how often gone was too large to be kept
}

// maxGone bounds gone, for when a system call hangs in a file system for long.
const maxGone = 1 << 12

const watchFlags = syscall.IN_ONLYDIR | syscall.IN_EXCL_UNLINK | syscall.IN_MASK_ADD

// kernelBuffer is how much is read at once. The kernel refuses a read that has no room for an event.
// Tests replace it.
var kernelBuffer = 64 << 10

// For tests, which hold the reader up to make the kernel's queue overflow, or remove a watch that has just
// been added.
var beforeKernelRead, afterAddWatch atomic.Pointer[func()]

// joinKernel makes w one of the Watchers of the instance.
func (w *Watcher) joinKernel() error {
	if wait.InBubble() {
		return fmt.Errorf("the kernel does not take part in a synctest bubble; use file.Poll: %w", errors.ErrUnsupported)
	}
	k := &kernelWatch
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.fd == nil {
		sysfd, err := newInotify()
		if err != nil {
			return instanceError(err)
		}
		fd, err := poll.New(sysfd, 0)
		if err != nil {
			return err
		}
		k.fd, k.sysfd = fd, sysfd
		k.watches, k.watchers, k.gone = map[int32][]*watchSpot{}, map[*Watcher]struct{}{}, map[int32]struct{}{}
		go readKernel(fd, make([]byte, kernelBuffer))
	}
	k.watchers[w], w.instance = struct{}{}, k.fd
	return nil
}

// newInotify returns a new instance, whose number is not one of the standard streams'.
func newInotify() (int, error) {
	sysfd, err := syscall.InotifyInit1(syscall.IN_CLOEXEC | syscall.IN_NONBLOCK)
	if err != nil || sysfd > 2 {
		return sysfd, err
	}
	other, err := poll.Dup(sysfd)
	syscall.Close(sysfd)
	return other, err
}

// leaveKernel removes all that the kernel watches for w. Any number may call it, at the same time too, and
// each returns when nothing is left.
func (w *Watcher) leaveKernel() {
	const atOnce = 256 // the reader and other Watchers need the mutex too
	k := &kernelWatch
	k.mu.Lock()
	w.done = true
	delete(k.watchers, w)
	// If w was the last Watcher, all go at once with the instance.
	for n := 1; len(w.spots) > 0 && k.fd == w.instance && len(k.watchers)+k.adding > 0; n++ {
		w.spots[len(w.spots)-1].forgetLocked()
		if n%atOnce == 0 {
			k.mu.Unlock()
			k.mu.Lock()
		}
	}
	ended := endKernelLocked()
	if k.fd != w.instance {
		w.spots = nil
	}
	k.mu.Unlock()
	if ended != nil {
		ended.Close()
	}
}

// endKernelLocked ends the instance if nobody uses it, and returns what is to be closed then.
func endKernelLocked() *poll.FD {
	k := &kernelWatch
	if k.fd == nil || len(k.watchers) > 0 || k.adding > 0 {
		return nil
	}
	fd := k.fd
	k.fd, k.watches, k.watchers, k.gone = nil, nil, nil, nil
	return fd
}

// add has the kernel watch the directory at path for s, or makes sure that it still does, and returns the
// number of the watch. If follow is false, path must not be a symbolic link.
func (s *watchSpot) add(path string, follow bool) (wd int32, err error) {
	flags := s.mask | watchFlags
	if !follow {
		flags |= syscall.IN_DONT_FOLLOW
	}
	k := &kernelWatch
	for {
		k.mu.Lock()
		if s.w.done || k.fd == nil {
			k.mu.Unlock()
			return 0, fs.ErrClosed
		}
		sysfd, epoch := k.sysfd, k.epoch
		k.adding++
		k.mu.Unlock()

		wd, err = addWatch(sysfd, path, flags)
		if hook := afterAddWatch.Load(); hook != nil {
			(*hook)()
		}

		k.mu.Lock()
		_, gone := k.gone[wd]
		again := err == nil && (gone || k.epoch != epoch)
		if err == nil && !again {
			s.noteLocked(wd)
		}
		if k.adding--; k.adding == 0 {
			clear(k.gone)
		}
		ended := endKernelLocked()
		k.mu.Unlock()
		if ended != nil {
			ended.Close()
		}
		switch {
		case err != nil:
			return 0, watchError(err)
		case !again:
			return wd, nil
		}
	}
}

func addWatch(sysfd int, path string, flags uint32) (int32, error) {
	for {
		wd, err := syscall.InotifyAddWatch(sysfd, path, flags)
		if err != syscall.EINTR {
			return int32(wd), err
		}
	}
}

// noteLocked makes s a spot of the watch wd.
func (s *watchSpot) noteLocked(wd int32) {
	k := &kernelWatch
	switch {
	case s.w.done: // meanwhile
		if len(k.watches[wd]) == 0 {
			removeWatchLocked(wd)
		}
		return
	case s.wd == wd:
		return
	case s.wd != 0:
		s.forgetLocked()
	}
	s.wd, s.at, s.nth = wd, int32(len(s.w.spots)), int32(len(k.watches[wd]))
	s.w.spots = append(s.w.spots, s)
	k.watches[wd] = append(k.watches[wd], s)
}

// forget is the opposite of add.
func (s *watchSpot) forget() {
	kernelWatch.mu.Lock()
	defer kernelWatch.mu.Unlock()
	if s.wd != 0 && !s.w.done {
		s.forgetLocked()
	}
}

func (s *watchSpot) forgetLocked() {
	k := &kernelWatch
	spots := s.w.spots
	last := spots[len(spots)-1]
	spots[s.at], last.at = last, s.at
	spots[len(spots)-1] = nil
	s.w.spots = spots[:len(spots)-1]
	wd := s.wd
	s.wd = 0
	others, ok := k.watches[wd]
	if !ok {
		return // it has gone by itself
	}
	if n := len(others) - 1; n > 0 {
		others[s.nth], others[n].nth = others[n], s.nth
		others[n] = nil
		k.watches[wd] = others[:n]
		return
	}
	delete(k.watches, wd)
	removeWatchLocked(wd)
}

// removeWatchLocked removes a watch of the kernel's. An error says that it has gone already.
func removeWatchLocked(wd int32) {
	_, _ = syscall.InotifyRmWatch(kernelWatch.sysfd, uint32(wd))
	goneLocked(wd)
}

func goneLocked(wd int32) {
	k := &kernelWatch
	switch {
	case k.adding == 0:
	case len(k.gone) == maxGone:
		clear(k.gone)
		k.epoch++
	default:
		k.gone[wd] = struct{}{}
	}
}

// lost reports whether the watch wd, which has gone, was the one of s.
func (s *watchSpot) lost(wd int32) bool {
	kernelWatch.mu.Lock()
	defer kernelWatch.mu.Unlock()
	if s.wd != wd || s.w.done {
		return false
	}
	s.forgetLocked()
	return true
}

// readKernel takes what the kernel reports, for as long as the instance lives, and never waits for
// anything else.
func readKernel(fd *poll.FD, buf []byte) {
	pprof.SetGoroutineLabels(context.Background()) // it is nobody's, and not that of the task which has started it
	for {
		if hook := beforeKernelRead.Load(); hook != nil {
			(*hook)()
		}
		n, err := fd.Read(context.Background(), buf)
		if err != nil {
			if err != net.ErrClosed {
				failKernel(fd, err)
			}
			return
		}
		dispatchEvents(fd, buf[:n])
	}
}

// failKernel is for an error of the instance, which there should not be.
func failKernel(fd *poll.FD, err error) {
	k := &kernelWatch
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.fd == fd {
		for w := range k.watchers {
			w.end(err)
		}
	}
}

// dispatchEvents gives each event to the spots that it is for.
func dispatchEvents(fd *poll.FD, buf []byte) {
	k := &kernelWatch
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.fd != fd {
		return // the last Watcher has gone
	}
	for len(buf) >= syscall.SizeofInotifyEvent {
		ev := watchEvent{
			wd:     int32(binary.NativeEndian.Uint32(buf)),
			mask:   binary.NativeEndian.Uint32(buf[4:]),
			cookie: binary.NativeEndian.Uint32(buf[8:]),
		}
		end := syscall.SizeofInotifyEvent + int(binary.NativeEndian.Uint32(buf[12:]))
		name, _, _ := bytes.Cut(buf[syscall.SizeofInotifyEvent:end], []byte{0})
		buf = buf[end:]
		dispatchLocked(ev, name)
	}
}

func dispatchLocked(ev watchEvent, name []byte) {
	k := &kernelWatch
	if ev.mask&wasOverflow != 0 {
		for w := range k.watchers {
			w.raw.lose()
		}
		return
	}
	spots, ok := k.watches[ev.wd] // without them, it is about a watch that we have removed
	if ok && ev.mask&wasIgnored != 0 {
		delete(k.watches, ev.wd)
	}
	if ev.mask&wasIgnored != 0 {
		goneLocked(ev.wd)
	}
	for _, s := range spots {
		if ev.mask&(s.mask|wasLost) == 0 || s.only != "" && len(name) > 0 && string(name) != s.only {
			continue
		}
		if ev.name == "" && len(name) > 0 {
			ev.name = string(name)
		}
		ev.spot = s
		s.w.raw.push(ev)
	}
}

// A watchLimit is an error that names the setting behind it.
type watchLimit struct {
	err    error
	detail string
}

func (e *watchLimit) Error() string { return e.err.Error() + ": " + e.detail }
func (e *watchLimit) Unwrap() error { return e.err }

// watchError explains why a watch could not be added.
func watchError(err error) error {
	if err != syscall.ENOSPC {
		return err
	}
	name, value := lowerSetting("fs/inotify/max_user_watches", "user/max_inotify_watches")
	return &watchLimit{err, fmt.Sprintf("the kernel watches %s = %s directories for this user; raise that with sysctl, or use file.Poll", name, value)}
}

// instanceError explains why there is no instance.
func instanceError(err error) error {
	if err != syscall.EMFILE {
		return err
	}
	if f, other := os.Open("/"); other == nil { // so it is not the limit of descriptors
		f.Close()
		name, value := lowerSetting("fs/inotify/max_user_instances", "user/max_inotify_instances")
		return &watchLimit{err, fmt.Sprintf("the kernel has %s = %s inotify instances for this user; raise that with sysctl, or use file.Poll", name, value)}
	}
	return err
}

// lowerSetting returns that of two settings which is lower, as the second is in a user namespace.
func lowerSetting(one, other string) (name, value string) {
	n, first := readSetting(one)
	m, second := readSetting(other)
	if second != "" && m < n {
		return settingName(other), second
	}
	if first == "" {
		first = "(unknown)"
	}
	return settingName(one), first
}

func settingName(path string) string {
	return string(bytes.ReplaceAll([]byte(path), []byte{'/'}, []byte{'.'}))
}

func readSetting(path string) (n int, text string) {
	content, err := os.ReadFile("/proc/sys/" + path)
	if err != nil {
		return 0, ""
	}
	text = string(bytes.TrimSpace(content))
	_, _ = fmt.Sscan(text, &n)
	return n, text
}

// watchBlind are file systems of which the kernel reports next to nothing.
var watchBlind = map[uint32]string{
	0x9fa0: "proc", 0x62656572: "sysfs", 0x64626720: "debugfs", 0x74726163: "tracefs", 0x73636673: "securityfs",
}

// watchRemote are file systems which others may change, of which the kernel then hears nothing.
var watchRemote = map[uint32]string{
	0x6969: "nfs", 0x517b: "smb", 0xff534d42: "cifs", 0xfe534d42: "smb", 0x01021997: "9p", 0x65735546: "fuse",
	0x5346414f: "afs", 0x00c36400: "ceph", 0x73757245: "coda", 0x0bd00bd0: "lustre", 0x786f4256: "vboxsf",
	0x7461636f: "ocfs2", 0x01161970: "gfs2",
}

// fileSystemOf returns what kind of file system path is on, if the kernel does not hear of all its
// changes. blind is true if it hears of none.
func fileSystemOf(path string) (kind string, blind bool) {
	magic := fileSystemType(path)
	if kind, ok := watchBlind[magic]; ok {
		return kind, true
	}
	return watchRemote[magic], false
}

// fileSystemType returns the type that statfs(2) has for path, 0 if it fails. Tests replace it.
var fileSystemType = func(path string) uint32 {
	var st syscall.Statfs_t
	err := syscall.EINTR
	for err == syscall.EINTR {
		err, _ = syscall.Statfs(path, &st).(syscall.Errno)
	}
	return uint32(st.Type)
}

// descriptorPath returns a path by which f is reached whatever its name is by now, or "".
func descriptorPath(f *os.File) string {
	if !hasProc() {
		return ""
	}
	path := ""
	raw, err := f.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) { path = fmt.Sprintf("/proc/self/fd/%d", fd) })
	}
	if err != nil {
		return ""
	}
	return path
}

var hasProc = sync.OnceValue(func() bool {
	_, err := os.Stat("/proc/self/fd")
	return err == nil
})

// changeTime returns when the inode has last changed, in nanoseconds.
func changeTime(st *syscall.Stat_t) int64 { return st.Ctim.Nano() }
