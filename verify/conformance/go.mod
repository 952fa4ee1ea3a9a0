module github.com/curio-go/curio/verify/conformance

go 1.26

require (
	github.com/anishathalye/porcupine v1.3.1
	github.com/curio-go/curio v0.0.0-00010101000000-000000000000
	golang.org/x/sys v0.47.0
)

replace github.com/curio-go/curio => ../../
