package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
)

const vetted = `package vetted

import (
	"context"
	"time"
)

func retry(ctx context.Context, try func() error) error {
	for try() != nil {
		time.Sleep(time.Second)
	}
	return nil
}
`

const fixed = `package vetted

import (
	"context"
	"time"

	"github.com/curio-go/curio"
)

func retry(ctx context.Context, try func() error) error {
	for try() != nil {
		if err := curio.Sleep(ctx, time.Second); err != nil {
			return err
		}
	}
	return nil
}
`

// vetIn runs curio vet in a process of its own, in a directory with a module of one package.
func vetIn(t *testing.T, dir string, args ...string) result {
	t.Helper()
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), binary, append([]string{"vet"}, args...)...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &stdout, &stderr
	cmd.Env = append(os.Environ(), ownVariable+"=vet", "GOWORK=off", "GOFLAGS=")
	err = cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return result{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

func TestVet(t *testing.T) {
	testutil.NoLeaks(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "vetted.go")
	for name, text := range map[string]string{file: vetted, filepath.Join(dir, "go.mod"): "module example.org/vetted\n\ngo 1.26\n"} {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}

	const found = "vetted.go:10:3: time.Sleep goes on when ctx is done: use curio.Sleep\n"
	if r := vetIn(t, dir); r.status != exitFound || r.stdout != "" || !strings.HasSuffix(r.stderr, found) {
		t.Errorf("%+v", r)
	}
	if r := vetIn(t, dir, "-ctxsleep=false", "./..."); r.status != 0 || r.stdout != "" || r.stderr != "" {
		t.Errorf("%+v", r)
	}
	if r := vetIn(t, dir, "./none"); r.status != exitError || r.stderr == "" {
		t.Errorf("%+v", r)
	}
	if r := vetIn(t, dir, "-fix", "-diff"); r.status != 0 || !strings.Contains(r.stdout, "+\t\tif err := curio.Sleep(ctx, time.Second); err != nil {\n") {
		t.Errorf("%+v", r)
	}
	if r := vetIn(t, dir, "-fix"); r.status != 0 || r.stdout != "" || r.stderr != "" {
		t.Errorf("%+v", r)
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != fixed {
		t.Errorf("%v\n%s", err, text)
	}
}

func TestVetHelp(t *testing.T) {
	testutil.NoLeaks(t)
	help := program(t, nil, "", "vet", "-help")
	for _, want := range []string{"Usage: curio vet [FLAGS] [PACKAGES]\n", "\n  ctxsleep      find sleeps that ignore the context\n", "\n  curiogroup    "} {
		if help.status != 0 || !strings.Contains(help.stdout, want) {
			t.Errorf("%+v", help)
		}
	}
	program(t, nil, "", "help", "vet").want(t, 0, help.stdout, "")
}
