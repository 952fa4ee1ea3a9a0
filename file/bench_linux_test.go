package file_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

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

// BenchmarkRatio compares with package os on a machine that does other things too: both in turn, a few
// calls at a time, of which the fastest count.
func BenchmarkRatio(b *testing.B) {
	for _, size := range []int{4 << 10, 64 << 10, 1 << 20, 16 << 20} {
		ratio(b, fmt.Sprintf("ReadFile/size=%d", size), size, func(ctx context.Context, name string) (std, ours func(i int) error, done func()) {
			return func(int) error { return errOf(os.ReadFile(name)) },
				func(int) error { return errOf(file.ReadFile(ctx, name)) }, func() {}
		})
	}
	const size = 16 << 20
	opened := func(call func(plain *os.File, f *file.File, ctx context.Context) (std, ours func(i int) error)) func(context.Context, string) (std, ours func(i int) error, done func()) {
		return func(ctx context.Context, name string) (std, ours func(i int) error, done func()) {
			plain, err := os.OpenFile(name, os.O_RDWR, 0)
			check(b, err)
			f, err := file.OpenFile(ctx, name, os.O_RDWR, 0)
			check(b, err)
			std, ours = call(plain, f, ctx)
			return std, ours, func() { plain.Close(); f.Close() }
		}
	}
	at := func(i int) int64 { return int64(uint32(i)*2654435761%(size/4096)) * 4096 }
	p := make([]byte, 4096)
	ratio(b, "ReadAt", size, opened(func(plain *os.File, f *file.File, ctx context.Context) (std, ours func(i int) error) {
		return func(i int) error { return errOf(plain.ReadAt(p, at(i))) },
			func(i int) error { return errOf(f.ReadAt(ctx, p, at(i))) }
	}))
	ratio(b, "WriteAt", size, opened(func(plain *os.File, f *file.File, ctx context.Context) (std, ours func(i int) error) {
		return func(i int) error { return errOf(plain.WriteAt(p, at(i))) },
			func(i int) error { return errOf(f.WriteAt(ctx, p, at(i))) }
	}))
	ratio(b, "Open", 100, func(ctx context.Context, name string) (std, ours func(i int) error, done func()) {
		return func(int) error {
				f, err := os.Open(name)
				if err != nil {
					return err
				}
				return f.Close()
			}, func(int) error {
				f, err := file.Open(ctx, name)
				if err != nil {
					return err
				}
				return f.Close()
			}, func() {}
	})
	ratio(b, "Stat", 100, func(ctx context.Context, name string) (std, ours func(i int) error, done func()) {
		return func(int) error { return errOf(os.Stat(name)) }, func(int) error { return errOf(file.Stat(ctx, name)) }, func() {}
	})
}

func ratio(b *testing.B, what string, size int, start func(ctx context.Context, name string) (std, ours func(i int) error, done func())) {
	for _, g := range grounds {
		b.Run(what+"/on="+g.name, func(b *testing.B) {
			name := filepath.Join(g.dir(b), "data")
			check(b, os.WriteFile(name, make([]byte, size), 0o644))
			check(b, curio.Run(background, func(ctx context.Context) error {
				std, ours, done := start(ctx, name)
				defer done()
				calls := max(1, 20_000/max(size/1000, 1)/10)
				if size == 100 || what == "ReadAt" || what == "WriteAt" {
					calls = 50
				}
				fastest := func(best time.Duration, call func(i int) error) time.Duration {
					start := time.Now()
					for i := range calls {
						check(b, call(i))
					}
					return min(best, time.Since(start)/time.Duration(calls))
				}
				bestStd, bestOurs := time.Hour, time.Hour
				for b.Loop() {
					bestStd, bestOurs = fastest(bestStd, std), fastest(bestOurs, ours)
				}
				b.ReportMetric(float64(bestStd), "ns-os")
				b.ReportMetric(float64(bestOurs), "ns-curio")
				b.ReportMetric(float64(bestOurs)/float64(bestStd), "ratio")
				return nil
			}))
		})
	}
}
