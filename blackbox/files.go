package blackbox

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// WriteFile writes a report on all kernels of the process, as Write does, to a new file in dir, and
// returns its path. If the directory does not exist, it is made for this user alone. If it exists,
// other users must not be able to write to it. The file has the mode 0600 and a name that cannot be
// guessed; it is never an existing one.
//
// Files of WriteFile are never removed by this package. If there is an error, no file is left.
func WriteFile(dir string) (path string, err error) {
	d, err := openDir(dir)
	if err != nil {
		return "", err
	}
	defer d.Close()
	base := newBase(manual)
	path, err = d.write(base, cause{reason: "request"}, limits{})
	if err != nil {
		_ = d.Remove(base + reportSuffix)
		return "", err
	}
	return path, nil
}

// Names of files. A set is what belongs together: a report or a mapped file, and what is beside it.
//
//	chat.4242.20261201T093000123.1f2e3d4c5b6a7988.blackbox   a report
//	                                             .trace      of the flight recorder, beside it
//	                                             .ring       a mapped file
//	                                             .crash      last words of the runtime, beside that
//
// Files of WriteFile have "manual-" before that, and so are no part of what is counted.
const (
	reportSuffix = ".blackbox"
	traceSuffix  = ".trace"
	ringSuffix   = ".ring"
	crashSuffix  = ".crash"

	manual = "manual-"
)

// newBase returns the name of a new set, without a suffix.
func newBase(before string) string {
	var random [8]byte
	_, _ = rand.Read(random[:]) // it does not fail
	return fmt.Sprintf("%s%s.%d.%s.%s", before, safe(program()), os.Getpid(), strings.Replace(time.Now().UTC().Format("20060102T150405.000"), ".", "", 1), hex.EncodeToString(random[:]))
}

// safe returns a name as it can be part of a file's.
func safe(name string) string {
	name = strings.Map(func(r rune) rune {
		if r < '!' || r > '~' || strings.ContainsRune(`/\.*?[]:`, r) {
			return '_'
		}
		return r
	}, name)
	return name[:min(len(name), 64)]
}

// A directory has the files. It stays the same one even if somebody renames it, and no symbolic link leads out of it.
type directory struct {
	*os.Root
	path string
	own  string // the set of this process's mapped file and last words, "" for none
}

// openDir opens dir, and makes it if need be.
func openDir(dir string) (*directory, error) {
	if dir == "" {
		return nil, errors.New("curio/blackbox: no directory")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	if err := private(root); err != nil {
		root.Close()
		return nil, err
	}
	return &directory{Root: root, path: dir}, nil
}

// private returns an error if others may put something into the directory.
func private(root *os.Root) error {
	info, err := root.Stat(".")
	if err != nil {
		return err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	uid := os.Geteuid()
	switch {
	case ok && int(stat.Uid) != uid && stat.Uid != 0:
		return fmt.Errorf("curio/blackbox: directory %s belongs to user %d, not to %d: %w", root.Name(), stat.Uid, uid, fs.ErrPermission)
	case info.Mode().Perm()&0o022 != 0 && info.Mode()&fs.ModeSticky == 0:
		return fmt.Errorf("curio/blackbox: other users may write to directory %s, which has the mode %v: %w", root.Name(), info.Mode(), fs.ErrPermission)
	}
	return nil
}

// create makes a new file.
func (d *directory) create(name string) (*os.File, error) {
	return d.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
}

// write writes a report, and returns its path. If there is an error, what could be written is there.
func (d *directory) write(base string, c cause, l limits) (path string, err error) {
	return d.fill(base+reportSuffix, func(w io.Writer) error { return write(w, c, l) })
}

// fill makes a new file with what f writes, and returns its path.
func (d *directory) fill(name string, f func(w io.Writer) error) (path string, err error) {
	file, err := d.create(name)
	if err != nil {
		return "", err
	}
	return filepath.Join(d.path, name), errors.Join(f(file), file.Close())
}

// prune removes the oldest sets of this program and user, other than keep of them. Those that belong to a process that runs are
// counted, and removed only if they are reports.
func (d *directory) prune(keep int) {
	entries, err := fs.ReadDir(d.FS(), ".")
	if err != nil {
		return
	}
	files := make(map[string][]string) // by set
	for _, e := range entries {
		if base, ok := setOf(e.Name()); ok && e.Type().IsRegular() && isOurs(e) {
			files[base] = append(files[base], e.Name())
		}
	}
	bases := make([]string, 0, len(files))
	for base := range files {
		bases = append(bases, base)
	}
	// The time is in the same place in all that begin with the same program and number, so it is compared by itself.
	slices.SortFunc(bases, func(a, b string) int { return strings.Compare(timeOf(b), timeOf(a)) })
	for i, base := range bases {
		if i >= keep && !d.inUse(base, files[base]) {
			for _, name := range files[base] {
				_ = d.Remove(name)
			}
		}
	}
}

// isOurs reports whether a file belongs to this user. In a directory that is shared, as /tmp, others may put files of any name,
// and nobody else can remove them: if they counted, they could push out our own.
func isOurs(e fs.DirEntry) bool {
	info, err := e.Info()
	if err != nil {
		return false // it has gone
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	return !ok || int(stat.Uid) == os.Geteuid()
}

// inUse reports whether a set belongs to the mapped file of a process that runs. In a container each process of the
// program may have the same number as the one before, so for ours the number does not count.
func (d *directory) inUse(base string, files []string) bool {
	if !slices.ContainsFunc(files, func(name string) bool {
		return strings.HasSuffix(name, ringSuffix) || strings.HasSuffix(name, crashSuffix)
	}) {
		return false
	}
	parts := setName.FindStringSubmatch(base)
	pid, err := strconv.Atoi(parts[2])
	if pid == os.Getpid() {
		return base == d.own
	}
	return err == nil && pid > 0 && !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
}

var setName = regexp.MustCompile(`^([^./]+)\.(\d+)\.(\d{8}T\d{9})\.([0-9a-f]{16})$`)

// setOf returns the set that a file belongs to. ok is false if it is none of ours, or of another program.
func setOf(name string) (base string, ok bool) {
	i := strings.LastIndexByte(name, '.')
	if i < 0 || !slices.Contains([]string{reportSuffix, traceSuffix, ringSuffix, crashSuffix}, name[i:]) {
		return "", false
	}
	parts := setName.FindStringSubmatch(name[:i])
	return name[:i], parts != nil && parts[1] == safe(program())
}

// timeOf returns what orders sets: the time, and then the rest.
func timeOf(base string) string {
	parts := setName.FindStringSubmatch(base)
	return parts[3] + base
}
