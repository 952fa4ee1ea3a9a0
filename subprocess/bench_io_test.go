package subprocess_test

import (
	"bufio"
	"bytes"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/subprocess"
)

// A program that does nothing, against os/exec.
func BenchmarkRunTrue(b *testing.B) {
	testutil.Need(b, "true")
	b.Run("by=curio", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := subprocess.Run(background, subprocess.Command("true")); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("by=os/exec", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var stdout, stderr bytes.Buffer
			cmd := testutil.Command(b, "true")
			cmd.Stdout, cmd.Stderr = &stdout, &stderr
			if err := cmd.Run(); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkCheckOutput(b *testing.B) {
	testutil.Need(b, "echo")
	b.Run("by=curio", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if out, err := subprocess.CheckOutput(background, subprocess.Command("echo", "hello")); err != nil || len(out) != 6 {
				b.Fatal(err)
			}
		}
	})
	b.Run("by=os/exec", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if out, err := testutil.Command(b, "echo", "hello").Output(); err != nil || len(out) != 6 {
				b.Fatal(err)
			}
		}
	})
}

// keptLine keeps the compiler from leaving a line out.
var keptLine string

// The lines of a program that writes as fast as it can.
func BenchmarkLines(b *testing.B) {
	testutil.Need(b, "seq")
	const lines = 100_000
	b.Run("by=curio", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			n := 0
			for line, err := range subprocess.Lines(background, subprocess.Command("seq", "100000")) {
				if err != nil {
					b.Fatal(err)
				}
				keptLine = line
				n++
			}
			if n != lines {
				b.Fatal(n)
			}
		}
	})
	b.Run("by=os/exec", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			cmd := testutil.Command(b, "seq", "100000")
			out, err := cmd.StdoutPipe()
			if err != nil {
				b.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				b.Fatal(err)
			}
			n := 0
			for s := bufio.NewScanner(out); s.Scan(); n++ {
				keptLine = s.Text()
			}
			if err := cmd.Wait(); err != nil || n != lines {
				b.Fatal(n, err)
			}
		}
	})
}

// 5 MB through cat.
func BenchmarkThroughCat(b *testing.B) {
	testutil.Need(b, "cat")
	data := pattern(5 << 20)
	b.Run("by=curio", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		b.ReportAllocs()
		for b.Loop() {
			cmd := subprocess.Command("cat")
			cmd.Stdin = subprocess.Bytes(data)
			if out, err := subprocess.CheckOutput(background, cmd); err != nil || len(out) != len(data) {
				b.Fatal(err)
			}
		}
	})
	b.Run("by=os/exec", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		b.ReportAllocs()
		for b.Loop() {
			cmd := testutil.Command(b, "cat")
			cmd.Stdin = bytes.NewReader(data)
			if out, err := cmd.Output(); err != nil || len(out) != len(data) {
				b.Fatal(err)
			}
		}
	})
}
