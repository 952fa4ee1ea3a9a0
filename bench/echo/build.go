//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
)

// module is what the packages built here are in. Naming them by it lets this
// program be run from any directory of the module.
const module = "github.com/curio-go/curio/bench"

// build builds a command of this module into directory, and returns its path.
func build(ctx context.Context, directory, name string) (string, error) {
	binary := filepath.Join(directory, filepath.Base(name))
	command := exec.CommandContext(ctx, "go", "build", "-o", binary, module+"/"+name)
	if output, err := command.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building %s: %w\n%s", name, err, bytes.TrimSpace(output))
	}
	return binary, nil
}
