package process

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"os"
	"reflect"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"time"
)

// This file has what is in the frames.

// A greeting is what a worker is told first.
type greeting struct {
	Version    int
	Build      string // of the program: the worker must be the same one
	Processors int
	Grace      time.Duration
	Limits     limits
}

// A hello is the worker's answer.
type hello struct {
	Version int
	Build   string
	Refusal string // why it will not serve, "" if it will
}

func (g *greeting) pack() []byte { return packed(g) }
func (h *hello) pack() []byte    { return packed(h) }

// packed never fails, as there are only numbers and texts in v.
func packed(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic("process: internal error: " + err.Error())
	}
	return text
}

// A callHead is what a call begins with; the argument follows.
type callHead struct {
	function  string
	signature string // of the function, as the caller knows it
	listens   string // the type of the progress values that the caller wants, "" for none
	anew      bool   // the worker's table of types begins anew: the caller has not looked at all it was sent
}

func (h *callHead) pack() []byte {
	var p packer
	p.text(h.function)
	p.text(h.signature)
	p.text(h.listens)
	if h.anew {
		p.number(1)
	} else {
		p.number(0)
	}
	return p
}

func unpackCall(body []byte) (h callHead, arg []byte, err error) {
	u := unpacker{rest: body}
	h.function, h.signature, h.listens = u.text(), u.text(), u.text()
	h.anew = u.number() != 0
	return h, u.rest, u.err()
}

// maxText is how much of a text or a stack goes into a RemoteError.
const maxText = 64 << 10

func (e *RemoteError) pack() []byte {
	var p packer
	p.text(e.Type)
	p.text(e.Text[:min(len(e.Text), maxText)])
	p.text(e.Stack[:min(len(e.Stack), maxText)])
	if e.Panic {
		p.number(1)
	} else {
		p.number(0)
	}
	return p
}

func unpackFailure(function string, body []byte) (*RemoteError, error) {
	u := unpacker{rest: body}
	e := &RemoteError{Func: function, Type: u.text(), Text: u.text(), Stack: u.text()}
	e.Panic = u.number() != 0
	e.Text = strings.ToValidUTF8(e.Text, "\uFFFD")
	return e, u.err()
}

// nameOf returns a name by which the same type can be recognized in another process of the program.
func nameOf(t reflect.Type) string { return t.PkgPath() + " " + t.String() }

// theBuild says which program this is. On Linux a worker runs the very file that this process does, even if it
// has been replaced meanwhile; on other systems it may turn out to be another one.
var theBuild = sync.OnceValue(func() string {
	h := fnv.New64a()
	if info, ok := debug.ReadBuildInfo(); ok {
		fmt.Fprint(h, info)
	}
	if info := programFile(); info != nil {
		fmt.Fprint(h, info.Size())
		if programPath() != selfPath { // there it is the same file, whatever has been done to its time
			fmt.Fprint(h, info.ModTime().UnixNano())
		}
	}
	return fmt.Sprintf("%s %x", runtime.Version(), h.Sum64())
})

// programFile is looked at when the program calls Main, before its file is likely to be replaced.
var programFile = sync.OnceValue(func() os.FileInfo {
	info, err := os.Stat(programPath())
	if err != nil {
		return nil
	}
	return info
})

// selfPath is this very program on Linux.
const selfPath = "/proc/self/exe"

// programPath returns the path of this program, which on Linux works even if the file has been replaced or
// removed.
var programPath = sync.OnceValue(func() string {
	if runtime.GOOS == "linux" {
		if _, err := os.Stat(selfPath); err == nil {
			return selfPath
		}
	}
	path, err := os.Executable()
	if err != nil {
		return os.Args[0]
	}
	return path
})
