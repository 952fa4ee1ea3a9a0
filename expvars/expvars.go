// Package expvars shows the counts of curio.ReadStats to package expvar: how many tasks there have been, how they
// ended, and what the living ones wait for.
//
//	expvars.Publish("curio")
//
// Publish is called, and importing this package publishes nothing of ours. But package expvar itself, once it is in a
// program, serves all published variables at /debug/vars of [http.DefaultServeMux], to everybody that reaches a
// server on that: so a server for the public should have a mux of its own. Among the variables is the command line.
//
// For other systems of metrics there are the modules metrics/prometheus and metrics/otel.
package expvars

import (
	"expvar"

	"github.com/curio-go/curio"
)

// Publish makes the counts the variable with the given name, by convention "curio". It is a JSON object with the
// fields of [curio.Stats], such as "Created" and "ByState". Like [expvar.Publish] it panics if the name is taken.
//
// The counts are read each time that somebody asks for the variable. Until then nothing is done, and nobody is
// held up: see [curio.ReadStats] for what reading costs. A variable cannot be taken back.
func Publish(name string) { expvar.Publish(name, Var()) }

// Var returns the variable without publishing it: for a map of the caller's own, such as an [expvar.Map]. It is safe for
// concurrent use.
func Var() expvar.Var { return expvar.Func(func() any { return curio.ReadStats() }) }
