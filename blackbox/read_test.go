package blackbox_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/curio-go/curio/blackbox"
)

// sample is a report that has something of everything.
const sample = `{"blackbox":1,"program":"chat","pid":42,"time":"2026-12-01T09:30:00.5Z","started":"2026-12-01T09:00:00Z","reason":"panic","detail":["task main/b: panic: boom","main.b(...)\n\t/b.go:3"],"go":"go1.26 linux/amd64","goroutines":7}
{"event":{"time":"2026-12-01T09:29:59Z","task":2,"kind":"created","by":1,"text":"b"}}
{"event":{"time":"2026-12-01T09:29:59.5Z","task":2,"kind":"waits","object":3232,"text":"LOCK_ACQUIRE *curio.Lock"}}
{"from":"a later version"}
{"deadlock":"task a (1): LOCK_ACQUIRE\n\ttask b (2): LOCK_ACQUIRE"}
{"thread":"RunInThread of main.f"}
{"task":{"id":1,"name":"a","kernel":1,"kind":"main","state":"LOCK_ACQUIRE","cycles":3,"age":2.5,"spawned":"chat/a.go:1","waits":[{"op":"LOCK_ACQUIRE","object":"Lock 0xc","on":[2]}],"waiting":1.5,"deadline":9}}
{"task":{"id":2,"name":"b","parent":1,"kernel":1,"kind":"task","state":"RUNNING","cycles":0,"age":1,"spawned":"chat/a.go:2","cancelled":"a deadline, 1s before"}}
{"stacks":"goroutine 1 [running]:\nmain.main()\n"}
{"end":{"left_off":4}}
`

const shownSample = `chat, process 42, 2026-12-01T09:30:00.5Z: panic
go1.26 linux/amd64; 7 goroutines, 2 tasks; up 30m0.5s
There was no room for 4 events and tasks.

task main/b: panic: boom

main.b(...)
	/b.go:3

Deadlock:
	task a (1): LOCK_ACQUIRE
	task b (2): LOCK_ACQUIRE

Tasks:
1 a (main): LOCK_ACQUIRE for 1.5s Lock 0xc on 2, deadline 9s later; 2.5s old, 3 waits, spawned at chat/a.go:1
  2 b: RUNNING, cancelled by a deadline, 1s before; 1s old, 0 waits, spawned at chat/a.go:2

In threads:
	RunInThread of main.f

The last 2 events:
09:29:59.000000 2 b: created by 1
09:29:59.500000 2 b: waits LOCK_ACQUIRE *curio.Lock 0xca0

Stacks:
goroutine 1 [running]:
main.main()
`

func TestRead(t *testing.T) {
	r := read(t, []byte(sample))
	if got := text(t, r); got != shownSample {
		t.Errorf("it is shown as\n%s", got)
	}
}

// A file that was cut is read as far as it goes.
func TestReadCut(t *testing.T) {
	first := strings.IndexByte(sample, '\n')
	for n := range len(sample) - 1 {
		r, err := blackbox.Read(strings.NewReader(sample[:n]))
		switch {
		case n < first:
			if !errors.Is(err, blackbox.ErrFormat) {
				t.Errorf("%d bytes: %v", n, err)
			}
		case err != nil:
			t.Errorf("%d bytes: %v", n, err)
		case r.Complete:
			t.Errorf("%d bytes are complete", n)
		default:
			text(t, r)
		}
	}
}

func TestReadFails(t *testing.T) {
	for _, data := range []string{
		"", "\n", "hello\n", "{}\n", "[]\n", "null\n", `{"blackbox":2}` + "\n", `{"blackbox":"1"}` + "\n", `{"ring":9}` + "\n",
		`{"ring":1,"size":-1}` + "\n", `{"ring":1,"size":1000000000000}` + "\n", `{"ring":1,"x":"` + strings.Repeat("x", 5000) + `"}` + "\n",
	} {
		if r, err := blackbox.Read(strings.NewReader(data)); !errors.Is(err, blackbox.ErrFormat) {
			t.Errorf("%.40q: %+v, %v", data, r, err)
		}
	}
	boom := errors.New("boom")
	for _, n := range []int{0, 10, 1000} {
		if _, err := blackbox.Read(io.MultiReader(strings.NewReader(sample[:n]), iotest.ErrReader(boom))); !errors.Is(err, boom) && n != 10 {
			t.Errorf("after %d bytes: %v", n, err)
		}
	}
}

// Whatever is in a file, reading and showing it ends, and what is shown obeys no terminal.
func FuzzRead(f *testing.F) {
	f.Add([]byte(sample))
	f.Add([]byte(`{"ring":1,"program":"chat","size":262144}` + "\n" + strings.Repeat("\x00", 5000)))
	f.Add([]byte(`{"blackbox":1,"program":"\u001b[2J\u202e"}` + "\n" + `{"task":{"id":1,"parent":1}}` + "\n" + `{"task":{"id":1,"parent":2}}` + "\n" + `{"task":{"id":2,"parent":1}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := blackbox.Read(bytes.NewReader(data))
		if err != nil {
			return
		}
		shown := text(t, r)
		for _, c := range shown {
			if c < ' ' && c != '\n' && c != '\t' || c == 0x7f || c >= 0x80 && c < 0xa0 || c >= 0x202a && c <= 0x202e {
				t.Fatalf("%q is shown", c)
			}
		}
	})
}
