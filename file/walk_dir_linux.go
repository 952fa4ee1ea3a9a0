package file

import (
	"bytes"
	"encoding/binary"
	"io/fs"
	"sync"
	"syscall"
)

// An openDir is a directory that is open. It is not an os.File, for which the system would be asked whether
// it can poll the directory, and for each entry of a directory in a Root what it is.
type openDir struct{ fd int }

const (
	flagsDir = syscall.O_RDONLY | syscall.O_DIRECTORY | syscall.O_CLOEXEC
	oPath    = 0x200000 // O_PATH
	atFDCWD  = -0x64    // AT_FDCWD
)

// openTop opens a directory by its path.
func openTop(path string, follow bool) (*openDir, error) {
	return (&openDir{atFDCWD}).open(path, follow)
}

// open opens a directory in d.
func (d *openDir) open(name string, follow bool) (*openDir, error) {
	if err := step("openat", name); err != nil {
		return nil, err
	}
	flags := flagsDir
	if !follow {
		flags |= syscall.O_NOFOLLOW
	}
	fd, err := openAt(d.fd, name, flags)
	if err != nil {
		return nil, err
	}
	return &openDir{fd}, nil
}

func openAt(dir int, name string, flags int) (fd int, err error) {
	err = again(func() error { fd, err = syscall.Openat(dir, name, flags, 0); return err })
	if err != nil {
		return -1, err
	}
	return aboveStdio(fd)
}

func (d *openDir) close() { _ = syscall.Close(d.fd) }

func (d *openDir) id() (fileID, error) {
	var st syscall.Stat_t
	err := again(func() error { return syscall.Fstat(d.fd, &st) })
	return idOf(&st), err
}

var direntBuffers = sync.Pool{New: func() any { return new([32 << 10]byte) }}

// list returns what is in the directory, even if it fails in the middle: some file systems fail for ever, so
// it does not go on (trap 40).
func (d *openDir) list() (entries []listed, err error) {
	buf := direntBuffers.Get().(*[32 << 10]byte)
	defer direntBuffers.Put(buf)
	for {
		if err := step("readdir", ""); err != nil {
			return entries, err
		}
		n := 0
		err := again(func() (err error) { n, err = syscall.ReadDirent(d.fd, buf[:]); return err })
		if err == syscall.ENOENT { // it was removed after it was opened
			err = nil
		}
		if err != nil || n <= 0 {
			return entries, err
		}
		if entries, err = d.parse(buf[:n], entries); err != nil {
			return entries, err
		}
	}
}

// parse appends the entries of a buffer that getdents64(2) has filled. Each has an inode of 8 bytes, an
// offset of 8, a length of 2, a type of 1, and a name that ends with a zero byte.
func (d *openDir) parse(buf []byte, entries []listed) ([]listed, error) {
	const header = 19
	for len(buf) >= header {
		size := int(binary.NativeEndian.Uint16(buf[16:]))
		if size < header || size > len(buf) {
			return entries, syscall.EIO
		}
		name, _, _ := bytes.Cut(buf[header:size], []byte{0})
		kind := buf[18]
		buf = buf[size:]
		if string(name) == "." || string(name) == ".." {
			continue
		}
		l := listed{name: string(name)}
		typ, known := direntType(kind)
		if !known {
			var err error
			if typ, err = d.typeOf(l.name); err == syscall.ENOENT {
				continue // it has vanished
			} else if err != nil {
				return entries, err
			}
		}
		l.typ = typ
		entries = append(entries, l)
	}
	return entries, nil
}

// direntType is the type that a DT_ constant stands for.
func direntType(kind byte) (typ fs.FileMode, known bool) {
	switch kind {
	case syscall.DT_REG:
		return 0, true
	case syscall.DT_DIR:
		return fs.ModeDir, true
	case syscall.DT_LNK:
		return fs.ModeSymlink, true
	case syscall.DT_FIFO:
		return fs.ModeNamedPipe, true
	case syscall.DT_SOCK:
		return fs.ModeSocket, true
	case syscall.DT_BLK:
		return fs.ModeDevice, true
	case syscall.DT_CHR:
		return fs.ModeDevice | fs.ModeCharDevice, true
	}
	return fs.ModeIrregular, false
}

// typeOf asks for the type of an entry, which NFS and FUSE may not tell in the list (trap 41). It follows
// no link, and waits for no FIFO.
func (d *openDir) typeOf(name string) (fs.FileMode, error) {
	fd, err := openAt(d.fd, name, oPath|syscall.O_NOFOLLOW|syscall.O_CLOEXEC)
	if err != nil {
		return 0, err
	}
	defer syscall.Close(fd)
	var st syscall.Stat_t
	if err := again(func() error { return syscall.Fstat(fd, &st) }); err != nil {
		return 0, err
	}
	typ, _ := direntType(byte(st.Mode >> 12)) // the same numbers as in a list
	return typ, nil
}
