module github.com/curio-go/curio/examples/executors

go 1.26

require (
	github.com/alitto/pond/v2 v2.7.1
	github.com/curio-go/curio v0.0.0-00010101000000-000000000000
	github.com/panjf2000/ants/v2 v2.12.1
)

require golang.org/x/sync v0.11.0 // indirect

replace github.com/curio-go/curio => ../..
