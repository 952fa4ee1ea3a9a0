package file_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/curio-go/curio/file"
	"github.com/curio-go/curio/internal/testutil"
)

// A dam holds up the reader of the kernel's events, so that the kernel's queue overflows.
type dam struct {
	mu     sync.Mutex
	closed chan struct{} // nil if it is open
	before chan struct{} // the reader has come to it
}

func newDam(t testing.TB) *dam {
	d := &dam{before: make(chan struct{}, 1)}
	file.SetBeforeKernelRead(d.pass)
	t.Cleanup(func() {
		d.open()
		file.SetBeforeKernelRead(nil)
	})
	return d
}

func (d *dam) pass() {
	d.mu.Lock()
	closed := d.closed
	d.mu.Unlock()
	if closed != nil {
		select {
		case d.before <- struct{}{}:
		default:
		}
		<-closed
	}
}

// close closes the dam, and pokes the reader, which may be reading, until it is there.
func (d *dam) close(t testing.TB, poke func()) {
	t.Helper()
	d.mu.Lock()
	d.closed = make(chan struct{})
	d.mu.Unlock()
	testutil.Await(t, "the reader", func() bool {
		poke()
		select {
		case <-d.before:
			return true
		default:
			return false
		}
	})
}

func (d *dam) open() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed != nil {
		close(d.closed)
		d.closed = nil
	}
}

// queueLength is how many events the kernel keeps.
func queueLength(t testing.TB) (n int) {
	text, err := os.ReadFile("/proc/sys/fs/inotify/max_queued_events")
	check(t, err)
	_, err = fmt.Sscan(string(text), &n)
	check(t, err)
	if n > 1<<17 {
		t.Skipf("the kernel keeps %d events, too many to fill that queue", n)
	}
	return n
}

// fill makes more events in dir than the kernel keeps.
func fill(t testing.TB, dir string, limit int) {
	t.Helper()
	write(t, dir+"/x", "")
	for range limit/2 + 100 {
		check(t, os.Link(dir+"/x", dir+"/y"))
		check(t, os.Remove(dir+"/y"))
	}
	check(t, os.Remove(dir+"/x"))
}

// 10,000 files are created, changed, renamed and removed while the reader is held up and the kernel's
// queue overflows, again and again. Directories are removed and made again meanwhile, so that what the
// kernel said of their watches is lost too (trap 4). At the end nothing is missing, and what the kernel
// watches is what there is.
func TestWatchOverflow(t *testing.T) {
	testutil.NoLeaks(t)
	files := testutil.Times(10_000)
	limit := queueLength(t)
	dir := memory(t)
	const folders = 50
	for i := range folders {
		check(t, os.Mkdir(fmt.Sprint(dir, "/", i), 0o755))
	}
	w := watch(t, dir, file.Recursive())
	watches, _, _ := file.KernelWatches()
	d := newDam(t)
	f := follow(t, w, dir)
	at := func(i int) string { return fmt.Sprintf("%s/%d/%d", dir, i%folders, i) }
	rounds := []func(i int){
		func(i int) { write(t, at(i), "1") },
		func(i int) {
			if i%3 == 0 {
				write(t, at(i), "22")
			} else {
				check(t, os.Chmod(at(i), 0o600))
			}
		},
		func(i int) {
			switch i % 4 {
			case 0:
				check(t, os.Rename(at(i), at(i)+"renamed"))
			case 1:
				check(t, os.Rename(at(i), at(i+1)+"moved"))
			}
		},
		func(i int) {
			if i%4 == 0 && i%8 == 0 {
				check(t, os.Remove(at(i)+"renamed"))
			}
			if i%4 == 2 {
				write(t, at(i), "333")
			}
		},
	}
	if !testutil.Long { // all changes at once
		all := rounds
		rounds = []func(i int){func(i int) {
			for _, round := range all[:3] {
				round(i)
			}
		}, all[3]}
	}
	for n, round := range rounds {
		d.close(t, func() { write(t, dir+"/poke", "") })
		// What fills the queue: in a directory which goes, so that nobody hears that it has.
		lost := fmt.Sprint(dir, "/", n)
		check(t, os.Rename(lost, dir+"/gone"))
		check(t, os.Mkdir(lost, 0o755))
		fill(t, dir+"/gone", limit)
		check(t, os.RemoveAll(lost))
		check(t, os.Rename(dir+"/gone", lost))
		for i := range files {
			round(i)
		}
		d.open()
		f.catchesUp(t, dir)
		testutil.Await(t, "an overflow in each round", func() bool { return f.count(file.Rescanned) > n })
	}
	check(t, os.RemoveAll(dir+"/7"))
	check(t, os.MkdirAll(dir+"/7/8", 0o755))
	write(t, dir+"/7/8/9", "the last one")
	f.catchesUp(t, dir)
	testutil.Await(t, "as many watches as directories", func() bool {
		after, _, _ := file.KernelWatches()
		return after == watches+1 && kernelHas(t) == after
	})
}

// The directory is removed when nobody hears of it.
func TestWatchOverflowRootGoes(t *testing.T) {
	testutil.NoLeaks(t)
	limit := queueLength(t)
	top := memory(t)
	dir := top + "/dir"
	for name, act := range map[string]func(){
		"removed":  func() { check(t, os.RemoveAll(dir)) },
		"replaced": func() { check(t, errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o755))) },
	} {
		check(t, os.MkdirAll(dir, 0o755))
		w := watch(t, dir)
		d := newDam(t)
		d.close(t, func() { write(t, dir+"/poke", "") })
		fill(t, dir, limit)
		act()
		d.open()
		for {
			if _, err := nextOrError(w); err != nil {
				if !strings.Contains(err.Error(), "removed") && !errors.Is(err, os.ErrNotExist) {
					t.Errorf("%s: %v", name, err)
				}
				break
			}
		}
		w.Close()
	}
}

// Random changes to a tree, by several writers, with overflows at random moments: what a user of the
// stream believes is what there is, at the end and at any time when nothing happens. In one of the rounds
// nothing is lost, so that all renames are seen as such.
func TestWatchRandom(t *testing.T) {
	testutil.NoLeaks(t)
	for _, c := range []randomChanges{
		{buffer: smallBuffer, writers: 1, loses: true},
		{buffer: 4096, writers: 1},
		{buffer: 64 << 10, writers: 1, loses: true},
		{buffer: 64 << 10, writers: 4, loses: true},
	} {
		t.Run(fmt.Sprintf("buffer=%d/writers=%d", c.buffer, c.writers), c.test)
	}
}

type randomChanges struct {
	buffer, writers int
	loses           bool
	dir, outside    string
}

func (c randomChanges) test(t *testing.T) {
	rounds, steps := 6, 900
	if testutil.Long {
		rounds, steps = 20, 60_000
	}
	restore := file.SetKernelBuffer(c.buffer)
	t.Cleanup(func() {
		noKernelWatches(t)
		restore()
	})
	seed := rand.Uint64()
	t.Logf("the seed is %d", seed)
	top := memory(t)
	c.dir, c.outside = top+"/in", top+"/out"
	check(t, errors.Join(os.MkdirAll(c.dir+"/a", 0o755), os.Mkdir(c.outside, 0o755)))
	w := watch(t, c.dir, file.Recursive())
	f := follow(t, w, c.dir)
	for range rounds {
		var writers sync.WaitGroup
		for range c.writers {
			seed++
			r := rand.New(rand.NewPCG(seed, 0))
			writers.Go(func() {
				for i := range steps / rounds / c.writers {
					c.change(w, r, i)
				}
			})
		}
		writers.Wait()
		f.catchesUp(t, c.dir)
	}
	n := 0
	for _, text := range pictureOf(c.dir).text {
		if text == isFolder {
			n++
		}
	}
	testutil.Await(t, "as many watches as directories", func() bool {
		watches, _, _ := file.KernelWatches()
		return watches == n+1+strings.Count(c.dir, "/") && kernelHas(t) == watches
	})
	w.Close()
	<-f.done
	t.Logf("%d directories, changes %v", n, f.kinds)
}

// change does something that may well fail.
func (c randomChanges) change(w *file.Watcher, r *rand.Rand, i int) {
	name := func() string { return "/" + string(rune('a'+r.IntN(5))) }
	place := func() string { // a directory, which may not exist
		var path strings.Builder
		path.WriteString(c.dir)
		for range r.IntN(4) {
			path.WriteString(name())
		}
		return path.String()
	}
	path := place() + name()
	switch r.IntN(12) {
	case 0, 1:
		_ = os.WriteFile(path, fmt.Append(nil, i), 0o644)
	case 2:
		_ = os.MkdirAll(path, 0o755)
	case 3:
		_ = os.Mkdir(path, 0o755)
	case 4:
		_ = os.Remove(path)
	case 5:
		_ = os.RemoveAll(path)
	case 6, 7:
		_ = os.Rename(path, place()+name())
	case 8:
		_ = os.Rename(path, c.outside+name())
	case 9:
		_ = os.Rename(c.outside+name(), path)
	case 10:
		_ = os.Symlink(place()+name(), path)
	case 11:
		if c.loses && r.IntN(20) == 0 {
			w.Lose()
		}
	}
}

func init() {
	children["watch unmounted"] = func() {
		dir := os.Args[2]
		mount := func(path string) {
			if err := errors.Join(os.MkdirAll(path, 0o755), syscall.Mount("none", path, "tmpfs", 0, "")); err != nil {
				fmt.Println("skip", err)
				os.Exit(0)
			}
		}
		mount(dir + "/sub")
		mount(dir + "/root")
		fail := func(err error) {
			if err != nil {
				fmt.Println(err)
				os.Exit(1)
			}
		}
		fail(os.MkdirAll(dir+"/sub/x/y", 0o755))
		w, err := file.Watch(background, dir+"/root")
		fail(err)
		whole, err := file.Watch(background, dir, file.Recursive())
		fail(err)
		fail(syscall.Unmount(dir+"/root", 0))
		_, err = nextOrError(w)
		fmt.Println(err)
		fail(syscall.Unmount(dir+"/sub", 0))
		removed := func(rel string) {
			for {
				c, err := nextOrError(whole)
				fail(err)
				if got, _ := filepath.Rel(dir, c.Path); c.Kind == file.Removed || got == rel {
					fmt.Println(c.Kind, got)
					return
				}
			}
		}
		removed("sub/x")
		fail(os.WriteFile(dir+"/sub/new", nil, 0o644)) // below the mount
		removed("sub/new")
	}
}

// When a file system is unmounted, a Watcher of its root ends; one of which it is a part goes on with
// what was below it.
func TestWatchUnmounted(t *testing.T) {
	testutil.NoLeaks(t)
	dir := t.TempDir()
	program, err := os.Executable()
	check(t, err)
	command := exec.Command(program, "watch unmounted", dir)
	r, lifeline, err := os.Pipe()
	check(t, err)
	defer r.Close()
	defer lifeline.Close()
	command.ExtraFiles = []*os.File{r}
	command.Env = append(os.Environ(), "CURIO_TEST_CHILD=1")
	command.Stderr = os.Stderr
	command.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
	}
	out, err := command.Output()
	if strings.HasPrefix(string(out), "skip") || err != nil && len(out) == 0 {
		t.Skipf("no namespace in which to mount something: %v %s", err, out)
	}
	want := "watch " + dir + "/root: the file system was unmounted\nremoved sub/x\ncreated sub/new\n"
	if err != nil || string(out) != want {
		t.Errorf("%v, it printed\n%s", err, out)
	}
}
