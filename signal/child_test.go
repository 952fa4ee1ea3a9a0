package signal_test

import (
	"fmt"
	"os"
	"os/exec"
	ossignal "os/signal"
	"syscall"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/signal"
)

// The tests of this file are of what a signal does to the process, so each has a child for it.

func init() {
	children["deadly"] = func() {
		q := signal.NewQueue(syscall.SIGTERM)
		raise(syscall.SIGTERM)
		sig, err := q.Get(background)
		fmt.Println(sig, err)
		q.Close()
		raise(syscall.SIGTERM)
		select {}
	}
	children["stretch"] = func() {
		arrive := func(sigs ...syscall.Signal) { // so that none is on its way any more
			q := signal.NewQueue(sigs[0], sigs[len(sigs)-1])
			defer q.Close()
			for _, sig := range sigs {
				raise(sig)
				if got, err := q.Get(background); got != sig {
					fmt.Println(got, err)
				}
			}
		}
		restore := signal.Ignore(syscall.SIGINT, syscall.SIGTERM)
		arrive(syscall.SIGINT, syscall.SIGTERM)
		raise(syscall.SIGINT)
		fmt.Println("still here", ignored(syscall.SIGINT), ossignal.Ignored(syscall.SIGINT))
		inner := signal.Ignore(syscall.SIGINT)
		restore()
		restore()
		arrive(syscall.SIGINT)
		fmt.Println("and here")
		inner()
		raise(syscall.SIGINT)
		select {}
	}
	children["inherit"] = func() {
		defer signal.Ignore(syscall.SIGINT)()
		grandchild := exec.Command(os.Args[2], "mask")
		grandchild.Env = append(os.Environ(), "CURIO_TEST_CHILD=1")
		grandchild.ExtraFiles = []*os.File{os.NewFile(3, "lifeline")}
		grandchild.Stdout, grandchild.Stderr = os.Stdout, os.Stderr
		if err := grandchild.Run(); err != nil {
			fmt.Println(err)
		}
	}
	children["mask"] = func() { fmt.Println("ignored:", ignored(syscall.SIGINT)) }
	children["under nohup"] = func() {
		ossignal.Ignore(syscall.SIGHUP)
		os.Setenv("CURIO_TEST_CHILD", "1")
		panic(syscall.Exec(os.Args[2], []string{os.Args[2], "nohup"}, os.Environ()))
	}
	children["nohup"] = func() {
		q := signal.NewQueue(syscall.SIGHUP, syscall.SIGUSR1)
		raise(syscall.SIGHUP)
		raise(syscall.SIGUSR1)
		sig, err := q.Get(background)
		fmt.Println(sig, err, ignored(syscall.SIGHUP))
		q.Close()
		raise(syscall.SIGHUP)
		fmt.Println("still here", ignored(syscall.SIGHUP))
	}
}

// A signal that ends a program does so again when the last queue for it has been closed.
func TestDeadlyAgain(t *testing.T) {
	testutil.NoLeaks(t)
	child := testutil.Self(t, "deadly")
	if printed, status := child.Rest(); printed != "terminated <nil>\n" || status != -1 {
		t.Errorf("it printed %q and ended with %d", printed, status)
	}
}

// Within an Ignore the signals do nothing, although they are not ignored in the sense of the
// system; stretches may overlap.
func TestIgnore(t *testing.T) {
	testutil.NoLeaks(t)
	child := testutil.Self(t, "stretch")
	if printed, status := child.Rest(); printed != "still here false false\nand here\n" || status != -1 {
		t.Errorf("it printed %q and ended with %d", printed, status)
	}
}

// A child that is started within an Ignore does not inherit it.
func TestIgnoreIsNotInherited(t *testing.T) {
	testutil.NoLeaks(t)
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := testutil.Self(t, "inherit", program)
	if printed, status := child.Rest(); printed != "ignored: false\n" || status != 0 {
		t.Errorf("it printed %q and ended with %d", printed, status)
	}
}

// What nohup has put to rest is not woken, by a queue or by its Close.
func TestIgnoredAtStart(t *testing.T) {
	testutil.NoLeaks(t)
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := testutil.Self(t, "under nohup", program)
	if printed, status := child.Rest(); printed != "user defined signal 1 <nil> true\nstill here true\n" || status != 0 {
		t.Errorf("it printed %q and ended with status %d", printed, status)
	}
}
