package disk

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
)

func TestMain(m *testing.M) { testutil.Main(m, nil) }

const table1 = `22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 27 0:30 / /a rw - tmpfs tmpfs rw
31 30 0:31 / /a/b rw - fuse.sshfs x rw
32 27 0:32 / /with\040blank\134 rw - xfs /dev/vdb rw
33 27 0:33 / /over rw - ext4 /dev/vdc rw
34 33 0:34 / /over/hidden rw - tmpfs tmpfs rw
35 33 0:35 / /over rw - fuse x rw
36 30 0:36 / /a rw - nfs4 server:/ rw
nonsense
`

// What is found is what a path leads to, also where one mount hides another.
func TestFind(t *testing.T) {
	m := parseTable([]byte(table1))
	for path, want := range map[string]string{
		"/": "ext4", "/etc/passwd": "ext4", "/proc": "proc", "/proc/self/fd": "proc", "/process": "ext4",
		"/with blank\\/x": "xfs", "/over": "fuse", "/over/hidden/x": "fuse", "/overhead": "ext4",
		"/a": "nfs4", "/a/b/c": "nfs4",
	} {
		if got, ok := m.find(path); !ok || got.Type != want {
			t.Errorf("%s is on %v, %v, want %v", path, got, ok, want)
		}
	}
	if got, ok := parseTable(nil).find("/a"); ok {
		t.Errorf("without a table there is %v", got)
	}
	if !m.risky || parseTable([]byte(table1[:strings.Index(table1, "31 30")])).risky {
		t.Error("it is not seen which mounts may hang")
	}
	if got := m.byDev[device(254, 0)]; got.Class() != Local {
		t.Errorf("device 254:0 is %v", got)
	}
}

// The numbers of devices are those of stat(2).
func TestDevice(t *testing.T) {
	for _, path := range []string{"/", "/proc", "/dev"} {
		var st syscall.Stat_t
		if err := syscall.Stat(path, &st); err != nil {
			t.Fatal(err)
		}
		m, ok := MountOf(path)
		if !ok {
			t.Skipf("%s is in no table of mounts here", path)
		}
		if m.Dev != uint64(st.Dev) {
			t.Errorf("%s: %v, but stat says device %d", path, m, st.Dev)
		}
		if Believable(m.Dev) == m.mayHang() {
			t.Errorf("%s: %v is believed: %v", path, m, Believable(m.Dev))
		}
		if c, ok := ClassOf(m.Dev); !ok || c != m.Class() {
			t.Errorf("device of %s has class %v, %v", path, c, ok)
		}
	}
	if got, want := device(0x12345, 0x6789a), uint64(0x9a|0x345<<8|0x67800<<12|0x12000<<32); got != want {
		t.Errorf("%#x, want %#x", got, want)
	}
}

// A mount that comes is seen at once, and one that goes too.
func TestChange(t *testing.T) {
	dir := t.TempDir()
	before, ok := MountOf(dir)
	if !ok {
		t.Skip("no table of mounts here")
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("this user may not mount: %v", err)
	}
	m, _ := MountOf(dir + "/x")
	err := syscall.Unmount(dir, 0)
	if m.Type != "tmpfs" || m.Point != dir {
		t.Errorf("after a mount, a file in it is on %v", m)
	}
	if err != nil {
		t.Fatal(err)
	}
	if m, _ := MountOf(dir + "/x"); m != before {
		t.Errorf("after the end of the mount it is on %v, want %v", m, before)
	}
}

func FuzzTable(f *testing.F) {
	f.Add(table1, "/a/b")
	f.Fuzz(func(t *testing.T, text, path string) {
		m, ok := parseTable([]byte(text)).find(path)
		if ok && path != m.Point && m.Point != "/" && !strings.HasPrefix(path, m.Point+"/") {
			t.Errorf("%q is said to be in %q", path, m.Point)
		}
	})
}

// A read without waiting reads what a plain one does, and refuses negative offsets, which would mean
// something else.
func TestReadNoWait(t *testing.T) {
	name := testutil.WriteFile(t, "data", testutil.Pattern(1, 100_000))
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	raw, _ := f.SyscallConn()
	_ = raw.Control(func(fd uintptr) {
		p := make([]byte, 1000)
		n, errno := ReadNoWait(int(fd), p, 50_000)
		switch {
		case Refused(errno):
			t.Logf("not on this file system: %v", errno)
		case errno != 0 || n == 0 || string(p[:n]) != string(testutil.Pattern(1, 100_000)[50_000:50_000+n]):
			t.Errorf("%d bytes, %v", n, errno)
		}
		if _, errno := ReadNoWait(int(fd), p, -1); errno != syscall.EINVAL {
			t.Errorf("offset -1: %v", errno)
		}
		if n, errno := ReadNoWait(int(fd), nil, 0); n != 0 || errno != 0 {
			t.Errorf("no buffer: %d, %v", n, errno)
		}
	})
}

// An open that needs no disk finds the file, or leaves it to another one.
func TestOpenCached(t *testing.T) {
	testutil.NoLeaks(t)
	name := testutil.WriteFile(t, "data", []byte("x"))
	fd, ok := OpenCached(name, syscall.O_RDONLY)
	if !ok {
		t.Skip("not on this system")
	}
	defer syscall.Close(fd)
	if n, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_GETFD, 0); errno != 0 || n&syscall.FD_CLOEXEC == 0 {
		t.Errorf("flags %d, %v: it would be inherited", n, errno)
	}
	link := name + "link"
	if err := os.Symlink(name, link); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{link, name + "\x00", name + "none", name + "/x"} {
		if fd, ok := OpenCached(name, syscall.O_RDONLY); ok {
			syscall.Close(fd)
			t.Errorf("%q can be opened", name)
		}
	}
	if _, ok := OpenCached(name+"new", syscall.O_RDWR|syscall.O_CREAT); ok {
		t.Error("it creates")
	}
}

// Links are followed as far as they are in memory, if there is a mount that may hang at all.
func TestLocate(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, sub := range []string{"a/b", "mnt"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for link, target := range map[string]string{
		"absolute": dir + "/mnt", "a/relative": "../mnt", "a/twice": "../absolute", "loop": "loop", "dangling": "nowhere",
	} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	for from, to := range map[string]string{
		"absolute/x": "mnt/x", "a/relative/x/y": "mnt/x/y", "a/relative": "mnt", "a/twice/x": "absolute/x",
		"loop": "loop", "dangling/x": "nowhere/x", "a/b": "", "a": "", "none/x": "",
	} {
		got, ok := followOne(filepath.Join(dir, from))
		if noCachedOpen.Load() {
			t.Skip("not on this system")
		}
		if want := filepath.Join(dir, to); ok != (to != "") || ok && got != want {
			t.Errorf("%s leads to %q, %v, want %q", from, got, ok, to)
		}
	}
	if err := syscall.Mount("tmpfs", dir+"/mnt", "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("this user may not mount: %v", err)
	}
	defer syscall.Unmount(dir+"/mnt", 0)
	here, _ := MountOf(dir)
	for path, want := range map[string]string{
		"mnt/x": "tmpfs", "absolute/x": "tmpfs", "a/relative/x": "tmpfs", "a/twice": "tmpfs", "a/b": here.Type, "loop": here.Type,
	} {
		m, ok := Locate(filepath.Join(dir, path))
		if !now().risky {
			want = here.Type
			if path == "mnt/x" {
				want = "tmpfs"
			}
		}
		if !ok || m.Type != want {
			t.Errorf("%s is on %v, want %s", path, m, want)
		}
	}
}
