package subprocess_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
)

func TestMain(m *testing.M) { testutil.Main(m, asChild) }

// children are what this test binary does when it is started by testutil.Self, or by self.
var children = map[string]func(args []string) error{}

func asChild() {
	act := children[os.Args[1]]
	if act == nil {
		fmt.Fprintf(os.Stderr, "there is no child %q\n", os.Args[1])
		os.Exit(2)
	}
	if err := act(os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
