package signal_test

import (
	"os"
	"runtime"
	"syscall"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/signal"
)

// A signal that the process has got before Close is not lost by that: it neither does what it does by
// default, nor would anybody else be told.
func TestClosedWhileASignalIsOnItsWay(t *testing.T) {
	testutil.NoLeaks(t)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	hit := func() { // when it returns, the runtime's handler has run
		if err := syscall.Tgkill(os.Getpid(), syscall.Gettid(), syscall.SIGUSR2); err != nil {
			t.Fatal(err)
		}
	}
	for range 500 {
		q := signal.NewQueue(syscall.SIGUSR1, syscall.SIGUSR2)
		hit()
		q.Close()
		if sig, err := q.TryGet(); sig != syscall.SIGUSR2 || err != nil {
			t.Fatalf("a closed queue has %v, %v", sig, err)
		}
		e := signal.NewEvent(syscall.SIGUSR2)
		hit()
		e.Close()
		if !e.IsSet() {
			t.Fatal("a closed event is not set")
		}
	}
}
