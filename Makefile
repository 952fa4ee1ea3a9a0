# Plain verbs. The steps of the gate live in .ci/run, once; the verbs that are
# also steps of the gate run them from there.

.DEFAULT_GOAL := help
.PHONY: help build test race check fmt vet lint cross fuzz bench api examples

help: ## list these verbs
	@sed -n 's/^\([a-z]*\): ## /\1	/p' Makefile

build: ## compile everything in the workspace
	go build work

test: ## run the tests
	go test ./...

race: ## run the tests under the race detector, in random order
	.ci/run race

check: ## run the whole gate, as for every commit
	.ci/run

fmt: ## format all Go files
	GOWORK=off go tool -modfile=tools/go.mod gofumpt -w .
	gofmt -w .

vet: ## run go vet, and look for what go fix would modernise
	.ci/run vet fix

lint: ## run staticcheck
	.ci/run lint

cross: ## vet for the systems that this machine is not
	.ci/run cross

fuzz: ## fuzz each target for FUZZTIME (3s)
	.ci/run fuzz

bench: ## run the benchmarks beside the code
	go test -run '^$$' -bench . -benchmem ./...

api: ## rewrite the lists of the public API
	go test ./internal/policy -run API -update

examples: ## run the smoke tests of the examples
	go test -v ./examples/...
