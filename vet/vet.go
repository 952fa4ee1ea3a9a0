package vet

import "golang.org/x/tools/go/analysis"

// Analyzers returns the analyzers of this package, in the order in which the package's documentation lists them.
func Analyzers() []*analysis.Analyzer {
	return []*analysis.Analyzer{
		sleep, channels, waits, conns, commands, calls, locks,
		cancels, spawns, loops, contexts, groups,
	}
}
