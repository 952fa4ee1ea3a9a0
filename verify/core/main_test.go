package core_test

import (
	"testing"

	"github.com/curio-go/curio/verify/fixture"
)

func TestMain(m *testing.M) { fixture.Main(m) }
