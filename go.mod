module github.com/curio-go/curio

go 1.26
