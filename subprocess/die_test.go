package subprocess_test

import (
	"fmt"
	"os"
	"strconv"
	"syscall"
	"testing"

	"github.com/curio-go/curio/internal/signals"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/subprocess"
)

// A process that dies by a signal takes its children and what they have started with it, apart from those
// in its own group.
func TestDeath(t *testing.T) {
	for _, way := range subprocess.Ways() {
		t.Run(way.Name, func(t *testing.T) {
			c := testutil.Self(t, "die", way.Name)
			var pids []int
			for range 3 {
				pid, err := strconv.Atoi(c.Line())
				check(t, err)
				pids = append(pids, pid)
			}
			shared := pids[2]
			defer func() { _ = syscall.Kill(shared, syscall.SIGKILL) }()
			if status := c.Wait(); status != -1 {
				t.Errorf("status %d: %s", status, c.Stderr())
			}
			for _, pid := range pids[:2] {
				awaitGone(t, pid)
			}
			if !runs(shared) {
				t.Error("the one in the group of its parent was killed, too")
			}
		})
	}
}

func init() {
	children["die"] = func(args []string) error {
		use(args[0])
		w, out := pipe(&outside{})
		own := shell(`trap '' TERM HUP INT; sleep 1000 >/dev/null & echo $$; echo $!; wait`)
		if _, err := subprocess.Start(background, own, nil, w); err != nil {
			return err
		}
		fmt.Println(out.line())
		fmt.Println(out.line())
		shared := subprocess.Command("/bin/sleep", "1000")
		shared.Group = subprocess.GroupShared
		p, err := subprocess.Start(background, shared)
		if err != nil {
			return err
		}
		fmt.Println(p.Pid())
		if testutil.Long {
			signals.BeforeDeath(func() { select {} }) // one that hangs does not keep it alive
		}
		signals.Die(syscall.SIGTERM)
		return nil
	}
}

// A program that is just being started is taken, too, and another one is not started any more.
func TestDeathWhileStarting(t *testing.T) {
	for _, way := range subprocess.Ways() {
		t.Run(way.Name, func(t *testing.T) {
			c := testutil.Self(t, "die starting", way.Name)
			if said, status := c.Rest(); status != -1 || said != "" { // nobody has its output open
				t.Errorf("it said %q and ended with %d: %s", said, status, c.Stderr())
			}
		})
	}
}

func init() {
	children["die starting"] = func(args []string) error {
		use(args[0])
		subprocess.Inject(&outside{}, func(step string) error {
			if step != "born" {
				return nil
			}
			go signals.Die(syscall.SIGTERM)
			testutil.Eventually(subprocess.Dying)
			for range 20 { // in which it would die
				testutil.Rest()
			}
			return nil
		})
		c := shell("trap '' TERM HUP INT; sleep 60")
		go func() {
			testutil.Eventually(subprocess.Dying)
			if _, err := subprocess.Start(background, c, nil, os.Stdout); err == nil {
				fmt.Println("another one was started")
			}
		}()
		_, err := subprocess.Start(background, c, nil, os.Stdout)
		if err != nil {
			return err
		}
		select {}
	}
}
