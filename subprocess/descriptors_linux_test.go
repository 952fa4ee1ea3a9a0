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
		cmd := subprocess.Command("/bin/true")
		p, err := subprocess.Start(background, cmd) // opens the pollers
		if err != nil {
			return err
		}
		if _, err := p.Wait(background); err != nil {
			return err
		}
		n := uint64(len(testutil.Descriptors(os.Getpid())) + 20)
		limit := syscall.Rlimit{Cur: n, Max: n}
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

// A start needs a number above all that the program gets. That there is none is said as what it is.
func TestNoHigherDescriptor(t *testing.T) {
	c := testutil.Self(t, "nohigherdescriptor")
	if out, status := c.Rest(); status != 0 || out != "ok\n" {
		t.Errorf("%q, status %d: %s", out, status, c.Stderr())
	}
}

func init() {
	children["nohigherdescriptor"] = func([]string) error {
		if _, err := subprocess.CheckOutput(background, subprocess.Command("/bin/true")); err != nil { // opens the pollers
			return err
		}
		n := uint64(len(testutil.Descriptors(os.Getpid())) + 20)
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: n, Max: n}); err != nil {
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
		last := held[len(held)-1]
		for _, f := range held[:10] {
			f.Close()
		}
		_, err := subprocess.Start(background, subprocess.Command("/bin/true"), last)
		if !errors.Is(err, syscall.EMFILE) || !strings.Contains(err.Error(), "RLIMIT_NOFILE") {
			return fmt.Errorf("with the highest number: %v", err)
		}
		p, err := subprocess.Start(background, subprocess.Command("/bin/true"), held[len(held)-3])
		if err == nil {
			_, err = p.Wait(background)
		}
		if err != nil {
			return err
		}
		fmt.Println("ok")
		return nil
	}
}
