package blackbox

import (
	"encoding/json"
	"os"
	"runtime/debug"
	"time"

	"github.com/curio-go/curio/internal/events"
	"github.com/curio-go/curio/internal/mapped"
	"github.com/curio-go/curio/internal/wait"
)

// A remains is what is left of a process that ends without running any of our code: the mapped file with the ring of events,
// and the file to which the runtime writes its last words.
type remains struct {
	base  string
	mem   []byte // the mapped file; nil for none
	crash bool   // there is a file for last words
}

// newRemains makes the files that o asks for. If there is an error, none is left.
func newRemains(d *directory, o Options) (r *remains, err error) {
	r = &remains{base: newBase("")}
	d.own = r.base
	if o.Mapped {
		if err = r.mapRing(d); err != nil {
			return nil, err
		}
	}
	if o.CrashOutput {
		if err = r.catchCrash(d); err != nil {
			r.remove(d)
			return nil, err
		}
	}
	return r, nil
}

// mapRing moves the ring of events into a file.
func (r *remains) mapRing(d *directory) error {
	header, err := json.Marshal(ringHeader{
		Ring: version, Program: program(), PID: os.Getpid(), Wall: time.Now(), Clock: wait.Now(), Size: events.Size, Go: goVersion(),
	})
	if err != nil {
		return err
	}
	file, err := d.create(r.base + ringSuffix)
	if err != nil {
		return err
	}
	defer file.Close() // the mapping stays
	mem, err := mapped.New(file, ringAt+events.Size)
	if err != nil {
		_ = d.Remove(r.base + ringSuffix)
		return err
	}
	copy(mem[:ringAt-1], append(header, '\n'))
	r.mem = mem
	events.Move(mem[ringAt:])
	return nil
}

func (r *remains) catchCrash(d *directory) error {
	file, err := d.create(r.base + crashSuffix)
	if err != nil {
		return err
	}
	defer file.Close() // the runtime has a descriptor of its own
	if err := debug.SetCrashOutput(file, debug.CrashOptions{}); err != nil {
		_ = d.Remove(r.base + crashSuffix)
		return err
	}
	r.crash = true
	return nil
}

// remove undoes newRemains. Last words that there are stay.
func (r *remains) remove(d *directory) {
	if r.mem != nil {
		events.Move(nil) // after which nobody uses the memory
		_ = mapped.Close(r.mem)
		_ = d.Remove(r.base + ringSuffix)
		r.mem = nil
	}
	if r.crash {
		_ = debug.SetCrashOutput(nil, debug.CrashOptions{})
		if info, err := d.Stat(r.base + crashSuffix); err == nil && info.Size() == 0 {
			_ = d.Remove(r.base + crashSuffix)
		}
		r.crash = false
	}
}
