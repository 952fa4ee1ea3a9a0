//go:build linux

package main

import (
	"io"
	"slices"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	o, err := parse([]string{"-only", "curio", "-extra", "mine=/bin/mine -x", "-cells", "3x5,7x9", "-mode", "2cpu", "-cpus", "1,3"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range o.servers {
		names = append(names, s.name)
	}
	if !slices.Equal(names, []string{"gonet", "curio", "mine"}) {
		t.Errorf("servers %v: want the reference, the chosen and the extra one", names)
	}
	if !slices.Equal(o.servers[2].command, []string{"/bin/mine", "-x"}) {
		t.Errorf("command %q", o.servers[2].command)
	}
	if !slices.Equal(o.cells, []cell{{3, 5}, {7, 9}}) || !slices.Equal(o.modes, []string{"2cpu"}) || !slices.Equal(o.cpus, []int{1, 3}) {
		t.Errorf("got %+v", o)
	}
}

func TestParseExtraAsReference(t *testing.T) {
	o, err := parse([]string{"-only", "curio", "-extra", "mine=/bin/mine", "-ref", "mine"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if len(o.servers) != 2 || o.servers[0].name != "mine" || o.servers[1].name != "curio" {
		t.Errorf("got %+v", o.servers)
	}
}

func TestParseErrors(t *testing.T) {
	for _, test := range []struct{ arguments, want string }{
		{"argument", "no argument"},
		{"-only nobody", "no such server"},
		{"-ref nobody", "no such server"},
		{"-extra mine", "not NAME=COMMAND"},
		{"-extra =x", "not NAME=COMMAND"},
		{"-extra mine=", "not NAME=COMMAND"},
		{"-cells 64", "not CONNECTIONSxBYTES"},
		{"-cells 64x", "not CONNECTIONSxBYTES"},
		{"-cells 0x64", "not CONNECTIONSxBYTES"},
		{"-mode 3cpu", "neither 1cpu nor 2cpu"},
		{"-cpus a,b", "not a CPU"},
		{"-rounds 0", "-rounds"},
		{"-secs 0", "-secs"},
		{"-warmup -1", "-warmup"},
		{"-unknown", "not defined"},
	} {
		if _, err := parse(strings.Fields(test.arguments), io.Discard); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: got %v, want %q", test.arguments, err, test.want)
		}
	}
}
