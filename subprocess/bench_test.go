package subprocess_test

import (
	"os/exec"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/subprocess"
)

// One program after the other.
func BenchmarkStartAndWait(b *testing.B) {
	testutil.Need(b, "/bin/true")
	b.Run("by=curio", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			p, err := subprocess.Start(background, subprocess.Command("/bin/true"))
			check(b, err)
			_, err = p.Wait(background)
			check(b, err)
		}
	})
	b.Run("by=os/exec", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			check(b, testutil.Command(b, "/bin/true").Run())
		}
	})
}

// A thousand programs run at the same time, are waited for, and are killed.
func BenchmarkThousand(b *testing.B) {
	testutil.Need(b, "/bin/cat")
	const n = 1000
	b.Run("by=curio", func(b *testing.B) {
		in := stdin(b, nil)
		for b.Loop() {
			ended := make(chan error, n)
			all := make([]*subprocess.Process, n)
			for i := range all {
				p, err := subprocess.Start(background, subprocess.Command("/bin/cat"), in)
				check(b, err)
				all[i] = p
				go func() { _, err := p.Wait(background); ended <- err }()
			}
			b.ReportMetric(float64(threads(b)), "threads")
			for _, p := range all {
				check(b, p.Kill())
			}
			for range all {
				check(b, <-ended)
			}
		}
	})
	b.Run("by=os/exec", func(b *testing.B) {
		in := stdin(b, nil)
		for b.Loop() {
			ended := make(chan error, n)
			all := make([]*exec.Cmd, n)
			for i := range all {
				c := testutil.Command(b, "/bin/cat")
				c.Stdin = in
				check(b, c.Start())
				all[i] = c
				go func() { ended <- c.Wait() }()
			}
			b.ReportMetric(float64(threads(b)), "threads")
			for _, c := range all {
				check(b, c.Process.Kill())
			}
			for range all {
				<-ended
			}
		}
	})
}
