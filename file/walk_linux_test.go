package file_test

import (
	"encoding/binary"
	"io/fs"
	"os"
	"slices"
	"syscall"
	"testing"

	"github.com/curio-go/curio/file"
)

// dirent is an entry as getdents64(2) writes it.
func dirent(name string, kind byte) []byte {
	size := (19 + len(name) + 1 + 7) / 8 * 8
	b := make([]byte, size)
	binary.NativeEndian.PutUint16(b[16:], uint16(size))
	b[18] = kind
	copy(b[19:], name)
	return b
}

// Types that the list does not tell are looked up, without following links and without waiting for a
// FIFO; entries that have vanished are left out (trap 41).
func TestWalkUnknownTypes(t *testing.T) {
	dir := t.TempDir()
	check(t, os.Mkdir(in(dir, "folder"), 0o755))
	write(t, in(dir, "file"), "")
	check(t, os.Symlink("folder", in(dir, "link")))
	check(t, syscall.Mkfifo(in(dir, "fifo"), 0o000))
	var buf []byte
	for _, name := range []string{".", "..", "folder", "file", "vanished", "link", "fifo"} {
		buf = append(buf, dirent(name, syscall.DT_UNKNOWN)...)
	}
	buf = append(buf, dirent("told", syscall.DT_SOCK)...)
	got, err := file.Parse(dir, buf)
	if want := []file.Listed{
		{"folder", fs.ModeDir},
		{"file", 0},
		{"link", fs.ModeSymlink},
		{"fifo", fs.ModeNamedPipe},
		{"told", fs.ModeSocket},
	}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v, want %v", got, err, want)
	}
	if _, err := file.Parse(dir, append(dirent("a", syscall.DT_REG), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0)); err != syscall.EIO {
		t.Errorf("a broken list: %v", err)
	}
}

// A directory that is removed between being opened and being read has vanished, too.
func TestWalkVanishingLate(t *testing.T) {
	dir := memory(t)
	check(t, os.Mkdir(in(dir, "a"), 0o755))
	reads := 0
	faulty(t, func(call, _ string) error {
		if call == "readdir" {
			if reads++; reads == 3 { // the root is read twice, the second time to its end
				check(t, os.Remove(in(dir, "a")))
			}
		}
		return nil
	})
	for e, err := range file.Walk(background, dir) {
		if err != nil {
			t.Errorf("%s: %v", e.Path(), err)
		}
	}
	if reads < 3 || exists(in(dir, "a")) {
		t.Errorf("%d reads", reads)
	}
}
