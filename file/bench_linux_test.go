package file_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/file"
)

// grounds are the file systems that are measured, those that there are.
var grounds = []struct {
	name string
	dir  func(b testing.TB) string
}{
	{"disk", func(b testing.TB) string { return on(b, os.TempDir(), "ext4", "xfs") }},
	{"tmpfs", func(b testing.TB) string { return on(b, "/dev/shm", "tmpfs") }},
	{"overlay", overlay},
}

func bench(b *testing.B, size int, std, ours func(b *testing.B, ctx context.Context, name string)) {
	for _, g := range grounds {
		b.Run("on="+g.name, func(b *testing.B) {
			name := filepath.Join(g.dir(b), "data")
			check(b, os.WriteFile(name, make([]byte, size), 0o644))
			b.Run("by=os", func(b *testing.B) {
				b.ReportAllocs()
				std(b, background, name)
			})
			b.Run("by=curio", func(b *testing.B) {
				check(b, curio.Run(background, func(ctx context.Context) error {
					b.ReportAllocs()
					ours(b, ctx, name)
					return nil
				}))
			})
		})
	}
}

// 4 KiB at random places of a file that is in the page cache.
func BenchmarkReadAt(b *testing.B) {
	const size = 16 << 20
	next := func(i int) int64 { return int64(uint32(i)*2654435761%(size/4096)) * 4096 }
	p := make([]byte, 4096)
	bench(b, size, func(b *testing.B, _ context.Context, name string) {
		f, err := os.Open(name)
		check(b, err)
		defer f.Close()
		for i := 0; b.Loop(); i++ {
			if _, err := f.ReadAt(p, next(i)); err != nil {
				b.Fatal(err)
			}
		}
	}, func(b *testing.B, ctx context.Context, name string) {
		f, err := file.Open(ctx, name)
		check(b, err)
		defer f.Close()
		for i := 0; b.Loop(); i++ {
			if _, err := f.ReadAt(ctx, p, next(i)); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// A file as a whole, which is in the page cache.
func BenchmarkReadFile(b *testing.B) {
	for _, size := range []int{100, 4 << 10, 64 << 10, 1 << 20, 16 << 20} {
		b.Run(fmt.Sprintf("size=%d", size), func(b *testing.B) {
			bench(b, size, func(b *testing.B, _ context.Context, name string) {
				b.SetBytes(int64(size))
				for b.Loop() {
					if _, err := os.ReadFile(name); err != nil {
						b.Fatal(err)
					}
				}
			}, func(b *testing.B, ctx context.Context, name string) {
				b.SetBytes(int64(size))
				for b.Loop() {
					if _, err := file.ReadFile(ctx, name); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}

// 4 KiB into the page cache.
func BenchmarkWriteAt(b *testing.B) {
	p := make([]byte, 4096)
	bench(b, 1<<20, func(b *testing.B, _ context.Context, name string) {
		f, err := os.OpenFile(name, os.O_RDWR, 0)
		check(b, err)
		defer f.Close()
		for i := 0; b.Loop(); i++ {
			if _, err := f.WriteAt(p, int64(i%256)*4096); err != nil {
				b.Fatal(err)
			}
		}
	}, func(b *testing.B, ctx context.Context, name string) {
		f, err := file.OpenFile(ctx, name, os.O_RDWR, 0)
		check(b, err)
		defer f.Close()
		for i := 0; b.Loop(); i++ {
			if _, err := f.WriteAt(ctx, p, int64(i%256)*4096); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// 4 KiB after 4 KiB of a file.
func BenchmarkRead(b *testing.B) {
	const size = 16 << 20
	p := make([]byte, 4096)
	bench(b, size, func(b *testing.B, _ context.Context, name string) {
		f, err := os.Open(name)
		check(b, err)
		defer f.Close()
		for b.Loop() {
			if _, err := f.Read(p); err == io.EOF {
				_, _ = f.Seek(0, 0)
			} else if err != nil {
				b.Fatal(err)
			}
		}
	}, func(b *testing.B, ctx context.Context, name string) {
		f, err := file.Open(ctx, name)
		check(b, err)
		defer f.Close()
		for b.Loop() {
			if _, err := f.Read(ctx, p); err == io.EOF {
				_, _ = f.Seek(ctx, 0, 0)
			} else if err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkOpen(b *testing.B) {
	bench(b, 100, func(b *testing.B, _ context.Context, name string) {
		for b.Loop() {
			f, err := os.Open(name)
			check(b, err)
			check(b, f.Close())
		}
	}, func(b *testing.B, ctx context.Context, name string) {
		for b.Loop() {
			f, err := file.Open(ctx, name)
			check(b, err)
			check(b, f.Close())
		}
	})
}

func BenchmarkStat(b *testing.B) {
	bench(b, 100, func(b *testing.B, _ context.Context, name string) {
		for b.Loop() {
			_, err := os.Stat(name)
			check(b, err)
		}
	}, func(b *testing.B, ctx context.Context, name string) {
		for b.Loop() {
			_, err := file.Stat(ctx, name)
			check(b, err)
		}
	})
}
