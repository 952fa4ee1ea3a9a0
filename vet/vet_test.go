package vet

import (
	"testing"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/analysistest"
)

// The packages in testdata have comments that say what is to be found, and golden files with the fixes. All analyzers look
// at all of them, so that one does not report what another one's test shows to be right.
func TestAnalyzers(t *testing.T) {
	all := &analysis.Analyzer{
		Name: "all", Doc: "run all analyzers", Requires: []*analysis.Analyzer{prepare},
		Run: func(pass *analysis.Pass) (any, error) {
			for _, a := range Analyzers() {
				if _, err := a.Run(pass); err != nil {
					return nil, err
				}
			}
			return nil, nil
		},
	}
	analysistest.RunWithSuggestedFixes(t, analysistest.TestData(), all, "./...")
}

func TestAnalyzersAreValid(t *testing.T) {
	if err := analysis.Validate(Analyzers()); err != nil {
		t.Error(err)
	}
	for _, a := range Analyzers() {
		if len(a.FactTypes) > 0 {
			t.Errorf("%s has facts: a driver would have to read all dependencies from source", a.Name)
		}
	}
}
