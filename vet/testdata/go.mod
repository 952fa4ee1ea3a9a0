module example.org/testdata

go 1.26.0

require (
	github.com/curio-go/curio v0.0.0-00010101000000-000000000000
	golang.org/x/sync v0.23.0
)

replace github.com/curio-go/curio => ../..
