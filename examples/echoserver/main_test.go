package main

import (
	"testing"

	"github.com/curio-go/curio/internal/testutil"
)

func TestMain(m *testing.M) { testutil.Main(m, main) }

func TestEchoServer(t *testing.T) { testutil.CheckEchoServer(t) }
