package file_test

import (
	"context"
	"errors"
	"os"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
)

// children are what the test binary does when it plays a child process. The arguments are in
// os.Args, after the child's name.
var children = map[string]func(){}

func TestMain(m *testing.M) { testutil.Main(m, func() { children[os.Args[1]]() }) }

var background = context.Background()

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// want fails the test if err is not each of the targets.
func want(t testing.TB, err error, targets ...error) {
	t.Helper()
	for _, target := range targets {
		if !errors.Is(err, target) {
			t.Errorf("the error is %v, want %v", err, target)
		}
	}
}

func write(t testing.TB, name, text string) {
	t.Helper()
	check(t, os.WriteFile(name, []byte(text), 0o644))
}
