package subprocess_test

import (
	"bytes"
	"os/exec"
	"testing"

	"github.com/curio-go/curio/subprocess"
)

// A program that does nothing, against os/exec.
func BenchmarkRunTrue(b *testing.B) {
	b.Run("by=curio", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := subprocess.Run(background, subprocess.Command("/bin/true")); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("by=os/exec", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var stdout, stderr bytes.Buffer
			cmd := exec.Command("/bin/true")
			cmd.Stdout, cmd.Stderr = &stdout, &stderr
			if err := cmd.Run(); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkCheckOutput(b *testing.B) {
	b.Run("by=curio", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if out, err := subprocess.CheckOutput(background, subprocess.Command("/bin/echo", "hello")); err != nil || len(out) != 6 {
				b.Fatal(err)
			}
		}
	})
	b.Run("by=os/exec", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if out, err := exec.Command("/bin/echo", "hello").Output(); err != nil || len(out) != 6 {
				b.Fatal(err)
			}
		}
	})
}

// 5 MB through cat.
func BenchmarkThroughCat(b *testing.B) {
	data := pattern(5 << 20)
	b.Run("by=curio", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		b.ReportAllocs()
		for b.Loop() {
			cmd := subprocess.Command("/bin/cat")
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
			cmd := exec.Command("/bin/cat")
			cmd.Stdin = bytes.NewReader(data)
			if out, err := cmd.Output(); err != nil || len(out) != len(data) {
				b.Fatal(err)
			}
		}
	})
}
