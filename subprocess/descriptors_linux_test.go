package subprocess_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/subprocess"
)

// Without descriptors nothing can be started, and nothing is lost by trying.
func TestNoDescriptors(t *testing.T) {
	c := testutil.Self(t, "nodescriptors")
	if out, status := c.Rest(); status != 0 || out != "ok\n" {
		t.Errorf("%q, status %d: %s", out, status, c.Stderr())
	}
}

func init() {
	children["nodescriptors"] = func([]string) error {
		count := func() int { return len(testutil.Descriptors(os.Getpid())) }
		cmd := subprocess.Command("/bin/true")
		p, err := subprocess.Start(background, cmd) // opens the pollers
		if err != nil {
			return err
		}
		if _, err := p.Wait(background); err != nil {
			return err
		}
		limit := syscall.Rlimit{Cur: uint64(count()) + 20, Max: uint64(count()) + 20}
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
			return err
		}
		var held []*os.File
		for {
			f, err := os.Open(os.DevNull)
			if err != nil {
				break
			}
			held = append(held, f)
		}
		for len(held) > 0 {
			p, err := subprocess.Start(background, cmd)
			if err == nil {
				if _, err := p.Wait(background); err != nil {
					return err
				}
				break
			}
			if !errors.Is(err, syscall.EMFILE) || !strings.Contains(err.Error(), "start /bin/true") {
				return err
			}
			if _, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); err != syscall.ECHILD {
				return fmt.Errorf("a child is left: %v", err)
			}
			held[0].Close()
			held = held[1:]
		}
		if len(held) == 0 {
			return errors.New("it never worked")
		}
		fmt.Println("ok")
		return nil
	}
}
