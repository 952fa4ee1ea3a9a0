package file_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/curio-go/curio/file"
	"github.com/curio-go/curio/internal/testutil"
)

// Traps 3: reads, their being given up, the close of the file and the reuse of its number, all at the
// same time. Every file is full of its own byte, and a reader never sees another one's, nor is its
// memory touched when it has gone.
func TestRaceCloseReadReuse(t *testing.T) {
	testutil.NoLeaks(t)
	const files, size = 8, 3000
	dir := t.TempDir()
	names := make([]string, files)
	for i := range names {
		names[i] = filepath.Join(dir, string(rune('a'+i)))
		check(t, os.WriteFile(names[i], bytes.Repeat([]byte{byte('a' + i)}, size), 0o600))
	}
	rounds := testutil.Times(20_000)
	var reads, cancelled, closed, late atomic.Int64
	restore := file.Stall(func(op, _ string) { // so that both come before the end of the call, and after
		if op == "read" {
			for range rand.IntN(20) {
				runtime.Gosched()
			}
		}
	})
	defer restore()
	var all sync.WaitGroup
	for worker := range 4 {
		all.Go(func() {
			buf := make([]byte, size)
			for round := range rounds / 4 {
				i := (round*7 + worker) % files
				f, err := file.Open(background, names[i])
				if err != nil {
					t.Error(err)
					return
				}
				if round%3 != 0 {
					file.Forget(f)
				}
				ctx, cancel := context.WithCancel(background)
				var both sync.WaitGroup
				both.Go(func() {
					if round%2 == 0 {
						cancel()
						for range round % 30 {
							runtime.Gosched()
						}
					}
					if round%5 == 0 {
						_ = f.CloseContext(ctx)
					} else {
						_ = f.Close()
					}
				})
				var n int
				if round%4 < 2 {
					n, err = f.ReadAt(ctx, buf, 0)
				} else {
					n, err = f.Read(ctx, buf)
				}
				if slices.ContainsFunc(file.Calls(), func(c file.Call) bool { return c.Abandoned }) {
					late.Add(1)
				}
				switch {
				case err == nil, err == io.EOF:
					reads.Add(1)
				case errors.Is(err, context.Canceled):
					cancelled.Add(1)
				case errors.Is(err, fs.ErrClosed):
					closed.Add(1)
				default:
					t.Error(err)
				}
				for _, b := range buf[:n] {
					if b != byte('a'+i) {
						t.Errorf("file %c has %q", 'a'+i, b)
						break
					}
				}
				for j := range buf { // what a read that was given up must not touch
					buf[j] = '!'
				}
				both.Wait()
				cancel()
				for _, b := range buf {
					if b != '!' {
						t.Errorf("the memory was written to later: %q", b)
						break
					}
				}
				for j := range buf {
					buf[j] = 0
				}
			}
		})
	}
	all.Wait()
	settled(t)
	t.Logf("%d reads, %d cancelled, %d closed; %d times a call ran on", reads.Load(), cancelled.Load(), closed.Load(), late.Load())
	if reads.Load() == 0 || cancelled.Load() == 0 || closed.Load() == 0 || late.Load() == 0 {
		t.Error("not all that can happen has happened")
	}
}

// Sequential reads by several tasks, of which some are given up, return each byte once and in order of
// the file.
func TestRaceOffset(t *testing.T) {
	testutil.NoLeaks(t)
	data := testutil.Pattern(9, testutil.Times(2_000_000))
	f := newFile(t, string(data))
	file.Forget(f)
	restore := file.Stall(func(string, string) { runtime.Gosched() })
	defer restore()
	var cut atomic.Int64
	var mu sync.Mutex
	got := make([]byte, 0, len(data))
	var all sync.WaitGroup
	for worker := range 4 {
		all.Go(func() {
			p := make([]byte, 100+worker)
			for i := 0; ; i++ {
				ctx, cancel := context.WithCancel(background)
				if i%2 == 0 {
					go cancel()
				}
				mu.Lock() // so that what was read can be put in order
				n, err := f.Read(ctx, p)
				got = append(got, p[:n]...)
				mu.Unlock()
				cancel()
				if err == io.EOF {
					return
				}
				if errors.Is(err, context.Canceled) {
					cut.Add(1)
				} else if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	t.Logf("%d reads were cut short", cut.Load())
	if !bytes.Equal(got, data) {
		t.Errorf("%d bytes, want %d", len(got), len(data))
	}
}

// Sequential writes that are given up are written again by their writers: the file has each record, in
// order, and nothing else.
func TestRaceWriteAgain(t *testing.T) {
	testutil.NoLeaks(t)
	f := newFile(t, "")
	var want []byte
	unknown := 0
	restore := file.Stall(func(string, string) {
		for range rand.IntN(5) {
			runtime.Gosched()
		}
	})
	defer restore()
	for i := range testutil.Times(1000) {
		record := []byte{byte('a' + i%26), byte('a' + i/26%26), '\n'}
		want = append(want, record...)
		for len(record) > 0 {
			ctx, cancel := context.WithCancel(background)
			if i%2 == 0 {
				go cancel()
			}
			n, err := f.Write(ctx, record)
			cancel()
			record = record[n:]
			if errors.Is(err, file.ErrOutcomeUnknown) {
				unknown++
			} else if err != nil && !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
		}
	}
	check(t, f.Sync(background))
	if got := contents(t, f); got != string(want) {
		t.Errorf("%d bytes, want %d", len(got), len(want))
	}
	t.Logf("%d outcomes were unknown", unknown)
}
