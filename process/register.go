package process

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"sync"

	"github.com/curio-go/curio/internal/gobs"
)

// A Func is a function that can be called in a worker. [Register] makes a Func; the zero value is
// not a function, and calling it panics. A Func may be copied, and is safe for concurrent use.
type Func[A, R any] struct{ of *function }

// Name returns the name under which the function was registered, or "" for the zero value.
func (f *Func[A, R]) Name() string {
	if f == nil || f.of == nil {
		return ""
	}
	return f.of.name
}

// String returns the function's name.
func (f *Func[A, R]) String() string { return f.Name() }

// Register makes fn callable in workers, under a name that is unique in the program. Call it in the
// initialization of a package variable, so that workers, which run the same program, have the
// function too:
//
//	var thumbnail = process.Register("thumbnail", func(ctx context.Context, image []byte) ([]byte, error) { … })
//
// fn must not depend on variables that main sets: in a worker main has not set them. fn runs in a
// task of the worker's kernel, and its context is done when the call is cancelled. For a function
// without an argument or a result use struct{}.
//
// Register panics if the name is empty or taken, if fn is nil, or if values of A or R would not
// arrive as they were sent: because encoding/gob cannot encode them (functions and channels), or
// because parts would be lost (unexported fields). A type can implement gob.GobEncoder or
// encoding.BinaryMarshaler to avoid this. The contents of interfaces are checked when they are
// sent.
func Register[A, R any](name string, fn func(ctx context.Context, arg A) (R, error)) *Func[A, R] {
	if fn == nil {
		panic(fmt.Sprintf("process: Register(%q) of a nil function", name))
	}
	arg, result := reflect.TypeFor[A](), reflect.TypeFor[R]()
	f := &function{name: name, signature: fmt.Sprintf("func(%v) %v", arg, result)}
	for _, v := range []struct {
		what string
		is   reflect.Type
	}{{"argument", arg}, {"result", result}} {
		if err := gobs.Check(v.is); err != nil {
			panic(fmt.Sprintf("process: Register(%q): the %s of type %v cannot be sent to or from a worker: %v", name, v.what, v.is, err))
		}
	}
	f.call = func(ctx context.Context, d *gobs.Decoder, message []byte) (any, error) {
		var arg A
		if err := d.Decode(message, &arg); err != nil {
			return nil, &undecoded{err}
		}
		result, err := fn(ctx, arg)
		return &result, err
	}
	functions.add(f)
	return &Func[A, R]{f}
}

// A function is a Func without its types.
type function struct {
	name      string
	signature string // for the greeting's check of a call

	// call calls it in a worker, with an argument that is still encoded, and returns a pointer to its result.
	call func(ctx context.Context, d *gobs.Decoder, message []byte) (any, error)
}

// An undecoded is the error of a function.call whose argument could not be decoded.
type undecoded struct{ err error }

func (e *undecoded) Error() string { return "its argument cannot be decoded: " + e.err.Error() }

// functions are all that have been registered.
var functions = &registry{byName: make(map[string]*function)}

type registry struct {
	mu     sync.Mutex
	byName map[string]*function
}

func (r *registry) add(f *function) {
	if f.name == "" || strings.ContainsFunc(f.name, func(c rune) bool { return c < ' ' }) {
		panic(fmt.Sprintf("process: Register(%q): the name is empty, or has a control character in it", f.name))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.byName[f.name] != nil {
		panic(fmt.Sprintf("process: Register(%q): a function with that name is already registered", f.name))
	}
	r.byName[f.name] = f
}

func (r *registry) find(name string) *function {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.byName[name]
}
