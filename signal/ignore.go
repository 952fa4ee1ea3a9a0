package signal

import (
	"fmt"
	"os"
	"syscall"

	"github.com/curio-go/curio/internal/signals"
)

// Ignore keeps the given signals from doing what they do by default, as ending the program, until
// restore is called:
//
//	defer signal.Ignore(syscall.SIGINT)()
//
// Queues, events and channels of package os/signal that are there for a signal get it all the same.
// Unlike os/signal.Ignore it takes nothing from these, children that are started meanwhile do not
// inherit it, and restore undoes it. A second call of restore does nothing.
//
// It panics if no signal is given, or one that cannot be caught. It refuses SIGCHLD too, as the
// default there is to ignore it already.
//
// It is Curio's ignore_signals.
func Ignore(sigs ...os.Signal) (restore func()) {
	list := mustCatch("Ignore", sigs)
	for _, sig := range list {
		if sig == syscall.SIGCHLD {
			panic(fmt.Sprintf("curio/signal: Ignore: %s does nothing by default", signals.Name(sig)))
		}
	}
	s := new(nobody)
	signals.Subscribe(s, list...)
	return func() { signals.Unsubscribe(s) }
}

// nobody is told of signals and does nothing.
type nobody struct{ _ byte } // a type without a size would make all of them one

func (*nobody) Deliver(syscall.Signal) {}
