package labelled

import "testing"

// The profile comes in pieces of any size.
func TestFinder(t *testing.T) {
	const profile = `goroutine profile: total 3
2 @ 0x1 0x2
# labels: {"curio.task":"\"curio.task.id\":\"7\""}
#	0x1	a.b+0x1	/a b/c.go:1
#	0x2	github.com/curio-go/curio.(*AnyTask).run+0x2	/x.go:2

1 @ 0x1
# labels: {"curio.task.id":"7", "curio.task":"x"}
#	0x1	main.helper+0x1	/a b/c.go:5

1 @ 0x1 0x2
# labels: {"a":"b", "curio.task.id":"7"}
#	0x1	main.f[...]+0x1f	/a b/c.go:7
#	0x2	github.com/curio-go/curio.(*AnyTask).run+0x2	/x.go:2

1 @ 0x1 0x2
# labels: {"curio.task.id":"70"}
#	0x1	main.g+0x1	/a/c.go:9
#	0x2	github.com/curio-go/curio.(*AnyTask).run+0x2	/x.go:2

`
	const want = "main.f[...](...)\n\t/a b/c.go:7 +0x1f\ngithub.com/curio-go/curio.(*AnyTask).run(...)\n\t/x.go:2 +0x2\n"
	for size := 1; size < 100; size++ {
		f := newFinder(7)
		for rest := []byte(profile); len(rest) > 0; rest = rest[min(size, len(rest)):] {
			_, _ = f.Write(rest[:min(size, len(rest))])
		}
		if got := f.found; got != want {
			t.Fatalf("in pieces of %d bytes: got\n%s", size, got)
		}
	}
}
