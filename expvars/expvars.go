// Package expvars shows the counts of curio.ReadStats to package expvar: how many tasks there have been, how they
// ended, and what the living ones wait for.
//
//	expvars.Publish("curio")
//
// Publish has to be called: importing this package publishes nothing of ours. But package expvar
// itself, once it is in a program, serves all published variables at /debug/vars of
// [http.DefaultServeMux], to everybody who can reach a server that uses it. So a public server
// should have a mux of its own. The command line is among the variables.
//
// For other metrics systems there are the modules metrics/prometheus and metrics/otel.
package expvars

import (
	"expvar"

	"github.com/curio-go/curio"
)

// Publish publishes the counts as a variable with the given name, by convention "curio". It is a
// JSON object with the fields of [curio.Stats], such as "Created" and "ByState". Like
// [expvar.Publish], it panics if the name is taken.
//
// The counts are read each time that the variable is read: see [curio.ReadStats] for what that
// costs. Before that nothing is done. A published variable cannot be removed.
func Publish(name string) { expvar.Publish(name, Var()) }

// Var returns the variable without publishing it, for a map of your own, such as an [expvar.Map]. It
// is safe for concurrent use.
func Var() expvar.Var { return expvar.Func(func() any { return curio.ReadStats() }) }
