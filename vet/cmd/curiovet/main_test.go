package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// selfVariable is set where the test binary is to be the program itself.
const selfVariable = "CURIO_TEST_VET"

func TestMain(m *testing.M) {
	if os.Getenv(selfVariable) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// go vet asks the program for its version and its flags, and has it look at each package.
func TestVetTool(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module example.org/vetted\n\ngo 1.26\n",
		"vetted.go": `package vetted

import (
	"context"
	"time"
)

func Sleep(ctx context.Context) {
	time.Sleep(time.Second)
}
`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) (string, error) {
		cmd := exec.CommandContext(t.Context(), "go", append([]string{"vet", "-vettool=" + self}, args...)...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), selfVariable+"=1", "GOWORK=off", "GOFLAGS=")
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := run("."); err == nil || !strings.Contains(out, "vetted.go:9:2: time.Sleep goes on when ctx is done: use curio.Sleep\n") {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err := run("-ctxsleep=false", "."); err != nil || out != "" {
		t.Errorf("%v\n%s", err, out)
	}
}
