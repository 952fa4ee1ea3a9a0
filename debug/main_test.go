package debug_test

import (
	"os"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
)

// children are what the test binary does when it plays a child process.
var children = map[string]func(){}

func TestMain(m *testing.M) { testutil.Main(m, func() { children[os.Args[1]]() }) }
