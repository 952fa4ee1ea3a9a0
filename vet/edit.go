package vet

import (
	"go/ast"
	"go/token"
	"go/types"
	"strconv"
	"strings"

	"golang.org/x/tools/go/analysis"
)

// importCurio returns the name that package curio has at pos, and the edits that import it if the file does not. It is not
// ok if the name stands for something else there.
func (u *unit) importCurio(file *ast.File, pos token.Pos) (name string, edits []analysis.TextEdit, ok bool) {
	if u.pkg.Path() == curioPath {
		return "", nil, false
	}
	name = "curio"
	imported := false
	for _, spec := range file.Imports {
		if path, err := strconv.Unquote(spec.Path.Value); err == nil && path == curioPath {
			imported = true
			if spec.Name != nil {
				name = spec.Name.Name
			}
		}
	}
	_, found := u.pkg.Scope().Innermost(pos).LookupParent(name, pos)
	if imported {
		_, ok := found.(*types.PkgName)
		return name, nil, ok && name != "_" && name != "."
	}
	if found != nil {
		return "", nil, false
	}
	return name, []analysis.TextEdit{importEdit(file)}, true
}

// importEdit adds the import of package curio to a file that has none.
func importEdit(file *ast.File) analysis.TextEdit {
	const spec = "\"" + curioPath + "\""
	var last *ast.GenDecl
	for _, decl := range file.Decls {
		if general, ok := decl.(*ast.GenDecl); ok && general.Tok == token.IMPORT && len(general.Specs) > 0 {
			last = general
		}
	}
	if last == nil {
		return insert(file.Name.End(), "\n\nimport "+spec+"\n")
	}
	if !last.Rparen.IsValid() {
		return insert(last.End(), "\nimport "+spec)
	}
	before := "\n\t"
	path := last.Specs[len(last.Specs)-1].(*ast.ImportSpec).Path.Value
	if first, _, _ := strings.Cut(path, "/"); !strings.Contains(first, ".") {
		before = "\n\n\t" // the imports before are of the standard library
	}
	return insert(last.Rparen, before+spec+"\n")
}

func insert(at token.Pos, text string) analysis.TextEdit {
	return analysis.TextEdit{Pos: at, End: at, NewText: []byte(text)}
}
