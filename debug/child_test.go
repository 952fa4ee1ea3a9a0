package debug_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
)

func init() {
	children["work"] = func() { fmt.Println("done", curio.Run(context.Background(), work)) }
	children["exit"] = func() { curio.Exit(work(context.Background())) } // in the default kernel, which is never shut down
}

// work runs a task that waits.
func work(ctx context.Context) error {
	var free curio.Event
	task := curio.Go(ctx, free.Wait, curio.Name("work"))
	inState(task.AnyTask, "EVENT_WAIT")
	free.Set()
	_, err := task.Join(ctx)
	return err
}

// A program is traced from outside, and it is all there although the program ends at once.
func TestEnvironment(t *testing.T) {
	for _, test := range []struct {
		child, value string
		want, not    []string
	}{
		{"work", "", nil, []string{"curio"}},
		{"work", "schedtrace,filter=work", []string{"task created", "task waits", "op=EVENT_WAIT", "task ended", "how=ended"}, []string{"name=debug_test"}},
		{"exit", "schedtrace", []string{"task created", "task ended", "how=ended"}, nil},
		{"work", "traptrace,longblok=1s", []string{"longblok", "not understood", "waited="}, nil},
		{"work", "filter=work", nil, []string{"task"}},
		{"work", "nothing,of=this", []string{"nothing", "of=this"}, []string{"task"}},
	} {
		t.Setenv("CURIO_DEBUG", test.value)
		child := testutil.Self(t, test.child)
		printed, status := child.Rest()
		said := child.Stderr()
		if status != 0 || test.child == "work" && printed != "done <nil>\n" {
			t.Errorf("with %q: status %d, it printed %q", test.value, status, printed)
		}
		for _, want := range test.want {
			if !strings.Contains(said, want) {
				t.Errorf("with %q: no %q in\n%s", test.value, want, said)
			}
		}
		for _, not := range test.not {
			if strings.Contains(said, not) {
				t.Errorf("with %q: %q in\n%s", test.value, not, said)
			}
		}
	}
	os.Unsetenv("CURIO_DEBUG")
}
