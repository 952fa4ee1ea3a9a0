package file_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"syscall"
	"testing"

	"github.com/curio-go/curio/file"
	"github.com/curio-go/curio/internal/testutil"
)

// The requests of <linux/fuse.h> that the tests know.
const (
	fuseLookup  = 1
	fuseForget  = 2
	fuseGetattr = 3
	fuseSetattr = 4
	fuseMkdir   = 9
	fuseUnlink  = 10
	fuseRename  = 12
	fuseOpen    = 14
	fuseRead    = 15
	fuseWrite   = 16
	fuseStatfs  = 17
	fuseRelease = 18
	fuseFsync   = 20
	fuseFlush   = 25
	fuseInit    = 26
	fuseOpendir = 27
	fuseReaddir = 28
	fuseEnddir  = 29
	fuseCreate  = 35
	fuseIntr    = 36
	fusePoll    = 40
	fuseForgets = 42
)

// A daemon is a FUSE file system with one file, "data", that has poem in it, and empty ones that are
// made, and never go. What it is asked it answers, or leaves unanswered, or answers with an error, as the test says.
type daemon struct {
	t   testing.TB
	dir string
	dev int

	mu     sync.Mutex
	stalls map[uint32]bool
	fails  map[uint32][]syscall.Errno // one for each request to come
	asked  map[uint32]int
	made   map[string]bool // files that were made
	held   [][]byte        // requests that are not answered
}

func newDaemon(t testing.TB) *daemon {
	t.Helper()
	dev, err := syscall.Open("/dev/fuse", syscall.O_RDWR|syscall.O_CLOEXEC, 0)
	if err != nil {
		t.Skipf("no FUSE here: %v", err)
	}
	d := &daemon{t: t, dir: t.TempDir(), dev: dev, stalls: map[uint32]bool{}, fails: map[uint32][]syscall.Errno{}, asked: map[uint32]int{}, made: map[string]bool{}}
	err = syscall.Mount("curio-test", d.dir, "fuse", syscall.MS_NOSUID|syscall.MS_NODEV, fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0", dev))
	if err != nil {
		syscall.Close(dev)
		t.Skipf("this user may not mount FUSE: %v", err)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		d.serve()
	}()
	t.Cleanup(func() {
		d.answerAll()
		settled(t)
		if err := syscall.Unmount(d.dir, syscall.MNT_FORCE|syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
		testutil.Receive(t, "the end of the daemon", served)
		syscall.Close(dev)
	})
	return d
}

func (d *daemon) name() string { return d.dir + "/data" }

func (d *daemon) stall(opcode uint32) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stalls[opcode] = true
}

func (d *daemon) fail(opcode uint32, errs ...syscall.Errno) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fails[opcode] = errs
}

func (d *daemon) count(opcode uint32) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.asked[opcode]
}

// await waits until the daemon has been asked opcode n times.
func (d *daemon) await(opcode uint32, n int) {
	d.t.Helper()
	testutil.Await(d.t, fmt.Sprintf("request %d", opcode), func() bool { return d.count(opcode) >= n })
}

// answerAll answers what was left unanswered, and from now on everything.
func (d *daemon) answerAll() {
	d.mu.Lock()
	held := d.held
	d.held, d.stalls = nil, map[uint32]bool{}
	d.mu.Unlock()
	for _, request := range held {
		d.answer(request)
	}
}

func (d *daemon) make(name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.made[name] = true
}

func (d *daemon) has(name string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.made[name]
}

func (d *daemon) serve() {
	buf := make([]byte, 1<<20+4096)
	for {
		n, err := syscall.Read(d.dev, buf)
		switch err {
		case nil:
		case syscall.EINTR, syscall.EAGAIN, syscall.ENOENT: // the last one is for a request that was interrupted
			continue
		default: // unmounted
			return
		}
		request := append([]byte(nil), buf[:n]...)
		opcode := binary.NativeEndian.Uint32(request[4:])
		d.mu.Lock()
		d.asked[opcode]++
		stalled := d.stalls[opcode]
		if stalled {
			d.held = append(d.held, request)
		}
		d.mu.Unlock()
		if !stalled {
			d.answer(request)
		}
	}
}

func (d *daemon) answer(request []byte) {
	order := binary.NativeEndian
	opcode, unique, node := order.Uint32(request[4:]), order.Uint64(request[8:]), order.Uint64(request[16:])
	d.mu.Lock()
	var errno syscall.Errno
	if errs := d.fails[opcode]; len(errs) > 0 {
		errno, d.fails[opcode] = errs[0], errs[1:]
	}
	d.mu.Unlock()
	attr := func(node uint64) []byte {
		b := make([]byte, 88)
		order.PutUint64(b, node)
		mode := uint32(syscall.S_IFDIR | 0o755)
		if node > 1 {
			mode = syscall.S_IFREG | 0o644
		}
		if node == 2 {
			order.PutUint64(b[8:], uint64(len(poem)))
		}
		order.PutUint32(b[60:], mode)
		order.PutUint32(b[64:], 1)
		order.PutUint32(b[80:], 4096)
		return b
	}
	var body []byte
	if errno == 0 {
		switch opcode {
		case fuseForget, fuseForgets, fuseIntr:
			return
		case fuseInit:
			body = make([]byte, 64)
			order.PutUint32(body, 7)
			order.PutUint32(body[4:], 31)
			order.PutUint32(body[20:], 1<<17)
		case fuseLookup:
			name, file := string(request[40:len(request)-1]), uint64(2)
			if name != "data" {
				file = 3
				if !d.has(name) {
					errno = syscall.ENOENT
					break
				}
			}
			body = make([]byte, 40)
			order.PutUint64(body, file)
			body = append(body, attr(file)...)
		case fuseCreate:
			d.make(string(request[56 : len(request)-1]))
			body = make([]byte, 40)
			order.PutUint64(body, 3)
			body = append(append(body, attr(3)...), make([]byte, 16)...)
		case fuseGetattr, fuseSetattr:
			body = append(make([]byte, 16), attr(node)...)
		case fuseOpen, fuseOpendir:
			body = make([]byte, 16)
		case fuseRead:
			off := min(order.Uint64(request[48:]), uint64(len(poem)))
			body = []byte(poem)[off:]
		case fuseWrite:
			body = make([]byte, 8)
			order.PutUint32(body, order.Uint32(request[56:]))
		case fuseStatfs:
			body = make([]byte, 80)
		case fuseRelease, fuseFlush, fuseFsync, fuseUnlink, fuseRename, fuseReaddir, fuseEnddir:
		default:
			errno = syscall.ENOSYS
		}
	}
	if errno != 0 {
		body = nil
	}
	head := make([]byte, 16)
	order.PutUint32(head, uint32(16+len(body)))
	order.PutUint32(head[4:], uint32(-int32(errno)))
	order.PutUint64(head[8:], unique)
	_, _ = syscall.Write(d.dev, append(head, body...)) // what was interrupted is not waited for any more
}

func brief(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(background, 10*short)
	t.Cleanup(cancel)
	return ctx
}

// A daemon that does not answer stops nobody: everything that is asked of its files can be timed out.
func TestStalledFUSE(t *testing.T) {
	testutil.NoLeaks(t)
	d := newDaemon(t)
	f, err := file.OpenFile(background, d.name(), os.O_RDWR, 0)
	check(t, err)
	got, err := f.ReadAll(background, file.NoLimit)
	if string(got) != poem || err != nil {
		t.Fatalf("a daemon that answers: %q, %v", got, err)
	}
	if file.Access(f).Load() != file.HandOff {
		t.Errorf("the way of reading is %d: that the file system refuses is not remembered", file.Access(f).Load())
	}
	fresh, err := file.OpenFile(background, d.name(), os.O_RDWR, 0)
	check(t, err)

	for _, opcode := range []uint32{fuseLookup, fuseGetattr, fuseOpen, fuseRead, fuseWrite, fuseFsync, fuseStatfs} {
		d.stall(opcode)
	}
	p := make([]byte, 5)
	is(t, "Open", errOf(file.Open(brief(t), d.name())), context.DeadlineExceeded)
	is(t, "Stat by path", errOf(file.Stat(brief(t), d.name())), context.DeadlineExceeded)
	is(t, "ReadFile", errOf(file.ReadFile(brief(t), d.name())), context.DeadlineExceeded)
	is(t, "Stat", errOf(fresh.Stat(brief(t))), context.DeadlineExceeded)
	is(t, "ReadAt", errOf(fresh.ReadAt(brief(t), p, 0)), context.DeadlineExceeded)
	is(t, "WriteAt", errOf(fresh.WriteAt(brief(t), p, 0)), context.DeadlineExceeded, file.ErrOutcomeUnknown)
	is(t, "Sync", fresh.Sync(brief(t)), context.DeadlineExceeded)
	is(t, "OpenRoot", errOf(file.OpenRoot(brief(t), d.dir+"/data")), context.DeadlineExceeded)
	if calls := file.Calls(); len(calls) < 5 || !calls[0].Abandoned {
		t.Errorf("calls: %v", calls)
	}

	healthy := newFile(t, poem) // other disks are not held up
	if got, err := healthy.ReadAll(background, file.NoLimit); string(got) != poem || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	d.answerAll()
	settled(t)
	check(t, f.Close())
	check(t, fresh.CloseContext(background))
	if n := d.count(fusePoll); n != 0 { // in which the runtime would wait, and let nobody else run
		t.Errorf("the daemon was asked %d times whether the file is ready", n)
	}
}

// Traps 16: a link into a mount that hangs takes no workers of the mount that the link is in.
func TestLinkToStalledFUSE(t *testing.T) {
	testutil.NoLeaks(t)
	d := newDaemon(t)
	dir := t.TempDir()
	link := dir + "/link"
	check(t, os.Symlink(d.dir, link))
	check(t, os.WriteFile(dir+"/healthy", []byte(poem), 0o644))
	_, err := file.Stat(background, link+"/data")
	check(t, err)
	d.stall(fuseLookup)
	d.stall(fuseGetattr)
	before := d.count(fuseLookup) + d.count(fuseGetattr)
	threads := threadCount(t)
	for range 3 * file.MaxWorkers {
		ctx, cancel := context.WithTimeout(background, 2*short)
		_, err := file.Stat(ctx, link+"/data")
		cancel()
		is(t, "Stat", err, context.DeadlineExceeded)
		_, err = file.Stat(background, dir+"/healthy")
		check(t, err)
	}
	if n := d.count(fuseLookup) + d.count(fuseGetattr) - before; n == 0 {
		t.Error("the daemon was not asked")
	}
	if calls := file.Calls(); len(calls) > file.MaxWorkers {
		t.Errorf("%d calls", len(calls))
	}
	const others = 8 // the runtime's own, which come as they are needed
	if n := threadCount(t); n > threads+file.MaxWorkers+others {
		t.Errorf("%d threads, of which there were %d", n, threads)
	}
}

func threadCount(t testing.TB) int {
	t.Helper()
	tasks, err := os.ReadDir("/proc/self/task")
	check(t, err)
	return len(tasks)
}

// close(2) can hang too, as flushing does there.
func TestStalledClose(t *testing.T) {
	testutil.NoLeaks(t)
	d := newDaemon(t)
	f, err := file.OpenFile(background, d.name(), os.O_RDWR, 0)
	check(t, err)
	d.stall(fuseFlush)
	is(t, "CloseContext", f.CloseContext(brief(t)), context.DeadlineExceeded, file.ErrOutcomeUnknown)
	is(t, "Read", errOf(f.Read(background, nil)), fs.ErrClosed)
	d.answerAll()
	settled(t)
}

// Traps 22: whatever is interrupted is done again, except close(2).
func TestEINTR(t *testing.T) {
	testutil.NoLeaks(t)
	d := newDaemon(t)
	interrupted := []syscall.Errno{syscall.EINTR, syscall.EINTR}
	d.fail(fuseOpen, interrupted...)
	f, err := file.OpenFile(background, d.name(), os.O_RDWR, 0)
	check(t, err)
	d.fail(fuseRead, interrupted...)
	d.fail(fuseGetattr, interrupted...)
	d.fail(fuseWrite, interrupted...)
	d.fail(fuseFsync, interrupted...)
	p := make([]byte, 6)
	if n, err := f.ReadAt(background, p, 7); n != 6 || err != nil || string(p) != "line 2" {
		t.Errorf("ReadAt: %q, %v", p[:n], err)
	}
	if _, err := f.Stat(background); err != nil {
		t.Error(err)
	}
	if n, err := f.WriteAt(background, []byte("LINE"), 0); n != 4 || err != nil {
		t.Errorf("WriteAt: %d, %v", n, err)
	}
	check(t, f.Sync(background))
	d.fail(fuseOpen, interrupted...)
	d.fail(fuseRead, interrupted...)
	if got, err := file.ReadFile(background, d.name()); len(got) != len(poem) || err != nil {
		t.Errorf("ReadFile: %q, %v", got, err)
	}
	d.fail(fuseFlush, syscall.EINTR)
	before := d.count(fuseFlush)
	if err := f.Close(); err != nil && !errors.Is(err, syscall.EINTR) {
		t.Error(err)
	}
	if n := d.count(fuseFlush) - before; n != 1 {
		t.Errorf("%d flushes", n)
	}
	d.await(fuseRelease, 1)
}

// Traps 21, with a real fsync: the second would succeed.
func TestSyncFailureOfFUSE(t *testing.T) {
	testutil.NoLeaks(t)
	d := newDaemon(t)
	f, err := file.OpenFile(background, d.name(), os.O_RDWR, 0)
	check(t, err)
	defer f.Close()
	d.fail(fuseFsync, syscall.EIO)
	is(t, "Sync", f.Sync(background), syscall.EIO)
	is(t, "Sync again", f.Sync(background), syscall.EIO)
	if n := d.count(fuseFsync); n != 1 {
		t.Errorf("the daemon was asked %d times", n)
	}
}
