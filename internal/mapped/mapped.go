// Package mapped has files in memory. What is written to the memory is in the file, even if the process is killed.
package mapped

import (
	"os"
	"syscall"
)

// New fills a file, which must be empty, with size zero bytes and maps it. All of it is written to the disk's allocation
// first, as a process that writes to a mapped file for which there is no room is killed.
func New(f *os.File, size int) ([]byte, error) {
	zeros := make([]byte, size)
	if _, err := f.WriteAt(zeros, 0); err != nil {
		return nil, err
	}
	mem, err := syscall.Mmap(int(f.Fd()), 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		return nil, &os.PathError{Op: "mmap", Path: f.Name(), Err: err}
	}
	return mem, nil
}

// Close gives the memory back. Nobody may use it any more.
func Close(mem []byte) error { return os.NewSyscallError("munmap", syscall.Munmap(mem)) }
