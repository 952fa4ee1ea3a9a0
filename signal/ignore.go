package signal

import (
	"fmt"
	"os"
	"syscall"

	"github.com/curio-go/curio/internal/signals"
)

// Ignore prevents the default action of the given signals, such as ending the program, until
// restore is called:
//
//	defer signal.Ignore(syscall.SIGINT)()
//
// Queues, events, and channels of package os/signal still receive the signals. Unlike
// os/signal.Ignore, Ignore does not affect these, child processes do not inherit it, and restore
// undoes it. A second call of restore does nothing. Ignore and restore are safe for concurrent use,
// and calls may overlap.
//
// Ignore panics if there are no signals, if one of them cannot be caught, or if one is SIGCHLD,
// whose default action is already to do nothing.
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
