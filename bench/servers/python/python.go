// Package python holds echo servers in Python, which a runner writes to a directory of its
// own. Each is run as SCRIPT [ARGUMENT] PORT, and listens on 127.0.0.1.
package python

import (
	"embed"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

//go:embed *.py requirements.txt
var files embed.FS

// A Server is a script with its argument.
type Server struct {
	Script   string
	Argument string // "" for none
	Module   string // what has to be importable
}

// Servers are all of them, by name.
var Servers = map[string]Server{
	"asyncio-streams":  {"echo_asyncio.py", "streams", "asyncio"},
	"asyncio-protocol": {"echo_asyncio.py", "protocol", "asyncio"},
	"trio":             {"echo_trio.py", "", "trio"},
	"python-curio":     {"echo_curio.py", "", "curio"},
}

// Requirements returns what the servers need from the Python Package Index.
func Requirements() []string {
	text, err := files.ReadFile("requirements.txt")
	if err != nil {
		panic(err) // it is embedded
	}
	var all []string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			all = append(all, line)
		}
	}
	return all
}

// WriteTo writes the scripts to a directory, in which they find nothing that they could
// import by mistake.
func WriteTo(directory string) error {
	scripts, err := fs.Glob(files, "*.py")
	if err != nil {
		return err
	}
	for _, name := range scripts {
		text, err := files.ReadFile(name)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(directory, name), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}
