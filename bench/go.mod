module github.com/curio-go/curio/bench

go 1.26.0

require (
	github.com/cloudwego/netpoll v0.7.2
	github.com/curio-go/curio v0.0.0-00010101000000-000000000000
	golang.org/x/sync v0.24.0
	golang.org/x/sys v0.47.0
)

require (
	github.com/bytedance/gopkg v0.1.1 // indirect
	github.com/cloudwego/gopkg v0.1.4 // indirect
)

replace github.com/curio-go/curio => ../
