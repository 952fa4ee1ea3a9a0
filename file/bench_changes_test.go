package file_test

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/file"
)

// carefully is what a careful program does without us.
func carefully(name string, data []byte) (err error) {
	mode := fs.FileMode(0o644)
	if info, err := os.Stat(name); err == nil {
		mode = info.Mode().Perm()
	}
	f, err := os.CreateTemp(filepath.Dir(name), ".tmp-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	if _, err = f.Write(data); err != nil {
		return err
	}
	if err = f.Chmod(mode); err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), name); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(name))
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}

func BenchmarkWriteFileAtomic(b *testing.B) {
	data := make([]byte, 4<<10)
	for where, dir := range map[string]string{"disk": b.TempDir(), "memory": memory(b)} {
		name := filepath.Join(dir, "f")
		b.Run("on="+where+"/by=os", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				check(b, carefully(name, data))
			}
		})
		b.Run("on="+where+"/by=curio", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				check(b, file.WriteFileAtomic(background, name, data, 0o644))
			}
		})
	}
}

func BenchmarkWalk(b *testing.B) {
	dir := memory(b)
	for i := range 20 {
		for j := range 20 {
			folder := filepath.Join(dir, fmt.Sprint(i), fmt.Sprint(j))
			check(b, os.MkdirAll(folder, 0o755))
			for k := range 20 {
				write(b, filepath.Join(folder, fmt.Sprint(k)), "")
			}
		}
	}
	b.Run("by=os", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			n := 0
			check(b, filepath.WalkDir(dir, func(_ string, _ fs.DirEntry, err error) error { n++; return err }))
		}
	})
	for _, paths := range []bool{true, false} {
		b.Run(fmt.Sprint("by=curio/paths=", paths), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				n := 0
				for e, err := range file.Walk(background, dir) {
					check(b, err)
					if n++; paths {
						_ = e.Path()
					}
				}
			}
		})
	}
}

func BenchmarkCopy(b *testing.B) {
	for where, dir := range map[string]string{"disk": b.TempDir(), "memory": memory(b)} {
		for _, size := range []int{4 << 10, 16 << 20} {
			src, dst := filepath.Join(dir, "src"), filepath.Join(dir, "dst")
			check(b, os.WriteFile(src, random(size), 0o644))
			b.Run(fmt.Sprintf("on=%s/size=%d/by=io.Copy", where, size), func(b *testing.B) {
				b.SetBytes(int64(size))
				for b.Loop() {
					check(b, copyByHand(dst, src))
				}
			})
			b.Run(fmt.Sprintf("on=%s/size=%d/by=curio", where, size), func(b *testing.B) {
				b.SetBytes(int64(size))
				for b.Loop() {
					check(b, second(file.Copy(background, dst, src)))
				}
			})
		}
	}
}

func copyByHand(dst, src string) error {
	from, err := os.Open(src)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.Create(dst)
	if err != nil {
		return err
	}
	if _, err := io.Copy(to, from); err != nil {
		to.Close()
		return err
	}
	return to.Close()
}

func BenchmarkLock(b *testing.B) {
	l := file.NewLock(filepath.Join(memory(b), "lock"))
	b.Run("free", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			check(b, l.Acquire(background))
			check(b, l.Release(background))
		}
	})
	b.Run("tasks=8", func(b *testing.B) {
		b.SetParallelism(8)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				check(b, l.Acquire(background))
				check(b, l.Release(background))
			}
		})
	})
	b.Run("RWLock", func(b *testing.B) {
		var l curio.RWLock
		for b.Loop() {
			check(b, l.Acquire(background))
			l.Release(background)
		}
	})
}
