package wait_test

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio/internal/wait"
)

func TestPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newTask(t)
		p := wait.Pause{First: 3 * time.Millisecond, Most: 20 * time.Millisecond}
		var slept []time.Duration
		for i := range 6 {
			if i == 5 {
				p.Restart()
			}
			began := time.Now()
			if err := p.Sleep(o); err != nil {
				t.Fatal(err)
			}
			slept = append(slept, time.Since(began)/time.Millisecond)
		}
		if want := []time.Duration{3, 6, 12, 20, 20, 3}; !slices.Equal(slept, want) {
			t.Errorf("it slept %d ms, want %d", slept, want)
		}
		cancel(&o.Scope)
		if err := p.Sleep(o); !errors.Is(err, wait.ErrTaskCancelled) {
			t.Error(err)
		}
	})
}
