package channel_test

import (
	"context"
	"os"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
)

// children are what the test binary does when it plays a child process; the first argument says which.
var children = map[string]func(){
	"fips":    fipsMain,
	"connect": connectMain,
}

func TestMain(m *testing.M) {
	testutil.Main(m, func() { children[os.Args[1]]() })
}

var background = context.Background()

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
