package subprocess_test

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/subprocess"
)

// Where nobody collects orphans, as in a container without an init, Stop does not take those that have
// ended for somebody who needs the grace time.
func TestStopAmongOrphans(t *testing.T) {
	testutil.NoLeaks(t)
	_, out := speaking(t, self(t, "subreaper"))
	out.expect("in time")
}

func init() {
	children["subreaper"] = func([]string) error {
		const setChildSubreaper = 36 // PR_SET_CHILD_SUBREAPER
		if _, _, errno := syscall.Syscall(syscall.SYS_PRCTL, setChildSubreaper, 1, 0); errno != 0 {
			return errno
		}
		c := shell(`trap 'exit 7' TERM; sh -c 'echo ready; exec sleep 1000' & wait`)
		c.Grace = time.Hour
		w, out := pipe(&outside{})
		p, err := subprocess.Start(background, c, nil, w)
		if err != nil {
			return err
		}
		out.expect("ready")
		status, err := p.Stop(background)
		if err != nil || status.Code != 7 {
			return fmt.Errorf("%+v, %v", status, err)
		}
		fmt.Println("in time")
		return nil
	}
}
