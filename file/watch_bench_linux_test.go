package file_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"testing"

	"github.com/curio-go/curio/file"
	"github.com/curio-go/curio/internal/testutil"
)

const storm = 15_000 // events, which the kernel's queue holds

// makeStorm makes as many events, of one file after the other so that none is merged.
func makeStorm(b *testing.B, dir string) {
	for i := range storm {
		if i%2 == 0 {
			check(b, os.Link(dir+"/x", dir+"/y"))
		} else {
			check(b, os.Remove(dir+"/y"))
		}
	}
}

// How long it takes to take what the kernel has in its queue: with Watch, and with a loop over read(2)
// that does no more than to make a path of each.
func BenchmarkWatchEvents(b *testing.B) {
	b.Run("impl=read", func(b *testing.B) {
		dir := memory(b)
		check(b, os.WriteFile(dir+"/x", nil, 0o600))
		fd, err := syscall.InotifyInit1(syscall.IN_CLOEXEC)
		check(b, err)
		defer syscall.Close(fd)
		_, err = syscall.InotifyAddWatch(fd, dir, syscall.IN_CREATE|syscall.IN_DELETE|syscall.IN_MOVE|syscall.IN_MODIFY)
		check(b, err)
		buf := make([]byte, 64<<10)
		b.ReportAllocs()
		for b.Loop() {
			b.StopTimer()
			makeStorm(b, dir)
			b.StartTimer()
			for events := 0; events < storm; {
				n, err := syscall.Read(fd, buf)
				check(b, err)
				for rest := buf[:n]; len(rest) > 0; events++ {
					end := syscall.SizeofInotifyEvent + int(binary.NativeEndian.Uint32(rest[12:]))
					name, _, _ := bytes.Cut(rest[syscall.SizeofInotifyEvent:end], []byte{0})
					if path := dir + "/" + string(name); len(path) == 0 {
						b.Fatal(path)
					}
					rest = rest[end:]
				}
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*storm), "ns/event")
	})
	b.Run("impl=Watch", func(b *testing.B) {
		dir := memory(b)
		check(b, os.WriteFile(dir+"/x", nil, 0o600))
		w := watch(b, dir)
		d := newDam(b)
		poked := 0
		b.ReportAllocs()
		for b.Loop() {
			b.StopTimer()
			d.close(b, func() {
				check(b, os.Mkdir(fmt.Sprint(dir, "/poke", poked), 0o755))
				poked++
			})
			makeStorm(b, dir)
			b.StartTimer()
			d.open()
			for events := 0; events < storm-1; { // the last one may be kept for the next storm
				c, err := w.Next(background)
				check(b, err)
				if len(c.Path) == len(dir)+2 && (c.Kind == file.Created || c.Kind == file.Removed) {
					events++
				}
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*storm), "ns/event")
	})
}

// What it costs to watch a tree, in time and memory for each entry, and to compare it with what is known.
func BenchmarkWatchTree(b *testing.B) {
	for _, entries := range []int{1_000, 10_000, 100_000} {
		dir := memory(b)
		for i := range entries / 100 {
			folder := fmt.Sprint(dir, "/folder", i)
			check(b, os.Mkdir(folder, 0o755))
			for j := range 99 {
				check(b, os.WriteFile(fmt.Sprintf("%s/file number %d", folder, j), nil, 0o600))
			}
		}
		b.Run(fmt.Sprint("do=Watch/entries=", entries), func(b *testing.B) {
			var bytes uint64
			for b.Loop() {
				b.StopTimer()
				before := heap()
				b.StartTimer()
				w, err := file.Watch(background, dir, file.Recursive())
				b.StopTimer()
				check(b, err)
				bytes = heap() - before
				b.StartTimer()
				w.Close()
			}
			b.ReportMetric(float64(bytes)/float64(entries), "B/entry")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*entries), "ns/entry")
		})
		b.Run(fmt.Sprint("do=rescan/entries=", entries), func(b *testing.B) {
			w, err := file.Watch(background, dir, file.Recursive())
			check(b, err)
			defer w.Close()
			for b.Loop() {
				w.Lose()
				if c := next(b, w); c.Kind != file.Rescanned {
					b.Fatal(c)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*entries), "ns/entry")
		})
	}
	testutil.NoLeaks(b)
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// What it costs to begin to watch an empty directory and to end that, alone and beside another Watcher.
func BenchmarkWatchClose(b *testing.B) {
	for _, others := range []int{0, 1, 1000} {
		b.Run(fmt.Sprint("others=", others), func(b *testing.B) {
			dir := b.TempDir()
			for range others {
				watch(b, dir)
			}
			b.ReportAllocs()
			for b.Loop() {
				w, err := file.Watch(background, dir)
				check(b, err)
				w.Close()
			}
		})
	}
}
