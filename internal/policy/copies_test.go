package policy_test

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

// A kept is an exported type whose documentation says that it must not be copied.
type kept struct {
	dir, name string
	arguments int // how many type arguments it has
}

// keptTypes returns those of one file.
func keptTypes(s *source) (types []kept) {
	for _, decl := range s.tree.Decls {
		general, ok := decl.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, spec := range general.Specs {
			spec, ok := spec.(*ast.TypeSpec)
			if !ok || !spec.Name.IsExported() {
				continue
			}
			doc := spec.Doc
			if doc == nil {
				doc = general.Doc
			}
			text := strings.Join(strings.Fields(doc.Text()), " ")
			if strings.Contains(text, "must not be copied") {
				types = append(types, kept{s.dir(), spec.Name.Name, spec.TypeParams.NumFields()})
			}
		}
	}
	return types
}

// copier is a program that copies a value of each of the types, each on a line that says which
// one it is.
func copier(types []kept) string {
	var imports, lines strings.Builder
	imported := map[string]bool{}
	for _, k := range types {
		if !imported[k.dir] {
			imported[k.dir] = true
			fmt.Fprintf(&imports, "\t%q\n", path.Join(modulePath, k.dir))
		}
		name := path.Base(path.Join(modulePath, k.dir)) + "." + k.name
		if k.arguments > 0 {
			name += "[" + strings.Repeat("int, ", k.arguments-1) + "int]"
		}
		fmt.Fprintf(&lines, "func _(v *%s) { w := *v; _ = &w }\n", name)
	}
	return "package policy\n\nimport (\n" + imports.String() + ")\n\n" + lines.String()
}

// go vet finds a copy of every type that must not be copied.
func TestVetFindsCopies(t *testing.T) {
	var types []kept
	for _, s := range sources(t, false) {
		if isPublic(s.dir()) && !s.isTest() {
			types = append(types, keptTypes(s)...)
		}
	}
	if len(types) < 20 {
		t.Fatalf("only %d types say that they must not be copied", len(types))
	}
	root, temp := rootDir(t), t.TempDir()
	text := copier(types)
	program, overlay := filepath.Join(temp, "copies.go"), filepath.Join(temp, "overlay.json")
	replace, err := json.Marshal(map[string]any{"Replace": map[string]string{
		filepath.Join(root, "internal", "policy", "copies.go"): program, // in a package that there is
	}})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{program: []byte(text), overlay: replace} {
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	vet := exec.Command("go", "vet", "-copylocks", "-overlay", overlay, "./internal/policy")
	vet.Dir = root
	said, err := vet.CombinedOutput()
	if err == nil {
		t.Fatal("go vet has found none")
	}
	first := strings.Count(text[:strings.Index(text, "func _")], "\n") + 1
	for i, k := range types {
		if !strings.Contains(string(said), fmt.Sprintf("copies.go:%d:", first+i)) {
			t.Errorf("go vet does not find a copy of %s.%s", k.dir, k.name)
		}
	}
	if t.Failed() {
		t.Logf("%s", said)
	}
}

func TestKeptTypes(t *testing.T) {
	types := keptTypes(mustParse(t, "network/a.go", `package network

// A One must not
// be copied.
type One[K comparable, V any] struct{}

// A Two may be.
type Two struct{}
`))
	if len(types) != 1 || types[0] != (kept{"network", "One", 2}) {
		t.Errorf("%v", types)
	}
}
