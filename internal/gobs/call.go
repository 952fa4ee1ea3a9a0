package gobs

import (
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
)

// ErrGoexit is the error if a method that encodes or decodes a value has called runtime.Goexit.
var ErrGoexit = errors.New("a method that encodes or decodes has called runtime.Goexit")

// A PanicError says that a method that encodes or decodes a value has panicked, or gob itself has.
type PanicError struct {
	Value any    // what panic was called with
	Stack []byte // the stack of the goroutine at that moment, as text
}

// Error returns the panic's value. The stack is in Stack.
func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

// Unwrap returns Value if that is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// call calls f, which calls gob. If that calls methods of the user's, f runs in a goroutine of its own,
// which may end in the middle of it.
func call(foreign bool, f func() error) (err error) {
	if !foreign {
		return recovered(f)
	}
	err = ErrGoexit // what is true if f does not return
	var ended sync.WaitGroup
	ended.Add(1)
	go func() {
		defer ended.Done()
		err = recovered(f)
	}()
	ended.Wait()
	return err
}

func recovered(f func() error) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = &PanicError{value, debug.Stack()}
		}
	}()
	return f()
}
