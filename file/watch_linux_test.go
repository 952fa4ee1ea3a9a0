package file_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/curio-go/curio/file"
	"github.com/curio-go/curio/internal/testutil"
)

func noKernelWatches(t testing.TB) {
	t.Helper()
	testutil.Await(t, "end of the inotify instance", func() bool {
		_, _, ok := file.KernelWatches()
		return !ok
	})
}

// kernelHas returns how many watches the kernel says it has for us.
func kernelHas(t testing.TB) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprint("/proc/self/fdinfo/", file.KernelDescriptor()))
	check(t, err)
	return strings.Count(string(text), "inotify wd:")
}

// instances returns how many inotify descriptors the process has.
func instances() (n int) {
	for _, d := range testutil.Descriptors(os.Getpid()) {
		if strings.HasSuffix(d, "inotify") {
			n++
		}
	}
	return n
}

// Several Watchers of one directory, by itself, by a link and by a file in it, are one watch of the
// kernel's. Each gets what it is for, and closing one takes nothing from the others (trap 49).
func TestWatchSameInode(t *testing.T) {
	testutil.NoLeaks(t)
	top := t.TempDir()
	dir := top + "/dir"
	check(t, os.Mkdir(dir, 0o755))
	check(t, os.Symlink("dir", top+"/link"))
	write(t, dir+"/x", "")
	check(t, os.Link(dir+"/x", dir+"/y"))
	byFile := watch(t, dir+"/x") // it asks for less, and comes first and last
	plain, byLink, whole := watch(t, dir), watch(t, top+"/link"), watch(t, dir, file.Recursive())
	again := watch(t, dir+"/x")
	watches, spots, _ := file.KernelWatches()
	if depth := strings.Count(dir, "/"); watches != depth+1 || spots != 5*(depth+1)+1 { // byLink has the link too
		t.Errorf("%d watches with %d spots, for a depth of %d", watches, spots, depth)
	}
	if n := instances(); n != 1 {
		t.Errorf("%d inotify instances", n)
	}
	write(t, dir+"/x", "1")
	for _, w := range []*file.Watcher{plain, whole} {
		expectChanges(t, w, dir, "changed x", "closed x")
	}
	expectChanges(t, byLink, top+"/link", "changed x", "closed x")
	for _, w := range []*file.Watcher{byFile, again} {
		expectChanges(t, w, dir, "changed x", "closed x")
	}
	write(t, dir+"/y", "2") // the same file by its other name
	expectChanges(t, plain, dir, "changed y", "closed y")
	again.Close()
	plain.Close()
	write(t, dir+"/x", "3")
	expectChanges(t, whole, dir, "changed y", "closed y", "changed x", "closed x")
	expectChanges(t, byFile, dir, "changed x", "closed x")
	whole.Close()
	write(t, dir+"/x", "4")
	expectChanges(t, byLink, top+"/link", "changed y", "closed y", "changed x", "closed x", "changed x", "closed x")
	expectChanges(t, byFile, dir, "changed x", "closed x")
	check(t, os.Mkdir(dir+"/sub", 0o755))
	sub := watch(t, dir+"/sub") // on the way to it, little of dir matters
	write(t, dir+"/x", "4")
	expectChanges(t, byFile, dir, "changed x", "closed x")
	sub.Close()
	byLink.Close()
	write(t, dir+"/y", "5") // not for it
	write(t, dir+"/x", "6")
	expectChanges(t, byFile, dir, "changed x", "closed x")
	byFile.Close()
	noKernelWatches(t)
}

// A watch that is removed by the last of those who had it, in the moment in which another one has asked
// for it and has not been noted yet, is asked for again.
func TestWatchRemovedMeanwhile(t *testing.T) {
	testutil.NoLeaks(t)
	for _, act := range []string{"closed", "removed"} {
		dir := t.TempDir() + "/dir"
		check(t, os.Mkdir(dir, 0o755))
		first := watch(t, dir)
		calls := 0
		file.SetAfterAddWatch(func() {
			calls++
			if calls != strings.Count(dir, "/")+1 { // the way to dir, and then dir itself
				return
			}
			first.Close()
			if act == "removed" {
				check(t, errors.Join(os.Remove(dir), os.Mkdir(dir, 0o755)))
			}
		})
		w, err := file.Watch(background, dir)
		file.SetAfterAddWatch(nil)
		if err != nil { // of a directory that was removed
			want(t, err, fs.ErrNotExist)
			continue
		}
		if act == "closed" {
			silent(t, w, dir)
		} else if _, err := nextOrError(w); !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
		}
		w.Close()
	}
	noKernelWatches(t)
}

// While a call hangs in a file system, a Watcher can be closed, Watch cancelled, and others work. When the
// call returns, nothing is left of it.
func TestWatchHangs(t *testing.T) {
	testutil.NoLeaks(t)
	dir, healthy := t.TempDir(), t.TempDir()
	w, other := watch(t, dir, file.Recursive()), watch(t, healthy)
	hangs, free := make(chan struct{}, 10), make(chan struct{})
	file.SetAfterAddWatch(func() {
		hangs <- struct{}{}
		<-free
	})
	check(t, os.Mkdir(dir+"/sub", 0o755))
	testutil.Receive(t, "a worker that hangs", hangs)
	ctx, cancel := context.WithCancel(background)
	begun := make(chan error, 1)
	go func() {
		_, err := file.Watch(ctx, dir)
		begun <- err
	}()
	testutil.Receive(t, "a Watch that hangs", hangs)
	cancel()
	want(t, testutil.Receive(t, "end of Watch", begun), context.Canceled)
	expectChanges(t, w, dir, "created sub")
	w.Close()
	silent(t, other, healthy)
	other.Close()
	if _, _, ok := file.KernelWatches(); !ok {
		t.Error("the instance was closed in the middle of a call")
	}
	file.SetAfterAddWatch(nil)
	close(free)
	noKernelWatches(t)
}

// When an event is looked at, another directory may have the name. It must not be taken for the one that
// the event was about, neither then nor when its own events come.
func TestWatchStaleNames(t *testing.T) {
	testutil.NoLeaks(t)
	dir := memory(t)
	w := watch(t, dir, file.Recursive())
	d := newDam(t)
	d.close(t, func() { check(t, os.Chmod(dir, 0o755)) })
	check(t, os.MkdirAll(dir+"/e/first", 0o755))
	check(t, os.Rename(dir+"/e", dir+"/b"))
	check(t, os.MkdirAll(dir+"/e/second", 0o755))
	for i := range 2 * file.WatchQueue { // so that the worker is held up when it has seen the second one
		write(t, fmt.Sprint(dir, "/e/", i), "")
	}
	d.open()
	testutil.Await(t, "a worker that waits", func() bool { return strings.Contains(w.String(), fmt.Sprint(file.WatchQueue)) })
	write(t, dir+"/e/later", "")
	write(t, dir+"/b/later too", "")
	f := followFrom(t, w, newPicture())
	f.catchesUp(t, dir)
	write(t, dir+"/e/second/x", "")
	write(t, dir+"/b/first/x", "")
	f.catchesUp(t, dir)
	w.Close()
}

// What is below a directory that is moved has new names from then on; one that is moved out is not
// watched any more, with all below it (trap 50).
func TestWatchMovedDirectory(t *testing.T) {
	testutil.NoLeaks(t)
	dir, outside := t.TempDir(), t.TempDir()
	check(t, os.MkdirAll(dir+"/a/b/c", 0o755))
	check(t, os.MkdirAll(dir+"/d", 0o755))
	w := watch(t, dir, file.Recursive())
	before, _, _ := file.KernelWatches()
	check(t, os.Rename(dir+"/a/b", dir+"/d/e"))
	write(t, dir+"/d/e/c/x", "")
	expectChanges(t, w, dir, "renamed a/b d/e", "created d/e/c/x", "closed d/e/c/x")
	check(t, os.Rename(dir+"/d", dir+"/f"))
	check(t, os.Remove(dir+"/f/e/c/x"))
	expectChanges(t, w, dir, "renamed d f", "removed f/e/c/x")
	check(t, os.Rename(dir+"/f", outside+"/f"))
	expectChanges(t, w, dir, "removed f")
	write(t, outside+"/f/e/c/y", "")
	silent(t, w, dir)
	if after, _, _ := file.KernelWatches(); after != before-3 || kernelHas(t) != after {
		t.Errorf("%d watches, before there were %d; the kernel has %d", after, before, kernelHas(t))
	}
	check(t, os.Rename(outside+"/f", dir+"/back"))
	expectChanges(t, w, dir, "created back", "created back/e", "created back/e/c", "created back/e/c/y")
	write(t, dir+"/back/e/c/z", "")
	expectChanges(t, w, dir, "created back/e/c/z", "closed back/e/c/z")
}

// Names that are exchanged are not two renames, of which the second one undoes the first.
func TestWatchExchange(t *testing.T) {
	testutil.NoLeaks(t)
	dir := t.TempDir()
	check(t, os.MkdirAll(dir+"/a/in a", 0o755))
	check(t, os.MkdirAll(dir+"/b/in b", 0o755))
	write(t, dir+"/x", "1")
	write(t, dir+"/y", "2")
	f := follow(t, watch(t, dir, file.Recursive()), dir)
	for _, pair := range [][2]string{{"a", "b"}, {"x", "y"}, {"a", "y"}} {
		exchange(t, dir+"/"+pair[0], dir+"/"+pair[1])
		f.catchesUp(t, dir)
	}
	write(t, dir+"/y/in b/new", "3")
	f.catchesUp(t, dir)
	check(t, os.Rename(dir+"/x", dir+"/z"))
	check(t, os.Rename(dir+"/z", dir+"/x"))
	f.catchesUp(t, dir)
}

// smallBuffer has room for one event with a long name, or for eight with short ones.
const smallBuffer = syscall.SizeofInotifyEvent + 256

// The halves of a rename may come with two reads, and others between them; half a rename is a removal
// or a creation (trap 51).
func TestWatchSplitRename(t *testing.T) {
	testutil.NoLeaks(t)
	restore := file.SetKernelBuffer(smallBuffer)
	t.Cleanup(func() {
		noKernelWatches(t)
		restore()
	})
	dir, outside := t.TempDir(), t.TempDir()
	check(t, os.Mkdir(dir+"/sub", 0o755))
	w := watch(t, dir, file.Recursive())
	f := follow(t, w, dir)
	const n = 300
	for i := range n {
		name := fmt.Sprint(i)
		check(t, os.Mkdir(dir+"/"+name, 0o755))
		write(t, dir+"/"+name+"/x", name)
		check(t, os.Rename(dir+"/"+name, dir+"/sub/"+name))
	}
	f.catchesUp(t, dir)
	if got := f.count(file.Renamed); got != n {
		t.Errorf("%d of %d renames are such", got, n)
	}
	for i := range n {
		check(t, os.Rename(fmt.Sprint(dir, "/sub/", i), fmt.Sprint(outside, "/", i)))
	}
	f.catchesUp(t, dir)
	if renamed, removed := f.count(file.Renamed), f.count(file.Removed); renamed != n || removed != n {
		t.Errorf("moved out, %d are removed, and %d more renamed", removed, renamed-n)
	}
}

// A file that an editor saves under another name and renames is replaced, and stays watched. One that
// is removed may come back (trap 52).
func TestWatchFile(t *testing.T) {
	testutil.NoLeaks(t)
	dir := t.TempDir()
	name := dir + "/conf"
	write(t, name, "1")
	w := watch(t, name)
	for range 3 {
		write(t, dir+"/conf.new", "2")
		check(t, os.Rename(dir+"/conf.new", name))
		expectChanges(t, w, dir, "replaced conf")
		write(t, name, "3")
		expectChanges(t, w, dir, "changed conf", "closed conf")
	}
	held, err := os.Open(name) // so that its inode stays
	check(t, err)
	defer held.Close()
	check(t, os.Remove(name))
	expectChanges(t, w, dir, "removed conf")
	write(t, dir+"/other", "")
	write(t, name, "4")
	c := next(t, w)
	if c.Kind != file.Created || c.Path != name {
		t.Error(c)
	}
	for next(t, w).Kind != file.Closed {
	}
	check(t, os.Chmod(name, 0o600))
	expectChanges(t, w, dir, "attributes conf")
	check(t, os.Rename(name, dir+"/conf~"))
	expectChanges(t, w, dir, "removed conf")
	check(t, os.Rename(dir+"/conf~", name))
	expectChanges(t, w, dir, "created conf")
	check(t, os.Rename(dir, dir+"2"))
	expectChanges(t, w, dir, "removed conf")
	check(t, os.Mkdir(dir, 0o755))
	write(t, name, "5")
	expectChanges(t, w, dir, "created conf")
}

// A file that is removed and made again is another one, although it may get the same inode number.
func TestWatchFileMadeAgain(t *testing.T) {
	testutil.NoLeaks(t)
	dir := t.TempDir()
	name := dir + "/conf"
	write(t, name, "0")
	w := watch(t, name)
	for i := range testutil.Times(300) {
		check(t, os.Remove(name))
		write(t, name, fmt.Sprint(i))
		fresh := false
		for {
			c := next(t, w)
			fresh = fresh || c.Kind == file.Created || c.Kind == file.Replaced
			text, _ := os.ReadFile(name)
			if string(text) == fmt.Sprint(i) && c.Kind == file.Closed {
				break
			}
		}
		if !fresh {
			t.Fatal("nothing has told of the new file")
		}
	}
}

// The volume that Kubernetes makes from a ConfigMap: the file is a link to a link, which alone changes.
func TestWatchConfigMap(t *testing.T) {
	testutil.NoLeaks(t)
	dir := t.TempDir()
	version := func(n int) {
		t.Helper()
		folder := fmt.Sprintf("..2026_%d", n)
		check(t, os.Mkdir(dir+"/"+folder, 0o755))
		write(t, dir+"/"+folder+"/app.yaml", fmt.Sprint("version ", n))
		check(t, os.Symlink(folder, dir+"/..data_tmp"))
		check(t, os.Rename(dir+"/..data_tmp", dir+"/..data"))
	}
	version(1)
	check(t, os.Symlink("..data/app.yaml", dir+"/app.yaml"))
	w := watch(t, dir+"/app.yaml")
	for n := 2; n < 6; n++ {
		version(n)
		check(t, os.RemoveAll(fmt.Sprintf("%s/..2026_%d", dir, n-1)))
		for {
			c := next(t, w)
			text, err := os.ReadFile(c.Path)
			if err == nil && c.Kind == file.Replaced && string(text) == fmt.Sprint("version ", n) {
				break
			}
			if c.Kind != file.Replaced {
				t.Fatalf("%v of version %d", c, n)
			}
		}
	}
	write(t, dir+"/..data/app.yaml", "in place")
	for next(t, w).Kind != file.Closed {
	}
	check(t, os.Remove(dir+"/..data"))
	expectChanges(t, w, dir, "removed app.yaml")
	w.Close()
	noKernelWatches(t)
}

// Nobody takes changes: the kernel's queue is drained nevertheless, what is kept is bounded, and in the
// end nothing is missing. Equal changes that have not been taken are one (traps 53, 55).
func TestWatchSlowConsumer(t *testing.T) {
	testutil.NoLeaks(t)
	dir := memory(t)
	write(t, dir+"/x", "")
	w := watch(t, dir)
	other := watch(t, dir)
	x, err := os.OpenFile(dir+"/x", os.O_WRONLY, 0)
	check(t, err)
	for range 1000 {
		_, err := x.Write([]byte("x"))
		check(t, err)
	}
	check(t, x.Close())
	expectChanges(t, w, dir, "changed x", "closed x")
	for i := range file.MaxRawEvents + 3*file.WatchQueue {
		name := fmt.Sprint(dir, "/", i%100)
		if i%200 < 100 {
			write(t, name, "")
		} else {
			check(t, os.Remove(name))
		}
	}
	write(t, dir+"/last", "last")
	f := follow(t, other, dir)
	f.catchesUp(t, dir)
	testutil.Await(t, "a loss, which the test is about", func() bool { return f.count(file.Rescanned) > 0 })
	g := follow(t, w, dir)
	g.catchesUp(t, dir)
}

// watchLimited runs what is in act in a child with a user namespace of its own, in which the user may
// have that many watches and instances.
func init() {
	children["watch limited"] = func() {
		for i, setting := range []string{"max_inotify_watches", "max_inotify_instances"} {
			if err := os.WriteFile("/proc/sys/user/"+setting, []byte(os.Args[i+2]), 0o644); err != nil {
				fmt.Println("skip", err)
				return
			}
		}
		limited(os.Args[4])
	}
}

func limited(dir string) {
	w, err := file.Watch(background, dir)
	fmt.Println(errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EMFILE), err)
	if err != nil {
		return
	}
	whole, err := file.Watch(background, dir, file.Recursive())
	fmt.Println(errors.Is(err, syscall.ENOSPC), err)
	if err != nil {
		return
	}
	for i := range 4 { // there is room for two
		if err := os.Mkdir(fmt.Sprint(dir, "/new", i), 0o755); err != nil {
			fmt.Println(err)
		}
	}
	parts, created := 0, 0
	for created < 4 || parts < 2 {
		c, err := nextOrError(whole)
		var part *file.PartError
		switch {
		case errors.As(err, &part) && errors.Is(err, syscall.ENOSPC) && strings.HasPrefix(part.Path, dir+"/new"):
			parts++
		case err != nil:
			fmt.Println(err)
			return
		case c.Kind == file.Created:
			created++
		}
	}
	fmt.Println(parts, "parts are not watched")
	whole.Close()
	_, err = file.Watch(background, dir, file.Recursive())
	fmt.Println(errors.Is(err, syscall.ENOSPC), err)
	w.Close()
	_, _, ok := file.KernelWatches()
	fmt.Println(ok, instances())
}

// The error names the setting that has to be raised. A directory for which there is no room is reported,
// and the rest is watched (trap 54).
func TestWatchLimits(t *testing.T) {
	testutil.NoLeaks(t)
	dir := t.TempDir()
	depth := strings.Count(dir, "/")
	run := func(watches, instances int) string {
		t.Helper()
		program, err := os.Executable()
		check(t, err)
		command := exec.Command(program, "watch limited", fmt.Sprint(watches), fmt.Sprint(instances), dir)
		r, w, err := os.Pipe() // the lifeline
		check(t, err)
		defer r.Close()
		defer w.Close()
		command.ExtraFiles = []*os.File{r}
		command.Env = append(os.Environ(), "CURIO_TEST_CHILD=1")
		command.Stderr = os.Stderr
		command.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags:  syscall.CLONE_NEWUSER,
			UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
		}
		out, err := command.Output()
		if err != nil || strings.HasPrefix(string(out), "skip") {
			t.Skipf("no user namespace in which to set limits: %v %s", err, out)
		}
		return string(out)
	}
	at := "watch " + dir + ": "
	if got, want := run(1000, 0), "true "+at+"too many open files: the kernel has user.max_inotify_instances = 0 inotify instances for this user; raise that with sysctl, or use file.Poll\n"; got != want {
		t.Errorf("without an instance: %s", got)
	}
	full := at + "no space left on device: the kernel watches user.max_inotify_watches = %d directories for this user; raise that with sysctl, or use file.Poll\n"
	if got, want := run(depth, 1), "true "+fmt.Sprintf(full, depth); got != want {
		t.Errorf("without room for one: %s", got)
	}
	want := "false <nil>\nfalse <nil>\n2 parts are not watched\ntrue " + fmt.Sprintf(full, depth+3) + "false 0\n"
	if got := run(depth+3, 1); got != want {
		t.Errorf("without room for all: %s", got)
	}
}

// What a Watcher of many directories has asked for is given back by Close, also if there is another Watcher.
func TestWatchCloseLarge(t *testing.T) {
	testutil.NoLeaks(t)
	dir := memory(t)
	const folders = 1000
	for i := range folders {
		check(t, os.Mkdir(fmt.Sprint(dir, "/", i), 0o755))
	}
	other := watch(t, dir)
	before := kernelHas(t)
	w := watch(t, dir, file.Recursive())
	if n := kernelHas(t); n != before+folders {
		t.Errorf("%d watches for %d directories", n-before, folders)
	}
	w.Close()
	if n := kernelHas(t); n != before {
		t.Errorf("%d watches are left", n-before)
	}
	silent(t, other, dir)
}

// A hundred Watchers have one instance between them.
func TestWatchOneInstance(t *testing.T) {
	testutil.NoLeaks(t)
	dir := t.TempDir()
	for range 100 {
		watch(t, dir)
	}
	if n := instances(); n != 1 {
		t.Errorf("%d instances", n)
	}
}

// kernelEvent is an event as read(2) returns it.
func kernelEvent(wd int32, mask, cookie uint32, name string) []byte {
	padded := make([]byte, (len(name)+16)/16*16)
	copy(padded, name)
	if name == "" {
		padded = nil
	}
	buf := binary.NativeEndian.AppendUint32(nil, uint32(wd))
	buf = binary.NativeEndian.AppendUint32(buf, mask)
	buf = binary.NativeEndian.AppendUint32(buf, cookie)
	buf = binary.NativeEndian.AppendUint32(buf, uint32(len(padded)))
	return append(buf, padded...)
}

// The first half of a rename waits for the second one, whatever comes in between, and what happens in a
// directory that is renamed is reported after that.
func TestWatchHeldRename(t *testing.T) {
	testutil.NoLeaks(t)
	defer file.SetSettleAfter(time.Hour)()
	dir := t.TempDir()
	check(t, os.Mkdir(dir+"/x", 0o755))
	w := watch(t, dir, file.Recursive())
	numbers := slices.Sorted(maps.Keys(file.KernelNumbers()))
	top, sub := numbers[len(numbers)-2], numbers[len(numbers)-1]
	file.Dispatch(slices.Concat(
		kernelEvent(top, syscall.IN_MOVED_FROM|syscall.IN_ISDIR, 7, "x"),
		kernelEvent(sub, syscall.IN_CREATE, 0, "below"),
		kernelEvent(top, syscall.IN_CREATE, 0, "beside"),
	))
	expectChanges(t, w, dir, "created beside")
	file.Dispatch(kernelEvent(top, syscall.IN_MOVED_TO|syscall.IN_ISDIR, 7, "y"))
	expectChanges(t, w, dir, "renamed x y", "created y/below")
	w.Close()
}

// What the kernel says of a watch that we do not have is nothing to us, nor that one has gone which
// was replaced meanwhile (trap 57).
func TestWatchUnknownDescriptor(t *testing.T) {
	testutil.NoLeaks(t)
	dir := t.TempDir()
	check(t, os.Mkdir(dir+"/sub", 0o755))
	w := watch(t, dir, file.Recursive())
	numbers := slices.Sorted(maps.Keys(file.KernelNumbers()))
	sub := numbers[len(numbers)-1]
	buf := kernelEvent(12345, syscall.IN_CREATE, 0, "nothing")
	buf = append(buf, kernelEvent(12345, syscall.IN_IGNORED, 0, "")...)
	buf = append(buf, kernelEvent(-7, syscall.IN_MODIFY, 0, "x")...)
	file.Dispatch(buf)
	silent(t, w, dir)
	// One that is said to have gone and has not: it is added again, and is the same one.
	file.Dispatch(kernelEvent(sub, syscall.IN_IGNORED, 0, ""))
	file.Dispatch(kernelEvent(sub, syscall.IN_IGNORED, 0, ""))
	silent(t, w, dir)
	write(t, dir+"/sub/x", "")
	for {
		c := next(t, w)
		if c.Path == dir+"/sub/x" && c.Kind == file.Created {
			break
		}
	}
	if after := slices.Sorted(maps.Keys(file.KernelNumbers())); !slices.Equal(after, numbers) {
		t.Errorf("watches %v, before there were %v", after, numbers)
	}
}

// The name of a file may be as long as the system allows, and a directory as deep.
func TestWatchLongNames(t *testing.T) {
	testutil.NoLeaks(t)
	dir := t.TempDir()
	w := watch(t, dir, file.Recursive())
	f := follow(t, w, dir)
	long := strings.Repeat("x", 255)
	write(t, dir+"/"+long, "1")
	f.catchesUp(t, dir)
	// 30 directories of 200 bytes: longer than PATH_MAX, so it takes steps to get there.
	t.Chdir(dir)
	check(t, os.Remove(dir+"/"+long))
	piece := strings.Repeat("d", 200)
	var path strings.Builder
	path.WriteString(dir)
	for range 30 {
		check(t, os.Mkdir(piece, 0o755))
		check(t, os.Chdir(piece))
		path.WriteString("/" + piece)
	}
	write(t, "x", "")
	testutil.Await(t, "the file at the bottom", func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		_, ok := f.picture.text[path.String()+"/x"]
		return ok
	})
	check(t, os.Chdir(dir))
	check(t, os.RemoveAll(dir+"/"+piece))
	f.catchesUp(t, dir)
}

// Where the kernel hears of nothing, Watch refuses, and says what to do (trap 56).
func TestWatchBlind(t *testing.T) {
	testutil.NoLeaks(t)
	for _, path := range []string{"/proc/self/status", "/proc", "/sys/kernel"} {
		if _, err := os.Stat(path); err != nil {
			continue
		}
		_, err := file.Watch(background, path)
		want(t, err, errors.ErrUnsupported)
		isPathError(t, err, path)
		if err == nil || !strings.Contains(err.Error(), "use file.Poll") {
			t.Error(err)
		}
	}
	noKernelWatches(t)
}

func init() {
	children["watch unreadable"] = func() {
		dir := os.Args[2]
		fail := func(err error) {
			if err != nil {
				fmt.Println(err)
				os.Exit(1)
			}
		}
		fail(os.MkdirAll(dir+"/a/closed/x", 0o755))
		fail(os.Chmod(dir+"/a/closed", 0))
		defer os.Chmod(dir+"/a/closed", 0o700)
		w, err := file.Watch(background, dir+"/a", file.Recursive())
		fail(err)
		defer w.Close()
		_, err = nextOrError(w)
		var part *file.PartError
		fmt.Println(errors.As(err, &part), errors.Is(err, fs.ErrPermission), err)
		fail(os.Mkdir(dir+"/a/closed 2", 0o300))
		c, err := nextOrError(w)
		fmt.Println(c, err)
		_, err = nextOrError(w)
		fmt.Println(err)
		fail(os.WriteFile(dir+"/a/open", nil, 0o600))
		c, err = nextOrError(w)
		fmt.Println(c, err)
		_, err = file.Watch(background, dir+"/a/closed 2")
		fmt.Println(err)
		_, err = file.Watch(background, dir+"/a/closed/x")
		fmt.Println(err)
	}
}

// A directory that may not be read is reported as not watched, once, and the others are. One above the
// path may be passed only, and not read.
func TestWatchUnreadable(t *testing.T) {
	testutil.NoLeaks(t)
	dir := t.TempDir()
	check(t, errors.Join(os.Chmod(filepath.Dir(dir), 0o711), os.Chmod(dir, 0o777)))
	if os.Getuid() == 0 {
		testutil.NeedReachable(t, dir)
	}
	program := "/proc/self/exe" // which another user may run as well, wherever it is
	command := exec.Command(program, "watch unreadable", dir)
	r, w, err := os.Pipe() // the lifeline
	check(t, err)
	defer r.Close()
	defer w.Close()
	command.ExtraFiles = []*os.File{r}
	command.Env = append(os.Environ(), "CURIO_TEST_CHILD=1")
	command.Stderr = os.Stderr
	if os.Getuid() == 0 { // who may read everything
		command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	out, err := command.Output()
	if err != nil && len(out) == 0 {
		t.Skipf("no child of another user: %v", err)
	}
	want := strings.ReplaceAll(`true true watch DIR/a: DIR/a/closed is not watched, nor what is below it: permission denied
created "DIR/a/closed 2" <nil>
watch DIR/a: DIR/a/closed 2 is not watched, nor what is below it: permission denied
created "DIR/a/open" <nil>
watch DIR/a/closed 2: permission denied
watch DIR/a/closed/x: permission denied
`, "DIR", dir)
	if err != nil || string(out) != want {
		t.Errorf("%v, it printed\n%s", err, out)
	}
}

// On a file system that other machines may change, Watch says that this is not seen (trap 56).
func TestWatchRemote(t *testing.T) {
	testutil.NoLeaks(t)
	defer file.SetFileSystem(0x6969)()
	journal := testutil.CaptureLog(t)
	dir := t.TempDir()
	w := watch(t, dir)
	if r := journal.TakeOne(t, "file.Poll"); r.Level != slog.LevelWarn || r.Attrs["filesystem"] != "nfs" || r.Attrs["path"] != dir {
		t.Error(r)
	}
	silent(t, w, dir)
	watch(t, dir, file.Poll(time.Hour))
	journal.Empty(t, slog.LevelDebug)
}

// A file for which events have been lost is compared with what was known.
func TestWatchFileOverflow(t *testing.T) {
	testutil.NoLeaks(t)
	dir := t.TempDir()
	write(t, dir+"/conf", "1")
	w := watch(t, dir+"/conf")
	lose := func(act func(), list ...string) {
		t.Helper()
		d := newDam(t)
		d.close(t, func() { check(t, os.Chmod(dir+"/conf", 0o600)) })
		act()
		w.Lose()
		for len(list) > 0 { // among what is left from before
			if c := next(t, w); c.Kind.String() == list[0] {
				list = list[1:]
			}
		}
		d.open()
	}
	lose(func() { write(t, dir+"/conf", "22") }, "changed", "rescanned")
	lose(func() {
		write(t, dir+"/conf~", "22")
		check(t, os.Rename(dir+"/conf~", dir+"/conf"))
	}, "replaced", "rescanned")
	lose(func() { check(t, os.Remove(dir+"/conf")) }, "removed", "rescanned")
	write(t, dir+"/conf", "")
	for next(t, w).Kind != file.Closed {
	}
}
