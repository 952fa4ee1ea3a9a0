package main

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/blackbox"
	"github.com/curio-go/curio/internal/testutil"
)

func TestShow(t *testing.T) {
	testutil.NoLeaks(t)
	k := runKernel(t, func(ctx context.Context) error {
		for _, name := range hostile {
			curio.Go(ctx, func(ctx context.Context) error { return new(curio.Event).Wait(ctx) }, curio.Name("shown "+name))
		}
		return bank(ctx)
	})
	hasStates(t, k, "transfer LOCK_ACQUIRE", "audit LOCK_ACQUIRE", "print QUEUE_GET", "shown "+hostile[0]+" EVENT_WAIT")
	var file bytes.Buffer
	if err := blackbox.Write(&file); err != nil {
		t.Fatal(err)
	}
	path := testutil.WriteFile(t, "box", file.Bytes())
	shown := program(t, nil, "", "show", path)
	if shown.status != 0 || shown.stderr != "" {
		t.Errorf("%+v", shown)
	}
	for _, want := range []string{"transfer", "LOCK_ACQUIRE", "audit", "QUEUE_GET", `shown \x1b[2J`} {
		if !strings.Contains(shown.stdout, want) {
			t.Errorf("there is no %s in\n%s", want, shown.stdout)
		}
	}
	isHarmless(t, strings.ReplaceAll(shown.stdout, "\t", ""))
	program(t, nil, file.String(), "show", "-").want(t, 0, shown.stdout, "")

	// A file that was cut off is shown as far as it goes.
	half := testutil.WriteFile(t, "box", file.Bytes()[:file.Len()/2])
	if r := program(t, nil, "", "show", half); r.status != 0 || !strings.Contains(r.stdout, "The file ends too early") {
		t.Errorf("%+v", r)
	}
	for name, want := range map[string]string{
		path + "\x1b[2J":   fmt.Sprintf("curio: open %s\\x1b[2J: no such file or directory\n", path),
		filepath.Dir(path): fmt.Sprintf("curio: %s: read %[1]s: is a directory\n", filepath.Dir(path)),
		testutil.WriteFile(t, "text", []byte("\x1b[2Jno box\n")): "not a black box",
	} {
		if r := program(t, nil, "", "show", name); r.status != 1 || r.stdout != "" || !strings.Contains(r.stderr, want) {
			t.Errorf("%q: %+v", name, r)
		}
	}
}
