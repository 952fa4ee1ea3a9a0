// Curiovet runs the analyzers of package vet: see there. It looks at packages by itself, or for go vet.
//
//	curiovet ./...
//	curiovet -fix ./...
//	go vet -vettool=$(which curiovet) ./...
//
// The command curio has it as well, as curio vet.
package main

import (
	"golang.org/x/tools/go/analysis/multichecker"

	"github.com/curio-go/curio/vet"
)

func main() { multichecker.Main(vet.Analyzers()...) }
